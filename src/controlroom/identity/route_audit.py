"""Lists what each route of an app needs, so that none is left open by oversight."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount

from controlroom.identity.access import Guard
from controlroom.identity.permissions import Permission

WEBSOCKET = "WEBSOCKET"


@dataclass(frozen=True, slots=True)
class RoutePermission:
    """A route and the right it needs; None where nothing guards it, which is a defect."""

    methods: tuple[str, ...]
    path: str
    permission: Permission | Guard | None


def route_permissions(app: FastAPI) -> list[RoutePermission]:
    """Return every route of the app, WebSockets and mounted apps included, with what it needs.

    What guards a route is found by the attribute ``permission`` of a dependency, of the endpoint, or of the app that is
    mounted. Of several, a right or a device's key counts before `Guard.SIGNED_IN`, and that before `Guard.PUBLIC`.
    """
    return list(_walk(app.routes, ""))


def _walk(routes: Iterable[BaseRoute], prefix: str) -> Iterator[RoutePermission]:
    for context in iter_route_contexts(list(routes)):
        path = f"{prefix}{context.path or ''}"
        route = context.original_route
        if isinstance(route, Mount) and route.routes and not hasattr(route.app, "permission"):
            yield from _walk(route.routes, path)
            continue
        marks = [*_marks_of(getattr(context, "dependant", None)), *_mark(context.endpoint)]
        if isinstance(route, Mount):
            marks += _mark(route.app)
        methods = tuple(sorted(context.methods or ())) or (() if isinstance(route, Mount) else (WEBSOCKET,))
        yield RoutePermission(methods, path, _strongest(marks))


def _marks_of(dependant: Dependant | None) -> Iterator[Permission | Guard]:
    if dependant is None:
        return
    for dependency in dependant.dependencies:
        yield from _mark(dependency.call)
        yield from _marks_of(dependency)


def _mark(thing: Any) -> list[Permission | Guard]:
    permission = getattr(thing, "permission", None)
    return [permission] if isinstance(permission, Permission | Guard) else []


def _strongest(marks: list[Permission | Guard]) -> Permission | Guard | None:
    order = {Guard.PUBLIC: 2, Guard.SIGNED_IN: 1, Guard.ENROLLING: 1, Guard.RENEWING: 1}
    return min(marks, key=lambda mark: order.get(mark, 0) if isinstance(mark, Guard) else 0, default=None)
