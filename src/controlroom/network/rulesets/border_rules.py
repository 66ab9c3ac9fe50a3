"""What the parsers of network devices share: rules of one family, and programs for where no such device stands."""

from collections.abc import Iterable

from controlroom.network.addresses import Family, only
from controlroom.network.analysis import Effect, Match, Program, Rule, Verdict
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.cloud_rules import Service, Side, rules_of
from controlroom.network.rulesets.packet_words import ONLY_FAMILY

# Lines times services: far above what a device takes.
MOST_RULES = 500_000
_EVERYONE = {family: only(family, family.everything) for family in Family}


def refuse_too_many(rules: list[Rule]) -> list[Rule]:
    """Return the rules; raise `BadRuleset` for far too many."""
    if len(rules) > MOST_RULES:
        raise BadRuleset(f"{len(rules)} rules are more than the {MOST_RULES} that one device could hold")
    return rules


def not_on_hosts(what: str) -> dict[Direction, Program]:
    """Return the programs of a host, on which no network device stands: all is unknown."""
    reason = f"{what} lies between zones, not on a host; prove it with --border"
    program = Program((Rule(what, Match(), Effect.ALLOW, certain=False, reason=reason),), Verdict.DENY, what)
    return {Direction.INBOUND: program, Direction.OUTBOUND: program}


def rules_for(
    name: str, effect: Effect, services: Iterable[Service], sources: Side, destinations: Side, family: Family
) -> list[Rule]:
    """Return the rules of one policy in one family."""
    near, far = (Side(one.known & _EVERYONE[family], one.unknown) for one in (sources, destinations))
    box = ONLY_FAMILY["ip" if family is Family.IPV4 else "ip6"]
    found = [
        Rule(rule.name, rule.match & box, rule.effect, certain=rule.certain, reason=rule.reason)
        for service in services
        for rule in rules_of(name, effect, service, near, far)
    ]
    return [rule for rule in found if not rule.match.is_empty(family)]
