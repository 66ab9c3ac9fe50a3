"""What has been decided for a connection on its way through the hooks, and what connection tracking says of it then."""

from dataclasses import dataclass

from controlroom.network.addresses import only
from controlroom.network.analysis import Match, Rewrite
from controlroom.network.intervals import NOTHING
from controlroom.network.ports import ALL_PORTS
from controlroom.network.rulesets.hooks import Phase
from controlroom.network.rulesets.layout import Label, Turn

_TRUE = {Phase.OPENING: {"new", "original"}, Phase.REPLY: {"established", "reply"}}
_TRUE[Phase.SEQUEL] = {"established", "original"}


@dataclass(frozen=True, slots=True)
class Fate:
    """What has been decided for a connection. ``stays`` and ``leaves`` say where a translated destination lies."""

    destination: tuple[Rewrite, str] | None = None
    source: tuple[Rewrite, str] | None = None
    untracked: bool = False
    stays: bool = False
    leaves: bool = False


def unchanged(rewrite: Rewrite, plain: Label) -> Turn:
    """Return the turn of packets that have the translation's values already: nothing becomes of them."""
    if rewrite.destination_shift:
        return Turn(plain, within=Match(NOTHING))
    everything = rewrite.family.everything
    destinations = only(rewrite.family, everything if rewrite.destinations is None else rewrite.destinations)
    ports = ALL_PORTS if rewrite.destination_ports is None else rewrite.destination_ports
    sure = all(one is None or one.size == 1 for one in (rewrite.destinations, rewrite.destination_ports))
    within = Match(
        sources=only(rewrite.family, everything), destinations=destinations, destination_ports=ports
    )
    return Turn(plain, "" if sure else "whether it changes the packet is not known", within)


def true_words(phase: Phase, fate: Fate, *, seen: tuple[bool, bool]) -> frozenset[str] | None:
    """Return the words of connection tracking that are true of a packet; none where there is no such packet."""
    if fate.untracked:
        return frozenset({"untracked"}) if phase is Phase.OPENING else None
    found = set(_TRUE[phase])
    if fate.destination and seen[0]:
        found.add("dnat")
    if fate.source and seen[1]:
        found.add("snat")
    return frozenset(found)
