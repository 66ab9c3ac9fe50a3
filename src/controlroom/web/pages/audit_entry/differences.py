"""What an entry says of before and after, as pairs to lay side by side."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value before and after; ``is_changed`` is False where both are alike."""

    name: str
    before: str
    after: str
    is_changed: bool


def differences(detail: Mapping[str, Any]) -> list[Difference]:
    """Return the values that an entry's ``before`` and ``after`` hold, nested ones by their paths; none without both."""
    before, after = detail.get("before"), detail.get("after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    old, new = _flat(before), _flat(after)
    names = [*old, *(name for name in new if name not in old)]
    return [
        Difference(name, old.get(name, ABSENT), new.get(name, ABSENT), old.get(name) != new.get(name))
        for name in names
    ]


def remaining(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entry's detail holds beside before and after, where those can be laid side by side."""
    if not differences(detail):
        return dict(detail)
    return {name: value for name, value in detail.items() if name not in ("before", "after")}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = (
                value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            )
    return found
