"""Delivery to collectors: the tests' own, which breaks, and a real rsyslog."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from audit.syslog.listener import Listener
from controlroom.audit.models import AuditDelivery
from controlroom.audit.syslog.connection import Collector, CollectorAway, connect
from controlroom.audit.syslog.delivery import NAME, SyslogDelivery
from controlroom.foundation.clock import SystemClock
from controlroom.foundation.database import Database
from servers.certificates import Certificates, make_certificates
from servers.rsyslog import rsyslog_server

Fill = Callable[..., Any]


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "certificates")


@pytest.fixture
async def listener(certificates: Certificates) -> AsyncIterator[Listener]:
    made = Listener(certificates)
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def delivering(database: Database, port: int, authority: Path, **other: Any) -> AsyncIterator[None]:
    settings = {
        "hostname": "node-1",
        "node_id": "nod_1",
        "settled_seconds": 0.05,
        "poll_seconds": 0.02,
        **other,
    }
    delivery = SyslogDelivery(database, SystemClock(), Collector("127.0.0.1", port, authority), **settings)
    task = asyncio.create_task(delivery.run_forever())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def row(database: Database) -> AuditDelivery:
    async with database.read() as session:
        found = await session.get(AuditDelivery, NAME)
    return found or AuditDelivery(name=NAME, number=0, holder="", failure="")


async def wait_until_counted(database: Database, number: int) -> AuditDelivery:
    async with asyncio.timeout(20):
        while (found := await row(database)).number < number:
            await asyncio.sleep(0.02)
    return found


def numbers(listener: Listener) -> list[int]:
    return [int(re.search(rb'sequenceId="(\d+)"', message)[1]) for message in listener.messages]  # type: ignore[index]


async def test_every_entry_arrives_in_order_and_counts(
    guarded: Database, fill: Fill, listener: Listener, certificates: Certificates
) -> None:
    await fill(450 if guarded.is_sqlite else 230)  # more than a batch or two
    last = 450 if guarded.is_sqlite else 230
    async with delivering(guarded, listener.port, certificates.authority):
        await listener.wait_for(last)
        await fill(2)
        found = await wait_until_counted(guarded, last + 2)
    assert numbers(listener) == list(range(1, last + 3))
    assert (found.failure, found.connected_at is not None, listener.connections) == ("", True, 1)


async def test_after_a_break_and_a_restart_nothing_is_missing(
    guarded: Database, fill: Fill, listener: Listener, certificates: Certificates
) -> None:
    await fill(5)
    async with delivering(guarded, listener.port, certificates.authority):
        await wait_until_counted(guarded, 5)
        await listener.stop()
        await fill(3)
        async with asyncio.timeout(20):
            while not (await row(guarded)).failure:
                await asyncio.sleep(0.02)
        await listener.start()
        await wait_until_counted(guarded, 8)
    await fill(1)
    async with delivering(guarded, listener.port, certificates.authority):
        await wait_until_counted(guarded, 9)
    arrived = numbers(listener)
    assert list(dict.fromkeys(arrived)) == list(range(1, 10))
    assert arrived[-1] == 9


async def test_what_was_sent_into_a_connection_that_broke_at_once_is_sent_again(
    guarded: Database, fill: Fill, listener: Listener, certificates: Certificates
) -> None:
    await fill(4)
    async with delivering(guarded, listener.port, certificates.authority, settled_seconds=3600):
        await listener.wait_for(4)
        assert (await row(guarded)).number == 0
        await listener.stop()
        await listener.start()
        await listener.wait_for(8)
    assert numbers(listener) == [1, 2, 3, 4] * 2


async def test_one_of_two_nodes_sends(
    guarded: Database, fill: Fill, listener: Listener, certificates: Certificates
) -> None:
    await fill(5)
    async with delivering(guarded, listener.port, certificates.authority):
        await wait_until_counted(guarded, 5)
        async with delivering(guarded, listener.port, certificates.authority, node_id="nod_2"):
            await fill(5)
            await wait_until_counted(guarded, 10)
    assert (numbers(listener), listener.connections) == (list(range(1, 11)), 1)
    assert (await row(guarded)).holder == "nod_1"


async def test_a_collector_that_does_not_prove_itself_gets_nothing(
    listener: Listener, certificates: Certificates, tmp_path: Path
) -> None:
    stranger = make_certificates(tmp_path / "stranger").authority
    with pytest.raises(CollectorAway, match="CONTROLROOM_AUDIT_SYSLOG_CA_FILE"):
        await connect(Collector("127.0.0.1", listener.port, stranger))
    with pytest.raises(CollectorAway, match="not trusted"):
        await connect(Collector("127.0.0.1", listener.port))
    with pytest.raises(CollectorAway, match="cannot be read"):
        await connect(Collector("127.0.0.1", listener.port, tmp_path / "nothing.pem"))
    port = listener.port
    await listener.stop()
    with pytest.raises(CollectorAway, match="cannot be reached"):
        await connect(Collector("127.0.0.1", port, certificates.authority))
    assert listener.messages == []


async def test_a_real_rsyslog_understands_every_part(
    guarded: Database, fill: Fill, certificates: Certificates, tmp_path: Path
) -> None:
    await fill(250, name="grün")
    with rsyslog_server(tmp_path / "rsyslog", certificates) as server:
        async with delivering(guarded, server.port, certificates.authority):
            await wait_until_counted(guarded, 250)
            async with asyncio.timeout(20):
                while len(server.lines()) < 250:
                    await asyncio.sleep(0.02)
        lines = server.lines()
    parts = [line.split("|", 7) for line in lines]
    assert [re.search(r'sequenceId="(\d+)"', part[6])[1] for part in parts] == [  # type: ignore[index]
        str(number) for number in range(1, 251)
    ]
    assert parts[0][:2] == ["110", "1"]
    assert parts[0][3:6] == ["node-1", "controlroom", "thing.done"]
    body = json.loads(parts[9][7].lstrip("\ufeff"))
    assert (body["target_id"], body["number"]) == ("grün-9", 10)
