"""Reads GCP VPC firewall rules: by priority, denials first where it is equal, then the two rules that are implied.

Rules for network tags apply to the host whose tag they name; tags and service accounts of others are uncertain.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controlroom.network.addresses import Addresses, parse_addresses
from controlroom.network.analysis import Effect, Protocol, Rule, Verdict
from controlroom.network.errors import BadRuleset
from controlroom.network.intervals import IntervalSet
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.gcp_terraform import network_tag
from controlroom.network.rulesets.cloud_files import (
    JsonObject,
    listed,
    mappings,
    read_documents,
    terraform_resources,
)
from controlroom.network.rulesets.cloud_rules import (
    EVERYONE,
    FIRST_PACKET,
    NEIGHBOURS,
    Service,
    Side,
    elsewhere,
    no_border,
    of_host_or_subnet,
    port_set,
    program,
    rules_of,
    side_of,
)
from controlroom.network.rulesets.interface import Ruleset, RulesetText

_SIGNS = re.compile(r"compute#firewall|google_compute_firewall|/global/networks/|IPProtocol:|\"IPProtocol\"")
_DIRECTIONS = {"INGRESS": Direction.INBOUND, "EGRESS": Direction.OUTBOUND}
_TERRAFORM = frozenset({"resource", "planned_values", "values", "terraform", "variable"})
_DEFAULT_PRIORITY, _LOWEST_PRIORITY = 1000, 65_535
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "esp": 50, "ah": 51, "sctp": 132}
_WITH_PORTS = frozenset({Protocol.TCP, Protocol.UDP, 132})
# What an omitted side stands for: "VPC firewall rules", source and destination filters.
_ANYWHERE = Side(parse_addresses(["0.0.0.0/0"]))
_SNAKE = {
    "source_ranges": "sourceRanges",
    "destination_ranges": "destinationRanges",
    "source_tags": "sourceTags",
    "target_tags": "targetTags",
    "source_service_accounts": "sourceServiceAccounts",
    "target_service_accounts": "targetServiceAccounts",
    "allow": "allowed",
    "deny": "denied",
    "protocol": "IPProtocol",
}
_ASSUMPTIONS = (
    FIRST_PACKET,
    NEIGHBOURS,
    "Hierarchical and network firewall policies are not part of this; they may allow or deny before these rules.",
    "The metadata server 169.254.169.254, with its DNS and time, is always reachable.",
)


@dataclass(frozen=True, slots=True)
class _Firewall:
    name: str
    network: str
    values: JsonObject


class GcpParser:
    """Reads ``gcloud compute firewall-rules list`` in JSON and YAML, and Terraform's JSON."""

    name = "gcp"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file speaks of firewall rules of GCP."""
        return _SIGNS.search(file.text) is not None

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the rules of one network; raise `BadRuleset`."""
        firewalls = [
            one for file in files for document in read_documents(file) for one in _of(document, file.name)
        ]
        return _read(self.name, firewalls, None)


PARSER = GcpParser()


def _of(document: object, file: str) -> Iterable[_Firewall]:
    if isinstance(document, Mapping) and _TERRAFORM & document.keys():
        for one in terraform_resources(document, file):
            if one.type == "google_compute_firewall":
                yield _firewall(_renamed(one.values), file)
        return
    items = document.get("items", [document]) if isinstance(document, Mapping) else document
    for entry in mappings(items, file):
        yield _firewall(entry, file)


def _renamed(values: JsonObject) -> JsonObject:
    renamed = {_SNAKE.get(key, key): value for key, value in values.items()}
    for key in ("allowed", "denied"):
        blocks = mappings(renamed.get(key), key)
        renamed[key] = [{_SNAKE.get(name, name): value for name, value in block.items()} for block in blocks]
    return renamed


def _firewall(values: JsonObject, file: str) -> _Firewall:
    name = values.get("name")
    if not isinstance(name, str) or not {"allowed", "denied"} & values.keys():
        raise BadRuleset(
            f"{file}: {str(name)[:60]!r} is no firewall rule: it has no name, or neither allows nor denies"
        )
    return _Firewall(name, str(values.get("network", "")).rpartition("/")[2], values)


def _read(name: str, firewalls: Sequence[_Firewall], projection: Projection | None) -> Ruleset:
    chosen = _of_one_network(firewalls, projection)
    programs = {Direction.FORWARD: no_border("a VPC firewall rule")}
    for direction, implied in ((Direction.INBOUND, Verdict.DENY), (Direction.OUTBOUND, Verdict.ALLOW)):
        ordered = sorted((one for one in chosen if _direction(one) is direction), key=_order)
        rules = [rule for one in ordered for rule in _rules(one, projection)]
        first = elsewhere(projection, direction)
        programs[direction] = program(
            rules, projection, first=first, default=implied, name=f"implied rule of {direction}"
        )
    tags = (
        (f"The instance of host {projection.name} has network tag {network_tag(projection.name)}.",)
        if projection and projection.scope is Scope.HOST
        else ()
    )
    return Ruleset(
        name,
        programs,
        (*_ASSUMPTIONS, *tags),
        seen_from=lambda seen: _read(name, firewalls, of_host_or_subnet(seen)),
    )


def _of_one_network(firewalls: Sequence[_Firewall], projection: Projection | None) -> Sequence[_Firewall]:
    if projection is None or projection.scope is Scope.SUBNET or len({one.network for one in firewalls}) < 2:
        return firewalls
    tag = network_tag(projection.name)
    mine = {one.network for one in firewalls if tag in listed(one.values.get("targetTags"))}
    if len(mine) != 1:
        names = ", ".join(sorted({one.network for one in firewalls}))
        raise BadRuleset(
            f"these are rules of several networks: {names}; give those of the host's alone (--filter=network=...)"
        )
    return [one for one in firewalls if one.network in mine]


def _direction(one: _Firewall) -> Direction:
    word = str(one.values.get("direction", "INGRESS"))
    if word not in _DIRECTIONS:
        raise BadRuleset(f"rule {one.name!r} has direction {word[:40]!r}")
    return _DIRECTIONS[word]


def _order(one: _Firewall) -> tuple[int, bool]:
    priority = one.values.get("priority", _DEFAULT_PRIORITY)
    if not isinstance(priority, int) or isinstance(priority, bool) or not 0 <= priority <= _LOWEST_PRIORITY:
        raise BadRuleset(f"rule {one.name!r} has priority {str(priority)[:40]!r}")
    return priority, not listed(one.values.get("denied"))


def _rules(one: _Firewall, projection: Projection | None) -> Iterable[Rule]:
    if one.values.get("disabled") is True:
        return
    doubts = _target_doubts(one, projection)
    if doubts is None:
        return
    sources, destinations = _sides(one)
    for key, effect in (("denied", Effect.DENY), ("allowed", Effect.ALLOW)):
        for block in mappings(one.values.get(key), one.name):
            service = _service(block)
            service = replace(service, doubts=(*doubts, *service.doubts))
            yield from rules_of(
                f"{one.name} (priority {_order(one)[0]})", effect, service, sources, destinations
            )


def _target_doubts(one: _Firewall, projection: Projection | None) -> tuple[str, ...] | None:
    """Return why it is in doubt that a rule applies to the host; none at all where it surely does not."""
    accounts = listed(one.values.get("targetServiceAccounts"))
    tags = [str(tag) for tag in listed(one.values.get("targetTags"))]
    if accounts:
        return (f"whether the host runs as {', '.join(map(str, accounts))[:100]} is not known",)
    if not tags or (projection and network_tag(projection.name) in tags):
        return ()
    if projection and all(tag in {network_tag(host) for host in projection.hosts} for tag in tags):
        # The tags of other hosts of the site are theirs alone.
        return None
    return (f"whether the host has one of the tags {', '.join(tags)[:100]} is not known",)


def _sides(one: _Firewall) -> tuple[Side, Side]:
    sources = side_of(listed(one.values.get("sourceRanges")), "source range")
    destinations = side_of(listed(one.values.get("destinationRanges")), "destination range")
    named = [
        f"{word} {str(value)[:80]} is not known"
        for key, word in (("sourceTags", "source tag"), ("sourceServiceAccounts", "source service account"))
        for value in listed(one.values.get(key))
    ]
    if named:
        sources |= Side(Addresses(), tuple(named))
    if _direction(one) is Direction.INBOUND:
        return (
            sources if sources != Side(Addresses()) else _ANYWHERE,
            destinations if destinations != Side(Addresses()) else EVERYONE,
        )
    return (
        sources if sources != Side(Addresses()) else EVERYONE,
        destinations if destinations != Side(Addresses()) else _ANYWHERE,
    )


def _service(block: JsonObject) -> Service:
    word = str(block.get("IPProtocol", "")).lower()
    texts = listed(block.get("ports"))
    if word == "all" and not texts:
        return Service()
    number = _PROTOCOLS.get(word)
    if number is None and word.isascii() and word.isdecimal() and len(word) <= 3 and int(word) <= 255:
        number = int(word)
    if number is None:
        return Service(doubts=(f"protocol {word[:40]!r} is not understood",))
    protocols = IntervalSet.single(number)
    if not texts:
        return Service(protocols)
    ports = port_set(texts)
    if ports is None or number not in _WITH_PORTS:
        return Service(protocols, doubts=(f"ports {', '.join(map(str, texts))[:80]!r} are not understood",))
    return Service(protocols, ports)
