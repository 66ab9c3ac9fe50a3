"""Routes of settings, health and what is installed."""

from dataclasses import asdict
from functools import partial
from typing import Annotated, cast

from fastapi import APIRouter, Path, Request, Response

from controlroom.administration.about import AboutService
from controlroom.administration.changes import LiveSettingsService
from controlroom.administration.components import ComponentChecks
from controlroom.administration.schemas import AboutOut, HealthOut, PartOut, SettingIn, SettingOut
from controlroom.foundation.http import PROBLEMS, require_match, set_etag
from controlroom.identity.access import permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

router = APIRouter(prefix="/api/v1", tags=["administration"], responses=PROBLEMS)

Reader = Annotated[Caller, permitted(Permission.SETTINGS_READ)]
SettingName = Annotated[str, Path(max_length=60)]

_EDIT_PROBLEMS: dict[int | str, dict[str, object]] = {
    412: {"description": "Someone changed this meanwhile"},
    428: {"description": "If-Match is missing"},
}


def live_settings_of(request: Request) -> LiveSettingsService:
    """Return the service that the server put into ``app.state.live_settings``."""
    return cast("LiveSettingsService", request.app.state.live_settings)


def components_of(request: Request) -> ComponentChecks:
    """Return the checks that the server put into ``app.state.components``."""
    return cast("ComponentChecks", request.app.state.components)


def about_of(request: Request) -> AboutService:
    """Return the service that the server put into ``app.state.about``."""
    return cast("AboutService", request.app.state.about)


@router.get("/settings")
async def list_settings(request: Request, caller: Reader) -> list[SettingOut]:
    """List every setting, its value in use, and where that came from."""
    return [SettingOut.of(each) for each in await live_settings_of(request).all(caller)]


@router.get("/settings/{name}")
async def get_setting(request: Request, response: Response, caller: Reader, name: SettingName) -> SettingOut:
    """Return one setting; the ETag is what a change names."""
    found = await live_settings_of(request).get(caller, name)
    set_etag(response, found.revision)
    return SettingOut.of(found)


@router.patch("/settings/{name}", responses=_EDIT_PROBLEMS)
async def change_setting(
    request: Request, response: Response, caller: Reader, name: SettingName, body: SettingIn
) -> SettingOut:
    """Change a setting that may change at run time, on every node, from the revision that If-Match names.

    Needs the right 'settings.manage', for `audit_retention_days` 'audit.manage'. A change that destroys
    something is refused with 409 `not_confirmed`, which says what, until it is `confirmed`.
    """
    found = await live_settings_of(request).change(
        caller,
        name,
        body.value,
        check_revision=partial(require_match, request),
        is_confirmed=body.confirmed,
    )
    set_etag(response, found.revision)
    return SettingOut.of(found)


@router.get("/health")
async def health(request: Request, caller: Reader) -> HealthOut:
    """Check every component of the node that answers, and say what to do where one is not well."""
    return HealthOut.of(await components_of(request).health(caller))


@router.get("/about")
async def about(request: Request, caller: Reader) -> AboutOut:
    """Say what runs here: version, database, node, since when."""
    found = asdict(await about_of(request).about(caller))
    return AboutOut(schema_revision=found.pop("schema"), **found)


@router.get("/about/parts")
async def parts(request: Request, caller: Reader) -> list[PartOut]:
    """List the parts that the product is made of, with their licences."""
    return [PartOut(**asdict(part)) for part in await about_of(request).parts(caller)]
