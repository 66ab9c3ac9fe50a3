"""Rulesets that stand on one Linux host: one stack, or several that stack, as programs for every packet."""

from collections.abc import Mapping, Sequence

from controlroom.network.addresses import Addresses
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.hooks import Phase
from controlroom.network.rulesets.interface import Ruleset
from controlroom.network.rulesets.line_tests import Place
from controlroom.network.rulesets.netfilter import Stack, merge

ASSUMPTIONS = (
    "The first packet of a connection decides; its replies and later packets are followed as established, and related "
    "errors pass with them.",
    "Packets on the loopback interface are left out: they never leave the host.",
)
SNAPSHOT = ("Sets whose elements come and go by themselves are taken as they were when they were listed.",)
TRANSLATED = ("A translated packet keeps its source port.",)
STACKED = ("No legacy or nft tables filter this host but those that were given: they stack.",)


def ruleset_of(
    parser: str,
    stack: Stack,
    assumptions: Sequence[str] = (),
    own: Addresses | None = None,
    interfaces: Mapping[str, Addresses] | None = None,
) -> Ruleset:
    """Return a stack as a ruleset.

    A host's ``own`` addresses tell what stays on it where it translates, and ``interfaces`` which packets use them.
    """
    tests = stack.tests
    place = Place(own=own or Addresses(), interfaces=interfaces or {})
    rest = sorted({sentence for test in tests if (sentence := test.assumption(place))})
    said = tuple(
        dict.fromkeys((*ASSUMPTIONS, *(TRANSLATED if stack.translates else ()), *rest, *assumptions))
    )
    reads_anew = own is None and (stack.translates or bool(tests))
    return Ruleset(
        parser,
        {direction: stack.program(direction, Phase.OPENING, own, interfaces) for direction in Direction},
        said,
        (
            lambda projection: ruleset_of(
                parser, stack, assumptions, projection.addresses, projection.interfaces
            )
        )
        if reads_anew
        else None,
        later={
            phase: {direction: stack.program(direction, phase, own, interfaces) for direction in Direction}
            for phase in (Phase.REPLY, Phase.SEQUEL)
        },
        translations={direction: stack.translations(direction, own, interfaces) for direction in Direction}
        if stack.translates
        else {},
        stack=stack,
    )


def stack_up(rulesets: Sequence[Ruleset]) -> Ruleset:
    """Return what several rulesets of one host do together: a packet must pass them all. Raise `BadRuleset`."""
    stacks = []
    for one in rulesets:
        if one.stack is None:
            names = " and ".join(ruleset.parser for ruleset in rulesets)
            raise BadRuleset(
                f"files of {names} do not stand on one host: {one.parser} does not stack; verify each alone"
            )
        stacks.append(one.stack)
    sentences = [sentence for one in rulesets for sentence in one.assumptions if sentence not in TRANSLATED]
    name = " + ".join(dict.fromkeys(one.parser for one in rulesets))
    return ruleset_of(name, merge(stacks), (*sentences, *STACKED))
