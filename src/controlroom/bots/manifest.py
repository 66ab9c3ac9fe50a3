"""What a package declares of itself, whichever format it has: the result of reading a package."""

from typing import Any, Literal

import msgspec

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


class Manifest(msgspec.Struct, frozen=True):
    """A package as the product sees it. ``tasks`` has at least one entry and ``default_task`` names one of them."""

    name: str
    format: str
    description: str = ""
    tasks: tuple[Task, ...] = ()
    default_task: str = ""
    environment: EnvironmentSpec | None = None
    inputs: JsonSchema = {}
    """A JSON Schema (2020-12) of type object; empty means that any inputs are taken."""
    outputs: JsonSchema = {}
    labels: tuple[str, ...] = ()
    """Labels that a device must have."""
    limits: Limits = Limits()
    retry: RetryPolicy = RetryPolicy()
    exclusive: bool = False
    """True for a bot whose work must never overlap with itself after a lost contact: see `protocol.plan.AttemptPlan`."""
