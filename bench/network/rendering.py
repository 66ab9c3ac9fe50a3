"""Measures every renderer at 1,000 and 10,000 hosts, and Aerleon beside ours in the same run.

A host's own firewall is rendered for each host; a border once, with a flow of its own for each host, the most that
hosts can ask of it. Prints the processor's time and the clock's, which differ where the machine is
shared; README.md beside it keeps them.

Run: .venv/bin/python bench/network/rendering.py [TARGET...]
"""

import resource
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from measure import HEAD, flows, render_all, runners

from controlroom.cli.network.group import search_seldom
from controlroom.network.addresses import Family
from controlroom.network.policy import Policy, derive_policy
from controlroom.network.projection import Direction, Projector, Scope
from controlroom.network.proof import prove_rendering
from controlroom.network.renderers import renderer, renderers
from controlroom.network.renderers.aerleon import AerleonRenderer
from controlroom.network.site import parse_site

COUNTS = (1000, 10_000)
ROUNDS = 3
LIMIT_SECONDS = 120
AERLEON = AerleonRenderer("cisco", "Cisco IOS", {Family.IPV4: "extended", Family.IPV6: "inet6"})


class TooLong(BaseException):
    """A piece of work took longer than the limit; nothing that it calls may take this for an error of its own."""


@contextmanager
def limited() -> Iterator[None]:
    """Stop what takes longer than the limit."""

    def stop(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def measured(name: str, work: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Time a piece of work some times and print the median, or that it passed the limit."""
    wall, processor = [], []
    try:
        for _ in range(rounds):
            with limited():
                start, used = time.perf_counter(), time.process_time()
                work()
                wall.append(time.perf_counter() - start)
                processor.append(time.process_time() - used)
    except TooLong:
        print(f"| {name} | | more than {LIMIT_SECONDS} |", flush=True)
        return
    print(f"| {name} | {statistics.median(processor):.3f} | {statistics.median(wall):.3f} |", flush=True)


def aerleon_hosts(policy: Policy) -> None:
    """Let Aerleon write the same permits, host by host, as if each host were a border."""
    projector = Projector(policy)
    for host in policy.site.hosts:
        one = projector.host(host.name)
        permits = tuple(permit for found in one.permits.values() for permit in found)
        AERLEON.render(replace(one, permits={Direction.FORWARD: permits}))


def main() -> None:
    """Measure every renderer, or those that are named."""
    search_seldom()
    wanted = sys.argv[1:] or [*renderers(), "aerleon"]
    print("| what | processor, s | clock, s |\n| --- | --- | --- |")
    for count in COUNTS:
        fleet = derive_policy(parse_site(HEAD + runners(count)))
        border = Projector(derive_policy(parse_site(HEAD + runners(1000) + flows(count)))).border()
        for name, one in renderers().items():
            # What has no parser writes no rules of its own, such as sysctl, or is Aerleon's.
            if name not in wanted or not one.parser:
                continue
            if Scope.HOST in one.scopes:
                measured(f"{count:,} hosts: {name}", lambda: render_all(fleet, name), 1)  # noqa: B023
            else:
                measured(f"a border with {count:,} flows: {name}", lambda: one.render(border), 1)  # noqa: B023
                proved = lambda: prove_rendering(border, renderer(name).render(border))  # noqa: B023, E731
                measured(f"the same, rendered, read back and proved: {name}", proved, 1)
        if "aerleon" in wanted:
            measured(f"a border with {count:,} flows: Aerleon's cisco", lambda: AERLEON.render(border), 1)  # noqa: B023
            measured(f"{count:,} hosts: Aerleon's cisco", lambda: aerleon_hosts(fleet), 1)  # noqa: B023
    print(f"\nPeak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
