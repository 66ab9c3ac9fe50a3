"""What the API takes and gives about devices, pools and join tokens."""

import re
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from controlroom.devices.models import DeviceMode, PoolOrder, PoolShare
from controlroom.foundation.http import Schema

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$")]
LABEL = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._=:/-]{0,62}$")
Label = Annotated[str, StringConstraints(pattern=LABEL.pattern)]
Labels = Annotated[list[Label], Field(max_length=50)]
MOST_SLOTS = 256


class DeviceOut(Schema):
    """A machine with a Bot Runner."""

    id: str
    name: str
    mode: DeviceMode
    slots: int
    labels: list[str]
    facts: dict[str, Any]
    protocol_version: int = Field(
        description="What its runner spoke when it connected last; one of before 3 gets no run that has files."
    )
    connected_at: datetime | None
    seen_at: datetime | None
    joined_at: datetime
    revision: int


class DeviceEditIn(Schema):
    """What may be changed of a device."""

    name: Name | None = None
    mode: DeviceMode | None = None
    slots: int | None = Field(None, ge=1, le=MOST_SLOTS)
    labels: Labels | None = None


class DeviceBulkIn(Schema):
    """Devices that one action is for: those named, or those that a filter finds."""

    ids: list[Annotated[str, StringConstraints(min_length=1, max_length=120)]] = Field(
        default_factory=list, max_length=500
    )
    filter: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        None, description="In place of ids: the first 1,000 by name that this finds; an empty text finds all."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.ids) is (self.filter is not None):
            raise ValueError("Give ids or a filter, and not both.")
        return self


class DeviceBulkSummary(Schema):
    """What a bulk action would do, before it is done."""

    words: str = Field(examples=["Drain 3 devices; 1 is draining already and stays."])
    changes: int = Field(description="How many devices it would change.")
    stays: int = Field(description="How many it would leave as they are.")
    more: bool = Field(description="True where the filter finds more devices than are taken at once.")


class DeviceBulkResult(Schema):
    """What became of one device of a bulk action."""

    id: str
    done: bool
    message: str = ""


class PoolIn(Schema):
    """A named group of devices."""

    name: Name
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    device_ids: Annotated[list[str], Field(max_length=10_000)] = Field(
        default_factory=list, description="Its devices, in their order."
    )
    share: PoolShare = Field(PoolShare.PRIORITY, description="How the runs that wait for it share it.")
    device_order: PoolOrder = Field(PoolOrder.SPREAD, description="In which order its devices are filled.")


class PoolOut(Schema):
    """A named group of devices and who is in it."""

    id: str
    name: str
    description: str
    device_ids: list[str]
    share: PoolShare
    device_order: PoolOrder
    revision: int


class PresenceOut(Schema):
    """A device came, or went."""

    time: datetime
    is_connected: bool
    reason: str


class JoinTokenIn(Schema):
    """A wish for a join token."""

    note: Annotated[str, StringConstraints(max_length=200)] = Field("", description="What it is for.")
    labels: Labels = Field(default_factory=list, description="Labels that the joining device gets.")
    valid_minutes: int = Field(60, ge=1, le=7 * 24 * 60)


class JoinTokenOut(Schema):
    """A join token; the token itself is not kept."""

    id: str
    note: str
    labels: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    device_id: str | None


class NewJoinTokenOut(JoinTokenOut):
    """A new join token, shown this once, and the command that uses it."""

    token: str
    command: str
