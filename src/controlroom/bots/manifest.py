"""What a package declares of itself, whichever format it has: the result of reading a package."""

from typing import Any, Literal

import msgspec

from controlroom.bots.errors import NoSuchTask, shown
from controlroom.foundation.errors import FieldError
from controlroom.protocol.plan import EnvironmentSpec, Launch, Limits

JsonSchema = dict[str, Any]


class RetryPolicy(msgspec.Struct, frozen=True):
    """When a run is tried again: ``on`` loss only, or on failure too; at most ``count`` more attempts.

    The n-th further attempt waits ``backoff_seconds * 2**(n-1)``, at most ``backoff_limit_seconds``, plus or minus a
    quarter by chance.
    """

    on: Literal["never", "loss", "failure"] = "never"
    count: int = 3
    backoff_seconds: float = 5
    backoff_limit_seconds: float = 3600


class Task(msgspec.Struct, frozen=True):
    """One way to start a package."""

    name: str
    launch: Launch
    description: str = ""
    inputs: JsonSchema | None = None
    """The inputs of this task alone; None means those of the package."""


class PlatformVariant(msgspec.Struct, frozen=True):
    """What differs on one kind of machine, for packages that say so (rcc's ``environmentConfigs``).

    ``system`` is ``linux``, ``darwin`` or ``windows``; ``machine`` is ``amd64`` or ``arm64``.
    """

    system: str
    machine: str
    environment: EnvironmentSpec | None
    """None for a machine on which the package cannot run."""
    pre_run: tuple[tuple[str, ...], ...] = ()


class Manifest(msgspec.Struct, frozen=True):
    """A package as the product sees it. ``tasks`` has at least one entry and ``default_task`` names one of them."""

    name: str
    format: str
    description: str = ""
    tasks: tuple[Task, ...] = ()
    default_task: str = ""
    environment: EnvironmentSpec | None = None
    """None where the package cannot run on the usual machine (linux, amd64): see ``variants``."""
    inputs: JsonSchema = {}
    """A JSON Schema (2020-12) of type object; empty means that any inputs are taken."""
    outputs: JsonSchema = {}
    labels: tuple[str, ...] = ()
    """Labels that a device must have."""
    limits: Limits = Limits()
    retry: RetryPolicy = RetryPolicy()
    exclusive: bool = False
    """True for a bot whose work must never overlap with itself after a lost contact: see `protocol.plan.AttemptPlan`."""
    variants: tuple[PlatformVariant, ...] = ()
    """Machines on which environment or preparation differ from the rest."""

    def task(self, name: str = "") -> Task:
        """Return a task by its name, the default one for an empty name; raise `NoSuchTask`."""
        wanted = name or self.default_task
        for task in self.tasks:
            if task.name == wanted:
                return task
        known = ", ".join(task.name for task in self.tasks)
        message = f"There is no task '{shown(wanted)}'; there are {known}."
        raise NoSuchTask(message, fields=(FieldError("/task", message),))

    def inputs_of(self, task: str = "") -> JsonSchema:
        """Return the schema of a task's inputs; empty where any inputs are taken. Raises `NoSuchTask`."""
        own = self.task(task).inputs
        return self.inputs if own is None else own

    def on_machine(self, system: str, machine: str) -> "Manifest":
        """Return the manifest as it is on one kind of machine; names as ``platform.system`` and ``machine`` give them."""
        system, machine = system.lower(), _MACHINES.get(machine.lower(), machine.lower())
        for variant in self.variants:
            if (variant.system, variant.machine) == (system, machine):
                tasks = tuple(
                    msgspec.structs.replace(
                        task, launch=msgspec.structs.replace(task.launch, pre_run=variant.pre_run)
                    )
                    for task in self.tasks
                )
                return msgspec.structs.replace(
                    self, environment=variant.environment, tasks=tasks, variants=()
                )
        return self


_MACHINES = {"x86_64": "amd64", "x64": "amd64", "aarch64": "arm64"}
