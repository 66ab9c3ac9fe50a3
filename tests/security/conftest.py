"""A served Control Room in which every text that people can store is hostile, and browsers that are signed in to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlroom.devices.schemas import JoinTokenIn, PoolIn
from controlroom.foundation.settings import Settings
from controlroom.identity.permissions import Permission
from controlroom.identity.places import PlaceKind
from controlroom.protocol.records import Level
from controlroom.runs.states import State
from controlroom.server.app import create_app
from probing import Probe, probes
from web.served import (
    Site,
    add_artifact,
    add_device,
    add_run,
    end_run,
    package,
    served_site,
    start_run,
    write_log,
)

MARK = "xss-mark"
HOSTILE = f"'\"><{MARK} onload=alert(1)></title></script>{{{{1337*1331}}}}"
PROBES = probes(create_app(Settings()))
_SCRIPT = '# /// script\n# requires-python = ">=3.11"\n# ///\nprint("x")\n'


@dataclass
class Hostile:
    """The site, and the ids of what lies in it, by the names that paths use."""

    site: Site
    known: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """Open a browser without script, signed in as the administrator; it follows no redirects."""
        with httpx.Client(base_url=self.site.address, timeout=30, trust_env=False) as opened:
            body = {"name": "admin", "password": self.site.password}
            signed_in = opened.post("/api/v1/session", json=body).raise_for_status().json()
            opened.headers["X-CSRF-Token"] = signed_in["csrf_token"]
            yield opened


@pytest.fixture(scope="package")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    with served_site(folder) as site:
        yield Hostile(site, _stock(site))


def headers_for(probe: Probe) -> dict[str, str]:
    """Return what a browser sends for a page, or a program to the API."""
    made = {"Accept": "text/html"} if probe.is_page else {}
    return {**made, "If-Match": '"1"'} if probe.method in ("PATCH", "PUT") else made


def sent(probe: Probe) -> dict[str, Any]:
    """Return the body or form of a probe, as httpx takes it."""
    if probe.form is not None:
        return {"data": dict(probe.form)}
    return {"json": probe.body} if probe.body is not None else {}


def _stock(site: Site) -> dict[str, str]:
    state, caller = site.app.state, site.caller
    identity = state.identity

    async def publish() -> Any:
        async def chunks() -> Any:
            yield package(_SCRIPT)

        return await state.bots.publish(caller, chunks(), name="plain", folder="/plain", note=HOSTILE)

    version = site.do(publish).version
    from controlroom.bots.service import Edit

    site.do(
        lambda: state.bots.edit(
            caller, version.bot_id, Edit(description=HOSTILE), check_revision=lambda _: None
        )
    )
    device = add_device(site, HOSTILE[:90], labels=[HOSTILE[:40]], facts={"system": HOSTILE, "release": HOSTILE, "machine": HOSTILE, "python": HOSTILE})  # fmt: skip
    pool = site.do(
        lambda: state.devices.create_pool(
            caller, PoolIn.model_construct(name=HOSTILE[:90], description=HOSTILE, device_ids=[device.id])
        )
    )
    run = add_run(site, version, HOSTILE[:90], inputs={HOSTILE: HOSTILE})
    attempt_id = start_run(site, run.id, device)
    write_log(site, attempt_id, [(Level.ERROR, HOSTILE)])
    end_run(site, run.id, State.FAILED, message=HOSTILE, outputs={HOSTILE: HOSTILE})
    add_artifact(site, run.id, f"../{HOSTILE}\r\nX-Evil: 1.html", 3, "text/html")
    waiting = add_run(site, version, HOSTILE[:90])
    token, _ = site.do(
        lambda: state.joining.create_token(
            caller, JoinTokenIn.model_construct(note=HOSTILE, labels=[], valid_minutes=5)
        )
    )
    user = site.do(
        lambda: identity.accounts.create(caller, name="anna", roles=["viewer"], display_name=HOSTILE)
    ).user
    admin = site.do(lambda: identity.accounts.by_name("admin"))
    site.do(lambda: identity.accounts.edit(caller, admin.id, display_name=HOSTILE))
    site.do(
        lambda: identity.roles.create(
            caller, name="own", permissions=[Permission.RUN_READ], description=HOSTILE
        )
    )
    given = site.do(lambda: identity.assignments.give(caller, user="anna", role="own", kind=PlaceKind.FOLDER, place=f"/{HOSTILE.replace('/', '')}"))  # fmt: skip
    found = site.do(lambda: _session_caller(site, admin.id))
    key = site.do(
        lambda: identity.api_keys.create(
            found,
            name=HOSTILE,
            permissions=[Permission.RUN_READ],
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
    ).key
    artifact = site.do(lambda: state.runs.artifacts(caller, run.id))[0]
    return {
        "bot": version.bot_id, "bot_id": version.bot_id, "number": "1", "run_id": run.id, "attempt_id": attempt_id,
        "artifact_id": artifact.id, "device": device.id, "device_id": device.id, "pool": pool.id, "pool_id": pool.id,
        "token_id": token.id, "user_id": user.id, "name": "own", "assignment_id": given.assignment.id, "key_id": key.id,
        "waiting_run_id": waiting.id,
    }  # fmt: skip


async def _session_caller(site: Site, user_id: str) -> Any:
    from dataclasses import replace

    return replace(site.caller, user_id=user_id, session_id="ses_test")
