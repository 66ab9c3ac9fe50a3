"""How each component is: one check a component, found in `checks`, and what to do where one is not well."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controlroom.audit.service import AuditService
from controlroom.foundation.blobs import BlobStore
from controlroom.foundation.bus import Bus
from controlroom.foundation.cache import Cache
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.settings import Settings
from controlroom.foundation.telemetry import logger
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

CHECK_SECONDS = 5.0
"""A component that has not answered by then is not well."""

log = logger("administration.health")


class ComponentState(StrEnum):
    """How a component is, from well to worst."""

    OFF = "off"
    """Not set up, which is all right."""
    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"


_ORDER = tuple(ComponentState)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: ``words`` say how it is, ``advice`` what to do; empty where nothing needs doing."""

    state: ComponentState
    words: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class CheckedParts:
    """What checks look at."""

    database: Database
    blobs: BlobStore
    bus: Bus
    cache: Cache
    clock: Clock
    settings: Settings
    audit: AuditService


@dataclass(frozen=True, slots=True)
class ComponentCheck:
    """A check. ``unwell`` is the advice where it breaks or does not answer in time."""

    name: str
    title: str
    run: Callable[[CheckedParts], Awaitable[Finding]]
    unwell: str


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """A component as its check found it."""

    name: str
    title: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Health:
    """All components of this node at a moment; ``state`` is the worst of theirs."""

    time: datetime
    components: Sequence[ComponentHealth]

    @property
    def state(self) -> ComponentState:
        """The worst state of a component."""
        found = [each.finding.state for each in self.components]
        return max((ComponentState.OK, *found), key=_ORDER.index)


class ComponentChecks:
    """Checks every component, as ``app.state.components``."""

    def __init__(self, parts: CheckedParts, checks: Sequence[ComponentCheck]) -> None:
        self._parts = parts
        self._checks = checks

    async def health(self, caller: Caller) -> Health:
        """Check every component now, all at once, each within its time; what breaks is a finding, not an error."""
        caller.require_everywhere(Permission.SETTINGS_READ)
        found = await asyncio.gather(*(self._checked(check) for check in self._checks))
        return Health(self._parts.clock.now(), found)

    async def _checked(self, check: ComponentCheck) -> ComponentHealth:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                finding = await check.run(self._parts)
        except TimeoutError:
            words = f"It has not answered within {CHECK_SECONDS:.0f} seconds."
            finding = Finding(ComponentState.FAILING, words, check.unwell)
        except Exception as error:  # one check that breaks must not hide the others
            log.warning("health.check_broke", component=check.name, reason=str(error))
            finding = Finding(ComponentState.FAILING, f"It does not work: {_reason(error)}", check.unwell)
        return ComponentHealth(check.name, check.title, finding)


def _reason(error: Exception) -> str:
    """Say what broke: an error of the product or of the system says it in words, another only what kind it is."""
    detail = getattr(error, "detail", "") or getattr(error, "strerror", "")
    return str(detail) if detail else f"{type(error).__name__}."
