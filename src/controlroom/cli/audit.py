"""Read and prove the audit log directly in the database.

Works on the server's own machine, with the server's settings and key; the server may run meanwhile.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

import typer

from controlroom.audit.chain import Link
from controlroom.audit.models import AuditEntry
from controlroom.audit.schemas import AuditEntryOut, VerificationOut
from controlroom.audit.seal import Seal
from controlroom.audit.service import ChainReport, verify
from controlroom.cli.output import EXIT_FAILED, out, print_facts, print_json, print_table
from controlroom.foundation.errors import FieldError, Invalid
from controlroom.foundation.paging import LARGEST_LIMIT, PageRequest
from controlroom.foundation.settings import load_settings
from controlroom.identity.console import Console, open_console
from controlroom.server.keys import server_key

app = typer.Typer(help=__doc__, no_args_is_help=True)

T = TypeVar("T")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

_NOTED = re.compile(r"([1-9][0-9]{0,18}):([0-9a-f]{64})")


@app.command("list")
def list_entries(
    filter_: Annotated[
        str,
        typer.Option(
            "--filter", help="Such as 'actor:alice action:user.* outcome:refused time>=2026-01-31'."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=LARGEST_LIMIT, help="How many, newest first.")] = 50,
    json: JsonOption = False,
) -> None:
    """List entries, newest first."""

    async def read(console: Console) -> list[AuditEntry]:
        return list((await console.audit.page(PageRequest(filter=filter_, limit=limit))).items)

    entries = _run(read)
    if json:
        print_json([AuditEntryOut.model_validate(entry).model_dump(mode="json") for entry in entries])
        return
    columns = ("Number", "Time", "Actor", "Action", "Target", "Outcome", "Address")
    rows = [
        (
            entry.number,
            f"{entry.time:%Y-%m-%d %H:%M:%S}",
            entry.actor_name,
            entry.action,
            entry.target_name or entry.target_id,
            entry.outcome,
            entry.address,
        )
        for entry in entries
    ]
    print_table(columns, rows)


@app.command("verify")
def verify_chain(
    noted: Annotated[
        str,
        typer.Option(
            metavar="NUMBER:HASH", help="An entry that was written down elsewhere and must still be there."
        ),
    ] = "",
    without_seal: Annotated[
        bool,
        typer.Option(
            "--without-seal", help="Leave the seal unchecked, where the server's key is not at hand."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read the whole log and say which entries were changed, are missing or stand in another's place.

    Exit code 1 if anything does not hold.
    """
    link = _link(noted) if noted else None

    async def prove(console: Console) -> ChainReport:
        async with console.database.read() as session:
            return await verify(session, None if without_seal else server_key(load_settings()), noted=link)

    report = _run(prove)
    if json:
        print_json(VerificationOut.of(report).model_dump(mode="json"))
    else:
        _print_report(report)
    if report.faults:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def seal(
    anew: Annotated[
        bool,
        typer.Option(
            "--anew", help="Also where the last seal does not hold: once, after the key was changed."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Vouch with the server's key for the log as it stands; a running server does so every minute."""

    async def act(console: Console) -> Seal | None:
        return await console.audit.seal(anew=anew)

    sealed = _run(act)
    if json:
        print_json(None if sealed is None else {**asdict(sealed.link), "time": sealed.time})
    elif sealed is None:
        out.print("The log is empty; there is nothing to seal.")
    else:
        print_facts({"sealed to": f"{sealed.link.number}:{sealed.link.hash}", "at": sealed.time.isoformat()})


def _run(act: Callable[[Console], Awaitable[T]]) -> T:
    async def run() -> T:
        settings = load_settings()
        async with open_console(settings, server_key(settings)) as console:
            return await act(console)

    return asyncio.run(run())


def _link(noted: str) -> Link:
    match = _NOTED.fullmatch(noted)
    if match is None:
        message = (
            "This is an entry's number and hash, as 'verify' prints them: 120:3f0a... with 64 hex digits."
        )
        raise Invalid(message, fields=(FieldError("/noted", message),))
    return Link(int(match[1]), match[2])


def _print_report(report: ChainReport) -> None:
    facts: dict[str, object] = {"entries": report.entries}
    if report.entries:
        facts["newest"] = f"{report.newest.number}:{report.newest.hash}"
    facts["sealed to"] = report.sealed_number or "nothing"
    print_facts(facts)
    for fault in report.faults:
        out.print(f"entry {fault.number}: {fault.problem}", markup=False)
    out.print("The log does not hold." if report.faults else "The log is whole.")
