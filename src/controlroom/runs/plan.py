"""Makes the plan of an attempt from the run, the bot version and the server's settings."""

from collections.abc import Mapping
from typing import Any

import msgspec

from controlroom.bots.manifest import Manifest
from controlroom.bots.models import BotVersion
from controlroom.foundation.settings import Settings
from controlroom.protocol.plan import AttemptPlan, EnvironmentKind, EnvironmentSpec, Limits, PlannedFile
from controlroom.runs.models import Attempt, Run
from controlroom.runs.tokens import AttemptTokens


def manifest_on(version: BotVersion, facts: Mapping[str, Any]) -> Manifest:
    """Return a version's manifest as it is on a device with these facts (`protocol.messages.DeviceFacts`)."""
    manifest = msgspec.convert(version.manifest, Manifest)
    return manifest.on_machine(str(facts.get("system", "")), str(facts.get("machine", "")))


def make_plan(
    run: Run,
    attempt: Attempt,
    version: BotVersion,
    facts: Mapping[str, Any],
    *,
    tokens: AttemptTokens,
    settings: Settings,
    files: tuple[PlannedFile, ...] = (),
) -> AttemptPlan:
    """Return what the runner is told of an attempt; the same each time it is asked for."""
    manifest = manifest_on(version, facts)
    task = manifest.task(run.task)
    return AttemptPlan(
        attempt_id=attempt.id,
        run_id=run.id,
        number=attempt.number,
        token=tokens.token_for(attempt.id),
        bot_name=run.bot_name,
        version=run.version_number,
        package_sha256=version.sha256,
        package_bytes=version.size_bytes,
        environment=manifest.environment or EnvironmentSpec(EnvironmentKind.REQUIREMENTS),
        launch=task.launch,
        limits=_limits(manifest, run, settings),
        inputs=run.inputs,
        grace_seconds=settings.cancel_grace_seconds,
        exclusive=manifest.exclusive,
        files=files,
    )


def _limits(manifest: Manifest, run: Run, settings: Settings) -> Limits:
    artifacts_mb = min(manifest.limits.artifacts_mb or settings.artifact_limit_mb, settings.artifact_limit_mb)
    return msgspec.structs.replace(
        manifest.limits, timeout_seconds=run.timeout_seconds, artifacts_mb=artifacts_mb
    )
