"""The fixtures of the attempts' tests, for those of warm interpreters too."""

from runner.execution.conftest import lab, services, state_folder

__all__ = ["lab", "services", "state_folder"]
