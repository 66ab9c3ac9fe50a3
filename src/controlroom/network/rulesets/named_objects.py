"""Named objects of firewalls, and groups of them within groups: each resolved once, a loop refused."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from controlroom.network.addresses import EVERY_ADDRESS, Addresses, join
from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.cloud_rules import Service, Side

# The platforms' own limits are below ten; a loop never ends.
_DEEPEST = 32
_MOST_SERVICES = 10_000
_Value = TypeVar("_Value")


@dataclass(slots=True)
class Resolver(Generic[_Value]):
    """Resolves names by a function that may ask it for further names."""

    read: "Callable[[str], _Value]"
    _known: dict[str, _Value] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> _Value:
        """Return what a name stands for; raise `BadRuleset` for a group that holds itself."""
        if name not in self._known:
            if name in self._open or len(self._open) > _DEEPEST:
                raise BadRuleset(f"group {name[:80]!r} holds itself, or groups lie more than {_DEEPEST} deep")
            self._open.append(name)
            try:
                self._known[name] = self.read(name)
            finally:
                self._open.pop()
        return self._known[name]


def all_sides(sides: Iterable[Side]) -> Side:
    """Return the union of sides."""
    kept = list(sides)
    reasons = dict.fromkeys(reason for one in kept for reason in one.unknown)
    return Side(join(one.known for one in kept), tuple(reasons))


def all_services(services: Iterable[Service]) -> tuple[Service, ...]:
    """Return services, each once; raise `BadRuleset` for far too many."""
    found = tuple(dict.fromkeys(services))
    if len(found) > _MOST_SERVICES:
        raise BadRuleset(f"a rule or group with more than {_MOST_SERVICES} services is hostile")
    return found


def unknown_side(reason: str) -> Side:
    """Return a side of which nothing is known."""
    return Side(Addresses(), (reason,))


def outside(side: Side) -> Side:
    """Return all addresses but a side's; unknown where the side is not known altogether."""
    return Side(Addresses(), side.unknown) if side.unknown else Side(EVERY_ADDRESS - side.known)
