"""The one theme: design tokens for light and dark, rendered as CSS custom properties.

No page and no style sheet sets a colour, a font size or a space by hand; they name a token. Colours of text reach the
contrast of WCAG 2.2 AA (4.5:1) on every surface they are used on, in both themes; a test computes it.
"""

from collections.abc import Mapping
from enum import StrEnum


class Theme(StrEnum):
    """What a person chose; ``system`` follows the operating system."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


TONES = ("running", "succeeded", "failed", "waiting", "warning", "lost")
"""Colours of states; nothing else has them."""

LIGHT: Mapping[str, str] = {
    "page": "#f5f7f8",
    "surface": "#ffffff",
    "raised": "#eef1f2",
    "line": "#dde2e4",
    "line-strong": "#87949a",
    "text": "#182024",
    "text-soft": "#46545b",
    "text-faint": "#5c6a71",
    "accent": "#0a6565",
    "accent-fill": "#0c6f6e",
    "accent-fill-hover": "#095857",
    "accent-soft": "#e0f0ef",
    "on-fill": "#ffffff",
    "danger-fill": "#b3232f",
    "danger-fill-hover": "#951b26",
    "mark": "#ffe58a",
    "running": "#1c58b8",
    "running-soft": "#e7effb",
    "succeeded": "#166a3c",
    "succeeded-soft": "#e2f3e9",
    "failed": "#b3232f",
    "failed-soft": "#fce9e9",
    "waiting": "#4d5a61",
    "waiting-soft": "#eaeef0",
    "warning": "#7d5200",
    "warning-soft": "#fdf0d3",
    "lost": "#6637b5",
    "lost-soft": "#f0eafb",
}

DARK: Mapping[str, str] = {
    "page": "#101416",
    "surface": "#171c1f",
    "raised": "#20272a",
    "line": "#2b3438",
    "line-strong": "#6c7a81",
    "text": "#e4e9eb",
    "text-soft": "#b0bbc0",
    "text-faint": "#96a3a9",
    "accent": "#57c2b9",
    "accent-fill": "#12706d",
    "accent-fill-hover": "#178380",
    "accent-soft": "#143634",
    "on-fill": "#ffffff",
    "danger-fill": "#b8323d",
    "danger-fill-hover": "#c9414c",
    "mark": "#6b5200",
    "running": "#85b4ff",
    "running-soft": "#192a45",
    "succeeded": "#69cf95",
    "succeeded-soft": "#143020",
    "failed": "#ff9a98",
    "failed-soft": "#421d20",
    "waiting": "#b0bbc0",
    "waiting-soft": "#273034",
    "warning": "#f0c169",
    "warning-soft": "#39290c",
    "lost": "#c7a8ff",
    "lost-soft": "#2c2145",
}

TYPE_SCALE: Mapping[str, int] = {"12": 12, "13": 13, "14": 14, "16": 16, "20": 20, "28": 28}
"""Font sizes in CSS pixels, given as rem so that a reader's own size counts."""

SPACES = (1, 2, 3, 4, 5, 6, 8, 10, 12)
"""Steps of the 4 px grid: ``--space-3`` is 12 px."""

RADII: Mapping[str, str] = {"small": "4px", "medium": "6px", "round": "999px"}

_ROOT_FONT_PIXELS = 16
_GRID_PIXELS = 4
_FONTS: Mapping[str, str] = {
    "sans": 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
    "mono": 'ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
}


def theme_css() -> str:
    """Return the style sheet that defines every token, for light, dark and the system's choice."""
    fixed = {
        **{f"font-{name}": value for name, value in _FONTS.items()},
        **{f"text-{name}": f"{size / _ROOT_FONT_PIXELS:g}rem" for name, size in TYPE_SCALE.items()},
        **{f"space-{step}": f"{step * _GRID_PIXELS}px" for step in SPACES},
        **{f"radius-{name}": value for name, value in RADII.items()},
        "row": "32px",
    }
    light = {**_colours(LIGHT), "color-scheme": "light"}
    dark = {**_colours(DARK), "color-scheme": "dark"}
    return "\n".join(
        (
            _rule(":root", {f"--{name}": value for name, value in fixed.items()} | light),
            "@media (prefers-color-scheme: dark) {",
            _rule(':root:not([data-theme="light"])', dark),
            "}",
            _rule(':root[data-theme="dark"]', dark),
            *(
                _rule(f".tone-{tone}", {"--tone": f"var(--{tone})", "--tone-soft": f"var(--{tone}-soft)"})
                for tone in TONES
            ),
            "",
        )
    )


def _colours(palette: Mapping[str, str]) -> dict[str, str]:
    return {f"--{name}": value for name, value in palette.items()}


def _rule(selector: str, declarations: Mapping[str, str]) -> str:
    body = "".join(f"  {name}: {value};\n" for name, value in declarations.items())
    return f"{selector} {{\n{body}}}"
