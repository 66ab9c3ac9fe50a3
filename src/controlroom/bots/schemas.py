"""What the API of bots takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from controlroom.bots.check import Finding
from controlroom.bots.compare import Comparison
from controlroom.bots.lookup import manifest_of
from controlroom.bots.manifest import Manifest
from controlroom.bots.models import Bot, BotVersion
from controlroom.bots.publishing import Published
from controlroom.bots.service import BotView
from controlroom.foundation.http import Schema

MOST_AT_ONCE = 10_000
LARGEST_NUMBER = 2**31 - 1

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the package, in hex.")]
JsonSchemaObject = Annotated[
    dict[str, Any],
    Field(description="A JSON Schema (Draft 2020-12) of type object; empty where anything is taken."),
]


class BotOut(Schema):
    """A bot."""

    id: str = Field(examples=["bot_01jdq3v0t8k2w9c5m7x4n6p1ha"])
    name: str
    folder: str = Field(examples=["/finance/monthly"])
    description: str
    current_version: int | None = Field(description="The version that is run where none is named.")
    latest_version: int = Field(description="The newest version's number; 0 before the first.")
    most_at_once: int | None = Field(description="Most runs of this bot at once; null for no limit.")
    created_at: datetime
    updated_at: datetime
    revision: int = Field(description="Counts changes; also in the ETag.")


class TaskOut(Schema):
    """One way to start a package."""

    name: str
    description: str
    inputs: JsonSchemaObject


class RetryOut(Schema):
    """When a run is tried again."""

    on: Literal["never", "loss", "failure"]
    count: int
    backoff_seconds: float
    backoff_limit_seconds: float


class LimitsOut(Schema):
    """What an attempt may use; 0 means no limit of its own."""

    timeout_seconds: float
    memory_mb: int
    processes: int
    open_files: int
    artifacts_mb: int
    log_lines: int


class ManifestOut(Schema):
    """What a package declares."""

    name: str
    description: str
    tasks: list[TaskOut]
    default_task: str
    inputs: JsonSchemaObject
    outputs: JsonSchemaObject
    labels: list[str] = Field(description="Labels that a device must have.")
    limits: LimitsOut
    retry: RetryOut
    exclusive: bool = Field(description="True for a bot whose runs must never overlap after a lost contact.")
    python: str = Field(description="The Python that it needs, as a version specifier; empty for any.")
    requirements: list[str] = Field(description="Packages that it needs; empty for a locked project.")


class VersionOut(Schema):
    """A published package of a bot; it never changes, but may be retired."""

    id: str = Field(examples=["ver_01jdq3v0t8k2w9c5m7x4n6p1ha"])
    bot_id: str
    number: int
    is_current: bool
    sha256: Sha256
    size_bytes: int
    format: str = Field(examples=["pep723", "pyproject", "requirements", "robotframework", "rcc", "sema4"])
    note: str
    published_at: datetime
    published_by: str
    retired_at: datetime | None


class VersionDetailOut(VersionOut):
    """A version with what its package declares."""

    manifest: ManifestOut


class FindingOut(Schema):
    """Something to know about a package."""

    severity: Literal["error", "warning"]
    code: str
    message: str
    file: str
    line: int


class CheckOut(Schema):
    """What the check of a package found; nothing of the package was kept."""

    passed: bool = Field(description="Whether it could be published.")
    name: str = Field(
        description="The name that it declares; empty where it declares none or cannot be read."
    )
    findings: list[FindingOut]


class PublishedOut(Schema):
    """What came of publishing."""

    bot: BotOut
    version: VersionDetailOut
    created: bool = Field(
        description="False where the bot had the same content before; nothing changed then."
    )
    warnings: list[FindingOut]


class BotEditIn(Schema):
    """What to change of a bot; what is left out stays."""

    description: str | None = Field(None, max_length=2000)
    folder: str | None = Field(None, max_length=400, examples=["/finance/monthly"])
    most_at_once: int | None = Field(
        None, ge=0, le=MOST_AT_ONCE, description="Most runs at once; 0 takes the limit away."
    )


class CurrentIn(Schema):
    """Which version is to be run where none is named."""

    number: int = Field(ge=1, le=LARGEST_NUMBER)


class FileChangeOut(Schema):
    """A file that differs between two versions."""

    path: str
    kind: Literal["added", "removed", "changed"]
    before_bytes: int | None
    after_bytes: int | None
    diff: str = Field(description="A unified diff; empty where there is none to show, see `note`.")
    note: str


class ComparisonOut(Schema):
    """Two versions, compared file by file."""

    before: int
    after: int
    changes: list[FileChangeOut]
    same_files: int
    complete: bool = Field(description="False where there are more changes than are listed.")


def bot_out(view: BotView) -> BotOut:
    """Return a bot as the API shows it."""
    return BotOut(
        **_columns(
            view.bot, "id", "name", "folder", "description", "most_at_once", "created_at", "updated_at"
        ),
        current_version=view.current.number if view.current else None,
        latest_version=view.bot.latest_number,
        revision=view.bot.revision,
    )


def version_out(bot: Bot, version: BotVersion) -> VersionOut:
    """Return a version as the API shows it."""
    return VersionOut(**_version_fields(bot, version))


def version_detail_out(bot: Bot, version: BotVersion) -> VersionDetailOut:
    """Return a version with what its package declares."""
    return VersionDetailOut(**_version_fields(bot, version), manifest=_manifest_out(manifest_of(version)))


def published_out(published: Published) -> PublishedOut:
    """Return what came of publishing."""
    return PublishedOut(
        bot=bot_out(BotView(published.bot, published.current)),
        version=version_detail_out(published.bot, published.version),
        created=published.created,
        warnings=[_finding_out(finding) for finding in published.warnings],
    )


def comparison_out(before: int, after: int, comparison: Comparison) -> ComparisonOut:
    """Return a comparison as the API shows it."""
    changes = [FileChangeOut.model_validate(change) for change in comparison.changes]
    return ComparisonOut(
        before=before,
        after=after,
        changes=changes,
        same_files=comparison.same_files,
        complete=comparison.complete,
    )


def _version_fields(bot: Bot, version: BotVersion) -> dict[str, Any]:
    shown = (
        "id",
        "bot_id",
        "number",
        "sha256",
        "size_bytes",
        "format",
        "note",
        "published_at",
        "published_by",
    )
    return {
        **_columns(version, *shown, "retired_at"),
        "is_current": bot.current_version_id == version.id,
    }


def _manifest_out(manifest: Manifest) -> ManifestOut:
    environment = manifest.environment
    tasks = [
        TaskOut(name=task.name, description=task.description, inputs=manifest.inputs_of(task.name))
        for task in manifest.tasks
    ]
    return ManifestOut(
        name=manifest.name,
        description=manifest.description,
        tasks=tasks,
        default_task=manifest.default_task,
        inputs=manifest.inputs_of(),
        outputs=manifest.outputs,
        labels=list(manifest.labels),
        limits=LimitsOut.model_validate(manifest.limits),
        retry=RetryOut.model_validate(manifest.retry),
        exclusive=manifest.exclusive,
        python=environment.python if environment else "",
        requirements=list(environment.requirements) if environment else [],
    )


def _finding_out(finding: Finding) -> FindingOut:
    return FindingOut.model_validate(finding)


def _columns(row: Bot | BotVersion, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
