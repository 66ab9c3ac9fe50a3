"""Stacked chains, NAT and established traffic against a small interpreter that plays Linux packet by packet."""

import itertools
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.addresses import Addresses, Family, only
from controlroom.network.analysis import Match, Packet, Rewrite, Verdict, judge
from controlroom.network.analysis.rewriting import rewrites_on, rewritten
from controlroom.network.intervals import IntervalSet
from controlroom.network.projection import Direction
from controlroom.network.rulesets.chains import Action, BaseChain, Condition, Line
from controlroom.network.rulesets.hooks import Hook, Hooked, Phase
from controlroom.network.rulesets.netfilter import Stack

HIGHEST = 3
OWN = IntervalSet(((0, 1),))
PACKETS = [
    Packet(Family.IPV4, 6, source, destination, source_port, port)
    for source, destination, source_port, port in itertools.product(range(4), range(4), range(2), range(4))
]
V4 = Match(
    sources=only(Family.IPV4, Family.IPV4.everything), destinations=only(Family.IPV4, Family.IPV4.everything)
)

somewhere = st.tuples(st.integers(0, HIGHEST), st.integers(0, HIGHEST)).map(
    lambda pair: IntervalSet(((min(pair), max(pair)),))
)
everywhere = st.just(Family.IPV4.everything)
boxes = st.builds(
    lambda sources, destinations, source_ports, ports: (
        V4
        & Match(
            sources=only(Family.IPV4, sources),
            destinations=only(Family.IPV4, destinations),
            source_ports=source_ports,
            destination_ports=ports,
        )
    ),
    somewhere | everywhere,
    somewhere | everywhere,
    st.just(IntervalSet(((0, 65535),))) | somewhere,
    somewhere | st.just(IntervalSet(((0, 65535),))),
)
conditions = st.sampled_from(
    [
        (),
        (),
        (Condition(frozenset({"new"})),),
        (Condition(frozenset({"established", "related"})),),
        (Condition(frozenset({"new"}), negated=True),),
        (Condition(frozenset({"dnat"})),),
        (Condition(frozenset({"snat"})),),
        (Condition(frozenset({"reply"})),),
    ]
)
single = st.integers(0, HIGHEST).map(IntervalSet.single)


@st.composite
def lines(draw: st.DrawFn, chain: str, actions: list[Action]) -> tuple[Line, ...]:
    found = []
    for number in range(draw(st.integers(0, 3))):
        action = draw(st.sampled_from(actions))
        rewrite = None
        if action is Action.TRANSLATE:
            rewrite = Rewrite(
                Family.IPV4, destinations=draw(single), destination_ports=draw(st.none() | single)
            )
            if "post" in chain:
                rewrite = Rewrite(Family.IPV4, sources=draw(single))
        asked = () if action is Action.TRANSLATE else draw(conditions)
        called = "called" if action in {Action.JUMP, Action.GOTO} else ""
        found.append(Line(f"{chain} {number}", draw(boxes), action, called, "", asked, rewrite))
    return tuple(found)


FILTERS = [Action.ACCEPT, Action.DROP, Action.ACCEPT, Action.DROP, Action.RETURN, Action.JUMP, Action.GOTO]
NATS = [Action.TRANSLATE, Action.TRANSLATE, Action.ACCEPT, Action.RETURN]
BASES = [
    ("raw", Hook.PREROUTING, -300, False),
    ("pre nat", Hook.PREROUTING, -100, True),
    ("pre nat 2", Hook.PREROUTING, -90, True),
    ("pre late", Hook.PREROUTING, 0, False),
    ("input", Hook.INPUT, 0, False),
    ("input 2", Hook.INPUT, 10, False),
    ("forward", Hook.FORWARD, 0, False),
    ("out nat", Hook.OUTPUT, -100, True),
    ("output", Hook.OUTPUT, 0, False),
    ("post nat", Hook.POSTROUTING, 100, True),
    ("post late", Hook.POSTROUTING, 200, False),
]


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    chosen = draw(st.lists(st.sampled_from(BASES), unique=True, max_size=6))
    hooked, chains = [], {"called": draw(lines("called", [Action.ACCEPT, Action.DROP, Action.RETURN]))}
    for name, hook, priority, translates in sorted(chosen, key=BASES.index):
        policy = (
            Action.ACCEPT
            if translates
            else draw(st.sampled_from([Action.ACCEPT, Action.ACCEPT, Action.DROP]))
        )
        hooked.append(Hooked(BaseChain(name, policy, V4), hook, priority, translates))
        chains[name] = draw(lines(name, NATS if translates else FILTERS))
    return Stack(tuple(hooked), chains)


@dataclass
class Linux:
    """Follows one connection through the hooks, with nothing of the engine but the lines' boxes."""

    stack: Stack
    direction: Direction
    destination: Rewrite | None = None
    source: Rewrite | None = None

    def opens(self, packet: Packet) -> bool:
        """Send the first packet; remember how the connection is translated."""
        words = {"new", "original"}
        if self.direction is Direction.OUTBOUND:
            return self._out(packet, words)
        packet, passed = self._cross(Hook.PREROUTING, packet, words)
        if not passed:
            return False
        turned = self.destination is not None
        if self.direction is Direction.INBOUND and (not turned or packet.destination in OWN):
            return self._cross(Hook.INPUT, packet, words)[1]
        packet, passed = self._cross(Hook.FORWARD, packet, words)
        return passed and self._cross(Hook.POSTROUTING, packet, words)[1]

    def _out(self, packet: Packet, words: set[str]) -> bool:
        packet, passed = self._cross(Hook.OUTPUT, packet, words)
        if self.destination is not None and packet.destination in OWN:
            return False
        return passed and self._cross(Hook.POSTROUTING, packet, words)[1]

    def _cross(self, hook: Hook, packet: Packet, words: set[str]) -> tuple[Packet, bool]:
        asked = False
        for one in sorted(
            (one for one in self.stack.hooked if one.hook is hook), key=lambda one: one.priority
        ):
            if not one.translates:
                if not self._passes(one, packet, words):
                    return packet, False
            elif not asked:
                line = self._first(one.base.name, packet, words)
                if line is not None and line.rewrite is not None:
                    asked = True
                    same, packet = packet, changed(packet, line.rewrite)
                    if hook is Hook.POSTROUTING:
                        self.source = line.rewrite
                        words.add("snat")
                    else:
                        # A translation to the packet's own destination is none.
                        if packet != same:
                            self.destination = line.rewrite
                            words.add("dnat")
        return packet, True

    def _passes(self, one: Hooked, packet: Packet, words: set[str]) -> bool:
        # In front of connection tracking no state is known.
        line = self._first(one.base.name, packet, {"invalid"} if one.priority < -200 else words)
        return (
            one.base.policy if line is None or line.action is Action.RETURN else line.action
        ) is Action.ACCEPT

    def _first(self, chain: str, packet: Packet, words: set[str]) -> Line | None:
        for line in self.stack.chains[chain]:
            if not line.match.contains(packet) or not all(
                bool(one.words & words) is not one.negated for one in line.conditions
            ):
                continue
            if line.action is Action.RETURN:
                return line if chain != "called" else None
            if line.action not in {Action.JUMP, Action.GOTO}:
                return line
            inner = self._first(line.chain, packet, words)
            if inner is not None:
                return inner
            if line.action is Action.GOTO:
                return None
        return None

    def goes_on(self, packet: Packet, phase: Phase) -> bool:
        """Send a later packet of a connection that has opened, forth or back, translated as conntrack does it."""
        seen = changed(packet, self.destination)
        stays = self.direction is Direction.INBOUND and (self.destination is None or seen.destination in OWN)
        words = {"established", "original" if phase is Phase.SEQUEL else "reply"}
        words |= ({"dnat"} if self.destination else set()) | ({"snat"} if self.source else set())
        forth = phase is Phase.SEQUEL
        if self.direction is Direction.OUTBOUND or stays:
            outwards = forth == (self.direction is Direction.OUTBOUND)
            hooks = (Hook.OUTPUT, Hook.POSTROUTING) if outwards else (Hook.PREROUTING, Hook.INPUT)
        else:
            hooks = (Hook.PREROUTING, Hook.FORWARD, Hook.POSTROUTING)
        return all(
            self._passes(one, self._at(packet, one, forth=forth), words)
            for one in self.stack.hooked
            if one.hook in hooks and not one.translates
        )

    def _at(self, packet: Packet, one: Hooked, *, forth: bool) -> Packet:
        early = one.hook in {Hook.PREROUTING, Hook.OUTPUT} and one.priority < -100
        late = one.hook in {Hook.POSTROUTING, Hook.INPUT} and one.priority > 100
        if forth:
            seen = packet if early else changed(packet, self.destination)
            return changed(seen, self.source) if late else seen
        seen = packet if late else changed(packet, self.destination)
        seen = changed(seen, self.source) if early else seen
        return replace(
            seen,
            source=seen.destination,
            destination=seen.source,
            source_port=seen.destination_port,
            destination_port=seen.source_port,
        )


def changed(packet: Packet, rewrite: Rewrite | None) -> Packet:
    if rewrite is None:
        return packet
    for name, values in (
        ("source", rewrite.sources),
        ("destination", rewrite.destinations),
        ("destination_port", rewrite.destination_ports),
    ):
        if values is not None:
            packet = replace(packet, **{name: values.intervals[0][0]})
    return packet


@settings(deadline=None, max_examples=150)
@given(stacks(), st.sampled_from(list(Direction)))
def test_programs_of_a_stack_say_what_linux_does_with_every_packet(
    stack: Stack, direction: Direction
) -> None:
    own = Addresses(v4=OWN) if direction is not Direction.FORWARD else Addresses()
    opening = stack.program(direction, Phase.OPENING, own)
    later = {phase: stack.program(direction, phase, own) for phase in (Phase.REPLY, Phase.SEQUEL)}
    translations = stack.translations(direction, own)

    for packet in PACKETS:
        linux = Linux(stack, direction)
        opened = linux.opens(packet)
        assert (judge(opening, packet).verdict is Verdict.ALLOW) == opened, packet
        if not opened:
            continue
        rewrites, sure = rewrites_on(translations, packet)
        assert sure
        assert rewritten(packet, rewrites) == changed(changed(packet, linux.destination), linux.source)
        for phase, program in later.items():
            wanted = linux.goes_on(packet, phase)
            assert (judge(program, packet).verdict is Verdict.ALLOW) == wanted, (phase, packet)
