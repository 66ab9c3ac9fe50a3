"""A small company's Control Room for tests and pictures of pages: bots, devices, pools, people, and what ran today.

The contents are the same each time; only ids and the moments they are counted back from differ.
"""

import json
import random
import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from controlroom.bots.models import BotVersion
from controlroom.bots.service import Edit
from controlroom.devices.models import Device, DeviceMode, PoolOrder, PoolShare, PresenceChange
from controlroom.devices.schemas import DeviceEditIn, JoinTokenIn, PoolIn
from controlroom.filters.schemas import FilterIn
from controlroom.foundation.database import Transaction
from controlroom.foundation.ids import new_id
from controlroom.foundation.paging import PageRequest
from controlroom.identity.models import UserKind
from controlroom.identity.permissions import SHIPPED_ROLES, Permission
from controlroom.identity.places import PlaceKind
from controlroom.network.site import parse_site
from controlroom.protocol.records import Level
from controlroom.runs.measures import measure_busy, measure_start
from controlroom.runs.models import Artifact, Attempt, Run
from controlroom.runs.states import State
from controlroom.sites.service import RulesetFile
from web.served import SCRIPT, Site, add_artifact, add_device, add_run, end_run, publish, start_run, write_log

_SITE = Path(__file__).resolve().parents[2] / "examples" / "network" / "five-nodes.toml"
PASSWORD = "lamps over quiet rivers"
_PLAIN = '# /// script\n# requires-python = ">=3.11"\n#\n# [tool.controlroom]\n# name = "{name}"\n# description = "{words}"\n# ///\nprint("done")\n'
_BOTS = (
    ("invoices-intake", "/finance", "Reads the invoices that came by mail and books them."),
    ("month-end-close", "/finance/closing", "Closes the books of a month and writes the report."),
    ("claims-triage", "/claims", "Sorts new claims by kind and urgency."),
    ("stock-levels", "/logistics", "Compares the stock in the warehouse with the shop's."),
    ("vendor-portal-sync", "/logistics", "Copies orders to the vendors' portal and their answers back."),
)
_DEVICES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("robot-01", {"labels": ["linux", "browser"]}),
    ("robot-02", {"labels": ["linux", "browser"]}),
    ("robot-03", {"labels": ["linux"], "slots": 2}),
    ("berlin-desk-1", {"labels": ["windows", "office"], "slots": 1}),
    ("berlin-desk-2", {"labels": ["windows", "office"], "slots": 1, "mode": DeviceMode.DRAINING}),
    ("berlin-desk-3", {"labels": ["windows", "sap"], "slots": 1, "connected_at": None}),
    ("archive-vm", {"labels": ["linux"], "mode": DeviceMode.DISABLED}),
)
_PEOPLE = (
    ("vera", "Vera Lindqvist", "operator"),
    ("bruno", "Bruno Weiss", "bot_author"),
    ("ruth", "Ruth Okafor", "bot_runner_user"),
    ("aiko", "Aiko Tanaka", "auditor"),
    ("victor", "Victor Marsh", "viewer"),
    ("ada", "Ada Romero", "administrator"),
)
_FAILURE = "TimeoutError: the vendor's portal did not answer within 30 s"
_ENDS: tuple[tuple[State, str], ...] = (
    (State.TIMED_OUT, "It ran longer than its limit of 10 min."),
    (State.LOST, "The device berlin-desk-3 was silent for too long."),
    (State.CANCELLED, "Cancelled by vera: the month is not complete yet"),
    (State.REJECTED, "The device has no Python 3.13."),
)


@dataclass(frozen=True, slots=True)
class Stocked:
    """What lies in the room. ``known`` gives an id for each name that stands in a page's path."""

    known: dict[str, str]
    people: dict[str, str]
    """Names by role; their password is `PASSWORD`."""
    failed_run: str
    running_run: str
    queued_run: str
    paused_run: str
    device_id: str
    proof: str
    """A verdict on a firewall that lets in too much."""
    probes: str
    """What probes of a host found."""
    form_bot: str
    """A bot whose inputs are asked for by a form of all kinds of fields."""


def stock(site: Site, *, past_runs: int = 60) -> Stocked:
    """Put a day's contents into a fresh room."""
    versions = _publish(site)
    devices = {name: add_device(site, name, **other) for name, other in _DEVICES}
    _come_and_go(site, devices["robot-01"])
    pool_id = _pool(site, devices)
    people = _hire(site)
    _past(site, versions, devices, past_runs)
    failed = _failed_run(site, versions["vendor-portal-sync"], devices["robot-01"])
    running, paused, queued = _present(site, versions, devices)
    token = site.do(lambda: _join_token(site))
    _edit(site, devices["robot-02"])
    _keep_filters(site)
    entry = site.do(lambda: site.app.state.audit.page(PageRequest(filter="action:device.edited"))).items[0]
    artifact = site.do(lambda: _picture_of(site, failed))
    form_bot = versions["reconcile-orders"].bot_id
    proof, probes = _declare_network(site)
    vera = site.do(lambda: site.app.state.identity.accounts.by_name("vera"))
    known = {
        "number": str(entry.number), "run_id": failed, "artifact_id": artifact, "bot_id": form_bot, "token_id": token,
        "device_id": devices["robot-01"].id, "pool_id": pool_id, "user_id": vera.id, "name": "night-shift",
    }  # fmt: skip
    return Stocked(
        known, people, failed, running, queued, paused, devices["robot-02"].id, proof, probes, form_bot
    )


def _publish(site: Site) -> dict[str, BotVersion]:
    publish(site, SCRIPT, note="The first one")
    versions = {
        "reconcile-orders": publish(
            site,
            SCRIPT.replace('print("reconciled")', "print('all reconciled')"),
            note="Says more at its end",
        )
    }
    for name, folder, words in _BOTS:
        versions[name] = publish(site, _PLAIN.format(name=name, words=words), note="From the trial")

        async def move(bot_id: str = versions[name].bot_id, to: str = folder) -> None:
            await site.app.state.bots.edit(
                site.caller, bot_id, Edit(folder=to), check_revision=lambda revision: None
            )

        site.do(move)
    return versions


def _come_and_go(site: Site, device: Device) -> None:
    """Write a device's last days of presence."""
    now = datetime.now(UTC)

    async def work(transaction: Transaction) -> None:
        for hours, is_connected, reason in (
            (72, True, "joined"), (30, False, "The runner was stopped."), (29, True, ""), (9, False, "It was silent for 30 s."),
            (8.9, True, ""),
        ):  # fmt: skip
            transaction.session.add(
                PresenceChange(
                    device_id=device.id,
                    time=now - timedelta(hours=hours),
                    is_connected=is_connected,
                    reason=reason,
                )
            )

    site.write(work)


def _pool(site: Site, devices: dict[str, Device]) -> str:
    async def work() -> str:
        service = site.app.state.devices
        desks = [device.id for name, device in devices.items() if name.startswith("berlin")]
        robots = [device.id for name, device in devices.items() if name.startswith("robot")]
        made = await service.create_pool(
            site.caller,
            PoolIn(
                name="Berlin desks",
                description="Machines with a desktop, for bots that click.",
                device_ids=desks,
                share=PoolShare.ROUND_ROBIN,
                device_order=PoolOrder.LISTED,
            ),
        )
        await service.create_pool(
            site.caller, PoolIn(name="Background", description="Servers without a screen.", device_ids=robots)
        )
        return str(made.id)

    return site.do(work)


def _hire(site: Site) -> dict[str, str]:
    """Make people, one of each shipped role, a role of one's own, and a service account."""

    async def work() -> None:
        identity = site.app.state.identity
        await identity.roles.create(
            site.caller,
            name="night-shift",
            permissions=[Permission.RUN_READ, Permission.RUN_CONTROL, Permission.DEVICE_READ],
            description="Watches the runs of the night and stops what goes wrong.",
        )
        for name, display_name, role in _PEOPLE:
            await identity.accounts.create(
                site.caller, name=name, roles=[role], display_name=display_name, password=PASSWORD
            )
        await identity.accounts.create(
            site.caller,
            name="erp-bridge",
            roles=["bot_runner_user"],
            display_name="Starts runs when the ERP asks",
            kind=UserKind.SERVICE,
        )
        await identity.assignments.give(
            site.caller, user="victor", role="operator", kind=PlaceKind.FOLDER, place="/finance"
        )

    site.do(work)
    assert {role for _, _, role in _PEOPLE} == set(SHIPPED_ROLES)
    return {role: name for name, _, role in _PEOPLE}


def _past(site: Site, versions: dict[str, BotVersion], devices: dict[str, Device], count: int) -> None:
    """Let runs end over the last day: most well, those of the vendor portal mostly not."""
    chance = random.Random(7)
    names = [name for name, _, _ in _BOTS]
    for number in range(count):
        name = names[number % len(names)]
        device = devices[("robot-01", "robot-02", "robot-03", "berlin-desk-1")[number % 4]]
        ago = 86_000 * (count - number) / (count + 1)
        run = add_run(site, versions[name], name, ago_seconds=ago, reason="")
        waited, took = chance.uniform(0.4, 9), min(chance.uniform(15, 400), ago / 2)
        attempt_id = start_run(site, run.id, device, after_seconds=waited)
        _ask(site, run.id, ("bruno", "ruth", "erp-bridge")[number % 3])
        _measure(site, run, attempt_id, waited, took)
        if name == "vendor-portal-sync":
            begun = run.created_at + timedelta(seconds=waited)
            write_log(site, attempt_id, _sent_orders(), at=begun, apart_seconds=took / 60)
        if name == "vendor-portal-sync" and number % 3 != 1:
            end_run(site, run.id, State.FAILED, message=_FAILURE, after_seconds=took)
        elif number % 15 == 7:
            state, message = _ENDS[number // 15 % len(_ENDS)]
            end_run(site, run.id, state, message=message, after_seconds=took)
        else:
            end_run(site, run.id, State.SUCCEEDED, after_seconds=took)


def _measure(site: Site, run: Run, attempt_id: str, waited: float, took: float) -> None:
    """Count what the server counts when a runner reports: how long the run waited, and held its slot."""
    begun = run.created_at + timedelta(seconds=waited + 1)

    async def work(transaction: Transaction) -> None:
        attempt = await transaction.session.get_one(Attempt, attempt_id)
        measure_start(transaction, run, begun)
        measure_busy(transaction, attempt, attempt.assigned_at + timedelta(seconds=took))

    site.write(work)


def _sent_orders() -> list[tuple[Level, str]]:
    return [
        (Level.INFO, f"order {4100 + number} sent, answer 202 in {80 + number * 7 % 50} ms")
        for number in range(46)
    ]


def _ask(
    site: Site, run_id: str, by: str, *, labels: list[str] | None = None, priority: int = 50, reason: str = ""
) -> None:
    """Say who asked for a run and what it needs; one that needs no label is dispatched while it is queued."""

    async def work(transaction: Transaction) -> None:
        run = await transaction.session.get_one(Run, run_id)
        run.requested_by, run.labels, run.priority, run.reason = by, labels or [], priority, reason

    site.write(work)


def _failed_run(site: Site, version: BotVersion, device: Device) -> str:
    """Let a run fail that left a log with errors, a picture and a table, and was tried twice."""
    run = add_run(
        site,
        version,
        "vendor-portal-sync",
        ago_seconds=780,
        inputs={"vendor": "Nordwind GmbH", "since": "2026-03-01"},
        reason="Nordwind asked where their order is",
    )
    attempt = start_run(site, run.id, device)
    _ask(site, run.id, "ruth", reason="Nordwind asked where their order is")
    lines = _sent_orders()
    lines.insert(12, (Level.WARNING, "order 4112 has no delivery date; the portal's default is taken"))
    lines += [
        (Level.WARNING, "the portal is slow: 12.4 s for order 4146"),
        (Level.ERROR, _FAILURE),
        (Level.INFO, 'Traceback (most recent call last):\n  File "main.py", line 41, in send'),
        (Level.ERROR, "1 order was not sent: 4147"),
    ]
    write_log(site, attempt, lines, at=run.created_at + timedelta(seconds=4), apart_seconds=1.8)
    add_artifact(site, run.id, "not-sent.csv", 18_234, "text/csv")
    _add_picture(site, run.id)
    end_run(
        site, run.id, State.FAILED, message=_FAILURE, after_seconds=94, outputs={"sent": 46, "not_sent": 1}
    )
    return run.id


def _add_picture(site: Site, run_id: str) -> None:
    """Store a small picture of a portal that shows an error, as a bot's screenshot."""
    image = _png(320, 200)

    async def keep() -> str:
        async def chunks() -> Any:
            yield image

        stored = await site.app.state.blobs.put(chunks(), limit_bytes=1_000_000)
        return str(stored.sha256)

    digest = site.do(keep)

    async def work(transaction: Transaction) -> None:
        run = await transaction.session.get_one(Run, run_id)
        assert run.attempt_id
        attempt = await transaction.session.get_one(Attempt, run.attempt_id)
        assert attempt.started_at
        transaction.session.add(
            Artifact(
                id=new_id("art"), run_id=run.id, attempt_id=run.attempt_id, name="portal-error.png", sha256=digest,
                size_bytes=len(image), media_type="image/png", created_at=attempt.started_at + timedelta(seconds=60),
            )
        )  # fmt: skip

    site.write(work)


def _png(width: int, height: int) -> bytes:
    """Draw a window with a title bar and a red band across it (PNG, second edition)."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            is_band = 70 < y < 110 and 24 < x < width - 24
            rows += (
                bytes((45, 62, 80)) if y < 20 else bytes((198, 52, 52)) if is_band else bytes((238, 240, 242))
            )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(rows)))
        + chunk(b"IEND", b"")
    )


async def _picture_of(site: Site, run_id: str) -> str:
    artifacts = await site.app.state.runs.artifacts(site.caller, run_id)
    return str(next(each.id for each in artifacts if each.media_type == "image/png"))


def _present(site: Site, versions: dict[str, BotVersion], devices: dict[str, Device]) -> tuple[str, str, str]:
    """Let runs run, pause and wait; return one of each."""
    running = [
        _begin(site, versions, devices, name, where, ago)
        for name, where, ago in (
            ("month-end-close", "berlin-desk-1", 412),
            ("invoices-intake", "robot-01", 95),
            ("claims-triage", "robot-02", 31),
        )
    ]
    paused = _begin(site, versions, devices, "stock-levels", "robot-03", 1_500)
    site.do(lambda: site.app.state.runs.pause(site.caller, paused))
    queued = [
        add_run(site, versions[name], name, ago_seconds=ago, reason="").id
        for name, ago in (("invoices-intake", 300), ("reconcile-orders", 120), ("claims-triage", 20))
    ]
    for run_id, label, priority in zip(queued, ("excel", "sap", "excel"), (80, 50, 50), strict=True):
        _ask(site, run_id, "bruno", labels=[label], priority=priority)
    return running[1], paused, queued[0]


def _begin(
    site: Site, versions: dict[str, BotVersion], devices: dict[str, Device], name: str, where: str, ago: float
) -> str:
    run = add_run(site, versions[name], name, ago_seconds=ago, reason="")
    attempt_id = start_run(site, run.id, devices[where])
    _ask(site, run.id, "ruth")
    lines = [(Level.INFO, f"item {number} of 240 done") for number in range(1, 91)]
    begun = run.created_at + timedelta(seconds=4)
    write_log(site, attempt_id, lines, at=begun, apart_seconds=(ago - 5) / 90)

    async def progress(transaction: Transaction) -> None:
        attempt = await transaction.session.get_one(Attempt, attempt_id)
        attempt.step, attempt.progress, attempt.progress_message = "Booking", 0.375, "90 of 240 items"

    site.write(progress)
    return run.id


def _declare_network(site: Site) -> tuple[str, str]:
    """Declare the example of five nodes, prove one of its firewalls that is too wide, and keep a report of probes."""
    answer = {
        "flow": "database-postgresql", "purpose": "state", "destination": "database", "host": "10.20.3.11",
        "transport": "tcp", "port": 5432, "probe": "postgresql", "expected": "open", "verdict": "filtered",
        "judgement": "not as needed", "evidence": "no answer", "advice": "verify the border", "seconds": 3.0,
    }  # fmt: skip
    text = _SITE.read_text(encoding="utf-8")
    content = {
        "site": parse_site(text).name,
        "source": "node-1",
        "holds": False,
        "answers": [answer],
        "disagreements": [],
        "notes": [],
    }

    async def work() -> tuple[str, str]:
        sites = site.app.state.sites
        await sites.declare(site.caller, text, note="Five nodes in Berlin")
        rules = (await sites.rules(site.caller, target="nftables", place="node-1"))["files"][0]
        wide = rules["text"].replace("ip saddr 10.20.2.12/30 ", "ip saddr 10.0.0.0/8 ", 1)
        proof = await sites.prove(site.caller, [RulesetFile(rules["name"], wide.encode())], place="node-1")
        probes = await sites.keep_probes(site.caller, json.dumps(content))
        return str(proof.id), str(probes.id)

    return site.do(work)


async def _join_token(site: Site) -> str:
    token, _ = await site.app.state.joining.create_token(
        site.caller, JoinTokenIn(note="A new desk in Berlin")
    )
    return str(token.id)


def _edit(site: Site, device: Device) -> None:
    wanted = DeviceEditIn(labels=["linux", "browser", "pdf"], slots=6)
    site.do(lambda: site.app.state.devices.edit(site.caller, device.id, wanted, device.revision))


def _keep_filters(site: Site) -> None:
    async def work() -> None:
        admin = await site.app.state.identity.accounts.by_name("admin")
        for name, text, shared in (
            ("Broken today", "state:failed,timed_out,lost", True),
            ("Waits for Excel", "state:queued label:excel", False),
        ):
            wanted = FilterIn(list_name="runs", name=name, filter=text, sort="", shared=shared)
            kept = await site.app.state.filters.keep(site.caller, wanted)
            async with site.app.state.database.write() as transaction:
                row = await transaction.session.merge(kept)
                row.owner_id, row.owner_name = admin.id, admin.name

    site.do(work)
