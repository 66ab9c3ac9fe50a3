"""Measures the proof engine beside oxidd and z3 on the same 10,000 rules; README.md beside it keeps the figures.

Run: .venv/bin/python bench/network/proof.py
"""

import random
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

from measure import HEAD, flows, runners, who_reaches_the_cluster

from controlroom.network.addresses import Addresses, Family
from controlroom.network.analysis import Effect, Engine, Match, Program, Rule, Verdict, compare
from controlroom.network.errors import BudgetExceeded
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Direction, Projector
from controlroom.network.proof import program_of, prove
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import parse_site

ROUNDS = 3
Z3_LIMIT_SECONDS = 60
WIDTHS = (8, 16, 32, 32, 16)
IPV4 = Match(sources=Addresses(v4=Family.IPV4.everything), destinations=Addresses(v4=Family.IPV4.everything))


def overlapping(count: int, seed: int) -> Program:
    """Return rules whose prefixes and port ranges lie across one another, as no real firewall has them."""
    chance = random.Random(seed)

    def prefix() -> IntervalSet:
        bits = chance.randint(4, 16)
        start = (chance.getrandbits(32) & 0x00FFFFFF | 0x0A000000) >> bits << bits
        return IntervalSet(((start, start + (1 << bits) - 1),))

    rules = []
    for number in range(count):
        low = chance.randint(0, 60000)
        box = Match(
            IntervalSet.single(chance.choice([6, 17])),
            Addresses(v4=prefix()),
            Addresses(v4=prefix()),
            destination_ports=IntervalSet(((low, low + chance.randint(0, 3000)),)),
        )
        rules.append(Rule(f"{number}", box, chance.choice([Effect.ALLOW, Effect.DENY])))
    return Program(tuple(rules), Verdict.DENY)


def median(name: str, work: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Time a piece of work; print the median, the processor's own time, and what was answered."""
    seconds, said, began = [], "", time.process_time()
    for _ in range(rounds):
        start = time.perf_counter()
        try:
            found = work()
            said = str(found) if isinstance(found, str) else ""
        except BudgetExceeded:
            said = "given up"
        seconds.append(time.perf_counter() - start)
    spent = (time.process_time() - began) / rounds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"| {name} | {statistics.median(seconds):.3f} | {spent:.3f} | {said} | {peak} |", flush=True)


def compared(first: Program, second: Program, engine: Engine, budget: int = 400_000) -> str:
    """Compare within IPv4 and say what was found."""
    found = compare(first, second, within=IPV4, engine=engine, budget=budget)
    return "equal" if found.equal else f"{len(found.differences)} differences"


def by_z3(first: Program, second: Program) -> str:
    """Ask z3 the same question."""
    import z3

    packet = [z3.BitVec(f"field{at}", width) for at, width in enumerate(WIDTHS)]

    def formula(program: Program) -> Any:
        after: dict[int, Any] = {len(program.rules): z3.BoolVal(program.default is Verdict.ALLOW)}
        for number in range(len(program.rules) - 1, -1, -1):
            rule = program.rules[number]
            if rule.match.is_empty(Family.IPV4):
                after[number] = after[number + 1]
                continue
            sides = [
                z3.Or([z3.And(z3.UGE(value, low), z3.ULE(value, high)) for low, high in one])
                for value, one in zip(packet, rule.match.fields(Family.IPV4), strict=True)
            ]
            target = (
                after[rule.target] if rule.effect is Effect.SKIP else z3.BoolVal(rule.effect is Effect.ALLOW)
            )
            after[number] = z3.If(z3.And(sides), target, after[number + 1])
        return after[0]

    solver = z3.Solver()
    solver.set("timeout", Z3_LIMIT_SECONDS * 1000)
    solver.add(formula(first) != formula(second))
    return {"unsat": "equal", "sat": "differ"}.get(str(solver.check()), f"no answer in {Z3_LIMIT_SECONDS} s")


def main() -> None:
    """Measure everything and print a table."""
    print(
        "| what | median, s | processor, s | answer | peak memory so far, MB |\n| --- | --- | --- | --- | --- |"
    )
    border = Projector(derive_policy(parse_site(HEAD + runners(1000) + flows(10_000)))).border()
    files = tuple(
        RulesetText(one.name, one.text) for one in renderer("nftables").render(border).files if one.is_rules
    )
    ruleset = parse_ruleset(files, format_name="nftables")
    wanted, real = program_of(border, Direction.FORWARD), ruleset.programs[Direction.FORWARD]
    # Two flows of the bench are alike, so that a hole needs both gone.
    gone = ("use-4000)", "use-9000)")
    holed = Program(tuple(rule for rule in real.rules if not rule.name.endswith(gone)), real.default)
    median(
        "whole proof of 10,000 rules, with replies and cluster ports",
        lambda: "holds" if prove(border, ruleset).holds else "no",
    )
    median(
        "who reaches the cluster ports of 8 nodes, 10,000 rules",
        lambda: who_reaches_the_cluster(border, ruleset),
    )
    for name, first, second in (
        ("10,000 rules of a site, equal", wanted, real),
        ("10,000 rules of a site, one missing", wanted, holed),
    ):
        median(f"{name}: intervals", lambda: compared(first, second, Engine.INTERVALS))  # noqa: B023
        median(f"{name}: oxidd", lambda: compared(first, second, Engine.OXIDD))  # noqa: B023
        median(f"{name}: z3", lambda: by_z3(first, second), 1)  # noqa: B023
    for count in (1000, 4000):
        mixed = overlapping(count, 5)
        again = Program((*mixed.rules, mixed.rules[0]), mixed.default)
        name = f"{count:,} rules that all overlap, equal"
        median(f"{name}: intervals", lambda: compared(mixed, again, Engine.INTERVALS), 1)  # noqa: B023
        median(f"{name}: oxidd", lambda: compared(mixed, again, Engine.OXIDD), 1)  # noqa: B023
        median(f"{name}: z3", lambda: by_z3(mixed, again), 1)  # noqa: B023


if __name__ == "__main__":
    main()
