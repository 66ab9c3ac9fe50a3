"""Reads Kubernetes NetworkPolicies: what a pod's policies allow adds up; a pod that none selects is open.

The label ``controlroom/host`` stands for a host of the site. Other selectors, of pods and of namespaces, are uncertain,
for which pods carry their labels, and with which addresses, is not in the policy.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controlroom.network.addresses import Addresses
from controlroom.network.analysis import Effect, Program, Rule, Verdict
from controlroom.network.errors import BadRuleset
from controlroom.network.intervals import IntervalSet
from controlroom.network.projection import Direction, Projection
from controlroom.network.rulesets.cloud_files import JsonObject, listed, mappings, read_documents
from controlroom.network.rulesets.cloud_rules import (
    EVERYONE,
    FIRST_PACKET,
    NEIGHBOURS,
    NOBODY,
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
from controlroom.network.rulesets.kubernetes_selectors import Choice, hosts_of, selects

_SECTIONS = {
    Direction.INBOUND: ("Ingress", "ingress", "from"),
    Direction.OUTBOUND: ("Egress", "egress", "to"),
}
_PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}
_WITH_PORTS = IntervalSet.of((number, number) for number in _PROTOCOLS.values())
_KIND = re.compile(r"""["']?\bkind["']?:\s*["']?NetworkPolicy(List)?\b""")
_ASSUMPTIONS = (
    FIRST_PACKET,
    NEIGHBOURS,
    "The network plug-in enforces policies, endPort among them; where it does not know it, render single ports.",
    "A pod always speaks with the node that it runs on.",
    "Policies of other kinds (administrators', a plug-in's own) are not part of this.",
)


@dataclass(frozen=True, slots=True)
class _Policy:
    name: str
    namespace: str
    spec: JsonObject


class KubernetesParser:
    """Reads policies in YAML and JSON, single ones and lists."""

    name = "kubernetes"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file speaks of network policies."""
        return _KIND.search(file.text) is not None

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the policies of one namespace or of several; raise `BadRuleset`."""
        policies = [
            policy
            for file in files
            for document in read_documents(file)
            for policy in _policies(document, file.name)
        ]
        if not policies:
            raise BadRuleset(f"{', '.join(file.name for file in files)}: no NetworkPolicy is in it")
        return _read(self.name, policies, None)


PARSER = KubernetesParser()


def _policies(document: object, file: str) -> Iterable[_Policy]:
    for one in mappings(document, file):
        kind = str(one.get("kind"))
        if kind.endswith("List"):
            for item in mappings(one.get("items"), file):
                # A typed list leaves the kind of its items out.
                yield from _policies({"kind": kind.removesuffix("List") or "NetworkPolicy", **item}, file)
        elif kind == "NetworkPolicy":
            metadata, spec = one.get("metadata"), one.get("spec")
            if not isinstance(metadata, Mapping) or not isinstance(spec, Mapping):
                raise BadRuleset(f"{file}: a NetworkPolicy has no metadata or no spec")
            yield _Policy(str(metadata.get("name")), str(metadata.get("namespace", "")), spec)


def _read(name: str, policies: Sequence[_Policy], projection: Projection | None) -> Ruleset:
    chosen = _of_one_namespace(policies, projection)
    programs = {Direction.FORWARD: no_border("a NetworkPolicy")}
    for direction in (Direction.INBOUND, Direction.OUTBOUND):
        programs[direction] = _program(chosen, direction, projection)
    labels = (
        (f"The pod with the label controlroom/host={projection.name} is host {projection.name}.",)
        if projection
        else ()
    )
    return Ruleset(
        name,
        programs,
        (*_ASSUMPTIONS, *labels),
        seen_from=lambda seen: _read(name, policies, of_host(seen)),
    )


def _of_one_namespace(policies: Sequence[_Policy], projection: Projection | None) -> Sequence[_Policy]:
    names = {policy.namespace for policy in policies}
    if projection is None or len(names) < 2:
        return policies
    mine = {one.namespace for one in policies if hosts_of(one.spec.get("podSelector")) == {projection.name}}
    if len(mine) != 1:
        raise BadRuleset(
            f"these are policies of several namespaces: {', '.join(sorted(names))}; give those of the pod's alone"
        )
    return [one for one in policies if one.namespace in mine]


def _program(policies: Sequence[_Policy], direction: Direction, projection: Projection | None) -> Program:
    host = projection.name if projection else ""
    chosen = [
        (policy, choice)
        for policy in policies
        if _has_type(policy, direction)
        and (choice := selects(policy.spec.get("podSelector"), host)) is not Choice.NO
    ]
    sure = any(choice is Choice.YES for _, choice in chosen)
    rules: list[Rule] = []
    for policy, choice in chosen:
        found = list(_rules(policy, direction, projection))
        # Where one policy alone may select the pod, what it allows passes either way: by it, or because nothing isolates.
        certain = choice is Choice.YES or len(chosen) == 1
        rules += found if certain else [_in_doubt(rule, policy.name) for rule in found]
    rules = within_near_side(rules, direction, projection)
    if sure:
        return program(rules, projection, default=Verdict.DENY, name="no policy allows it")
    if chosen:
        reason = "whether any policy selects the pod is not known"
        rules += rules_of("isolation", Effect.DENY, Service(doubts=(reason,)), EVERYONE, EVERYONE)
    return program(rules, projection, default=Verdict.ALLOW, name="no policy selects the pod")


def _in_doubt(rule: Rule, policy: str) -> Rule:
    return replace(
        rule, certain=False, reason=rule.reason or f"whether policy {policy} selects the pod is not known"
    )


def _has_type(policy: _Policy, direction: Direction) -> bool:
    word, section, _ = _SECTIONS[direction]
    types = policy.spec.get("policyTypes")
    if types is None:
        # "NetworkPolicySpec": every policy is of ingress, and of egress where it has an egress section.
        return direction is Direction.INBOUND or policy.spec.get(section) is not None
    return word in listed(types)


def _rules(policy: _Policy, direction: Direction, projection: Projection | None) -> Iterable[Rule]:
    _, section, side = _SECTIONS[direction]
    for number, rule in enumerate(mappings(policy.spec.get(section), policy.name), start=1):
        name = f"{policy.name} {section} {number}"
        if odd := rule.keys() - {side, "ports"}:
            doubt = Service(doubts=(f"{', '.join(sorted(map(str, odd)))[:80]!r} is not understood",))
            yield from rules_of(name, Effect.ALLOW, doubt, EVERYONE, EVERYONE)
            continue
        far = _peers(rule.get(side), policy.name, projection)
        sides = (far, EVERYONE) if direction is Direction.INBOUND else (EVERYONE, far)
        for service in _services(rule.get("ports"), policy.name):
            yield from rules_of(name, Effect.ALLOW, service, *sides)


def _peers(peers: object, policy: str, projection: Projection | None) -> Side:
    found = mappings(peers, policy)
    if not found:
        return EVERYONE
    side = NOBODY
    for peer in found:
        block = peer.get("ipBlock")
        if isinstance(block, Mapping) and len(peer) == 1:
            inside = side_of([block.get("cidr")], "address block")
            outside = side_of(listed(block.get("except")), "exception")
            if outside.unknown or block.keys() - {"cidr", "except"}:
                side |= Side(Addresses(), (*outside.unknown, "an address block is not understood"))
            else:
                side |= Side(inside.known - outside.known, inside.unknown)
        else:
            side |= _pods(peer, projection)
    return side


def _pods(peer: JsonObject, projection: Projection | None) -> Side:
    hosts = hosts_of(peer.get("podSelector")) if peer.keys() == {"podSelector"} else None
    if hosts is None or projection is None or not hosts <= projection.hosts.keys():
        return Side(Addresses(), (f"which pods {str(peer)[:100]} selects is not known",))
    addresses = Addresses()
    for host in sorted(hosts):
        addresses |= projection.hosts[host]
    return Side(addresses)


def _services(ports: object, policy: str) -> Iterable[Service]:
    """Yield the services of a rule, those of one protocol together; all of them where no port is given."""
    found = mappings(ports, policy)
    if not found:
        yield Service()
        return
    known: dict[int, list[tuple[int, int]]] = {}
    for one in found:
        number = _PROTOCOLS.get(str(one.get("protocol") or "TCP"))
        low, high = one.get("port", 0), one.get("endPort", one.get("port", 65535))
        plain = all(isinstance(port, int) and not isinstance(port, bool) for port in (low, high))
        if number is None or not plain or one.keys() - {"protocol", "port", "endPort"}:
            yield Service(_WITH_PORTS, doubts=(f"port {str(dict(one))[:80]} is not understood",))
        elif isinstance(low, int) and isinstance(high, int) and 0 <= low <= high <= 65535:
            known.setdefault(number, []).append((low, high))
        else:
            raise BadRuleset(f"{policy}: ports {str(low)[:20]} to {str(high)[:20]} are no ports")
    for number, intervals in known.items():
        yield Service(IntervalSet.single(number), IntervalSet.of(intervals))
