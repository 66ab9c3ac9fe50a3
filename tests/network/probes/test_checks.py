"""The whole check: which questions are asked, stand-ins that answer them, judgements, reports, and the commands."""

import asyncio
import json
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from controlroom.cli.network import app
from controlroom.network import catalogue
from controlroom.network.catalogue import Transport
from controlroom.network.checks import (
    Answer,
    Expectation,
    Firewall,
    Judgement,
    Pace,
    Question,
    disagreements,
    judge_all,
    listen,
    listening_plan,
    plan_check,
    run_questions,
    source_of,
)
from controlroom.network.errors import NetworkError
from controlroom.network.policy import Policy, derive_policy
from controlroom.network.probes import Limits, Outcome, Target, Verdict, probe, probe_for, probes
from controlroom.network.probes.runner_link import PATH
from controlroom.network.projection import Projector
from controlroom.network.renderers import renderer
from controlroom.network.reports.checks import FORMATS, CheckReport, write_check
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import parse_site, read_site
from controlroom.protocol.wire import LINK_PATH

LIMITS = Limits(connect_seconds=5, answer_seconds=8)
SITE = """
name = "loop"
[options]
management = "console"
[zone.loop]
prefixes = ["127.77.0.0/16"]
[zone.people]
prefixes = ["10.1.0.0/16"]
roles = ["browser"]
[host.node-1]
zone = "loop"
addresses = ["127.77.0.11"]
roles = ["control-room"]
[host.node-2]
zone = "loop"
addresses = ["127.77.0.12"]
roles = ["control-room"]
[host.others]
zone = "loop"
addresses = ["127.77.0.13"]
roles = ["postgresql", "sql-server", "oracle", "directory", "subversion", "git", "file-share", "mail-server"]
[host.ground]
zone = "loop"
addresses = ["127.77.0.14"]
roles = ["dns-server", "time-server", "bot-runner"]
"""


def loop_site() -> Policy:
    return derive_policy(parse_site(SITE))


def test_every_flow_of_the_catalogue_has_a_probe_of_its_own_protocol() -> None:
    unproved = {
        flow.name
        for flow in catalogue.FLOWS
        if not probe_for(flow.name, flow.service.name, flow.transport).proves
    }
    assert unproved == {"client-internal"}
    for flow in catalogue.FLOWS:
        assert probe_for(flow.name, flow.service.name, flow.transport).transport is flow.transport


def test_what_probes_say_they_are_for_is_in_the_catalogue() -> None:
    for one in probes().values():
        for name in one.services:
            assert catalogue.service(name).transport is one.transport
        for name in one.flows:
            catalogue.flow(name)


def test_runner_link_is_asked_at_the_protocols_own_path() -> None:
    assert PATH == LINK_PATH


def test_questions_cover_every_destination_and_the_whole_of_the_cluster_ranges(five_nodes: Path) -> None:
    policy = derive_policy(read_site(five_nodes))
    plan = plan_check(policy, policy.site.party("node-1"))

    wanted = [one for one in plan.questions if one.expectation is Expectation.OPEN]
    bus = {
        (one.destination, one.target.host, one.target.port)
        for one in wanted
        if one.flow == "cluster-caching-bus"
    }
    assert len(bus) == 4 * 2 * 99
    assert {one.destination for one in wanted} >= {"node-5", "database", "directory", "share", "mail", "iq"}
    assert not any(one.destination == "node-1" for one in plan.questions)
    assert any("no address of 'node-1'" in note for note in plan.notes)


def test_closed_questions_are_never_of_what_is_allowed_and_begin_with_the_cluster(five_nodes: Path) -> None:
    policy = derive_policy(read_site(five_nodes))
    source = policy.site.party("runner-01")
    plan = plan_check(policy, source, most_closed=100_000)
    closed = [one for one in plan.questions if one.expectation is Expectation.CLOSED]
    opened = {one.key[1:] for one in plan.questions if one.expectation is Expectation.OPEN}

    assert closed[0].flow == "cluster-messaging"
    assert {one.key[1:] for one in closed} & opened == set()
    assert any(one.target.port == catalogue.default_port("postgresql") for one in closed)
    few = plan_check(policy, source, most_closed=7)
    assert sum(one.expectation is Expectation.CLOSED for one in few.questions) == 7
    assert any("left out" in note for note in few.notes)


async def test_stand_ins_answer_every_flow_of_a_host_and_the_check_holds() -> None:
    policy = loop_site()
    heard: list[str] = []
    source = policy.site.party("node-1")
    plan = plan_check(policy, source)
    async with AsyncExitStack() as stack:
        for name in ("node-2", "others", "ground"):
            standing = listening_plan(policy, policy.site.party(name))
            await stack.enter_async_context(listen(standing, lambda one, _: heard.append(one.flow)))
        outcomes = await run_questions(plan.questions, LIMITS, Pace(1000, 32))
    answers = judge_all(plan.questions, outcomes)

    failing = [one for one in answers if one.judgement is Judgement.NOT_AS_NEEDED]
    assert [one for one in failing if one.question.expectation is Expectation.OPEN] == []
    assert {one.question.flow for one in failing} == {"browser-http", "browser-https"}, (
        "no firewall closes them"
    )
    wanted = [one for one in answers if one.question.expectation is Expectation.OPEN]
    opened = {one.question.flow for one in wanted if one.outcome.verdict is Verdict.OPEN}
    from_nodes = {permit.flow for permit in policy.permits if "node-1" in permit.source_names}
    assert opened == from_nodes
    assert len(opened) > 20
    assert {"cluster-messaging", "cluster-caching-bus", "search-transport"} <= set(heard)


@pytest.mark.parametrize("name", sorted(name for name, one in probes().items()))
async def test_every_probe_finds_its_own_stand_in(name: str) -> None:
    one = probe(name)
    from controlroom.network.checks import Listening

    kind = "udp" if one.transport is Transport.UDP else "tcp"
    port = free_port(kind)
    async with listen([Listening("trial", one, "127.0.0.1", port)], lambda *_: None) as taken:
        assert taken == []
        outcomes = await run_questions([question(name, "127.0.0.1", port)], LIMITS, Pace())
    assert outcomes[0].verdict is Verdict.OPEN, outcomes


def free_port(kind: str) -> int:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def question(
    name: str, host: str, port: int, expectation: Expectation = Expectation.OPEN, *, in_range: bool = False
) -> Question:
    return Question("trial", "why", expectation, probe(name), Target(host, port), "there", in_range=in_range)


def judged(expectation: Expectation, verdict: Verdict) -> Answer:
    (answer,) = judge_all([question("http", "10.0.0.1", 80, expectation)], [Outcome(verdict, "seen", 0.1)])
    return answer


@pytest.mark.parametrize("verdict", list(Verdict))
def test_verdicts_are_judged_by_what_the_contract_says(verdict: Verdict) -> None:
    wanted = judged(Expectation.OPEN, verdict)
    assert (wanted.judgement is Judgement.AS_NEEDED) == (verdict is Verdict.OPEN)
    assert bool(wanted.advice) == (verdict is not Verdict.OPEN)
    closed = judged(Expectation.CLOSED, verdict).judgement
    if verdict.arrived:
        assert closed is Judgement.NOT_AS_NEEDED
    else:
        assert closed is (Judgement.UNCERTAIN if verdict is Verdict.REFUSED else Judgement.AS_NEEDED)


def test_one_open_port_of_a_range_is_enough_but_a_filtered_one_is_not() -> None:
    asked = [question("redis", "10.0.0.1", port, in_range=True) for port in (1, 2, 3)]
    seen = [Outcome(one, "seen", 0.1) for one in (Verdict.OPEN, Verdict.REFUSED, Verdict.FILTERED)]
    found = [one.judgement for one in judge_all(asked, seen)]
    assert found == [Judgement.AS_NEEDED, Judgement.AS_NEEDED, Judgement.NOT_AS_NEEDED]
    alone = judge_all(asked[1:2], seen[1:2])
    assert alone[0].judgement is Judgement.NOT_AS_NEEDED


def test_proof_and_probe_that_disagree_are_found(five_nodes: Path) -> None:
    policy = derive_policy(read_site(five_nodes))
    projection = Projector(policy).host("database")
    rules = renderer("nftables").render(projection)
    texts = tuple(RulesetText(one.name, one.text) for one in rules.files if one.is_rules)
    firewall = Firewall(projection, parse_ruleset(texts))
    source = policy.site.party("node-1")
    plan = plan_check(policy, source, most_closed=100_000)
    to_database = [one for one in plan.questions if one.destination == "database"]
    assert {one.expectation for one in to_database} == {Expectation.OPEN, Expectation.CLOSED}

    def seen(wanted: Verdict, closed: Verdict) -> list[Answer]:
        outcomes = [
            Outcome(wanted if one.expectation is Expectation.OPEN else closed, "seen", 0.1)
            for one in to_database
        ]
        return judge_all(to_database, outcomes)

    assert disagreements(source, seen(Verdict.OPEN, Verdict.FILTERED), firewall) == []
    stopped = disagreements(source, seen(Verdict.FILTERED, Verdict.FILTERED), firewall)
    assert stopped
    assert all("lets it pass, yet it did not arrive" in one.message for one in stopped)
    passed = disagreements(source, seen(Verdict.OPEN, Verdict.OPEN), firewall)
    assert passed
    assert all("stops it, yet it arrived" in one.message for one in passed)


async def test_pace_bounds_how_many_are_under_way_and_one_probe_answers_like_questions() -> None:
    under_way, most, connections = 0, 0, 0
    three = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most, connections
        under_way, connections = under_way + 1, connections + 1
        most = max(most, under_way)
        if under_way == 3:
            three.set()
        await asyncio.wait_for(three.wait(), 5)
        await reader.readuntil(b"\r\n\r\n")
        under_way -= 1
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hold, "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    asked = [question("http", f"127.0.0.{number}", port) for number in range(1, 21)]
    asked += [replace(one, flow="another") for one in asked]
    outcomes = await run_questions(asked, LIMITS, Pace(10_000, 3))
    server.close()

    assert [one.verdict for one in outcomes] == [Verdict.OPEN] * 40
    assert (most, connections) == (3, 20)


async def test_rate_spreads_the_beginnings(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("controlroom.network.checks.running.asyncio.sleep", note)
    asked = [question("http", f"127.0.0.{number}", free_port("tcp")) for number in range(1, 6)]
    await run_questions(asked, LIMITS, Pace(0.5, 1))

    assert max(waited) == pytest.approx(8, abs=2), "the fifth begins after four times two seconds"


def report(evidence: str = "seen") -> CheckReport:
    asked = [question("redis", "10.0.0.1", port) for port in (1, 2, 4)]
    asked.append(question("tcp", "10.0.0.2", 9, Expectation.CLOSED))
    verdicts = (Verdict.OPEN, Verdict.OPEN, Verdict.FILTERED, Verdict.REFUSED)
    outcomes = [Outcome(one, evidence, 0.1) for one in verdicts]
    return CheckReport("site", "node-1", tuple(judge_all(asked, outcomes)), notes=("a note",))


def test_reports_say_the_same_in_every_format() -> None:
    text = write_check(report(), "text")
    assert "ok    trial -> there 10.0.0.1 tcp 1-2: open" in text
    assert "FAILS trial -> there 10.0.0.1 tcp 4: filtered" in text
    told = json.loads(write_check(report(), "json"))
    assert told["holds"] is False
    assert [one["judgement"] for one in told["answers"]].count("as needed") == 2
    suite = ElementTree.fromstring(write_check(report(), "junit"))
    assert (suite.get("tests"), suite.get("failures"), len(suite.findall(".//skipped"))) == ("3", "1", 1)
    assert "a note" in write_check(report(), "html")


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_a_peer_says_is_quoted_in_every_format(format_name: str) -> None:
    written = write_check(report("<script>alert('x')</script>&\x1b[2J"), format_name)
    if format_name == "junit":
        ElementTree.fromstring(written)
    if format_name in {"junit", "html"}:
        assert "<script>" not in written
        assert "\x1b" not in written


def test_source_is_the_host_that_this_machine_is() -> None:
    site = parse_site(SITE)
    assert source_of(site, host="node-2").name == "node-2"
    assert source_of(site, role="bot-runner").name == "ground"
    assert source_of(site, role="browser").name == "people"
    with pytest.raises(NetworkError, match="cannot tell which host"):
        source_of(site)
    with pytest.raises(NetworkError, match="no role"):
        source_of(site, role="browsr")
    only = parse_site(SITE.replace("127.77.0.1", "10.9.0.1").replace("127.77.0.0/16", "10.9.0.0/16"))
    with pytest.raises(NetworkError, match="found none"):
        source_of(only)


def test_check_command_has_exit_codes_and_formats(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    runner = CliRunner()
    common = ["check", "--site", str(site), "--host", "ground", "--rate", "2000", "--closed", "3"]

    text = runner.invoke(app, common)
    assert text.exit_code == 1
    assert "not as the contract has it" in text.output
    told = json.loads(runner.invoke(app, [*common, "--format", "json"]).stdout)
    assert {one["verdict"] for one in told["answers"]} == {"refused"}
    assert runner.invoke(app, ["check", "--site", str(site)]).exit_code == 2
    assert runner.invoke(app, [*common, "--ca", str(tmp_path / "none.pem")]).exit_code == 2
    assert runner.invoke(app, ["probe", "htpp", "127.0.0.1", "1"]).exit_code == 2
    assert runner.invoke(app, ["probe", "http", "127.0.0.1", str(free_port("tcp"))]).exit_code == 1


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_listen_command_stands_in_until_it_is_ended_and_a_check_against_it_holds(
    tmp_path: Path, ending: signal.Signals
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    command = [sys.executable, "-m", "controlroom.cli", "network", "check", "--site", str(site), "--host"]
    with subprocess.Popen([*command, "others", "--listen"], stdout=subprocess.PIPE, text=True) as standing:
        try:
            assert standing.stdout is not None
            assert "standing in for others" in standing.stdout.readline()
            port = str(catalogue.default_port("sql-server"))
            found = CliRunner().invoke(app, ["probe", "tds", "127.77.0.13", port])
            standing.send_signal(ending)
            said, _ = standing.communicate(timeout=30)
        finally:
            standing.kill()

    assert found.exit_code == 0, found.output
    assert "answered 127." in said
    assert "ended" in said
