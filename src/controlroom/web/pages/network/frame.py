"""What every page of the network contract knows: whether its reader may change what it shows."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.rendering import page


def network_page(
    request: Request, caller: Caller, template: str, context: Mapping[str, Any], *, status: int = 200
) -> Response:
    """Return a page of the network contract."""
    return page(
        request,
        caller,
        template,
        {"manages": caller.may(Permission.NETWORK_MANAGE), **context},
        status=status,
    )
