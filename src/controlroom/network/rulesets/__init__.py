"""Parsers of what firewalls really hold; each is one file of this folder that names itself ``PARSER``."""

import sys
from functools import cache

from controlroom.network.errors import BadRuleset
from controlroom.network.registry import find_parts, pick
from controlroom.network.rulesets.interface import Ruleset, RulesetParser, RulesetText
from controlroom.network.rulesets.stacks import stack_up

__all__ = ["LARGEST_RULESET", "Ruleset", "RulesetParser", "RulesetText", "parse_ruleset", "parsers"]

# Ten thousand rules with long set elements stay far below; beyond it is a wrong file or a hostile one.
_COMMONEST = "iptables"
LARGEST_RULESET = 256 * 1024 * 1024


@cache
def parsers() -> dict[str, RulesetParser]:
    """Return all parsers by name."""
    return find_parts(sys.modules[__name__], "PARSER", RulesetParser)  # type: ignore[type-abstract]  # the kind is only vouched for


def parse_ruleset(files: tuple[RulesetText, ...], *, format_name: str = "") -> Ruleset:
    """Read a firewall's files with the named parser, or each with the one that recognises it. Raise `BadRuleset`.

    Files of several kinds stand on one host, and a packet must pass them all.
    """
    if sum(len(file.text) for file in files) > LARGEST_RULESET:
        raise BadRuleset(f"the ruleset is larger than {LARGEST_RULESET} characters")
    if format_name:
        return pick(parsers(), "ruleset format", format_name).parse(files)
    groups = _by_parser(files)
    found = [parsers()[name].parse(tuple(group)) for name, group in groups.items()]
    return found[0] if len(found) == 1 else stack_up(found)


def _by_parser(files: tuple[RulesetText, ...]) -> dict[str, list[RulesetText]]:
    """Return the files of each parser; what none recognises belongs to the others where these are of one kind."""
    groups: dict[str, list[RulesetText]] = {}
    for file in files:
        names = [name for name, parser in parsers().items() if parser.recognises(file)]
        # What looks like iptables-save may be a file of a program that writes such lines, and that one knows better.
        best = next((name for name in names if name != _COMMONEST), names[0] if names else "")
        groups.setdefault(best, []).append(file)
    unclaimed = groups.pop("", [])
    if unclaimed and len(groups) != 1:
        strangers = ", ".join(file.name for file in unclaimed)
        raise BadRuleset(
            f"{strangers}: no parser recognises this; known formats are {', '.join(parsers())} (--ruleset)"
        )
    for group in groups.values():
        group.extend(unclaimed)
    return groups
