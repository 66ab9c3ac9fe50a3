"""Carries out one attempt: unpack, environment, start, capture, watch, collect, end. `attempt` reads like a summary."""

from controlroom.runner.execution.attempt import ArtifactUploader, AttemptExecution, ReportSink
from controlroom.runner.execution.services import ExecutionServices, end_leftovers
from controlroom.runner.execution.workspace import discard_workspace

__all__ = [
    "ArtifactUploader",
    "AttemptExecution",
    "ExecutionServices",
    "ReportSink",
    "discard_workspace",
    "end_leftovers",
]
