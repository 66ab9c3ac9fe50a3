"""A served Control Room with two of everything, in folders and pools of their own, and keys of people with a role there."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from controlroom.devices.schemas import PoolIn
from controlroom.foundation.ids import new_id, new_secret
from controlroom.identity.authentication import secret_hash
from controlroom.identity.models import ApiKey
from controlroom.identity.permissions import SHIPPED_ROLES, Permission
from controlroom.identity.places import PlaceKind, counting_at
from controlroom.protocol.records import Level
from controlroom.runs.states import State
from web.served import Site, add_artifact, add_device, add_run, end_run, package, start_run, write_log

SCRIPT = '# /// script\n# requires-python = ">=3.11"\n# ///\nprint("x")\n'


@dataclass
class Rooms:
    """A served Control Room, the ids of what lies in each folder by the names that paths use, and a key a role."""

    site: Site
    own: dict[str, str] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def client(self, role: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys[role]}"}
        return httpx.Client(base_url=self.site.address, headers=headers, timeout=30, trust_env=False)

    @property
    def marks(self) -> list[str]:
        """What must not show: the names and ids of all that lies elsewhere."""
        return ["zebra", *(value for name, value in self.foreign.items() if name != "number")]


def stock(site: Site, folder: str, mark: str) -> dict[str, str]:
    """Fill a folder and a pool; return the ids of what lies there by the names that paths use."""
    state = site.app.state

    async def publish() -> Any:
        async def chunks() -> Any:
            yield package(SCRIPT)

        return await state.bots.publish(
            site.caller, chunks(), name=f"{mark}-bot", folder=folder, note=f"{mark} note"
        )

    version = site.do(publish).version
    device = add_device(site, f"{mark}-device")
    pool = site.do(
        lambda: state.devices.create_pool(site.caller, PoolIn(name=f"{mark}-pool", device_ids=[device.id]))
    )
    run = add_run(site, version, f"{mark}-bot", inputs={"word": f"{mark} input"})
    attempt_id = start_run(site, run.id, device)
    write_log(site, attempt_id, [(Level.INFO, f"{mark} line")])
    end_run(site, run.id, State.SUCCEEDED, outputs={"word": f"{mark} output"})
    add_artifact(site, run.id, f"{mark}.txt", 3, "text/plain")
    artifact = site.do(lambda: state.runs.artifacts(site.caller, run.id))[0]
    return {
        "bot": version.bot_id,
        "bot_id": version.bot_id,
        "number": "1",
        "run_id": run.id,
        "attempt_id": attempt_id,
        "artifact_id": artifact.id,
        "device": device.id,
        "device_id": device.id,
        "pool": pool.id,
        "pool_id": pool.id,
    }


def user_with_key(site: Site, name: str, *given: tuple[str, str, str]) -> str:
    """Make a user who has roles, each given at a folder and a pool; return a key of theirs that limits nothing."""
    identity, secret = site.app.state.identity, new_secret("crk")

    async def make() -> None:
        user = (await identity.accounts.create(site.caller, name=name, roles=[], password=None)).user
        for role, folder, pool in given:
            for kind, place in ((PlaceKind.FOLDER, folder), (PlaceKind.POOL, pool)):
                if counting_at(kind, SHIPPED_ROLES[role]):
                    await identity.assignments.give(site.caller, user=name, role=role, kind=kind, place=place)
        now = datetime.now(UTC)
        async with site.app.state.database.write() as transaction:
            transaction.session.add(
                ApiKey(
                    id=new_id("key"), key_hash=secret_hash(secret), user_id=user.id, name="all", hint=secret[-4:],
                    permissions=[right.value for right in Permission], created_at=now, expires_at=now + timedelta(days=1),
                )
            )  # fmt: skip

    site.do(make)
    return secret
