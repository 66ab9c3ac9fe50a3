"""Holds what was probed against what a ruleset proves: where they disagree, one of the two is not what is at work."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet, Protocol, Ruling, judge
from controlroom.network.analysis import Verdict as Ruled
from controlroom.network.catalogue import Transport
from controlroom.network.checks.judging import Answer
from controlroom.network.probes import Verdict
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.rulesets import Ruleset
from controlroom.network.site import Party

# The port that a client is lent does not matter to the contract; this one stands for all (RFC 6335, 6).
_ANY_CLIENT_PORT = 49_152
_STOPPED = {Verdict.FILTERED, Verdict.PROHIBITED}


@dataclass(frozen=True, slots=True)
class Firewall:
    """A ruleset and the place in the site where it stands."""

    projection: Projection
    ruleset: Ruleset


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A packet of which a ruleset says one thing and a probe saw another."""

    answer: Answer
    packet: Packet
    rule: str
    message: str


def disagreements(source: Party, answers: Sequence[Answer], firewall: Firewall) -> list[Disagreement]:
    """Return where probes from a source and a firewall's ruleset cannot both be right."""
    seen_from = firewall.ruleset.seen_from
    ruleset = seen_from(firewall.projection) if seen_from else firewall.ruleset
    found = []
    for answer in answers:
        direction = _direction(source, answer, firewall.projection)
        packet = _packet(source, answer)
        if direction is None or packet is None or direction not in ruleset.programs:
            continue
        program = ruleset.programs[direction]
        ruling = judge(program, packet)
        if message := _contradiction(ruling, answer, program.name_of(ruling.rule), firewall.projection.name):
            found.append(Disagreement(answer, packet, program.name_of(ruling.rule), f"{packet}: {message}"))
    return found


def _direction(source: Party, answer: Answer, place: Projection) -> Direction | None:
    if place.scope is Scope.BORDER:
        return Direction.FORWARD
    if place.name == source.name:
        return Direction.OUTBOUND
    return Direction.INBOUND if place.name == answer.question.destination else None


def _packet(source: Party, answer: Answer) -> Packet | None:
    target = answer.question.target
    try:
        address = ipaddress.ip_address(target.host)
    except ValueError:
        return None
    family = Family(address.version)
    senders = source.addresses.of(family)
    if not senders:
        return None
    sender = int(ipaddress.ip_address(target.source)) if target.source else senders.intervals[0][0]
    protocol = Protocol.UDP if answer.question.probe.transport is Transport.UDP else Protocol.TCP
    return Packet(family, protocol, sender, int(address), _ANY_CLIENT_PORT, target.port)


def _contradiction(ruling: Ruling, answer: Answer, rule: str, place: str) -> str:
    verdict = answer.outcome.verdict
    if ruling.verdict is Ruled.DENY and verdict.arrived:
        return (
            f"{rule!r} of {place} stops it, yet it arrived ({verdict}): these rules are not the ones at work, or the "
            f"packet goes another way"
        )
    if ruling.verdict is Ruled.ALLOW and verdict in _STOPPED:
        return (
            f"{rule!r} of {place} lets it pass, yet it did not arrive ({verdict}): another firewall is on the way, or "
            f"these rules are not the ones at work"
        )
    return ""
