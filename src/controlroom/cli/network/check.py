"""`check`: asks the living network, by each service's own protocol, whether it is as the contract has it."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from controlroom.cli.network.check_table import live_table, show_report
from controlroom.cli.network.group import (
    FINDINGS,
    HostOption,
    SiteOption,
    app,
    errors_as_exit_codes,
    one_of,
    projections,
    read_policy,
)
from controlroom.cli.network.probe import AuthorityOption, CertificateOption, KeyOption, TimeOption, limits_of
from controlroom.network.checks import (
    Firewall,
    Listening,
    Pace,
    disagreements,
    judge_all,
    listen,
    listening_plan,
    plan_check,
    run_questions,
    source_of,
)
from controlroom.network.policy import Policy
from controlroom.network.projection import Scope
from controlroom.network.reports.checks import FORMATS, CheckReport, write_check
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import Party


@app.command()
def check(
    *,
    site: SiteOption,
    host: HostOption = "",
    role: Annotated[str, typer.Option("--from", help="Ask as a host of this role.")] = "",
    listening: Annotated[
        bool, typer.Option("--listen", help="Stand in for this host's services until Ctrl-C.")
    ] = False,
    ruleset: Annotated[
        list[Path] | None,
        typer.Option("--ruleset", help="Files of a firewall that the probes should bear out."),
    ] = None,
    ruleset_of: Annotated[
        str, typer.Option("--ruleset-of", help="Whose they are: a host, or border; else the source's.")
    ] = "",
    output: Annotated[str, typer.Option("--format", help=", ".join(FORMATS))] = "text",
    closed: Annotated[
        int, typer.Option("--closed", min=0, help="Ask at most so many ports that must be closed.")
    ] = 200,
    rate: Annotated[float, typer.Option("--rate", min=0.1, help="Probes that begin in a second.")] = 200,
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, max=1000, help="Probes under way at once.")
    ] = 64,
    timeout: TimeOption = 3.0,
    authorities: AuthorityOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
) -> None:
    """Probe every flow of this host, and ports that must be closed to it."""
    with errors_as_exit_codes():
        one_of("--format", output, FORMATS)
        policy = read_policy(site)
        source = source_of(policy.site, host=host, role=role)
        if listening:
            _stand_in(policy, source)
            return
        firewall = _firewall(policy, ruleset, ruleset_of or source.name) if ruleset else None
        plan = plan_check(policy, source, most_closed=closed)
        limits = limits_of(timeout, authorities, certificate, key)
        pace = Pace(rate, at_once)
        live = output == "text" and sys.stdout.isatty()
        with live_table(live, len(plan.questions)) as told:
            outcomes = asyncio.run(run_questions(plan.questions, limits, pace, told))
        answers = judge_all(plan.questions, outcomes)
        found = disagreements(source, answers, firewall) if firewall else []
        report = CheckReport(policy.site.name, source.name, tuple(answers), tuple(found), plan.notes)
        if live:
            show_report(report)
        else:
            sys.stdout.write(write_check(report, output))
    raise typer.Exit(0 if report.holds else FINDINGS)


def _firewall(policy: Policy, paths: Sequence[Path], place: str) -> Firewall:
    border = place == "border"
    (projection,) = projections(policy, "" if border else place, "all" if border else "", frozenset(Scope))
    files = tuple(RulesetText(path.name, path.read_text(encoding="utf-8")) for path in paths)
    return Firewall(projection, parse_ruleset(files))


def _stand_in(policy: Policy, host: Party) -> None:
    plan = listening_plan(policy, host)

    def told(one: Listening, peer: str) -> None:
        typer.echo(f"{one.flow}: {one.probe.title} on {one.address} port {one.port} answered {peer}")

    async def answer() -> None:
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):  # Windows, where Ctrl-C interrupts
                asyncio.get_running_loop().add_signal_handler(number, ended.set)
        async with listen(plan, told) as taken:
            for one in taken:
                typer.echo(
                    f"note: {one.address} port {one.port} is taken; what is there answers for itself",
                    err=True,
                )
            typer.echo(f"standing in for {host.name} on {len(plan) - len(taken)} ports; Ctrl-C ends it")
            await ended.wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(answer())
    typer.echo("ended")
