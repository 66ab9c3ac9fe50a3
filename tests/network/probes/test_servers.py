"""Every probe against every real server: the right pairing is open with evidence, every wrong one is not."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controlroom.network.catalogue import Transport
from controlroom.network.probes import (
    Limits,
    Outcome,
    Probe,
    Target,
    Verdict,
    probe,
    probes,
    run_probe,
)
from controlroom.network.probes.encryption import client_context

from .data_centre import SPOKEN, SPOKEN_UDP, DataCentre

pytestmark = pytest.mark.xdist_group("probes")

PATIENT = Limits(connect_seconds=10, answer_seconds=8)
# A wrong pairing is often silence: short limits keep the thousand of them quick, and can only make "open" rarer.
BRIEF = Limits(connect_seconds=6, answer_seconds=1.2)
# Some servers let few wait in line (xrdp: two).
AT_ONCE_TO_ONE = 4
EVIDENCE = {
    "amqp": "RabbitMQ",
    "erlang-port-mapper": "probed",
    "erlang-distribution": "status ok",
    "redis-bus": "node ",
    "http": "HTTP ",
    "https": "TLSv1.",
    "websocket": "ping answered",
    "svn-http": "/svn/",
    "svnserve": "protocol 2",
    "ldap": "dc=example,dc=test",
    "ldap-start-tls": "TLSv1.",
    "kerberos-tcp": "this clock is",
    "smb": "SMB 3",
    "rdp": "chose TLS",
    "imap": "IMAP4rev1",
    "ssh": "OpenSSH",
    "dns-tcp": "DNS",
    "postgresql": "sign-in by SCRAM",
    "postfix:smtp": "STARTTLS done",
    "postfix:submission": "STARTTLS done",
    "postfix:smtps": "within TLS",
}
RIGHT = [(server, name) for server, names in SPOKEN.items() for name in sorted(names)]


def stream_probes() -> list[Probe]:
    return [one for one in probes().values() if one.transport is Transport.TCP and one.proves]


async def ask(name: str, port: int, limits: Limits = PATIENT) -> Outcome:
    return await run_probe(probe(name), Target("127.0.0.1", port), limits)


@pytest.mark.parametrize(("server", "name"), RIGHT)
async def test_right_pairing_is_open_with_evidence(servers: DataCentre, server: str, name: str) -> None:
    outcome = await ask(name, servers.tcp[server])

    assert outcome.verdict is Verdict.OPEN, outcome
    assert EVIDENCE.get(name, "") in outcome.evidence
    assert name == "tls" or EVIDENCE.get(server, "") in outcome.evidence


@pytest.mark.parametrize(("server", "name"), [(one, name) for one in SPOKEN_UDP for name in SPOKEN_UDP[one]])
async def test_right_pairing_over_udp_is_open(servers: DataCentre, server: str, name: str) -> None:
    assert (await ask(name, servers.udp[server])).verdict is Verdict.OPEN


def wrong_pairings(servers: DataCentre) -> Iterator[tuple[str, int, Probe]]:
    for server, port in servers.tcp.items():
        for one in stream_probes():
            if one.name not in SPOKEN[server]:
                yield server, port, one
    for server, port in servers.udp.items():
        for one in probes().values():
            if one.transport is Transport.UDP and one.proves and one.name not in SPOKEN_UDP[server]:
                yield server, port, one


async def test_no_wrong_pairing_is_ever_open_and_none_harms_a_server(servers: DataCentre) -> None:
    gates = {server: asyncio.Semaphore(AT_ONCE_TO_ONE) for server in SPOKEN}

    async def pair(server: str, port: int, one: Probe) -> tuple[str, str, Outcome]:
        async with gates[server]:
            return server, one.name, await run_probe(one, Target("127.0.0.1", port), BRIEF)

    found = await asyncio.gather(*(pair(*pairing) for pairing in wrong_pairings(servers)))

    assert len(found) > 700
    taken = {Verdict.WRONG_PROTOCOL, Verdict.TLS_ERROR, Verdict.NO_UDP_ANSWER}
    assert [one for one in found if one[2].verdict not in taken] == []
    assert all(outcome.evidence for _, _, outcome in found)
    for server, name in RIGHT:
        if server != "postfix:smtps":
            assert (await ask(name, servers.tcp[server])).verdict is Verdict.OPEN, (server, name)


async def test_plain_http_to_a_tls_port_is_told_to_want_tls(servers: DataCentre) -> None:
    for server in ("nginx:https", "apache:https"):
        outcome = await ask("http", servers.tcp[server])
        assert outcome.verdict is Verdict.WRONG_PROTOCOL
        assert "wants TLS" in outcome.evidence


async def test_certificate_is_checked_against_the_authority_where_one_is_given(servers: DataCentre) -> None:
    trusting = replace(PATIENT, tls=client_context(servers.certificates.authority))
    good = await ask("https", servers.tcp["nginx:https"], trusting)
    assert good.verdict is Verdict.OPEN
    assert "not checked" not in good.evidence

    other = Target("localhost", servers.tcp["nginx:https"], server_name="elsewhere.example")
    bad = await run_probe(probe("https"), other, trusting)
    assert bad.verdict is Verdict.TLS_ERROR
    assert "elsewhere.example" in bad.evidence


async def test_certificate_out_of_date_is_a_tls_error(servers: DataCentre) -> None:
    later = replace(PATIENT, now=lambda: datetime.now(UTC) + timedelta(days=9))
    outcome = await ask("https", servers.tcp["nginx:https"], later)

    assert outcome.verdict is Verdict.TLS_ERROR
    assert "expired on" in outcome.evidence


async def test_clock_skew_is_told_by_kerberos(servers: DataCentre) -> None:
    late = replace(PATIENT, now=lambda: datetime.now(UTC) - timedelta(minutes=10))
    for name, ports in (("kerberos-tcp", servers.tcp), ("kerberos-udp", servers.udp)):
        evidence = (await ask(name, ports["kerberos:kerberos"], late)).evidence
        assert "this clock is -600." in evidence or "this clock is -599." in evidence
        assert "too far for Kerberos" in evidence


async def test_name_is_resolved_and_a_bad_one_is_a_name_error(servers: DataCentre) -> None:
    by_name = await run_probe(probe("http"), Target("localhost", servers.tcp["nginx:http"]), PATIENT)
    assert by_name.verdict in {Verdict.OPEN, Verdict.REFUSED}
    for name in ("no-such-name.invalid", "a" * 300, "..", "\x00", "ü" * 80):
        outcome = await run_probe(probe("http"), Target(name, 1), PATIENT)
        assert outcome.verdict is Verdict.NAME_ERROR, name


async def test_closed_port_is_refused() -> None:
    listener = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()

    tcp = await ask("http", port)
    udp = await ask("dns-udp", port)

    assert (tcp.verdict, udp.verdict) == (Verdict.REFUSED, Verdict.REFUSED)
    assert "reset" in tcp.evidence
    assert "port unreachable" in udp.evidence


async def test_cluster_bus_within_tls_wants_a_certificate_and_takes_a_given_one(servers: DataCentre) -> None:
    refused = await ask("redis-bus", servers.tcp["redis-tls:bus"])
    assert refused.verdict is Verdict.TLS_ERROR
    assert "certificate" in refused.evidence

    own = client_context(None, servers.certificates.certificate, servers.certificates.key)
    taken = await ask("redis-bus", servers.tcp["redis-tls:bus"], replace(PATIENT, tls=own))
    assert taken.verdict is Verdict.OPEN, taken
