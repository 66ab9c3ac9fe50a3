"""Reads AWS security groups: what an interface's groups allow adds up, nothing denies, and the rest does not pass.

References to other groups and to prefix lists are uncertain. A rule for loopback addresses alone lets nothing pass, for
no packet on a wire has them (RFC 1122, 3.2.1.3); templates hold such rules to keep the platform's own default out.
"""

import re
from collections.abc import Iterable, Sequence

from controlroom.network.addresses import Addresses, parse_addresses
from controlroom.network.analysis import Effect, Protocol, Rule, Verdict
from controlroom.network.errors import BadRuleset
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import ALL_PORTS
from controlroom.network.projection import Direction, Projection
from controlroom.network.rulesets.aws_groups import Entry, SecurityGroup, groups_of
from controlroom.network.rulesets.cloud_rules import (
    EVERYONE,
    FIRST_PACKET,
    NEIGHBOURS,
    Service,
    Side,
    no_border,
    of_host,
    program,
    rules_of,
    side_of,
    within_near_side,
)
from controlroom.network.rulesets.interface import Ruleset, RulesetText

# "Amazon VPC quotas": no interface carries more groups, even where the quota was raised.
_MOST_GROUPS = 16
_SIGNS = re.compile(r'"IpPermissions|AWS::EC2::SecurityGroup|"aws_security_group"')
_LOOPBACK = parse_addresses(["127.0.0.0/8", "::1"])
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "6": 6, "17": 17, "1": 1, "58": 58}
_ICMP = frozenset({Protocol.ICMP, Protocol.ICMPV6})
_ASSUMPTIONS = (
    FIRST_PACKET,
    NEIGHBOURS,
    "Network ACLs of the subnet are not part of this; they may stop what groups let pass.",
    "DNS, time, DHCP and metadata of the VPC itself pass whatever the groups say.",
)


class AwsParser:
    """Reads ``aws ec2 describe-security-groups``, CloudFormation in JSON and YAML, and Terraform's JSON."""

    name = "aws"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file speaks of security groups."""
        return _SIGNS.search(file.text) is not None

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the groups that one interface carries; raise `BadRuleset`."""
        groups = [group for file in files for group in groups_of(file)]
        if not groups:
            raise BadRuleset(f"{', '.join(file.name for file in files)}: no security group is in it")
        return _read(self.name, groups, None)


PARSER = AwsParser()


def _read(name: str, groups: Sequence[SecurityGroup], projection: Projection | None) -> Ruleset:
    chosen, notes = _choose(groups, projection)
    programs = {Direction.FORWARD: no_border("a security group")}
    for direction in (Direction.INBOUND, Direction.OUTBOUND):
        rules = [rule for group in chosen for rule in _rules(group, direction)]
        near = within_near_side(rules, direction, projection)
        programs[direction] = program(near, projection, default=Verdict.DENY, name="no rule of the groups")
    return Ruleset(
        name,
        programs,
        (*_ASSUMPTIONS, *notes),
        seen_from=lambda seen: _read(name, groups, of_host(seen)),
    )


def _choose(
    groups: Sequence[SecurityGroup], projection: Projection | None
) -> tuple[Sequence[SecurityGroup], list[str]]:
    """Return the groups of one interface: those with the host's tag, else all that belong to no other host."""
    if projection is None:
        return groups, []
    mine = [group for group in groups if group.host == projection.name]
    chosen = mine or [group for group in groups if not group.host]
    names = ", ".join(group.name for group in groups)
    if not 1 <= len(chosen) <= _MOST_GROUPS:
        raise BadRuleset(
            f"which of these groups does host {projection.name!r} carry: {names[:500]}? Give those of its interface alone "
            "(aws ec2 describe-security-groups --group-ids ...)"
        )
    carried = ", ".join(group.name for group in chosen)
    return chosen, [f"The interface of host {projection.name} carries exactly these groups: {carried}."]


def _rules(group: SecurityGroup, direction: Direction) -> Iterable[Rule]:
    for number, entry in enumerate(group.entries[direction], start=1):
        name = f"{group.name} {direction} rule {number}"
        far = side_of(entry.prefixes, "prefix")
        unknown = (*far.unknown, *(f"{other} is not known" for other in entry.others))
        side = Side(Addresses(), unknown) if _is_loopback(far.known) else Side(far.known, unknown)
        sides = (side, EVERYONE) if direction is Direction.INBOUND else (EVERYONE, side)
        yield from rules_of(name, Effect.ALLOW, _service(entry), *sides)
    if direction in group.doubts:
        doubt = Service(doubts=(group.doubts[direction],))
        yield from rules_of(f"{group.name} {direction}", Effect.ALLOW, doubt, EVERYONE, EVERYONE)


def _is_loopback(addresses: Addresses) -> bool:
    return bool(addresses) and _LOOPBACK.covers(addresses)


def _service(entry: Entry) -> Service:
    word = str(entry.protocol).lower()
    if word in {"-1", "all"}:
        return Service()
    if word not in _PROTOCOLS:
        if word.isascii() and word.isdecimal() and int(word) <= 255:
            return Service(IntervalSet.single(int(word)))
        return Service(doubts=(f"protocol {word[:40]!r} is not understood",))
    number = _PROTOCOLS[word]
    protocols = IntervalSet.single(number)
    low, high = _number(entry.low), _number(entry.high)
    if number in _ICMP:
        # For ICMP the first number is the type and the second the code; -1 is any.
        if low is None or high is None or high != -1 or not -1 <= low <= 255:
            return Service(protocols, doubts=("a single ICMP code, or none, is not followed",))
        return Service(protocols, ALL_PORTS if low == -1 else IntervalSet.single(low))
    if low is None or high is None or not 0 <= low <= high <= 65535:
        return Service(protocols, doubts=(f"ports {entry.low!r} to {entry.high!r} are not understood",))
    return Service(protocols, IntervalSet(((low, high),)))


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    text = str(value)
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None
