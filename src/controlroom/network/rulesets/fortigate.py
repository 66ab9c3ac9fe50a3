"""Reads what a FortiGate holds: addresses, services and policies of one virtual domain, first match first.

Interfaces, users, schedules and applications are not part of the contract: a policy that depends on them is uncertain.
"""

import re
from collections.abc import Iterable, Iterator

from controlroom.network.addresses import Family
from controlroom.network.analysis import Effect, Match, Program, Rule, Verdict
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.border_rules import not_on_hosts, refuse_too_many, rules_for
from controlroom.network.rulesets.cloud_rules import Side, doubtful
from controlroom.network.rulesets.fortigate_objects import Objects
from controlroom.network.rulesets.fortigate_text import Settings, Table, read_tables
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.named_objects import all_sides, outside

_SIGN = re.compile(r"^[ \t]*config firewall (policy6?|address6?|addrgrp6?|service custom)\s*$", re.M)
_ASSUMPTIONS = (
    "A packet is the first of its connection: replies pass by the device's table of sessions.",
    "What the device itself sends or receives is not part of it (local-in policies).",
    "Security profiles, and policies for denial of service, block nothing that the contract needs.",
    "Policies stand in the order in which they are given, and no others stand before them.",
)
_SILENT = frozenset(
    {
        "name", "uuid", "comments", "label", "global-label", "logtraffic", "logtraffic-start", "utm-status",
        "inspection-mode", "nat", "ippool", "ippool6", "poolname", "poolname6", "fixedport",
        "auto-asic-offload", "np-acceleration", "tcp-mss-sender", "tcp-mss-receiver", "session-ttl", "timeout-send-rst",
        "capture-packet", "ssl-ssh-profile", "profile-type", "profile-group", "profile-protocol-options", "status",
        "action", "service", "schedule", "match-vip", "match-vip-only", "send-deny-packet",
        "traffic-shaper", "traffic-shaper-reverse", "per-ip-shaper", "custom-log-fields",
        "replacemsg-override-group", "block-notification", "anti-replay", "tcp-session-without-syn", "geoip-match",
        "delay-tcp-npu-session", "vlan-cos-fwd", "vlan-cos-rev",
    }
)  # fmt: skip
_SIDES = (
    "srcaddr",
    "dstaddr",
    "srcaddr6",
    "dstaddr6",
    "srcaddr-negate",
    "dstaddr-negate",
    "srcaddr6-negate",
    "dstaddr6-negate",
)
_PROFILES = ("-profile", "-sensor", "-list")
# What changes which packets a policy is about; "disable" and "any" say that it does not.
_INTERFACES = ("srcintf", "dstintf")


class FortigateParser:
    """Reads ``show`` of a virtual domain, whole or the firewall's tables of it, or a backup of its configuration."""

    name = "fortigate"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file has tables of a FortiOS firewall."""
        return _SIGN.search(file.text) is not None

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the policies of one device; raise `BadRuleset`."""
        tables: dict[str, Table] = {}
        for file in files:
            for path, table in _domain(file, read_tables(file)).items():
                if path in tables:
                    raise BadRuleset(f"{file.name}: table {path[:80]!r} is given twice")
                tables[path] = table
        policies = list(_policies(tables))
        if not policies:
            raise BadRuleset(f"{', '.join(file.name for file in files)}: no firewall policy is in it")
        objects = Objects(tables)
        rules = [rule for one in policies for rule in _rules(objects, *one)]
        program = Program((*_doubts_before(tables), *refuse_too_many(rules)), Verdict.DENY, "implicit deny")
        programs = {**not_on_hosts("a firewall policy"), Direction.FORWARD: program}
        return Ruleset(self.name, programs, tuple(_assumptions(tables, [one for _, one, _ in policies])))


PARSER = FortigateParser()


def _domain(file: RulesetText, root: Table) -> dict[str, Table]:
    """Return the tables of the one virtual domain that has policies."""
    domains = root.tables.get("vdom")
    if domains is None:
        return root.tables
    found = {name: one.tables for name, one in domains.entries.items() if "firewall policy" in one.tables}
    if len(found) > 1:
        names = ", ".join(found)[:200]
        raise BadRuleset(f"{file.name}: the virtual domains {names} are several firewalls; give one of them")
    return next(iter(found.values()), {})


def _policies(tables: dict[str, Table]) -> Iterator[tuple[str, Settings, bool]]:
    """Yield name and settings of each policy, and whether it is one of the older tables for IPv6 alone."""
    for path, six in (("firewall policy", False), ("firewall policy6", True)):
        if path in tables:
            for number, one in tables[path].entries.items():
                label = "".join(one.settings.get("name", []))
                yield (
                    f"policy{'6' if six else ''} {number}{f' ({label})' if label else ''}"[:160],
                    one.settings,
                    six,
                )


def _rules(objects: Objects, name: str, settings: Settings, six: bool) -> list[Rule]:
    if settings.get("status") == ["disable"]:
        return []
    action = settings.get("action", ["deny"])[0]
    doubts = list(_doubts(settings))
    if action not in {"accept", "deny"}:
        doubts.append(f"its action is {action[:40]}")
    services = objects.services_of(settings.get("service", []))
    if settings.get("service-negate") == ["enable"]:
        doubts.append("it is about all services but those given")
    if doubts:
        services = (doubtful("; ".join(doubts)),)
    effect = Effect.ALLOW if action != "deny" else Effect.DENY
    found: list[Rule] = []
    for family in Family if not six else (Family.IPV6,):
        digit = "6" if family is Family.IPV6 and not six else ""
        sources, destinations = (
            _side(objects, settings, family, f"{word}addr{digit}") for word in ("src", "dst")
        )
        found += rules_for(name, effect, services, sources, destinations, family)
    return found


def _side(objects: Objects, settings: Settings, family: Family, key: str) -> Side:
    """Return a policy's side in a family; it is empty where the policy says nothing about the family."""
    names = settings.get(key, [])
    side = all_sides(objects.side(family, name) for name in names)
    return outside(side) if names and settings.get(f"{key}-negate") == ["enable"] else side


def _doubts(settings: Settings) -> Iterator[str]:
    for key in _INTERFACES:
        if settings.get(key) != ["any"]:
            yield f"{key} {', '.join(settings.get(key, ['not given']))[:60]} decides it"
    if settings.get("schedule", ["always"]) != ["always"]:
        yield f"schedule {settings['schedule'][0][:60]} decides it"
    known = {*_SILENT, *_SIDES, *_INTERFACES, "service-negate"}
    for key, found in settings.items():
        if key not in known and found != ["disable"] and not key.endswith(_PROFILES):
            yield f"{key[:40]} is not understood"


def _doubts_before(tables: dict[str, Table]) -> Iterable[Rule]:
    """Return a doubt about everything where other tables than policies decide what passes."""
    for path in ("firewall security-policy", "firewall consolidated policy"):
        if path in tables and tables[path].entries:
            reason = f"the table {path} decides it too, and is not read"
            yield Rule(path, Match(), Effect.DENY, certain=False, reason=reason)


def _assumptions(tables: dict[str, Table], policies: Iterable[Settings]) -> list[str]:
    found = list(_ASSUMPTIONS)
    translating = any(one.get("nat") == ["enable"] for one in policies)
    if translating or tables.get("firewall vip") or tables.get("firewall central-snat-map"):
        found.append(
            "Address translation is not followed: the rules are asked about addresses as policies see them."
        )
    return found
