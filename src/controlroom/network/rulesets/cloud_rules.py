"""What the parsers of clouds share: sides that are partly known, and the rules and programs that come of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from controlroom.network.addresses import EVERY_ADDRESS, Addresses, Family, parse_range
from controlroom.network.analysis import Effect, Match, Program, Rule, Verdict
from controlroom.network.analysis.model import ALL_PROTOCOLS
from controlroom.network.baseline import needs_neighbour_discovery, neighbour_discovery_match
from controlroom.network.errors import BadRuleset
from controlroom.network.intervals import Interval, IntervalSet
from controlroom.network.ports import ALL_PORTS
from controlroom.network.projection import Direction, Projection, Scope

# Far above every platform's quota for what can lie on one host; beyond it is a wrong file.
MOST_RULES = 200_000

FIRST_PACKET = "A packet is the first of its connection: the platform lets replies and related errors pass."
NEIGHBOURS = "IPv6 neighbour discovery is answered by the platform's network, whatever the rules say."


@dataclass(frozen=True, slots=True)
class Side:
    """Who is on one side of a rule: addresses that are known, and a reason for each part that is not."""

    known: Addresses
    unknown: tuple[str, ...] = ()

    def __or__(self, other: "Side") -> "Side":
        return Side(self.known | other.known, (*self.unknown, *other.unknown))


EVERYONE = Side(EVERY_ADDRESS)
NOBODY = Side(Addresses())


@dataclass(frozen=True, slots=True)
class Service:
    """What a rule says about protocols and ports; ``doubts`` are what was not understood of it or of the whole rule."""

    protocols: IntervalSet = ALL_PROTOCOLS
    ports: IntervalSet = ALL_PORTS
    source_ports: IntervalSet = ALL_PORTS
    doubts: tuple[str, ...] = ()


def doubtful(reason: str) -> Service:
    """Return any service at all, in doubt."""
    return Service(doubts=(reason,))


def rules_of(
    name: str, effect: Effect, service: Service, sources: Side, destinations: Side
) -> Iterable[Rule]:
    """Yield the certain part of a cloud's rule, then an uncertain one for what of it is not known."""
    known = Match(service.protocols, sources.known, destinations.known, service.source_ports, service.ports)
    if not service.doubts:
        yield Rule(name, known, effect)
    doubts = (*service.doubts, *sources.unknown, *destinations.unknown)
    if doubts:
        widest = replace(
            known,
            sources=EVERY_ADDRESS if sources.unknown else sources.known,
            destinations=EVERY_ADDRESS if destinations.unknown else destinations.known,
        )
        yield Rule(name, widest, effect, certain=False, reason="; ".join(dict.fromkeys(doubts)))


def side_of(texts: Iterable[object], what: str) -> Side:
    """Return the side that prefixes, addresses and ranges make; what is none of them is unknown."""
    known: dict[Family, list[Interval]] = {family: [] for family in Family}
    unknown: list[str] = []
    for text in texts:
        try:
            family, low, high = _range(str(text))
        except ValueError:
            unknown.append(f"{what} {str(text)[:80]!r} is no address that is known")
        else:
            known[family].append((low, high))
    addresses = Addresses(IntervalSet.of(known[Family.IPV4]), IntervalSet.of(known[Family.IPV6]))
    return Side(addresses, tuple(unknown))


# A ruleset names the same few prefixes over and over.
_range = lru_cache(maxsize=65_536)(parse_range)


def port_set(texts: Iterable[object]) -> IntervalSet | None:
    """Return the ports that texts such as ``443``, ``100-200`` and ``*`` name; none where one is neither."""
    found: list[tuple[int, int]] = []
    for text in texts:
        if str(text).strip() == "*":
            return ALL_PORTS
        low, dash, high = str(text).strip().partition("-")
        last = high if dash else low
        if not (low.isascii() and low.isdecimal() and last.isascii() and last.isdecimal()):
            return None
        if len(low) > 5 or len(last) > 5 or not int(low) <= int(last) <= 65535:
            return None
        found.append((int(low), int(last)))
    return IntervalSet.of(found)


def within_near_side(
    rules: Iterable[Rule], direction: Direction, projection: Projection | None
) -> list[Rule]:
    """Return rules of a platform that never says the near side: it is the host on which they lie."""
    if projection is None:
        return list(rules)
    near = projection.addresses
    if direction is Direction.INBOUND:
        return [replace(rule, match=replace(rule.match, destinations=near)) for rule in rules]
    return [replace(rule, match=replace(rule.match, sources=near)) for rule in rules]


def platform_rules(projection: Projection | None) -> list[Rule]:
    """Return what the platform's network lets pass before any rule, as far as the contract speaks of it."""
    if projection is None or not needs_neighbour_discovery(projection):
        return []
    return [Rule("the platform's own network", neighbour_discovery_match(), Effect.ALLOW)]


def elsewhere(projection: Projection | None, direction: Direction) -> list[Rule]:
    """Return the rule by which a subnet's firewall never meets what none of its addresses sends or receives."""
    if projection is None or projection.scope is not Scope.SUBNET:
        return []
    others = EVERY_ADDRESS - projection.addresses
    match = Match(destinations=others) if direction is Direction.INBOUND else Match(sources=others)
    return [Rule(f"no packet of subnet {projection.name}", match, Effect.DENY)]


def program(
    rules: Sequence[Rule],
    projection: Projection | None,
    *,
    first: Sequence[Rule] = (),
    default: Verdict = Verdict.DENY,
    name: str,
) -> Program:
    """Return a program of a platform's rules behind what comes ``first``; raise `BadRuleset` for far too many."""
    if len(rules) > MOST_RULES:
        raise BadRuleset(f"{len(rules)} rules are more than the {MOST_RULES} that one host could have")
    ahead = [*first, *platform_rules(projection)]
    behind = [
        replace(rule, target=rule.target + len(ahead)) if rule.effect is Effect.SKIP else rule
        for rule in rules
    ]
    return Program((*ahead, *behind), default, name)


def stack(groups: Sequence[tuple[str, Sequence[Rule]]]) -> list[Rule]:
    """Return the rules of firewalls that stand behind one another: a packet must be allowed by each of them."""
    rules: list[Rule] = []
    for number, (name, own) in enumerate(groups):
        if number == len(groups) - 1:
            return [*rules, *own]
        end = len(rules) + len(own) + 1
        rules.extend(
            replace(rule, effect=Effect.SKIP, target=end) if rule.effect is Effect.ALLOW else rule
            for rule in own
        )
        rules.append(Rule(f"{name}: end", Match(), Effect.DENY))
    return rules


def of_host(projection: Projection) -> Projection | None:
    """Return the projection of a host; none for a border, where nobody can say which rules would lie on it."""
    return projection if projection.scope is Scope.HOST else None


def of_host_or_subnet(projection: Projection) -> Projection | None:
    """Return the projection of a host or subnet, on both of which some clouds have rules; none for a border."""
    return None if projection.scope is Scope.BORDER else projection


def no_border(what: str) -> Program:
    """Return the program for a border, where such rules do not stand: all is unknown."""
    reason = f"{what} lies on hosts, not between zones; prove it with --host"
    return Program((Rule(what, Match(), Effect.ALLOW, certain=False, reason=reason),), Verdict.DENY, what)


def own_tag(tags: object) -> str:
    """Return the host that our tag names, in an object or in a list of Key and Value; empty where there is none."""
    if isinstance(tags, Mapping):
        return str(tags.get("controlroom") or "")
    if isinstance(tags, list):
        for one in tags:
            if isinstance(one, Mapping) and one.get("Key") == "controlroom":
                return str(one.get("Value") or "")
    return ""
