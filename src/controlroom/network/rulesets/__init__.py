"""Parsers of what firewalls really hold; each is one file of this folder that names itself ``PARSER``."""

import sys
from functools import cache

from controlroom.network.errors import BadRuleset
from controlroom.network.registry import find_parts, pick
from controlroom.network.rulesets.interface import Ruleset, RulesetParser, RulesetText

__all__ = ["LARGEST_RULESET", "Ruleset", "RulesetParser", "RulesetText", "parse_ruleset", "parsers"]

# Ten thousand rules with long set elements stay far below; beyond it is a wrong file or a hostile one.
LARGEST_RULESET = 256 * 1024 * 1024


@cache
def parsers() -> dict[str, RulesetParser]:
    """Return all parsers by name."""
    return find_parts(sys.modules[__name__], "PARSER", RulesetParser)  # type: ignore[type-abstract]  # the kind is only vouched for


def parse_ruleset(files: tuple[RulesetText, ...], *, format_name: str = "") -> Ruleset:
    """Read a firewall's files with the named parser, or with the one that recognises them. Raise `BadRuleset`."""
    if sum(len(file.text) for file in files) > LARGEST_RULESET:
        raise BadRuleset(f"the ruleset is larger than {LARGEST_RULESET} characters")
    if format_name:
        return pick(parsers(), "ruleset format", format_name).parse(files)
    for parser in parsers().values():
        if files and any(parser.recognises(file) for file in files):
            return parser.parse(files)
    names = ", ".join(file.name for file in files)
    raise BadRuleset(
        f"{names}: no parser recognises this; known formats are {', '.join(parsers())} (--format)"
    )
