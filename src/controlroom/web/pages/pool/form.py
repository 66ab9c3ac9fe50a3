"""The form of a pool: devices are typed by name, one a line, in their order, so that ten thousand fit as well as two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Form
from pydantic import ValidationError

from controlroom.devices.models import Device, PoolOrder, PoolShare
from controlroom.devices.schemas import PoolIn, PoolOut
from controlroom.foundation.errors import FieldError, Invalid

SHARES = (
    (PoolShare.PRIORITY.value, "By priority: the most urgent first, then the oldest"),
    (PoolShare.ROUND_ROBIN.value, "Round robin: the bots take turns"),
)
ORDERS = (
    (PoolOrder.SPREAD.value, "Evenly: the emptiest device first"),
    (PoolOrder.LISTED.value, "In order: the next device only when those before it are full"),
)


@dataclass(frozen=True, slots=True)
class PoolForm:
    """What was typed, with what is wrong with it by field."""

    name: str = ""
    description: str = ""
    devices: str = ""
    share: str = PoolShare.PRIORITY
    device_order: str = PoolOrder.SPREAD
    revision: int = 0
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def device_names(self) -> list[str]:
        """The names that were typed, each once, in their order."""
        return list(dict.fromkeys(line.strip() for line in self.devices.splitlines() if line.strip()))

    def wanted(self, devices: Mapping[str, Device]) -> PoolIn:
        """Return the pool that was typed; raise `Invalid` that names the field. ``devices`` are known by name and id."""
        missing = [name for name in self.device_names if name not in devices]
        if missing:
            message = f"There is no device '{missing[0]}'."
            raise Invalid(message, fields=(FieldError("/devices", message),))
        try:
            return PoolIn(
                name=self.name.strip(),
                description=self.description,
                share=PoolShare(self.share),
                device_order=PoolOrder(self.device_order),
                device_ids=[devices[name].id for name in self.device_names],
            )
        except ValidationError as error:
            place = str(error.errors()[0]["loc"][0])
            message = _PROBLEMS.get(place, "This does not fit.")
            raise Invalid(message, fields=(FieldError(f"/{place}", message),)) from None


_PROBLEMS = {
    "name": "A name has letters, digits, blanks and . _ -, begins with a letter or digit, and is at most 100 long.",
    "description": "A description has at most 2000 characters.",
    "device_ids": "A pool has at most 10,000 devices.",
}


def form_of(pool: PoolOut, devices: Mapping[str, Device]) -> PoolForm:
    """Return the form as it stands for a pool; devices that the reader may not see are left out."""
    return PoolForm(
        name=pool.name,
        description=pool.description,
        devices="\n".join(_names(pool.device_ids, devices)),
        share=pool.share,
        device_order=pool.device_order,
        revision=pool.revision,
    )


def _names(device_ids: Sequence[str], devices: Mapping[str, Device]) -> list[str]:
    return [devices[device_id].name for device_id in device_ids if device_id in devices]


def typed_pool(
    name: Annotated[str, Form(max_length=1000)] = "",
    description: Annotated[str, Form(max_length=10_000)] = "",
    devices: Annotated[str, Form(max_length=1_100_000)] = "",
    share: Annotated[PoolShare, Form()] = PoolShare.PRIORITY,
    device_order: Annotated[PoolOrder, Form()] = PoolOrder.SPREAD,
    revision: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
) -> PoolForm:
    """Read the form."""
    return PoolForm(name, description, devices, share, device_order, revision)


TypedPool = Annotated[PoolForm, Depends(typed_pool)]
