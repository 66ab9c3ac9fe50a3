"""Reads what a zone or a policy of firewalld holds, in the order in which firewalld tries it.

Rich rules of negative priority come first, then those that deny, then those that allow together with services and
ports, then rich rules of positive priority, then the target (firewalld.richlanguage(5)).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controlroom.network.addresses import EVERY_ADDRESS, Addresses, Family
from controlroom.network.analysis import Effect, Match, Rule
from controlroom.network.errors import BadRuleset
from controlroom.network.intervals import IntervalSet
from controlroom.network.rulesets.firewalld_words import (
    NotUnderstood,
    Words,
    addresses_of,
    icmp_types,
    port_boxes,
    protocols_of,
)
from controlroom.network.rulesets.firewalld_xml import Element
from controlroom.network.rulesets.packet_words import ONLY_FAMILY

_ACTIONS = {"accept": Effect.ALLOW, "drop": Effect.DENY, "reject": Effect.DENY}
_SCOPES = {"ipv4": ONLY_FAMILY["ip"], "ipv6": ONLY_FAMILY["ip6"]}
_FAMILIES = {"ipv4": (Family.IPV4,), "ipv6": (Family.IPV6,)}
# Parts that open nothing by themselves, and those that rewrite packets.
_SILENT = frozenset(
    {"short", "description", "ingress-zone", "egress-zone", "interface", "source", "icmp-block-inversion"}
)
_REWRITES = frozenset({"masquerade", "forward-port"})
# Where rules stand: by their priority below zero, then what denies, then what allows, then by priority above zero.
_BEFORE_ALL, _DENYING, _ALLOWING = -40_000, 1, 2
_LOGS = frozenset({"log", "nflog", "audit"})


@dataclass(frozen=True, slots=True)
class Holder:
    """A zone or a policy, with its rules in order and without its target."""

    name: str
    target: str
    priority: int
    rules: tuple[Rule, ...]
    forward_rules: tuple[Rule, ...] = ()
    ingress: frozenset[str] = frozenset()
    egress: frozenset[str] = frozenset()
    interfaces: tuple[str, ...] = ()
    source_addresses: Addresses = Addresses()  # noqa: RUF009  # immutable
    source_doubt: bool = False

    def with_target(self, targets: Mapping[str, Effect]) -> Iterator[Rule]:
        """Yield a policy's rules and its target; CONTINUE goes on."""
        yield from self.rules
        if self.target in targets:
            yield Rule(f"policy {self.name} target {self.target}", Match(), targets[self.target])
        elif self.target != "CONTINUE":
            reason = f"target {self.target!r} is not understood"
            yield Rule(f"policy {self.name}", Match(), Effect.DENY, certain=False, reason=reason)
            yield Rule(f"policy {self.name}", Match(), Effect.ALLOW, certain=False, reason=reason)


def read_holder(name: str, element: Element, words: Words) -> Holder:
    """Read a zone or a policy; raise `BadRuleset` where it is none."""
    place = f"{element.tag} {name}"
    inverted = element.find("icmp-block-inversion") is not None
    parts: dict[int, list[Rule]] = {}
    for number, one in enumerate(element, start=1):
        for order, rule in _part(f"{place} {one.tag} {number}", one, words, inverted=inverted):
            parts.setdefault(order, []).append(rule)
    rules = tuple(rule for order in sorted(parts) for rule in parts[order])
    addresses, doubt = _sources(element, words)
    default_target = "default" if element.tag == "zone" else "CONTINUE"
    return Holder(
        name,
        element.get("target", default_target),
        _priority(place, element),
        rules,
        tuple(_forward(place, element)),
        frozenset(one.get("name", "") for one in element.findall("ingress-zone")),
        frozenset(one.get("name", "") for one in element.findall("egress-zone")),
        tuple(one.get("name", "") for one in element.findall("interface")),
        addresses,
        doubt,
    )


def _priority(place: str, element: Element) -> int:
    text = element.get("priority", "-1" if element.tag == "policy" else "0")
    try:
        return int(text)
    except ValueError:
        raise BadRuleset(f"{place}: {text[:40]!r} is no priority") from None


def _forward(place: str, element: Element) -> Iterator[Rule]:
    """Yield what a zone lets cross: packets that leave by the same zone, which interfaces decide."""
    for one in element:
        if one.tag in _REWRITES | {"forward"}:
            reason = f"{one.tag} depends on interfaces or rewrites packets"
            yield Rule(f"{place} {one.tag}", Match(), Effect.ALLOW, certain=False, reason=reason)


def _sources(element: Element, words: Words) -> tuple[Addresses, bool]:
    found, doubt = Addresses(), False
    for one in element.findall("source") if element.tag == "zone" else ():
        try:
            if one.get("address"):
                found |= addresses_of(one.get("address", ""))
            elif (boxes := words.ipsets.get(one.get("ipset", ""))) is not None and all(
                box == Match(sources=box.sources, destinations=box.destinations) for box in boxes
            ):
                for box in boxes:
                    found |= box.sources
            else:
                doubt = True
        except NotUnderstood:
            doubt = True
    return found, doubt


def _part(name: str, one: Element, words: Words, *, inverted: bool) -> Iterator[tuple[int, Rule]]:
    # Masquerading is for what crosses; there it is in the rules of forwarding.
    if one.tag in _SILENT or one.tag in {"forward", "masquerade"}:
        return
    if one.tag == "rule":
        yield from _rich(name, one, words)
        return
    if one.tag in _REWRITES:
        reason = f"{one.tag} rewrites packets, which is not followed"
        yield from ((_BEFORE_ALL, rule) for rule in _opaque(name, reason))
        return
    effect, order = (Effect.DENY, _DENYING) if one.tag == "icmp-block" else (Effect.ALLOW, _ALLOWING)
    title = f"{name} ({one.get('name') or one.get('port') or one.get('value') or ''})"
    if one.tag == "icmp-block" and inverted:
        reason = "icmp-block-inversion is not followed"
        yield from ((order, rule) for rule in _opaque(title, reason))
        return
    try:
        boxes = _element_boxes(one, words, tuple(Family))
    except NotUnderstood as doubt:
        reason = f"{doubt} is not understood"
        yield order, Rule(title, Match(), effect, certain=False, reason=reason)
        return
    yield from ((order, Rule(title, box, effect)) for box in boxes)


def _opaque(name: str, reason: str) -> Iterator[Rule]:
    yield Rule(name, Match(), Effect.DENY, certain=False, reason=reason)
    yield Rule(name, Match(), Effect.ALLOW, certain=False, reason=reason)


def _order(priority: int, effect: Effect) -> int:
    if priority < 0:
        return priority
    if priority > 0:
        return priority + _ALLOWING
    return _DENYING if effect is Effect.DENY else _ALLOWING


def _element_boxes(one: Element, words: Words, families: tuple[Family, ...]) -> tuple[Match, ...]:
    """Return what a service, port, protocol, source port or ICMP type matches; raise `NotUnderstood`."""
    match one.tag:
        case "service":
            return words.service(one.get("name", ""))
        case "port":
            return port_boxes(one)
        case "source-port":
            return port_boxes(one, source=True)
        case "protocol":
            return (Match(protocols_of(one.get("value", ""))),)
        case "icmp-type" | "icmp-block":
            return icmp_types(one.get("name", ""), families)
        case _:
            raise NotUnderstood(f"element {one.tag!r}")


def _rich(name: str, rule: Element, words: Words) -> Iterator[tuple[int, Rule]]:
    family = rule.get("family", "")
    try:
        priority = int(rule.get("priority", "0"))
    except ValueError:
        raise BadRuleset(f"{name}: {rule.get('priority')!r} is no priority") from None
    action = next((one for one in rule if one.tag in _ACTIONS), None)
    blocks = rule.find("icmp-block") is not None
    if action is None and not blocks:
        silent = all(one.tag in _LOGS | {"source", "destination", "mark"} or not len(one) for one in rule)
        if silent and not any(one.tag in _REWRITES for one in rule):
            return
        yield from (
            (min(priority, 1), one) for one in _opaque(name, "a rule without an action is not followed")
        )
        return
    effect = Effect.DENY if action is None else _ACTIONS[action.tag]
    doubts = [] if action is None or not len(action) else ["a limit depends on the rate"]
    boxes: tuple[Match, ...] = (_SCOPES.get(family, Match()),)
    for one in rule:
        if one.tag in _ACTIONS or one.tag in _LOGS:
            continue
        try:
            boxes = tuple(_cut(boxes, one, words, _FAMILIES.get(family, tuple(Family))))
        except NotUnderstood as doubt:
            doubts.append(f"{doubt} is not understood")
    if family and family not in _SCOPES:
        doubts.append(f"family {family!r} is not understood")
    reason = "; ".join(doubts)
    title = f"{name}{_said(rule)}"
    for box in boxes:
        yield _order(priority, effect), Rule(title, box, effect, certain=not doubts, reason=reason)


def _said(rule: Element) -> str:
    """Return in a few words what a rich rule is about, for its name."""
    words = [
        f"{one.get('protocol', one.tag)} {one.get('port') or one.get('name') or one.get('value') or ''}".strip()
        for one in rule
        if one.tag in {"port", "service", "protocol", "icmp-type", "source-port"}
    ]
    return f" ({', '.join(words)})" if words else ""


def _cut(
    boxes: tuple[Match, ...], one: Element, words: Words, families: tuple[Family, ...]
) -> Iterator[Match]:
    if one.tag in {"source", "destination"}:
        others = _side(one, words)
    else:
        others = _element_boxes(one, words, families)
    for box in boxes:
        for other in others:
            yield box & other


def _side(one: Element, words: Words) -> tuple[Match, ...]:
    source = one.tag == "source"
    inverted = one.get("invert", "").lower() in {"true", "yes", "1"}
    if one.get("address"):
        return (_on_side(addresses_of(one.get("address", "")), source=source, inverted=inverted),)
    boxes = words.ipsets.get(one.get("ipset", ""))
    if boxes is None:
        raise NotUnderstood(f"{one.tag} {one.get('ipset') or one.get('mac') or ''!r}")
    if all(box == Match(sources=box.sources, destinations=box.destinations) for box in boxes):
        found = Addresses()
        for box in boxes:
            found |= box.sources
        return (_on_side(found, source=source, inverted=inverted),)
    if not source or inverted:
        raise NotUnderstood(f"a set of ports as {one.tag}")
    return boxes


def _on_side(found: Addresses, *, source: bool, inverted: bool) -> Match:
    """Return the match of one side; an address of one family says nothing of the other, which it leaves out."""
    families = found.families
    everything = Addresses(
        EVERY_ADDRESS.v4 if Family.IPV4 in families else IntervalSet(),
        EVERY_ADDRESS.v6 if Family.IPV6 in families else IntervalSet(),
    )
    kept = everything - found if inverted else found
    return (
        Match(sources=kept, destinations=everything)
        if source
        else Match(sources=everything, destinations=kept)
    )
