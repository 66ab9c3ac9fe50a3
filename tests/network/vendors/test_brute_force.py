"""Random configurations against judges that walk down the rules packet by packet, and damaged renderings."""

import itertools
import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet, Program, Verdict, judge
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.proof import PROTOCOLS, prove

from .sites import TARGETS, TWO, border_of, crossing, flow, host, read, rules_text

# Prefixes, ranges and (IOS alone) masks with holes: 0.0.0.5 leaves the first and the third bit open.
V4 = ["10.0.0.0/29", "10.0.0.1/32", "10.0.0.2/31", "0.0.0.0/0"]
V6 = ["::/0", "2001:db8::2/127", "2001:db8::4/128"]
HOLES = ["10.0.0.0 0.0.0.5", "10.0.0.2 0.0.0.9"]
ADDRESSES = [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.6",
    "192.0.2.1",
    "2001:db8::2",
    "2001:db8::4",
]
PROBED_PORTS = [0, 78, 79, 80, 82, 443, 65535]
OPERATORS = [("eq", 80), ("neq", 80), ("lt", 80), ("gt", 80), ("range", 79, 81), ("eq", 443), ()]


def every_packet() -> Iterator[Packet]:
    for source, destination, protocol, port in itertools.product(ADDRESSES, ADDRESSES, (6, 17), PROBED_PORTS):
        first, second = ip_address(source), ip_address(destination)
        if first.version == second.version:
            yield Packet(Family(first.version), protocol, int(first), int(second), 79, port)


PACKETS = list(every_packet())


def holds(operator: tuple, port: int) -> bool:  # type: ignore[type-arg]  # a word and one or two ports
    match operator:
        case ():
            return True
        case ("range", low, high):
            return bool(low <= port <= high)
        case (word, value):
            return bool(
                {"eq": port == value, "neq": port != value, "lt": port < value, "gt": port > value}[word]
            )
    raise AssertionError(operator)


def inside(family: int, value: int, where: str) -> bool:
    """Say whether an address is in a prefix, a range, or an address with a wildcard mask."""
    if " " in where:
        base, mask = (int(ip_address(one)) for one in where.split())
        return family == 4 and (value | mask) == (base | mask)
    if where.count("-") == 1:
        low, high = (ip_address(one) for one in where.split("-"))
        return low.version == family and int(low) <= value <= int(high)
    network = ip_network(where)
    return network.version == family and int(network[0]) <= value <= int(network[-1])


def agree(program: Program, expected: Callable[[Packet], bool]) -> None:
    for packet in PACKETS:
        wanted = Verdict.ALLOW if expected(packet) else Verdict.DENY
        assert judge(program, packet).verdict is wanted, packet


Rule = tuple  # permits, protocol, sources, destinations, source operator, operator


def walk(rules: list[Rule], packet: Packet, *, default: bool = False) -> bool:  # type: ignore[type-arg]
    for permits, protocol, sources, destinations, source_operator, operator in rules:
        if (
            packet.protocol in {"tcp": {6}, "udp": {17}, "ip": {6, 17}}[protocol]
            and any(inside(packet.family, packet.source, one) for one in sources)
            and any(inside(packet.family, packet.destination, one) for one in destinations)
            and (protocol == "ip" or holds(source_operator, packet.source_port))
            and (protocol == "ip" or holds(operator, packet.destination_port))
        ):
            return bool(permits)
    return default


def rules_over(places: list[str], *, groups: bool = True, protocols: tuple[str, ...] = ("tcp", "udp", "ip")):  # type: ignore[no-untyped-def]  # a strategy
    side = st.lists(st.sampled_from(places), min_size=1, max_size=3 if groups else 1, unique=True)
    operators = st.sampled_from(OPERATORS)
    return st.lists(
        st.tuples(st.booleans(), st.sampled_from(protocols), side, side, operators, operators), max_size=6
    )


def wildcard(prefix: str) -> str:
    if " " in prefix:
        return prefix
    network = ip_network(prefix)
    return "any" if network.prefixlen == 0 else f"{network[0]} {network.hostmask}"


def netmask(prefix: str) -> str:
    network = ip_network(prefix)
    if network.version == 6:
        return prefix
    return f"host {network[0]}" if network.prefixlen == 32 else f"{network[0]} {network.netmask}"


def port_words(operator: tuple) -> str:  # type: ignore[type-arg]
    # Cisco writes some ports by name.
    return " ".join("www" if one == 80 else str(one) for one in operator)


class IosSides:
    """Writes sides of IOS rules, those of several members as groups within groups."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0

    def write(self, members: list[str]) -> str:
        if len(members) == 1:
            return wildcard(members[0])
        self._count += 1
        self.lines += [f"object-group network inner{self._count}", f" {netmask(members[0])}"]
        self.lines += [f"object-group network outer{self._count}", " description all of them"]
        self.lines += [f" group-object inner{self._count}", *(f" {netmask(one)}" for one in members[1:])]
        return f"object-group outer{self._count}"


@settings(max_examples=30, deadline=None)
@given(rules_over(V4[:3]), rules_over([*V4, *HOLES], groups=False), st.booleans())
def test_ios_agrees_with_a_walk_down_the_list(
    first: list[Rule], second: list[Rule], established: bool
) -> None:
    sides, lines = IosSides(), []
    rules = [*first, *second]
    for number, (permits, protocol, sources, destinations, source_operator, operator) in enumerate(rules):
        word = "permit" if permits else "deny"
        ports = ["", ""] if protocol == "ip" else [port_words(source_operator), port_words(operator)]
        words = [word, protocol, sides.write(sources), ports[0], sides.write(destinations), ports[1]]
        lines += [f" remark rule {number}", " " + " ".join(one for one in words if one) + " log"]
        if established:
            lines.append(" permit tcp any any established")
    text = "\n".join(
        [*sides.lines, "ip access-list extended L", " remark x", *lines, "ipv6 access-list M", "end", ""]
    )

    agree(crossing(text, "cisco-ios"), lambda packet: packet.family == 4 and walk(rules, packet))


@settings(max_examples=20, deadline=None)
@given(rules_over(V6, groups=False), st.permutations(range(6)))
def test_ios_agrees_for_ipv6_and_whatever_the_order_of_lines(rules: list[Rule], order: list[int]) -> None:
    lines = []
    for number, (permits, protocol, (source,), (destination,), source_operator, operator) in enumerate(rules):
        word, protocol_word = "permit" if permits else "deny", "ipv6" if protocol == "ip" else protocol
        ports = ["", ""] if protocol == "ip" else [port_words(source_operator), port_words(operator)]
        words = [
            f"sequence {10 * order[number] + 10}",
            word,
            protocol_word,
            source,
            ports[0],
            destination,
            ports[1],
        ]
        lines.append(" " + " ".join(one for one in words if one))
    text = "\n".join(["ip access-list extended L", " remark x", "ipv6 access-list M", *lines, "end", ""])
    ordered = [rule for _, rule in sorted(zip(order, rules, strict=False), key=lambda one: one[0])]

    agree(crossing(text, "cisco-ios"), lambda packet: packet.family == 6 and walk(ordered, packet))


@settings(max_examples=30, deadline=None)
@given(rules_over([*V4, *V6]), st.sets(st.integers(0, 5)))
def test_asa_agrees_with_a_walk_down_the_list(rules: list[Rule], inactive: set[int]) -> None:
    groups: list[str] = []
    lines: list[str] = []

    def side(members: list[str]) -> str:
        if members == ["0.0.0.0/0"]:
            return "any4"
        if len(members) == 1:
            return netmask(members[0])
        name = f"g{len(groups)}"
        groups.append(f"object-group network {name}")
        groups.extend(f" network-object {netmask(one)}" for one in members)
        return f"object-group {name}"

    for number, (permits, protocol, sources, destinations, source_operator, operator) in enumerate(rules):
        ports = ["", ""] if protocol == "ip" else [port_words(source_operator), port_words(operator)]
        if protocol != "ip" and operator and number % 2:
            groups.extend([f"object-group service p{number} {protocol}", f" port-object {ports[1]}"])
            ports[1] = f"object-group p{number}"
        words = [
            "permit" if permits else "deny",
            protocol,
            side(sources),
            ports[0],
            side(destinations),
            ports[1],
        ]
        words += ["log", "informational", "interval", "300"] if number % 3 == 0 else []
        words += ["inactive"] if number in inactive else []
        lines += ["access-list L remark x", "access-list L extended " + " ".join(one for one in words if one)]
    closing = ["access-list L extended deny ip any any", "access-group L global", ": end", ""]
    active = [rule for number, rule in enumerate(rules) if number not in inactive]

    agree(crossing("\n".join([*groups, *lines, *closing]), "cisco-asa"), lambda packet: walk(active, packet))


PORT_LISTS = {
    ("eq", 80): "80",
    ("range", 79, 81): "79-81",
    ("eq", 443): "443",
    ("lt", 80): "0-79",
    (): "0-65535",
}
PLAIN = [one for one in OPERATORS if one in PORT_LISTS]
RANGES = [*V4, *V6, "10.0.0.2-10.0.0.4"]
plain_rules = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from(["tcp", "udp", "ip"]),
        st.lists(st.sampled_from(RANGES), min_size=1, max_size=3, unique=True),
        st.lists(st.sampled_from(RANGES), min_size=1, max_size=3, unique=True),
        st.sampled_from(PLAIN),
        st.sampled_from(PLAIN),
        st.booleans(),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=30, deadline=None)
@given(plain_rules)
def test_palo_alto_agrees_with_a_walk_down_the_rules(drawn: list[Rule]) -> None:
    lines: list[str] = []

    def name(where: str) -> str:
        label = f'"at {RANGES.index(where)}"'
        lines.append(f"set address {label} {'ip-range' if '-' in where else 'ip-netmask'} {where}")
        return label

    for number, (
        permits,
        protocol,
        sources,
        destinations,
        source_operator,
        operator,
        disabled,
        negated,
    ) in enumerate(drawn):
        service = "any" if protocol == "ip" else f"s{number}"
        if protocol != "ip":
            ports = f"port {PORT_LISTS[operator]} source-port {PORT_LISTS[source_operator]}"
            lines.append(f"set service s{number} protocol {protocol} {ports}")
        lines.append(f"set address-group g{number} static [ {' '.join(name(one) for one in sources)} ]")
        head = f"set rulebase security rules r{number}"
        members = " ".join(name(one) for one in destinations)
        lines.append(f"{head} from any to any source g{number} destination [ {members} ] service {service}")
        lines.append(f"{head} application any action {'allow' if permits else 'reset-both'}")
        lines.append(
            f"{head} disabled {'yes' if disabled else 'no'} negate-source {'yes' if negated else 'no'}"
        )
    lines.append(
        "set rulebase security rules end from any to any source any destination any service any application any "
        "action deny"
    )

    def expected(packet: Packet) -> bool:
        for permits, protocol, sources, destinations, source_operator, operator, disabled, negated in drawn:
            found = any(inside(packet.family, packet.source, one) for one in sources) is not negated
            everywhere = ["0.0.0.0/0", "::/0"]
            if found and not disabled:
                rule = (permits, protocol, everywhere, destinations, source_operator, operator)
                if walk([rule], packet) or walk([(True, *rule[1:])], packet):
                    return bool(permits)
        return False

    agree(crossing("\n".join([*lines, ""]), "palo-alto"), expected)


@settings(max_examples=30, deadline=None)
@given(plain_rules)
def test_fortigate_agrees_with_a_walk_down_the_policies(drawn: list[Rule]) -> None:
    entries: list[str] = []
    for number, where in enumerate(RANGES):
        low, high = where.split("-") if "-" in where else ("", "")
        if high:
            found = ("address", f"set type iprange\nset start-ip {low}\nset end-ip {high}")
        elif ":" in where:
            found = ("address6", f"set ip6 {where}")
        else:
            network = ip_network(where)
            found = ("address", f"set subnet {network[0]} {network.netmask}")
        entries.append(f'config firewall {found[0]}\nedit "at {number}"\n{found[1]}\nnext\nend')
    policies: list[str] = []
    for number, (
        permits,
        protocol,
        sources,
        destinations,
        source_operator,
        operator,
        disabled,
        negated,
    ) in enumerate(drawn):
        ports = f"{PORT_LISTS[operator]}:{PORT_LISTS[source_operator]}"
        kind = "set protocol IP" if protocol == "ip" else f"set {protocol}-portrange {ports}"
        entries.append(f'config firewall service custom\nedit "s{number}"\n{kind}\nnext\nend')
        lines = [
            f"edit {number + 1}",
            'set srcintf "any"',
            'set dstintf "any"',
            f"set status {'disable' if disabled else 'enable'}",
        ]
        for key, members in (("srcaddr", sources), ("dstaddr", destinations)):
            for digit in ("", "6"):
                mine = [f'"at {RANGES.index(one)}"' for one in members if (":" in one) is (digit == "6")]
                lines += [f"set {key}{digit} {' '.join(mine)}"] if mine else []
        lines += ["set srcaddr-negate enable"] if negated and any(":" not in one for one in sources) else []
        lines += [
            f"set service s{number}",
            'set schedule "always"',
            *(["set action accept"] if permits else []),
            "next",
        ]
        policies += lines
    text = "\n".join(
        [*entries, "config firewall policy", "edit 9999", "set status disable", "next", *policies, "end", ""]
    )

    def expected(packet: Packet) -> bool:
        for permits, protocol, sources, destinations, source_operator, operator, disabled, negated in drawn:
            mine = [one for one in sources if (":" in one) is (packet.family == 6)]
            found = any(inside(packet.family, packet.source, one) for one in mine)
            if negated and packet.family == 4 and mine:
                found = not found
            everywhere = ["0.0.0.0/0", "::/0"]
            if (
                found
                and not disabled
                and walk([(True, protocol, everywhere, destinations, source_operator, operator)], packet)
            ):
                return bool(permits)
        return False

    agree(crossing(text, "fortigate"), expected)


DAMAGED = border_of(
    TWO
    + host("z", "b", "10.2.0.3 2001:db8:2::3")
    + flow("f", "x", "y", "80, 443, 8000-8010")
    + flow("g", "a", "z", "53", "udp")
    + flow("h", "z", "x", "25")
)
RENDERED = {target: rules_text(target, DAMAGED) for target in TARGETS}
NUMBERS = re.compile(r"(?<=[ ,.:-])(80|443|8000|8010|53|25|1|3|0|32|48|128|16)(?=[ ,\n\"/-])")


def allowed_by_policy(packet: Packet) -> bool:
    return any(
        packet.family is permit.family
        and packet.protocol == PROTOCOLS[permit.transport]
        and packet.source in permit.sources
        and packet.destination in permit.destinations
        and packet.destination_port in permit.ports
        for permit in DAMAGED.permits[Direction.FORWARD]
    )


GRID = [
    Packet(Family(one.version), protocol, int(one), int(two), 40000, port)
    for one, two in itertools.permutations(
        [ip_address(f"{net}{end}") for net in ("10.1.0.", "10.2.0.", "2001:db8:1::", "2001:db8:2::") for end in (1, 2, 3)], 2
    )
    if one.version == two.version
    for protocol in (6, 17)
    for port in (25, 53, 80, 81, 443, 8000, 8005, 8011)
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_mutants_are_found_with_witnesses_that_are_true_and_nothing_escapes(
    target: str, data: st.DataObject
) -> None:
    text = RENDERED[target]
    if data.draw(st.booleans()):
        lines = text.splitlines(keepends=True)
        del lines[data.draw(st.integers(0, len(lines) - 1))]
        damaged = "".join(lines)
    else:
        found = list(NUMBERS.finditer(text))
        place = data.draw(st.sampled_from(found))
        number = data.draw(st.sampled_from(["0", "1", "2", "3", "25", "53", "80", "81", "443", "64", "8005"]))
        damaged = text[: place.start()] + number + text[place.end() :]
    assume(damaged != text)

    try:
        held = read(damaged, target)
    except BadRuleset:
        return
    findings = prove(DAMAGED, held).findings
    program = held.programs[Direction.FORWARD]

    for one in findings:
        assert one.packet is not None
        if "replies to it" not in one.message:
            verdict = judge(program, one.packet).verdict
            assert verdict is not (Verdict.ALLOW if allowed_by_policy(one.packet) else Verdict.DENY), (
                one.message
            )
    if not findings:
        for packet in GRID:
            wanted = Verdict.ALLOW if allowed_by_policy(packet) else Verdict.DENY
            assert judge(program, packet).verdict is wanted, packet
