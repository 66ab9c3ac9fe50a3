"""Python environments for bots: addressed by what defines them, built once by uv, kept within a size limit.

`store` is the way in; `address` names an environment, `interpreters` finds its Python, `builder` builds it, `uv` runs uv.
"""

from controlroom.runner.environments.errors import BuildFailed, EnvironmentUnavailable, NoSuitablePython
from controlroom.runner.environments.store import EnvironmentLease, EnvironmentStore

__all__ = [
    "BuildFailed",
    "EnvironmentLease",
    "EnvironmentStore",
    "EnvironmentUnavailable",
    "NoSuitablePython",
]
