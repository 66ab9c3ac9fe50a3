"""Makes the orders for an attempt's processes from its plan: what to start, with which variables, warm or not."""

import os
from dataclasses import dataclass
from pathlib import Path

from controlroom.protocol.plan import AttemptPlan, LaunchKind
from controlroom.runner.environments import EnvironmentLease
from controlroom.runner.execution.variables import FIXED_AT_START, bot_variables
from controlroom.runner.execution.workspace import Workspace
from controlroom.runner.platform.contract import Platform, ProcessOrder

_LAUNCHER = "controlroom/runner/warm/inside/launch.py"
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Makes the orders of one attempt."""

    plan: AttemptPlan
    workspace: Workspace
    lease: EnvironmentLease
    platform: Platform
    control_room_url: str = ""

    def pre_run(self, command: tuple[str, ...]) -> ProcessOrder:
        """Order one command that comes before the bot."""
        return self._order(self._filled(command), script=None, refusal="", signal_group=True)

    def bot(self) -> ProcessOrder:
        """Order the bot itself; writes the file that a cold launcher reads."""
        launch = self.plan.launch
        if launch.kind is LaunchKind.COMMAND:
            command = self._filled(launch.arguments)
            return self._order(
                command, script=None, refusal="A command line is always started cold.", signal_group=True
            )
        is_script = launch.kind is LaunchKind.SCRIPT
        script: dict[str, object] = {
            "kind": launch.kind.value,
            "target": str(self.workspace.within_package(launch.target)) if is_script else launch.target,
            "arguments": list(launch.arguments),
            "python_path": [str(self.workspace.within_package(entry)) for entry in launch.python_path],
        }
        self.workspace.write_start(script)
        command = (str(self._python), str(self.lease.packages / _LAUNCHER), str(self.workspace.start))
        return self._order(command, script=script, refusal=self._warm_refusal(), signal_group=False)

    def _order(
        self, command: tuple[str, ...], *, script: dict[str, object] | None, refusal: str, signal_group: bool
    ) -> ProcessOrder:
        plan = self.plan
        variables = bot_variables(
            plan, self.workspace, self.platform, self.lease.folder, os.environ, self.control_room_url
        )
        if script is None:
            # The launcher sees to it elsewhere that lines come as they are written.
            variables.setdefault("PYTHONUNBUFFERED", "1")
            variables.setdefault("PYTHONIOENCODING", "utf-8")
        return ProcessOrder(
            command=command,
            variables=variables,
            folder=self.workspace.within_package(plan.launch.folder),
            channel_name=plan.attempt_id,
            environment=self.lease.folder,
            script=script,
            refusal=refusal,
            signal_group=signal_group,
            open_files=plan.limits.open_files,
            memory_bytes=plan.limits.memory_mb * _MEGABYTE,
        )

    def _filled(self, command: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word.replace("{python}", str(self._python)) for word in command)

    @property
    def _python(self) -> Path:
        return self.lease.folder / self.platform.layout.python

    def _warm_refusal(self) -> str:
        launch = self.plan.launch
        if not launch.warm:
            return "The bot asks for an interpreter of its own."
        fixed = [name for name in launch.variables if name.startswith(FIXED_AT_START)]
        if fixed:
            return f"The variable {fixed[0]} takes effect only in a new interpreter."
        return ""
