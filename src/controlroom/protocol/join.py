"""How a runner joins: a one-time token is exchanged for the runner's own key."""

import msgspec

from controlroom.protocol.messages import DeviceFacts


class JoinRequest(msgspec.Struct, frozen=True):
    """Sent once, as JSON, to the join path."""

    token: str
    name: str
    facts: DeviceFacts
    slots: int = 1
    labels: tuple[str, ...] = ()


class JoinReply(msgspec.Struct, frozen=True):
    """The runner's identity; ``key`` is shown this once."""

    device_id: str
    device_name: str
    key: str
