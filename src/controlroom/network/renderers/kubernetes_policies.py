"""The Kubernetes NetworkPolicy of one host, written with ranges of ports or with single ports.

The policy selects the pod by the label ``controlroom/host``. The other side is said twice, and both mean the same: by
the labels of the site's hosts, for pods whose addresses change, and by the declared addresses, for all that is no pod.
"""

from collections.abc import Iterator

from controlroom.network.addresses import format_address, prefixes
from controlroom.network.catalogue import Transport
from controlroom.network.policy import Permit
from controlroom.network.ports import single_ports
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.cloud_documents import (
    comment,
    grouped,
    refuse_more_than,
    safe_name,
    summary,
)
from controlroom.network.renderers.cloud_steps import cloud_script
from controlroom.network.renderers.interface import RenderedFile, Rendering, refuse_symbolic

HOST_LABEL = "controlroom/host"
SCOPES = frozenset({Scope.HOST})
# etcd takes requests of 1.5 MiB; a policy half as large leaves room for what the API server adds to it.
_LARGEST_POLICY = 768 * 1024
_LONGEST_NAME = 253
_TYPES = {Direction.INBOUND: ("Ingress", "ingress", "from"), Direction.OUTBOUND: ("Egress", "egress", "to")}
_PROTOCOLS = {Transport.TCP: "TCP", Transport.UDP: "UDP"}


def render_policy(projection: Projection, target: str, *, ranges: bool) -> Rendering:
    """Return the policy and its script; raise `CannotExpress` for symbolic sides and for too large a policy."""
    refuse_symbolic(projection, target)
    name = f"controlroom-{safe_name(projection.name, odd=r'[^a-z0-9.-]', longest=_LONGEST_NAME - 20)}"
    text = "\n".join(_lines(projection, name, ranges=ranges)) + "\n"
    mend = "declare wider prefixes in the site" + (
        "" if ranges else ", or take the target with ranges of ports"
    )
    refuse_more_than(_LARGEST_POLICY, len(text.encode()), "bytes of policy", mend)
    file = f"{projection.name}-{target}.yaml"
    script = _script(name, file)
    return Rendering(
        target,
        (
            RenderedFile(file, text),
            RenderedFile(f"{projection.name}-{target}.sh", script, is_rules=False, executable=True),
        ),
    )


def _lines(projection: Projection, name: str, *, ranges: bool) -> Iterator[str]:
    yield f"# {summary(projection)}"
    yield "apiVersion: networking.k8s.io/v1"
    yield "kind: NetworkPolicy"
    yield "metadata:"
    yield f'  name: "{name}"'
    yield "  labels:"
    yield "    app.kubernetes.io/managed-by: controlroom"
    yield f'    {HOST_LABEL}: "{projection.name}"'
    yield f'    controlroom/site: "{projection.site}"'
    yield "spec:"
    yield "  podSelector:"
    yield "    matchLabels:"
    yield f'      {HOST_LABEL}: "{projection.name}"'
    yield f"  policyTypes: [{', '.join(_TYPES[direction][0] for direction in projection.filtered)}]"
    for direction in projection.filtered:
        yield from _rules(projection, direction, ranges=ranges)


def _rules(projection: Projection, direction: Direction, *, ranges: bool) -> Iterator[str]:
    _, section, side = _TYPES[direction]
    permits = grouped(projection, direction)
    if not permits:
        yield f"  {section}: []"
        return
    yield f"  {section}:"
    told = ""
    for permit in permits:
        if permit.flow != told:
            yield f"    # {permit.flow}: {comment(permit.purpose)}"
            told = permit.flow
        yield f"    - {side}:"
        yield from _peers(projection, direction, permit)
        yield "      ports:"
        yield from _ports(permit, ranges=ranges)


def _peers(projection: Projection, direction: Direction, permit: Permit) -> Iterator[str]:
    inbound = direction is Direction.INBOUND
    names = permit.source_names if inbound else permit.destination_names
    hosts = sorted({name for name in names if name in projection.hosts and name != projection.name})
    if hosts:
        values = ", ".join(f'"{name}"' for name in hosts)
        yield "        - podSelector:"
        yield "            matchExpressions:"
        yield f"              - {{key: {HOST_LABEL}, operator: In, values: [{values}]}}"
    for low, length in prefixes(permit.family, permit.sources if inbound else permit.destinations):
        yield f'        - ipBlock: {{cidr: "{format_address(permit.family, low)}/{length}"}}'


def _ports(permit: Permit, *, ranges: bool) -> Iterator[str]:
    protocol = _PROTOCOLS[permit.transport]
    if not ranges:
        for port in single_ports(permit.ports):
            yield f"        - {{protocol: {protocol}, port: {port}}}"
        return
    for low, high in permit.ports:
        end = "" if low == high else f", endPort: {high}"
        yield f"        - {{protocol: {protocol}, port: {low}{end}}}"


def _script(name: str, file: str) -> str:
    run = 'kubectl --namespace "$NAMESPACE"'
    return cloud_script(
        name,
        needs="kubectl, with a context that may write network policies",
        required=(("NAMESPACE", "the namespace of the pod"),),
        check=(
            f'{run} apply --dry-run=server -f "$folder/{file}"',
            # diff ends with 1 where something would change, which is no failure.
            f'{run} diff -f "$folder/{file}" || [ $? -eq 1 ]',
        ),
        present=f"{run} get --ignore-not-found --output name networkpolicy/{name}",
        save=f"{run} apply view-last-applied --output yaml networkpolicy/{name}",
        apply=(f'{run} apply -f "$folder/{file}"',),
        restore=(f'{run} apply -f "$saved"',),
        remove=(f"{run} delete --ignore-not-found networkpolicy/{name}",),
    )
