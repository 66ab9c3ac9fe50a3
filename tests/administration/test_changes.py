"""Settings that may change at run time: who may, within which bounds, on every node, and what is written down."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from conftest import SteeredClock
from controlroom.administration.changeable import CHANGEABLE
from controlroom.administration.changes import LiveSettingsService
from controlroom.administration.consequences import NotConfirmed, consequences_of
from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.models import AuditEntry
from controlroom.audit.service import AuditService
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from controlroom.foundation.live_settings import LIVE_NAMES, LiveSettings
from controlroom.foundation.setting_sources import Source, read_settings
from controlroom.foundation.settings import Settings
from controlroom.identity.permissions import SHIPPED_ROLES, Permission
from controlroom.identity.service import local_caller

ADMINISTRATOR = local_caller(Actor(ActorKind.USER, "usr_1", "ada"))
AUDITOR = replace(ADMINISTRATOR, permissions=SHIPPED_ROLES["auditor"])


def any_revision(_present: int) -> None:
    """Let every edit through."""


def only(revision: int) -> Callable[[int], None]:
    def check(present: int) -> None:
        if present != revision:
            raise PreconditionFailed("changed meanwhile")

    return check


class Nodes:
    """Two nodes on one database."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self.live = [LiveSettings.of(settings) for _ in range(2)]
        self.services = [LiveSettingsService(database, clock, settings, live) for live in self.live]


@pytest.fixture
def nodes(database: Database, clock: Clock) -> Nodes:
    return Nodes(database, clock, Settings(session_idle_minutes=45))


async def test_a_change_counts_at_once_here_and_soon_on_other_nodes(nodes: Nodes) -> None:
    changed = await nodes.services[0].change(
        ADMINISTRATOR, "session_idle_minutes", 30, check_revision=only(0)
    )
    assert (changed.value, changed.source, changed.changed_by) == ("30", Source.RUN_TIME, "ada")
    assert [live.session_idle_minutes for live in nodes.live] == [30, 45]
    await nodes.services[1].bring_up_to_date()
    assert [live.session_idle_minutes for live in nodes.live] == [30, 30]


async def test_what_is_put_back_is_what_was_read_at_the_start(nodes: Nodes) -> None:
    service = nodes.services[0]
    await service.change(ADMINISTRATOR, "session_idle_minutes", 30, check_revision=any_revision)
    back = await service.change(ADMINISTRATOR, "session_idle_minutes", None, check_revision=only(1))
    assert (back.value, back.source, back.revision) == ("45", Source.START, 2)
    assert nodes.live[0].session_idle_minutes == 45


async def test_a_stale_revision_is_refused_also_after_a_putting_back(nodes: Nodes) -> None:
    service = nodes.services[0]
    await service.change(ADMINISTRATOR, "unnamed_file_hours", 30, check_revision=only(0))
    await service.change(ADMINISTRATOR, "unnamed_file_hours", None, check_revision=only(1))
    with pytest.raises(PreconditionFailed):
        await service.change(ADMINISTRATOR, "unnamed_file_hours", 40, check_revision=only(0))
    assert (await service.get(ADMINISTRATOR, "unnamed_file_hours")).value == "24"


async def test_who_changed_what_is_written_down_and_no_change_is_not(
    nodes: Nodes, database: Database
) -> None:
    for value in (30, 30, None):
        await nodes.services[0].change(
            ADMINISTRATOR, "audit_retention_days", value, check_revision=any_revision
        )
    async with database.read() as session:
        entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.number))).all()
    found = [(each.actor_name, each.action, each.target_id) for each in entries]
    assert found == [("ada", "setting.changed", "audit_retention_days")] * 2
    details = [each.detail if isinstance(each.detail, dict) else json.loads(each.detail) for each in entries]
    assert [each["value"] for each in details] == [["0", "30"], ["30", "0"]]


async def test_reading_is_for_those_who_may_read_and_changing_for_those_who_may_change(nodes: Nodes) -> None:
    service = nodes.services[0]
    viewer = replace(ADMINISTRATOR, permissions=SHIPPED_ROLES["viewer"])
    keeper = replace(
        ADMINISTRATOR, permissions=frozenset({Permission.SETTINGS_READ, Permission.AUDIT_MANAGE})
    )
    with pytest.raises(Forbidden):
        await service.all(viewer)
    assert len(await service.all(AUDITOR)) == len(Settings.model_fields)
    for caller, name in ((AUDITOR, "session_idle_minutes"), (keeper, "session_idle_minutes")):
        with pytest.raises(Forbidden):
            await service.change(caller, name, 30, check_revision=any_revision)
    changed = await service.change(keeper, "audit_retention_days", 365, check_revision=any_revision)
    assert changed.value == "365"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("session_idle_minutes", 0, Invalid),
        ("password_minimum_length", 7, Invalid),
        ("audit_retention_days", 10**15, Invalid),
        ("port", 80, Conflict),
        ("secret_key", 1, Conflict),
        ("no_such_thing", 1, NotFound),
    ],
)
async def test_what_cannot_stand_is_refused(
    nodes: Nodes, name: str, value: int, problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        await nodes.services[0].change(ADMINISTRATOR, name, value, check_revision=any_revision)


@given(name=st.sampled_from(LIVE_NAMES), value=st.integers(-(2**65), 2**65))
def test_every_value_within_the_bounds_can_be_read_at_a_start_too(name: str, value: int) -> None:
    try:
        CHANGEABLE[name].checked(value)
    except Invalid:
        return
    assert getattr(Settings(**{name: value}), name) == value  # type: ignore[arg-type]  # one of the numbers


def test_what_may_change_is_what_is_kept_live() -> None:
    assert tuple(sorted(CHANGEABLE)) == tuple(sorted(LIVE_NAMES))


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTROLROOM_SECRET_KEY", "hidden-word")
    monkeypatch.setenv(
        "CONTROLROOM_DATABASE_URL", "postgresql://ada:hidden-word@db.example:5433/room?password=hidden-word"
    )
    found = {each.name: each for each in read_settings(Settings())}
    assert "hidden-word" not in repr(found)
    assert found["database_url"].value == "postgresql://db.example:5433/room"
    assert (found["secret_key"].source, found["secret_key"].origin) == (
        Source.ENVIRONMENT,
        "CONTROLROOM_SECRET_KEY",
    )


async def test_entries_are_only_let_go_once_someone_said_yes_to_how_many(
    database: Database, clock: SteeredClock
) -> None:
    settings = Settings()
    audit = AuditService(database, clock, b"k" * 32)
    service = LiveSettingsService(
        database, clock, settings, LiveSettings.of(settings), consequences_of(audit, clock)
    )
    began = clock.now()
    for value in (30, 31, 32):
        await service.change(ADMINISTRATOR, "event_retention_hours", value, check_revision=any_revision)
    clock.advance(3 * 86_400)
    await service.change(ADMINISTRATOR, "event_retention_hours", 33, check_revision=any_revision)

    async def keep(days: int | None, *, yes: bool = False) -> str:
        return (
            await service.change(
                ADMINISTRATOR,
                "audit_retention_days",
                days,
                check_revision=any_revision,
                is_confirmed=yes,
            )
        ).value

    with pytest.raises(NotConfirmed) as asked:
        await keep(2)
    told = f"3 audit entries go for good: number 1 to 3, from {began:%Y-%m-%d %H:%M} to {began:%Y-%m-%d %H:%M} UTC"
    assert told in asked.value.detail
    assert (await service.get(ADMINISTRATOR, "audit_retention_days")).value == "0"
    assert await keep(10) == "10"  # nothing is that old
    assert await keep(2, yes=True) == "2"
    assert await keep(3) == "3"  # keeps more than before
    with pytest.raises(NotConfirmed):
        await keep(1)
    assert await keep(None) == "0"  # for ever again
