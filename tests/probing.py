"""Every route of the whole app, and for each a request that is well formed: what tests of doors are generated from."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, TypeAdapter

from controlroom.identity.access import Guard
from controlroom.identity.permissions import Permission
from controlroom.identity.route_audit import route_permissions

_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_WRITTEN = {"slots": "1"}
"""Fields of forms that take text and mean a number."""
_NOT_TRIED = {"HEAD", "OPTIONS", "WEBSOCKET"}


@dataclass(frozen=True)
class Probe:
    """A request that a route takes; ``form`` and ``body`` hold what it cannot do without, and something for the rest."""

    method: str
    path: str
    permission: Permission | Guard | None
    parameters: tuple[str, ...]
    query: Mapping[str, Any]
    body: Any
    form: Mapping[str, Any] | None
    texts: tuple[str, ...] = ()
    """Parameters of the query that take any text."""

    @property
    def is_page(self) -> bool:
        """Whether people see the answer in a browser."""
        return not self.path.startswith(("/api/", "/health/", "/metrics", "/runner/"))

    @property
    def streams(self) -> bool:
        """Whether the answer goes on for ever."""
        return self.path.endswith(("/events", "/log/stream"))

    def at(self, known: Mapping[str, str]) -> str:
        """Return the path with ids in it; what is not known becomes ``1``."""
        return _PARAMETER.sub(lambda found: str(known.get(found[1], "1")), self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def probes(app: FastAPI) -> list[Probe]:
    """Return a probe for each method of each route, in the order of the app."""
    permissions = {
        (method, route.path): route.permission for route in route_permissions(app) for method in route.methods
    }
    return list(_probes(app, permissions))


def _probes(app: FastAPI, permissions: Mapping[tuple[str, str], Any]) -> Iterator[Probe]:
    for context in iter_route_contexts(list(app.routes)):
        dependant = getattr(context, "dependant", None)
        if dependant is None:
            continue
        path = str(context.path)
        for method in sorted(set(context.methods or ()) - _NOT_TRIED):
            body, form = _sent(dependant)
            yield Probe(
                method,
                path,
                permissions[method, path],
                tuple(_PARAMETER.findall(path)),
                _queried(dependant),
                body,
                form,
                tuple(
                    field.alias
                    for field in _query_fields(dependant)
                    if _schema(field).get("type") == "string"
                ),
            )


def _sent(dependant: Any) -> tuple[Any, Mapping[str, Any] | None]:
    fields = list(dependant.body_params)
    if not fields:
        return None, None
    forms = [field for field in fields if type(field.field_info).__name__ == "Form"]
    if forms or any(type(field.field_info).__name__ == "File" for field in fields):
        return None, {field.alias: _WRITTEN.get(field.alias) or _sample(_schema(field)) for field in forms}
    return _sample(_schema(fields[0])), None


def _queried(dependant: Any) -> dict[str, Any]:
    return {
        field.alias: _sample(_schema(field))
        for field in _query_fields(dependant)
        if field.field_info.is_required()
    }


def _query_fields(dependant: Any) -> list[Any]:
    found = list(dependant.query_params)
    for below in dependant.dependencies:
        found += _query_fields(below)
    return found


def _schema(field: Any) -> dict[str, Any]:
    annotation = field.field_info.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_json_schema()
    schema: dict[str, Any] = TypeAdapter(annotation).json_schema()
    return schema


def _sample(schema: Mapping[str, Any], definitions: Mapping[str, Any] | None = None) -> Any:
    known = definitions or schema.get("$defs", {})
    if "$ref" in schema:
        return _sample(known[schema["$ref"].rpartition("/")[2]], known)
    for key in ("const", "default"):
        if schema.get(key) not in (None, ""):
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if "examples" in schema:
        return schema["examples"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _sample(schema[key][0], known)
    match schema.get("type"):
        case "object":
            required = schema.get("required", [])
            return {
                name: _sample(value, known)
                for name, value in schema.get("properties", {}).items()
                if name in required
            }
        case "array":
            return [_sample(schema.get("items", {}), known)] * max(1, schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 1) or 1
        case "boolean":
            return False
        case "string" if schema.get("format") == "date-time":
            return "2030-01-01T00:00:00Z"
    return "x" * max(1, schema.get("minLength", 1))
