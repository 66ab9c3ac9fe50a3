"""What a parser of rulesets takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from controlroom.network.analysis import Program
from controlroom.network.projection import Direction


@dataclass(frozen=True, slots=True)
class RulesetText:
    """One file of a ruleset, such as the output of ``iptables-save``."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Ruleset:
    """What a firewall really does, as a program for each direction that it could filter.

    ``assumptions`` are sentences that every verdict about this ruleset rests on.
    """

    parser: str
    programs: Mapping[Direction, Program]
    assumptions: tuple[str, ...] = ()


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
