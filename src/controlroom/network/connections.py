"""Living connections of a host, as connection tracking has them, and which of them the policy does not allow.

Replacing the rules leaves open what was open before: an established connection passes by its state. Those that the
policy no longer allows are stale, and can be cut one by one.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from controlroom.network.addresses import EVERY_ADDRESS, Family, format_address, parse_range
from controlroom.network.analysis import Effect, Match, Packet, Program, Protocol, Rule, Verdict, judge
from controlroom.network.errors import BadRuleset, MissingProgram
from controlroom.network.intervals import IntervalSet
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.proof import PROTOCOLS, program_of

# A busy host tracks some hundred thousand connections; beyond this a file is no table of them.
MOST_CONNECTIONS = 4_000_000
WAIT_SECONDS = 60
_PAIR = re.compile(r"\b(src|dst|sport|dport|type|code)=(\S+)")
_PROTOCOL = re.compile(r"^(?:ipv[46]\s+\d+\s+)?\S+\s+(\d+)\s")
_NUMBERED = frozenset({Protocol.TCP, Protocol.UDP})


class Fate(StrEnum):
    """What the policy says of a living connection."""

    WANTED = "wanted"
    STALE = "stale"
    # It may belong to a flow with a side that the site knows by name alone.
    UNSURE = "unsure"
    # Of a protocol, a family or a direction that this policy says nothing about.
    BESIDE = "beside"


@dataclass(frozen=True, slots=True)
class Connection:
    """A tracked connection: the packet that opened it, and what that packet became where it was translated."""

    packet: Packet
    translated: Packet | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A connection with what the policy says of it; ``flow`` is the flow that wants it."""

    connection: Connection
    fate: Fate
    flow: str = ""


def read_connections(text: str, name: str = "conntrack") -> Iterator[Connection]:
    """Read ``conntrack -L`` or ``/proc/net/nf_conntrack``; raise `BadRuleset` for what is neither.

    A connection of a protocol without ports has none; lines of ICMP are answers to one question each and are left out.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if number > MOST_CONNECTIONS:
            raise BadRuleset(f"{name}: more than {MOST_CONNECTIONS} lines")
        if not line.strip() or line.startswith(("conntrack v", "#")):
            continue
        protocol = _PROTOCOL.match(line)
        pairs = _PAIR.findall(line)
        if protocol is None or [key for key, _ in pairs].count("src") != 2:
            raise BadRuleset(
                f"{name}:{number}: {line[:60]!r} is no line of conntrack -L or /proc/net/nf_conntrack"
            )
        if int(protocol[1]) not in {Protocol.ICMP, Protocol.ICMPV6}:
            try:
                yield _connection(int(protocol[1]), pairs)
            except (ValueError, KeyError):
                raise BadRuleset(f"{name}:{number}: {line[:60]!r} is cut off or damaged") from None


def _connection(protocol: int, pairs: list[tuple[str, str]]) -> Connection:
    second = next(at for at, (key, _) in enumerate(pairs) if key == "src" and at)
    there, back = dict(pairs[:second]), dict(pairs[second:])
    family, source = _address(there["src"])
    packet = Packet(
        family, protocol, source, _address(there["dst"])[1], _port(there, "sport"), _port(there, "dport")
    )
    _, replier = _address(back["src"])
    _, answered = _address(back["dst"])
    after = Packet(family, protocol, answered, replier, _port(back, "dport"), _port(back, "sport"))
    return Connection(packet, None if after == packet else after)


def _address(text: str) -> tuple[Family, int]:
    family, low, high = parse_range(text)
    if low != high:
        raise ValueError(text)
    return family, low


def _port(pairs: dict[str, str], key: str) -> int:
    return int(pairs.get(key, "0"))


def judge_connections(projection: Projection, connections: Iterable[Connection]) -> Iterator[Judged]:
    """Say of each connection what the policy of a firewall says of the packet that opened it."""
    programs = {direction: _program(projection, direction) for direction in projection.filtered}
    for connection in connections:
        direction = _direction(projection, connection.packet)
        if direction is None or direction not in programs or connection.packet.protocol not in _NUMBERED:
            yield Judged(connection, Fate.BESIDE)
        else:
            yield _judged(connection, programs[direction])


def _program(projection: Projection, direction: Direction) -> Program:
    """Return the policy, and behind it an uncertain rule for each flow whose far side is known by name alone."""
    policy = program_of(projection, direction)
    doubts: list[Rule] = []
    for way, one, party in projection.named():
        if way is direction:
            near = EVERY_ADDRESS if way is Direction.FORWARD else projection.near_side(one, way)
            outbound = way is Direction.OUTBOUND
            match = Match(
                IntervalSet.single(PROTOCOLS[one.transport]),
                near if outbound else EVERY_ADDRESS,
                EVERY_ADDRESS if outbound else near,
                destination_ports=one.ports,
            )
            reason = f"{party.name} is known by name alone"
            doubts.append(Rule(one.flow, match, Effect.ALLOW, certain=False, reason=reason))
    return replace(policy, rules=(*policy.rules, *doubts))


def _judged(connection: Connection, program: Program) -> Judged:
    ruling = judge(program, connection.packet)
    if ruling.verdict is Verdict.ALLOW:
        return Judged(connection, Fate.WANTED, program.name_of(ruling.rule))
    if ruling.verdict is Verdict.UNKNOWN:
        return Judged(connection, Fate.UNSURE, program.name_of(ruling.rule))
    return Judged(connection, Fate.STALE)


def _direction(projection: Projection, packet: Packet) -> Direction | None:
    """Return which way a connection was opened; None for one that stays within the host, or only passes it by."""
    if projection.scope is Scope.BORDER:
        return Direction.FORWARD
    own = projection.addresses.of(packet.family)
    comes, goes = packet.destination in own, packet.source in own
    if comes == goes:
        return None
    return Direction.INBOUND if comes else Direction.OUTBOUND


def list_connections() -> str:
    """Return what ``conntrack -L`` says of both families on this host; raise `MissingProgram`, or `BadRuleset`."""
    return "".join(_conntrack(["-L", "-f", family, "-o", "extended"]) for family in ("ipv4", "ipv6"))


def cut(connection: Connection) -> bool:
    """Forget exactly one connection, so that its next packet is judged as a first one; say whether it was there.

    Raise `MissingProgram` where conntrack is not installed.
    """
    packet = connection.packet
    family = "ipv4" if packet.family is Family.IPV4 else "ipv6"
    source, destination = (format_address(packet.family, one) for one in (packet.source, packet.destination))
    found = _conntrack(
        [
            "-D",
            *("-f", family),
            *("-p", Protocol(packet.protocol).name.lower()),
            *("--orig-src", source),
            *("--orig-dst", destination),
            *("--sport", str(packet.source_port)),
            *("--dport", str(packet.destination_port)),
        ],
        empty_is_fine=True,
    )
    return bool(found.strip())


def _conntrack(arguments: list[str], *, empty_is_fine: bool = False) -> str:
    program = shutil.which("conntrack") or shutil.which("conntrack", path="/usr/sbin:/sbin")
    if program is None:
        raise MissingProgram("conntrack is not installed: apt-get install conntrack, or give --table FILE")
    try:
        done = subprocess.run(  # noqa: S603  # an argument list of numbers and addresses
            [program, *arguments], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise MissingProgram(f"conntrack gave no answer within {WAIT_SECONDS} seconds") from None
    # Deleting what is gone already fails with this sentence; the connection has ended by itself.
    if done.returncode and not (empty_is_fine and "0 flow entries" in done.stderr):
        raise MissingProgram(f"conntrack {arguments[0]} failed: {done.stderr.strip()[:200]}; it needs root")
    return done.stdout
