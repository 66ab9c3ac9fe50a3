"""What one can do with the declared site: declare versions, ask what follows, keep what proofs and probes found.

Owns the transactions and audit entries. Every answer is that of `controlroom.network`; nothing is decided here.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit import service as audit
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.ids import new_id
from controlroom.foundation.outbox import emit
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.sites.asking import Contract
from controlroom.sites.errors import (
    BadSiteText,
    NoSite,
    NoSuchReport,
    NoSuchVersion,
    Refused,
    SiteChangedMeanwhile,
    SiteTooLarge,
    SiteUnchanged,
)
from controlroom.sites.models import NOTE_LENGTH, SUBJECT_LENGTH, DeclaredSite, NetworkReport, ReportKind
from controlroom.sites.reading import read_report

LARGEST_SITE_CHARACTERS = 512 * 1024
LARGEST_RULESET_BYTES = 8 * 1024 * 1024
MOST_RULESET_FILES = 8
MOST_REPORTS_KEPT = 200
_MOST_FINDINGS_KEPT = 1_000
_VERSIONS_SHOWN = 200
_REPORTS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class RulesetFile:
    """One file of a ruleset as it was sent."""

    name: str
    content: bytes


class SiteService:
    """The declared site, as ``app.state.sites``."""

    def __init__(self, database: Database, clock: Clock, contract: Contract | None = None) -> None:
        self._database = database
        self._clock = clock
        self._contract = contract or Contract()

    async def current(self, caller: Caller) -> DeclaredSite:
        """Return the present version; raise `NoSite`."""
        caller.require(Permission.NETWORK_READ)
        async with self._database.read() as session:
            found = await _newest(session)
        if found is None:
            raise NoSite(
                "Declare a site first: on the page Network, or with 'controlroom network site declare'."
            )
        return found

    async def versions(self, caller: Caller) -> Sequence[DeclaredSite]:
        """Return the versions, newest first, at most 200."""
        caller.require(Permission.NETWORK_READ)
        query = select(DeclaredSite).order_by(DeclaredSite.number.desc()).limit(_VERSIONS_SHOWN)
        async with self._database.read() as session:
            return (await session.scalars(query)).all()

    async def version(self, caller: Caller, number: int) -> DeclaredSite:
        """Return one version; raise `NoSuchVersion`."""
        caller.require(Permission.NETWORK_READ)
        async with self._database.read() as session:
            found = await session.get(DeclaredSite, number)
        if found is None:
            raise NoSuchVersion(f"The site has no version {number}.")
        return found

    async def overview(self, site: DeclaredSite) -> dict[str, Any]:
        """Return what a version holds and allows."""
        return await self._contract.ask("overview", text=site.text)

    async def targets(self, caller: Caller) -> dict[str, Any]:
        """Return the kinds of firewall that rules can be written for and read from."""
        caller.require(Permission.NETWORK_READ)
        return await self._contract.ask("targets")

    async def what_would_change(
        self, caller: Caller, text: str, *, before: str | None = None
    ) -> dict[str, Any]:
        """Say what ``text`` would open and close beside the present version, or beside ``before``.

        Without a present version everything that it allows opens. Raise `BadSiteText` with line and key.
        """
        caller.require(Permission.NETWORK_READ)
        _require_size(text)
        if before is None:
            async with self._database.read() as session:
                newest = await _newest(session)
            before = newest.text if newest else None
        if before is None:
            found = await self._contract.ask("overview", text=text)
            return {"changes": None, "notes": found["notes"], "name": found["name"]}
        return await self._contract.ask("compare", before=before, text=text)

    async def declare(
        self, caller: Caller, text: str, *, based_on: int | None = None, note: str = ""
    ) -> DeclaredSite:
        """Make a text the present version; ``based_on`` is the number that was edited, 0 for none.

        Raise `BadSiteText`, `SiteUnchanged`, or `SiteChangedMeanwhile` where that is not the present one any more.
        """
        caller.require(Permission.NETWORK_MANAGE)
        text = text.replace("\r\n", "\n")
        _require_size(text)
        found = await self._contract.ask("overview", text=text)
        if not found["pairs"]:
            raise BadSiteText(
                "Nothing flows in this site: give it hosts with roles, and those who reach them."
            )
        now = self._clock.now()
        try:
            async with self._database.write() as transaction:
                newest = await _newest(transaction.session)
                number = newest.number if newest else 0
                if based_on is not None and based_on != number:
                    raise SiteChangedMeanwhile(
                        f"Version {number} was declared since you read version {based_on}; look at it first."
                    )
                if newest is not None and newest.text == text:
                    raise SiteUnchanged(f"This is version {number} already.")
                declared = DeclaredSite(
                    number=number + 1,
                    name=found["name"],
                    text=text,
                    note=note.strip()[:NOTE_LENGTH],
                    declared_at=now,
                    declared_by_id=caller.user_id,
                    declared_by=caller.user_name,
                )
                transaction.session.add(declared)
                await transaction.session.flush()
                audit.record(
                    transaction,
                    time=now,
                    actor=caller.actor,
                    action="site.declared",
                    target_kind="site",
                    target_id=str(declared.number),
                    target_name=declared.name,
                    detail={
                        "before": number,
                        "version": declared.number,
                        "note": declared.note,
                        "sha256": hashlib.sha256(text.encode()).hexdigest(),
                    },
                )
                emit(
                    transaction,
                    time=now,
                    kind="site.declared",
                    subject=str(declared.number),
                    data={"name": declared.name},
                )
                return declared
        except IntegrityError:
            raise SiteChangedMeanwhile(
                "Someone declared a version at the same moment; look at it first."
            ) from None

    async def rules(self, caller: Caller, *, target: str, place: str) -> dict[str, Any]:
        """Return the files of rules of one place for one target; raise `Refused` where it cannot be said."""
        site = await self.current(caller)
        return await self._contract.ask("render", text=site.text, target=target, place=place)

    async def prove(
        self,
        caller: Caller,
        files: Sequence[RulesetFile],
        *,
        place: str,
        format_name: str = "",
        idle: bool = False,
    ) -> NetworkReport:
        """Prove the files of one firewall against the present site, and keep the verdict."""
        caller.require(Permission.NETWORK_MANAGE)
        site = await self.current(caller)
        texts = await asyncio.to_thread(texts_of, files)
        verdict = await self._contract.ask(
            "verify", text=site.text, place=place, files=texts, format=format_name, idle=idle
        )
        findings = verdict["findings"]
        verdict["findings"], verdict["left_out"] = (
            findings[:_MOST_FINDINGS_KEPT],
            max(0, len(findings) - _MOST_FINDINGS_KEPT),
        )
        return await self._keep(caller, ReportKind.PROOF, place, site.number, verdict["holds"], verdict)

    async def keep_probes(self, caller: Caller, content: str | bytes) -> NetworkReport:
        """Keep a report of `controlroom network check --format json`; raise `Refused` where it is none."""
        caller.require(Permission.NETWORK_MANAGE)
        site = await self.current(caller)
        report = await asyncio.to_thread(read_report, content)
        if report.site != site.name:
            raise Refused(f"This report is of the site '{report.site}', but '{site.name}' is declared here.")
        found = {**report.model_dump(), "uploaded": True}
        return await self._keep(caller, ReportKind.PROBES, report.source, site.number, report.holds, found)

    async def probe_from_here(self, caller: Caller) -> NetworkReport:
        """Probe the flows of the host that this server runs on; raise `Refused` where the site does not know it."""
        caller.require(Permission.NETWORK_MANAGE)
        site = await self.current(caller)
        found = {**await self._contract.ask("probe", text=site.text), "uploaded": False}
        return await self._keep(
            caller, ReportKind.PROBES, found["source"], site.number, found["holds"], found
        )

    async def reports(self, caller: Caller, kind: ReportKind | None = None) -> Sequence[NetworkReport]:
        """Return the reports that are kept, newest first, at most 50."""
        caller.require(Permission.NETWORK_READ)
        query = select(NetworkReport).order_by(NetworkReport.made_at.desc(), NetworkReport.id.desc())
        if kind is not None:
            query = query.where(NetworkReport.kind == kind)
        async with self._database.read() as session:
            return (await session.scalars(query.limit(_REPORTS_SHOWN))).all()

    async def report(self, caller: Caller, report_id: str) -> NetworkReport:
        """Return one report; raise `NoSuchReport`."""
        caller.require(Permission.NETWORK_READ)
        async with self._database.read() as session:
            found = await session.get(NetworkReport, report_id)
        if found is None:
            raise NoSuchReport(
                f"There is no report '{report_id}'; only the last {MOST_REPORTS_KEPT} are kept."
            )
        return found

    async def _keep(
        self,
        caller: Caller,
        kind: ReportKind,
        subject: str,
        site_number: int,
        holds: bool,
        found: Mapping[str, Any],
    ) -> NetworkReport:
        now = self._clock.now()
        report = NetworkReport(
            id=new_id("net"),
            kind=kind,
            subject=subject[:SUBJECT_LENGTH],
            site_number=site_number,
            holds=holds,
            report=dict(found),
            made_at=now,
            made_by_id=caller.user_id,
            made_by=caller.user_name,
        )
        async with self._database.write() as transaction:
            transaction.session.add(report)
            await transaction.session.flush()
            await _drop_old(transaction.session)
            audit.record(
                transaction,
                time=now,
                actor=caller.actor,
                action="network.proved" if kind is ReportKind.PROOF else "network.probed",
                target_kind="site",
                target_id=str(site_number),
                target_name=report.subject,
                detail={"report": report.id, "holds": holds},
            )
            emit(
                transaction,
                time=now,
                kind="site.proved" if kind is ReportKind.PROOF else "site.probed",
                subject=report.id,
                data={"holds": holds},
            )
            return report


async def _newest(session: AsyncSession) -> DeclaredSite | None:
    newest: DeclaredSite | None = await session.scalar(
        select(DeclaredSite).order_by(DeclaredSite.number.desc()).limit(1)
    )
    return newest


async def _drop_old(session: AsyncSession) -> None:
    """Keep the newest reports only, so that the table stays small."""
    count = await session.scalar(select(func.count()).select_from(NetworkReport)) or 0
    if count <= MOST_REPORTS_KEPT:
        return
    oldest = select(NetworkReport.id).order_by(NetworkReport.made_at, NetworkReport.id)
    ids = (await session.scalars(oldest.limit(count - MOST_REPORTS_KEPT))).all()
    await session.execute(delete(NetworkReport).where(NetworkReport.id.in_(ids)))


def _require_size(text: str) -> None:
    if len(text) > LARGEST_SITE_CHARACTERS:
        raise SiteTooLarge(
            f"A site may have at most {LARGEST_SITE_CHARACTERS // 1024} KiB; this has {len(text) // 1024}."
        )


def texts_of(files: Sequence[RulesetFile]) -> list[dict[str, str]]:
    """Return the files as text; raise `SiteTooLarge`, or `Refused` for one that is not text."""
    if len(files) > MOST_RULESET_FILES:
        raise Refused(f"One firewall has at most {MOST_RULESET_FILES} files here; these are {len(files)}.")
    if sum(len(file.content) for file in files) > LARGEST_RULESET_BYTES:
        raise SiteTooLarge(
            f"A ruleset may have at most {LARGEST_RULESET_BYTES // 1024 // 1024} MiB here; the command "
            "'controlroom network verify' takes larger ones."
        )
    texts = []
    for file in files:
        try:
            texts.append({"name": file.name[:100] or "ruleset", "text": file.content.decode("utf-8-sig")})
        except UnicodeDecodeError as error:
            raise Refused(
                f"{file.name[:100]} is no UTF-8 text: {error.reason} at byte {error.start}."
            ) from None
    return texts
