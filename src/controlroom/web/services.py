"""The services that a page's view calls: the same ones as the API's."""

from typing import cast

from fastapi import Request

from controlroom.bots.service import BotService
from controlroom.devices.joining import JoinService
from controlroom.devices.service import DeviceService
from controlroom.filters.service import FilterService
from controlroom.runs.input_files.service import InputFileService
from controlroom.runs.service import RunService
from controlroom.sites.service import SiteService


def bots_of(request: Request) -> BotService:
    """Return the service of bots."""
    return cast("BotService", request.app.state.bots)


def runs_of(request: Request) -> RunService:
    """Return the service of runs."""
    return cast("RunService", request.app.state.runs)


def input_files_of(request: Request) -> InputFileService:
    """Return the service of files as inputs."""
    return cast("InputFileService", request.app.state.input_files)


def devices_of(request: Request) -> DeviceService:
    """Return the service of devices and pools."""
    return cast("DeviceService", request.app.state.devices)


def joining_of(request: Request) -> JoinService:
    """Return the service of join tokens."""
    return cast("JoinService", request.app.state.joining)


def filters_of(request: Request) -> FilterService:
    """Return the service of saved filters."""
    return cast("FilterService", request.app.state.filters)


def sites_of(request: Request) -> SiteService:
    """Return the service of the declared network site."""
    return cast("SiteService", request.app.state.sites)
