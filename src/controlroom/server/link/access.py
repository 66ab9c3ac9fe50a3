"""Lets devices in: by their own key, and to one attempt's files by that attempt's token besides."""

from typing import Annotated, cast

from fastapi import Depends, Header
from starlette.requests import HTTPConnection

from controlroom.devices.errors import DeviceKeyRefused
from controlroom.devices.presence import KnownDevice, Presence
from controlroom.identity.access import Guard
from controlroom.server.link.hub import LinkHub

_BEARER = "bearer "


class _DeviceKey:
    permission = Guard.DEVICE

    async def __call__(self, connection: HTTPConnection) -> KnownDevice:
        """Return the device whose key came with the request; raise `DeviceKeyRefused`."""
        given = connection.headers.get("authorization", "")
        if given[: len(_BEARER)].lower() != _BEARER:
            raise DeviceKeyRefused("Send the device's key as 'Authorization: Bearer crr_...'.")
        return await cast("Presence", connection.app.state.presence).device_of_key(
            given[len(_BEARER) :].strip()
        )


DEVICE_KEY = Depends(_DeviceKey())
DeviceCaller = Annotated[KnownDevice, DEVICE_KEY]
AttemptToken = Annotated[
    str, Header(alias="X-Attempt-Token", max_length=200, description="The attempt's fencing token.")
]


def hub_of(connection: HTTPConnection) -> LinkHub:
    """Return the hub that the server put into ``app.state.hub``."""
    return cast("LinkHub", connection.app.state.hub)


Hub = Annotated[LinkHub, Depends(hub_of)]
