"""What a parser of rulesets takes and gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from controlroom.network.analysis import Program
from controlroom.network.projection import Direction, Projection
from controlroom.network.rulesets.hooks import Phase
from controlroom.network.rulesets.netfilter import Stack


@dataclass(frozen=True, slots=True)
class RulesetText:
    """One file of a ruleset, such as the output of ``iptables-save``."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Ruleset:
    """What a firewall really does, as a program for each direction that it could filter.

    ``assumptions`` are sentences that every verdict about this ruleset rests on. Where rules speak of hosts or networks
    by name, or of no near side at all, ``seen_from`` reads the ruleset anew in the light of one projection; what was
    unknown without it may be known then. ``missing`` are flows known by name alone for which there is no rule: the
    direction, the flow, and a sentence. ``later`` are the programs of replies and of what follows the first packet, said
    about that first packet; a firewall without them lets these pass. ``translations`` tell how packets are rewritten.
    ``stack`` is what else may stand on the same Linux host. Where ``knows_service_tags``, flows with what the site knows
    by a service tag were looked up by that tag; elsewhere nothing can be said of them.
    """

    parser: str
    programs: Mapping[Direction, Program]
    assumptions: tuple[str, ...] = ()
    seen_from: "Callable[[Projection], Ruleset] | None" = None
    missing: tuple[tuple[Direction, str, str], ...] = ()
    later: Mapping[Phase, Mapping[Direction, Program]] = field(default_factory=dict)
    translations: Mapping[Direction, Program] = field(default_factory=dict)
    stack: Stack | None = None
    knows_service_tags: bool = False


class RulesetParser(Protocol):
    """Reads one kind of ruleset. What it does not understand becomes an uncertain rule, never a guess."""

    @property
    def name(self) -> str:
        """The name by which ``--format`` chooses the parser."""
        ...

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file looks like one of this parser's."""
        ...

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the files that make up one firewall; raise `BadRuleset` where they cannot be read at all."""
        ...
