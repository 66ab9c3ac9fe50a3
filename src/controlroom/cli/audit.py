"""Read and prove the audit log directly in the database.

Works on the server's own machine, with the server's settings and key; the server may run meanwhile.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from json import dumps
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from controlroom.audit.chain import Link
from controlroom.audit.checkpoint import Checkpoint, read_checkpoint
from controlroom.audit.export import read_exported
from controlroom.audit.models import AuditEntry
from controlroom.audit.retention import Removable, Removed
from controlroom.audit.schemas import AuditEntryOut, VerificationOut
from controlroom.audit.seal import Seal
from controlroom.audit.service import ChainReport, verify
from controlroom.cli.output import EXIT_FAILED, err, out, print_facts, print_json, print_table
from controlroom.foundation.errors import FieldError, Invalid, Unavailable
from controlroom.foundation.paging import LARGEST_LIMIT, PageRequest
from controlroom.foundation.settings import load_settings
from controlroom.identity.console import Console, open_console
from controlroom.server.keys import server_key

app = typer.Typer(help=__doc__, no_args_is_help=True)

T = TypeVar("T")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

_AGE = re.compile(r"([1-9][0-9]{0,5})([dh])")
_AGE_UNITS = {"d": "days", "h": "hours"}
_LEAST_AGE = timedelta(hours=1)
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
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A checkpoint that was kept elsewhere and must still hold."
        ),
    ] = None,
    exported: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Exports of what retention has removed, oldest first; they are proved as a part of the log.",
        ),
    ] = None,
    public_key: Annotated[
        list[str] | None,
        typer.Option(
            help="A key that may have signed checkpoints and anchors, where it is not this server's."
        ),
    ] = None,
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
    kept = read_checkpoint(checkpoint.read_text("utf-8")) if checkpoint else None
    rows = read_exported(_lines_of(exported)) if exported else []

    async def prove(console: Console) -> ChainReport:
        keys = public_key or [await console.audit.public_key()]
        secret_key = None if without_seal else server_key(load_settings())
        async with console.database.read() as session:
            return await verify(
                session, secret_key, noted=link, checkpoint=kept, trusted_keys=keys, exported=rows
            )

    report = _run(prove)
    if json:
        print_json(VerificationOut.of(report).model_dump(mode="json"))
    else:
        _print_report(report)
    if report.faults:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def checkpoint(
    output: Annotated[
        Path | None, typer.Option(help="File to write it to; an existing one is not overwritten.")
    ] = None,
) -> None:
    """Sign the newest entry, as a small document to keep where this server's people cannot change it.

    'controlroom audit verify --checkpoint FILE' proves later that the log still holds the entry and all before it.
    """

    async def act(console: Console) -> Checkpoint:
        return await console.audit.checkpoint(console.caller.actor)

    if output is not None and output.exists():
        raise Invalid(f"{output} is there already; name another file.")
    text = dumps(_run(act).document(), indent=2) + "\n"
    if output is None:
        out.print(text, end="", markup=False)
        return
    _write_new_file(output, text)
    out.print(f"Checkpoint written to {output}; keep it on another machine.", markup=False)


@app.command("key")
def public_key() -> None:
    """Print the public key (Ed25519, base64) by which anyone can check this server's checkpoints and anchors."""

    async def act(console: Console) -> str:
        return await console.audit.public_key()

    out.print(_run(act), markup=False)


def _question(found: Removable) -> str:
    span = f"from {found.oldest:%Y-%m-%d %H:%M} to {found.newest:%Y-%m-%d %H:%M} UTC"
    return f"Remove {found.count:,} entries for good, number {found.first:,} to {found.last:,}, {span}?"


@app.command()
def retain(
    older_than: Annotated[str, typer.Option(help="Age from which entries go, such as 365d or 8760h.")],
    export_to: Annotated[
        Path | None, typer.Option(help="New file into which they are exported first, as JSON lines.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    json: JsonOption = False,
) -> None:
    """Remove old entries; a signed anchor stands for them, so that the rest can still be proved.

    What does not hold, is younger than an hour, or has not been sent to the log collector yet is not removed.
    """
    before = datetime.now(UTC) - _age(older_than)

    async def look(console: Console) -> Removable:
        return await console.audit.would_remove(before)

    async def act(console: Console) -> Removed:
        return await console.audit.retain(console.caller.actor, before, export_to=export_to)

    if not yes:
        found = _run(look)
        if found.oldest and found.newest and not typer.confirm(_question(found), err=True):
            raise typer.Exit(EXIT_FAILED)
    removed = _run(act)
    if json:
        print_json(asdict(removed))
    elif removed.count:
        out.print(f"{removed.count} entries were removed: {removed.first} to {removed.last}.")
    else:
        out.print("No entry is old enough.")


@app.command("export")
def export_entries(
    filter_: Annotated[str, typer.Option("--filter", help="As in 'controlroom audit list'.")] = "",
    output: Annotated[
        Path | None, typer.Option(help="File to write to; an existing one is not overwritten.")
    ] = None,
) -> None:
    """Write entries as JSON lines, oldest first, one whole entry a line."""
    if output is not None and output.exists():
        raise Invalid(f"{output} is there already; name another file.")

    async def act(console: Console) -> int:
        return await _write_lines(console.audit.export(filter_), output)

    count = _run(act)
    if output is not None:
        err.print(f"{count} entries were written to {output}.", markup=False)


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


def _lines_of(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        with path.open(encoding="utf-8") as file:
            yield from file


async def _write_lines(batches: AsyncIterator[list[str]], output: Path | None) -> int:
    file = await asyncio.to_thread(output.open, "x", encoding="utf-8") if output else sys.stdout
    count = 0
    try:
        async for lines in batches:
            await asyncio.to_thread(file.writelines, lines)
            count += len(lines)
    finally:
        if file is not sys.stdout:
            file.close()
    return count


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None or not (age := timedelta(**{_AGE_UNITS[match[2]]: int(match[1])})) >= _LEAST_AGE:
        message = "This is an age of at least an hour, in days or hours: 365d or 8760h."
        raise Invalid(message, fields=(FieldError("/older_than", message),))
    return age


def _write_new_file(path: Path, text: str) -> None:
    """Write a file that is not there yet; raise `Unavailable` where it cannot be."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}.") from None


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
    if report.removed:
        facts["removed"] = f"{report.removed}, behind signed anchors"
    facts["sealed to"] = report.sealed_number or "nothing"
    print_facts(facts)
    for fault in report.faults:
        out.print(f"entry {fault.number}: {fault.problem}", markup=False)
    out.print("The log does not hold." if report.faults else "The log is whole.")
