"""Who acts, as the audit log keeps it."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """What acts."""

    USER = "user"
    API_KEY = "api_key"
    DEVICE = "device"
    SYSTEM = "system"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone or something that acts; ``address`` is where from, ``request_id`` the request it belongs to."""

    kind: ActorKind
    id: str
    name: str
    address: str = ""
    request_id: str = ""


SYSTEM = Actor(ActorKind.SYSTEM, "system", "Control Room")
"""The product itself: dispatcher, sweeps and first set-up."""
