"""Measures the network contract: tables, rendering, proofs. Prints the medians; README.md beside it keeps them.

Run: .venv/bin/python bench/network/measure.py
"""

import resource
import statistics
import time
from collections.abc import Callable

from controlroom.cli.network.group import search_seldom
from controlroom.network.analysis import sources_that_pass
from controlroom.network.errors import CannotExpress
from controlroom.network.policy import Policy, derive_policy
from controlroom.network.projection import Direction, Projection, Projector, Scope
from controlroom.network.proof import cluster_regions, prove, prove_rendering
from controlroom.network.renderers import renderer, renderers
from controlroom.network.reports.tables import write_tables
from controlroom.network.reports.zones import tables_by_zone
from controlroom.network.rulesets import Ruleset, RulesetText, parse_ruleset
from controlroom.network.site import parse_site

ROUNDS = 5

HEAD = """\
[options]
identity = "local"
tls_only = true
[zone.front]
prefixes = ["10.0.0.0/24"]
[zone.nodes]
prefixes = ["10.0.1.0/24"]
[zone.management]
prefixes = ["10.0.9.0/28"]
roles = ["administrator"]
[zone.runners]
prefixes = ["10.64.0.0/10"]
[zone.applications]
prefixes = ["10.128.0.0/12"]
[balancer.entrance]
zone = "front"
addresses = ["10.0.0.10"]
members = ["node"]
[fleet.node]
zone = "nodes"
addresses = ["10.0.1.11-10.0.1.18"]
roles = ["control-room"]
[host.names]
zone = "nodes"
addresses = ["10.0.1.40"]
roles = ["dns-server", "time-server"]
"""


def runners(count: int) -> str:
    """Return a fleet of runners."""
    first, last = 0x0A400001, 0x0A400001 + count - 1
    ends = "-".join(
        ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0)) for value in (first, last)
    )
    return f'[fleet.runner]\nzone = "runners"\naddresses = ["{ends}"]\nroles = ["bot-runner"]\n'


def flows(count: int) -> str:
    """Return applications, each used by one runner on a port of its own: as many rules as flows."""
    lines = [
        '[fleet.application]\nzone = "applications"\naddresses = ["10.128.0.1-10.128.3.232"]\nroles = []'
    ]
    for number in range(count):
        runner, application = number % 1000 + 1, number * 7 % 1000 + 1
        lines.append(
            f'[flow.use-{number}]\nfrom = ["runner-{runner:04}"]\nto = ["application-{application:04}"]\n'
            f'ports = {1024 + number % 5000}\npurpose = "Bots use application {application}"'
        )
    return "\n".join(lines) + "\n"


def median(name: str, work: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Time a piece of work some times; print the medians of the clock and of the processor's own time."""
    wall, processor = [], []
    for _ in range(rounds):
        start, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    print(f"| {name} | {statistics.median(wall):.3f} | {statistics.median(processor):.3f} |", flush=True)


def render_all(policy: Policy, target: str, *, proved: bool = False) -> None:
    """Render every host's rules, and prove each of them where asked."""
    projector = Projector(policy)
    for host in policy.site.hosts:
        projection = projector.host(host.name)
        rendering = renderer(target).render(projection)
        if proved:
            prove_rendering(projection, rendering)


def who_reaches_the_cluster(projection: Projection, ruleset: Ruleset) -> None:
    """Ask from where each cluster port of each node can be reached."""
    for _, region in cluster_regions(projection):
        sources_that_pass(ruleset.programs[Direction.FORWARD], region)


def measure_border(border: Projection, target: str) -> None:
    """Render a border's 10,000 rules for one target, read them back, prove them and ask about the cluster."""
    try:
        rendering = renderer(target).render(border)
    except CannotExpress as refusal:
        print(f"| a border of 10,000 rules: {target} | refused | {refusal} |", flush=True)
        return
    parser = renderer(target).parser
    files = tuple(RulesetText(file.name, file.text) for file in rendering.files if file.is_rules)
    ruleset = parse_ruleset(files, format_name=parser)
    median(f"render a border of 10,000 rules: {target}", lambda: renderer(target).render(border))
    median(f"read 10,000 rules back: {target}", lambda: parse_ruleset(files, format_name=parser))
    median(f"proof of 10,000 rules: {target}", lambda: prove(border, ruleset))
    median(
        f"who reaches the cluster ports of 8 nodes, 10,000 rules: {target}",
        lambda: who_reaches_the_cluster(border, ruleset),
    )


def main() -> None:
    """Measure everything and print a table."""
    search_seldom()
    print("| what | clock, s | processor, s |\n| --- | --- | --- |")
    text = HEAD + runners(1000) + flows(10_000)
    policy = derive_policy(parse_site(text))
    median("read a site of 10,000 flows and derive its policy", lambda: derive_policy(parse_site(text)))
    median("10,000 flows in tables (Markdown)", lambda: write_tables(tables_by_zone(policy), "md"))
    median("10,000 flows in tables (JSON)", lambda: write_tables(tables_by_zone(policy), "json"))

    border = Projector(policy).border()
    for target in (name for name, one in renderers().items() if one.parser and Scope.BORDER in one.scopes):
        measure_border(border, target)

    for count in (1000, 10_000):
        policy = derive_policy(parse_site(HEAD + runners(count)))
        # Every target that writes rules for any host; the others, such as sysctl, refuse most of these.
        for target in (name for name, one in renderers().items() if one.parser and Scope.HOST in one.scopes):
            median(f"render {count:,} hosts: {target}", lambda: render_all(policy, target), 3)  # noqa: B023
    policy = derive_policy(parse_site(HEAD + runners(1000)))
    median("render and prove 1,000 hosts: nftables", lambda: render_all(policy, "nftables", proved=True), 3)
    print(f"\nPeak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
