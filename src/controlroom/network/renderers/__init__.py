"""Renderers of firewalls' own languages; each is one file of this folder that names itself ``RENDERER``."""

import sys
from functools import cache

from controlroom.network.registry import find_parts, pick
from controlroom.network.renderers.interface import TAG, RenderedFile, Renderer, Rendering

__all__ = ["TAG", "RenderedFile", "Renderer", "Rendering", "renderer", "renderers"]


@cache
def renderers() -> dict[str, Renderer]:
    """Return all renderers by name."""
    return find_parts(sys.modules[__name__], "RENDERER", Renderer)  # type: ignore[type-abstract]  # the kind is only vouched for


def renderer(name: str) -> Renderer:
    """Return one renderer; raise `UnknownName` with the nearest known one."""
    return pick(renderers(), "target", name)
