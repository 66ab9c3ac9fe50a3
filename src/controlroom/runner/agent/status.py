"""What the running agent says of itself to other processes of this machine: a small file beside its identity."""

from pathlib import Path

import msgspec

from controlroom.runner.disk import write_private

_STATUS_FILE = "status.json"


class AgentStatus(msgspec.Struct, frozen=True):
    """A moment of the agent. ``since`` and ``written`` are Unix times in seconds."""

    pid: int
    started: float
    written: float
    link: str
    """``connecting``, ``connected`` or ``refused``."""
    link_since: float
    transport: str = ""
    reason: str = ""
    """Why there is no connection."""
    draining: bool = False
    running: tuple[str, ...] = ()
    """Ids of attempts with a bot."""
    undelivered: tuple[str, ...] = ()
    """Ids of attempts that have ended and whose reports are not all with the Control Room."""


def write_status(state: Path, status: AgentStatus) -> None:
    """Replace the status file. Blocking."""
    write_private(state / _STATUS_FILE, msgspec.json.encode(status))


def read_status(state: Path) -> AgentStatus | None:
    """Return what the last agent of this state folder said, or None where there is nothing to be read."""
    try:
        return msgspec.json.decode((state / _STATUS_FILE).read_bytes(), type=AgentStatus)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
