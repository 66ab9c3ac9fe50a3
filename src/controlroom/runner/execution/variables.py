"""The environment variables of a bot: an allow-list from the runner, the package's own, and what the SDK reads."""

import os
from collections.abc import Mapping
from pathlib import Path

from controlroom.protocol.plan import AttemptPlan
from controlroom.runner.execution.workspace import Workspace
from controlroom.runner.platform.contract import Platform

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_OWN = "CONTROLROOM_"
URL_VARIABLE = "CONTROLROOM_URL"
"""The address of the bot's Control Room; with it comes no right to do anything there."""
MARKER = "CONTROLROOM_WORKSPACE"
"""Carried by every process of a bot that keeps its environment; its value is the attempt's folder."""

FIXED_AT_START = ("PYTHON", "LD_", "DYLD_", "LC_", "LANG", "MALLOC_", "GLIBC_TUNABLES", "ASAN_", "OPENSSL_")
"""Variables that an interpreter or the loader reads only when it starts."""


def bot_variables(
    plan: AttemptPlan,
    workspace: Workspace,
    platform: Platform,
    environment: Path,
    inherited: Mapping[str, str],
    control_room_url: str = "",
) -> dict[str, str]:
    """Return all variables that the bot's process gets; nothing else of the runner's passes.

    ``control_room_url`` is where the runner itself reaches the Control Room, empty where there is none.
    Values of the plan may hold ``{package}``, ``{artifacts}`` and ``{python}``, which stand for absolute paths.
    ``ROBOT_ROOT`` and ``ROBOT_ARTIFACTS`` are there for bots written for Robocorp.
    """
    launch = plan.launch
    variables = _inherited(platform, inherited)
    artifacts = (
        workspace.within_package(launch.artifacts_folder) if launch.artifacts_folder else workspace.artifacts
    )
    temporary = str(workspace.short_temporary())
    variables |= {
        "VIRTUAL_ENV": str(environment),
        "ROBOT_ROOT": str(workspace.package),
        "ROBOT_ARTIFACTS": str(artifacts),
        "TMPDIR": temporary,
        "TEMP": temporary,
        "TMP": temporary,
    }
    places = {
        "{package}": str(workspace.package),
        "{artifacts}": str(artifacts),
        "{python}": str(environment / platform.layout.python),
    }
    for name, value in launch.variables.items():
        if not name.startswith(_OWN):
            for place, path in places.items():
                value = value.replace(place, path)  # noqa: PLW2901  # three replacements of one text
            variables[name] = value
    scripts = str(environment / platform.layout.scripts)
    added = [str(workspace.within_package(entry)) for entry in launch.path]
    variables["PATH"] = os.pathsep.join([*added, scripts, variables.get("PATH") or os.defpath])
    if launch.python_path:
        variables["PYTHONPATH"] = os.pathsep.join(
            str(workspace.within_package(each)) for each in launch.python_path
        )
    if control_room_url:
        variables[URL_VARIABLE] = control_room_url
    return variables | _facts(plan, workspace)


def _inherited(platform: Platform, inherited: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in inherited.items()
        if name in platform.inherited_variables
        or name.startswith("LC_")
        or name in _TRUST
        or (name.upper() in _PROXIES and "@" not in value)
    }
    kept.setdefault("LANG", "C.UTF-8")
    return kept


def _facts(plan: AttemptPlan, workspace: Workspace) -> dict[str, str]:
    return {
        "CONTROLROOM_RUN_ID": plan.run_id,
        "CONTROLROOM_ATTEMPT_ID": plan.attempt_id,
        "CONTROLROOM_ATTEMPT_NUMBER": str(plan.number),
        "CONTROLROOM_BOT_NAME": plan.bot_name,
        "CONTROLROOM_BOT_VERSION": str(plan.version),
        "CONTROLROOM_INPUTS": str(workspace.inputs),
        "CONTROLROOM_ARTIFACTS": str(workspace.artifacts),
        "CONTROLROOM_CANCEL_FILE": str(workspace.cancel),
        MARKER: str(workspace.root),
    }
