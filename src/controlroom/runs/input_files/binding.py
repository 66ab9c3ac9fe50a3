"""Which files a run's inputs name, whether whoever asks may use them, and giving them to the run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.file_inputs import FilePlace, names_files
from controlroom.bots.inputs import InputsInvalid
from controlroom.foundation.errors import FieldError
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.protocol.plan import PlannedFile
from controlroom.runs import queries
from controlroom.runs.input_files.models import LONGEST_POINTER, InputFile, RunFile
from controlroom.runs.models import Run

MOST_FILES = 100
LARGEST_TOTAL_BYTES = 1024 * 1024 * 1024
NO_SUCH_FILE = (
    "names no file that you may use: there is none, it is another's, or it has expired; upload it again"
)


async def files_at(
    session: AsyncSession,
    caller: Caller,
    places: Sequence[FilePlace],
    *,
    now: datetime,
    repeats_run_id: str | None = None,
) -> list[tuple[str, InputFile]]:
    """Return the files that stand at some places of checked inputs, by their pointers; at once where there are none.

    A caller may name what they uploaded, and what belongs to a run that they may read or that is repeated.
    Raises `InputsInvalid` with an error at the field of each file that cannot be had or does not fit.
    """
    if not places:
        return []
    if len(places) > MOST_FILES:
        raise _invalid([FieldError("/inputs", f"names more than {MOST_FILES} files")])
    usable = await usable_files(
        session, caller, {place.value for place in places}, now=now, run_id=repeats_run_id
    )
    problems = [
        FieldError(f"/inputs{place.pointer}", problem)
        for place in places
        if (problem := _problem(place, usable))
    ]
    if problems:
        raise _invalid(problems)
    if sum(file.size_bytes for file in usable.values()) > LARGEST_TOTAL_BYTES:
        raise _invalid([FieldError("/inputs", "names files of more than 1 GB together")])
    return [(place.pointer, usable[place.value]) for place in places]


def _problem(place: FilePlace, usable: Mapping[str, InputFile]) -> str:
    file = usable.get(place.value)
    if file is None:
        return NO_SUCH_FILE
    if len(place.pointer) > LONGEST_POINTER:
        return "has names that are too long for a file"
    return place.problem(file.media_type, file.size_bytes)


def _invalid(fields: Sequence[FieldError]) -> InputsInvalid:
    told = "; ".join(f"{field.pointer.removeprefix('/inputs/')}: {field.message}" for field in fields[:3])
    return InputsInvalid(f"The inputs do not fit: {told}.", fields=tuple(fields))


async def usable_files(
    session: AsyncSession,
    caller: Caller,
    ids: set[str],
    *,
    now: datetime,
    run_id: str | None = None,
) -> dict[str, InputFile]:
    """Return those of some files that a caller may give to a run, by their ids."""
    kept = or_(InputFile.used_at.is_not(None), InputFile.expires_at > now)
    found = (await session.scalars(select(InputFile).where(InputFile.id.in_(ids), kept))).all()
    usable = {file.id: file for file in found if file.uploaded_by_id == caller.user_id}
    others = {file.id: file for file in found if file.id not in usable}
    if others and run_id is not None:
        of_run = select(RunFile.file_id).where(RunFile.run_id == run_id, RunFile.file_id.in_(others))
        usable |= {file_id: others[file_id] for file_id in await session.scalars(of_run)}
    if others and caller.may(Permission.RUN_READ):
        seen = (
            select(RunFile.file_id)
            .join(Run, Run.id == RunFile.run_id)
            .where(RunFile.file_id.in_(others), *queries.runs_for(caller))
            .distinct()
        )
        usable |= {file_id: others[file_id] for file_id in await session.scalars(seen)}
    return usable


async def give_to_run(
    session: AsyncSession, run: Run, files: Sequence[tuple[str, InputFile]], *, now: datetime
) -> None:
    """Give files to a new run, which keeps them from being removed.

    Raises `InputsInvalid` where one was removed at this very moment, since nothing had used it in time.
    """
    await session.flush()  # the run's own row goes first
    for file_id in sorted({file.id for _, file in files if file.used_at is None}):
        marked = update(InputFile).where(InputFile.id == file_id).values(used_at=now).returning(InputFile.id)
        if await session.scalar(marked) is None:
            pointers = [pointer for pointer, file in files if file.id == file_id]
            raise _invalid([FieldError(f"/inputs{pointer}", NO_SUCH_FILE) for pointer in pointers])
    session.add_all(RunFile(run_id=run.id, pointer=pointer, file_id=file.id) for pointer, file in files)


async def files_of_run(session: AsyncSession, run: Run) -> Sequence[tuple[RunFile, InputFile]]:
    """Return the files that a run was given, by pointer; at once where its inputs name none."""
    if not names_files(run.inputs):
        return []
    query = (
        select(RunFile, InputFile)
        .join(InputFile, InputFile.id == RunFile.file_id)
        .where(RunFile.run_id == run.id)
        .order_by(RunFile.pointer)
    )
    return [(given, file) for given, file in await session.execute(query)]


def told(inputs: Any, facts: Mapping[str, Any]) -> Any:
    """Return inputs with what is known of files in place of their ids."""
    if isinstance(inputs, str):
        return facts.get(inputs, inputs)
    if isinstance(inputs, Mapping):
        return {name: told(value, facts) for name, value in inputs.items()}
    return [told(value, facts) for value in inputs] if isinstance(inputs, list) else inputs


async def planned_files(session: AsyncSession, run: Run) -> tuple[PlannedFile, ...]:
    """Return what the plan of an attempt says of the run's files."""
    return tuple(
        PlannedFile(given.pointer, file.id, file.name, file.sha256, file.size_bytes)
        for given, file in await files_of_run(session, run)
    )
