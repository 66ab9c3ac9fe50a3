"""What the bot page tells besides versions and runs: its inputs and outputs in a row each, and who may do what with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlroom.foundation.errors import Forbidden
from controlroom.identity.caller import Caller
from controlroom.identity.holders import Holder, Holders
from controlroom.identity.permissions import Permission
from controlroom.identity.places import PlaceKind
from controlroom.web.forms.fields import schema_type
from controlroom.web.forms.shapes import shape_of

_WORDS = {"string": "text", "number": "number", "integer": "whole number", "boolean": "yes or no",
          "array": "list", "object": "several values"}  # fmt: skip
_FORMATS = {"date": "date", "date-time": "moment", "time": "time", "email": "mail address", "uri": "address"}


@dataclass(frozen=True, slots=True)
class Described:
    """One input or output, in words."""

    name: str
    title: str
    kind: str
    help: str
    is_required: bool
    default: Any
    has_default: bool


def described(schema: Mapping[str, Any]) -> list[Described]:
    """Return a row for each value that a schema names, in its order; those of the first form where there are several."""
    whole = shape_of(schema, None, schema).schema
    required = whole.get("required", ())
    return [
        _described(name, shape_of(inner, None, schema).schema, name in required)
        for name, inner in whole.get("properties", {}).items()
    ]


def _described(name: str, plain: Mapping[str, Any], is_required: bool) -> Described:
    return Described(
        name=name,
        title=str(plain.get("title") or ""),
        kind=_kind(plain),
        help=str(plain.get("description") or ""),
        is_required=is_required,
        default=plain.get("default"),
        has_default="default" in plain,
    )


def _kind(plain: Mapping[str, Any]) -> str:
    if "enum" in plain:
        return "one of " + ", ".join(str(value) for value in plain["enum"][:6])
    kind = schema_type(plain)
    if kind == "string" and plain.get("format") in _FORMATS:
        return _FORMATS[str(plain["format"])]
    return _WORDS.get(kind, "anything")


@dataclass(frozen=True, slots=True)
class MayDo:
    """A user with a role that counts for a bot, and what it lets them do with it."""

    holder: Holder
    may_run: bool
    may_control: bool
    may_change: bool


async def who_may(holders: Holders, caller: Caller, bot_id: str) -> Sequence[MayDo] | None:
    """Return who may do what with a bot, by name; None for a caller who may not read that. Disabled users are left out."""
    try:
        found = await holders.at(caller, PlaceKind.BOT, bot_id)
    except Forbidden:
        return None
    told = [
        MayDo(
            each,
            Permission.RUN_REQUEST in each.rights,
            Permission.RUN_CONTROL in each.rights,
            Permission.BOT_MANAGE in each.rights,
        )
        for each in [*found.here, *(found.inherited or ())]
        if each.is_enabled
    ]
    return sorted(told, key=lambda each: (each.holder.user_name, each.holder.role))
