"""Renders nftables (nft 0.9.3 and newer): one table of our own, replaced as a whole in one transaction."""

from collections.abc import Iterator

from controlroom.network.addresses import Family, format_address, prefixes
from controlroom.network.baseline import (
    NEIGHBOUR_DISCOVERY,
    NEIGHBOUR_DISCOVERY_NAME,
    NEIGHBOUR_DISCOVERY_PURPOSE,
    needs_neighbour_discovery,
)
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Permit
from controlroom.network.ports import single_ports
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.interface import TAG, RenderedFile, Rendering, refuse_symbolic
from controlroom.network.renderers.steps import apply_script
from controlroom.network.rulesets.packet_words import ICMPV6_TYPES

# Sets longer than this get a name, so that a rule stays one line that a person can read.
_LONGEST_INLINE_SET = 6
_CHAINS = {
    Direction.INBOUND: ("inbound", "input", "iifname"),
    Direction.OUTBOUND: ("outbound", "output", "oifname"),
    Direction.FORWARD: ("crossing", "forward", ""),
}


class NftablesRenderer:
    """One table ``inet controlroom`` with a chain for each filtered direction, policy drop."""

    name = "nftables"
    title = "nftables on Linux"
    scopes = frozenset(Scope)
    parser = "nftables"

    def render(self, projection: Projection) -> Rendering:
        """Return the ruleset and the script that checks, applies, confirms and rolls back."""
        refuse_symbolic(projection, self.name)
        sets = _Sets()
        chains = [line for direction in projection.filtered for line in _chain(projection, direction, sets)]
        text = "\n".join([*_head(projection), *sets.lines(), *chains, "}", ""])
        rules = f"{projection.name}.nft"
        script = apply_script(
            rules,
            check=f'nft -c -f "$folder/{rules}"',
            save=f"nft list table inet {TAG}",
            apply=f'nft -f "$folder/{rules}"',
            restore='nft -f "$saved"',
            remove=f"nft delete table inet {TAG}",
        )
        return Rendering(
            self.name,
            (
                RenderedFile(rules, text),
                RenderedFile(f"{projection.name}-nft.sh", script, is_rules=False, executable=True),
            ),
        )


RENDERER = NftablesRenderer()


class _Sets:
    """Names long address sets, the same set once."""

    def __init__(self) -> None:
        self._names: dict[tuple[Family, IntervalSet], str] = {}

    def refer(self, family: Family, addresses: IntervalSet) -> str:
        """Return how a rule says a set: one address, a set in place, or a set's name."""
        if len(addresses) <= _LONGEST_INLINE_SET:
            return _braces(list(_elements(family, addresses)))
        key = (family, addresses)
        if key not in self._names:
            self._names[key] = f"v{family.value}_addresses_{len(self._names) + 1}"
        return f"@{self._names[key]}"

    def lines(self) -> Iterator[str]:
        """Yield the definitions of the named sets."""
        for (family, addresses), name in self._names.items():
            yield f"\tset {name} {{"
            yield f"\t\ttype ipv{family.value}_addr"
            yield "\t\tflags interval"
            yield f"\t\telements = {{ {', '.join(_elements(family, addresses))} }}"
            yield "\t}"


def _head(projection: Projection) -> Iterator[str]:
    what = "host" if projection.scope is Scope.HOST else "border"
    yield "#!/usr/sbin/nft -f"
    yield f"# {TAG}: firewall of {what} {projection.name} in site {projection.site}"
    yield "# Default deny. Only this table is touched; it is replaced in one transaction, so loading it twice is loading it once."
    yield f"# Check: nft -c -f FILE. Apply with a timed roll-back: the script beside it. Remove: nft delete table inet {TAG}"
    yield f"table inet {TAG}"
    yield f"delete table inet {TAG}"
    yield f"table inet {TAG} {{"


def _chain(projection: Projection, direction: Direction, sets: _Sets) -> Iterator[str]:
    name, hook, interface = _CHAINS[direction]
    yield f"\tchain {name} {{"
    yield f"\t\ttype filter hook {hook} priority filter; policy drop;"
    if interface:
        yield f'\t\t{interface} "lo" accept comment "{TAG}: local"'
    yield f'\t\tct state established,related accept comment "{TAG}: replies"'
    if needs_neighbour_discovery(projection):
        yield f"\t\t# {NEIGHBOUR_DISCOVERY_NAME}: {NEIGHBOUR_DISCOVERY_PURPOSE}"
        yield f'\t\ticmpv6 type {_braces(_icmpv6_names())} accept comment "{TAG}: {NEIGHBOUR_DISCOVERY_NAME}"'
    told = ""
    for permit in projection.permits[direction]:
        if permit.flow != told:
            yield f"\t\t# {permit.flow}: {permit.purpose}"
            told = permit.flow
        yield f"\t\t{_rule(permit, sets)}"
    yield "\t}"


def _rule(permit: Permit, sets: _Sets) -> str:
    family = "ip" if permit.family is Family.IPV4 else "ip6"
    ports = _braces([str(low) if low == high else f"{low}-{high}" for low, high in permit.ports])
    return (
        f"{family} saddr {sets.refer(permit.family, permit.sources)} "
        f"{family} daddr {sets.refer(permit.family, permit.destinations)} "
        f'{permit.transport} dport {ports} accept comment "{TAG}: {permit.flow}"'
    )


def _braces(elements: list[str]) -> str:
    return elements[0] if len(elements) == 1 else f"{{ {', '.join(elements)} }}"


def _elements(family: Family, addresses: IntervalSet) -> Iterator[str]:
    for low, high in addresses:
        cut = list(prefixes(family, IntervalSet(((low, high),))))
        if len(cut) > 1:
            yield f"{format_address(family, low)}-{format_address(family, high)}"
        else:
            length = cut[0][1]
            yield format_address(family, low) + ("" if length == family.bits else f"/{length}")


def _icmpv6_names() -> list[str]:
    # nft prints 132 as mld-listener-done or mld-listener-reduction by version; the first name of a number will do.
    names: dict[int, str] = {}
    for name, number in ICMPV6_TYPES.items():
        names.setdefault(number, name)
    return [names[number] for number in single_ports(NEIGHBOUR_DISCOVERY)]
