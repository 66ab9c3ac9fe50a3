"""The process that answers one question about a site: the question comes on standard input, the answer goes out as JSON.

It limits its own memory and processor time before it reads anything, for sites and rulesets come from people.
"""

import json
import sys
from typing import Any

from controlroom.network.errors import BadSite, NetworkError
from controlroom.sites.jobs import JOBS

MEMORY_BYTES = 1024 * 1024 * 1024
PROCESSOR_SECONDS = 25


def main() -> None:
    """Answer the one question."""
    limit_itself()
    asked = json.load(sys.stdin)
    json.dump(answer(asked), sys.stdout)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"found": ...}``, or ``{"refused": ...}`` with the sentence, line and key of what cannot stand."""
    try:
        return {"found": JOBS[asked["job"]](asked)}
    except BadSite as error:
        return {"refused": str(error), "kind": "BadSite", "line": error.line, "key": error.key}
    except NetworkError as error:
        return {"refused": str(error), "kind": type(error).__name__, "line": None, "key": ""}
    except (MemoryError, RecursionError):
        return {
            "refused": "it needs more memory than is given to it",
            "kind": "TooLarge",
            "line": None,
            "key": "",
        }


def limit_itself() -> None:
    """Set the limits, where the system has such."""
    if sys.platform == "win32":
        return
    import resource  # the module is missing on Windows

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
