"""Every route says what it needs, and keeps to it: nobody and a mere viewer are turned away wherever they should be."""

import re

import httpx
import pytest

from bad_input.conftest import Stocked
from controlroom.foundation.settings import Settings
from controlroom.identity.access import Guard
from controlroom.identity.permissions import SHIPPED_ROLES, Permission
from controlroom.identity.route_audit import WEBSOCKET, RoutePermission, route_permissions
from controlroom.server.app import create_app

ROUTES = route_permissions(create_app(Settings()))
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_NEED_MORE = {
    "/api/v1/bots/{bot}/compare": 422,  # two versions
    "/api/v1/network/diagram": 404,  # a declared site, as the next ones do
    "/api/v1/network/flows": 404,
    "/api/v1/network/rules": 422,
    "/api/v1/network/site": 404,
    "/api/v1/users/{user_id}/why": 422,  # the right in question
    "/network/rules/download": 422,  # a target
    "/runs/{run_id}/pictures/{artifact_id}": 404,  # an artifact that is a picture
}
"""What those who have the right are answered where the stocked room lacks what a question needs."""
_IDS = {f"{'+'.join(route.methods)} {route.path}": route for route in ROUTES}


def requests_of(route: RoutePermission) -> list[tuple[str, str]]:
    """Return the requests that a route takes, without a body, WebSockets as the upgrade that opens them."""
    methods = [method for method in route.methods if method not in (WEBSOCKET, "HEAD", "OPTIONS")]
    return [(method, route.path) for method in methods]


def fill(path: str, known: dict[str, object]) -> str:
    """Put ids that exist into a path, and for the rest what could be one."""
    return _PARAMETER.sub(lambda found: str(known.get(found[1], "1")), path)


def test_every_route_has_a_permission_or_a_mark() -> None:
    assert len(ROUTES) > 60
    assert [route.path for route in ROUTES if route.permission is None] == []


def test_only_these_routes_are_public() -> None:
    public = {route.path for route in ROUTES if route.permission is Guard.PUBLIC}
    assert public == {
        "/api/v1/session",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/runner/v1/join",
        "/api/v1/session/second-step",
        "/sign-in",
        "/sign-in/second-step",
        "/static/{digest}/{path:path}",
    }


def test_nobody_is_turned_away_from_every_route_that_is_not_public(stocked: Stocked) -> None:
    with stocked.room.client(None) as client:
        wrong = [
            f"{method} {path}: {answer.status_code}"
            for route in ROUTES
            if route.permission is not Guard.PUBLIC
            for method, path in requests_of(route)
            if not _turned_away(answer := client.request(method, fill(path, stocked.known)))
        ]
    assert not wrong


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_a_role_is_refused_where_it_lacks_the_right(stocked: Stocked, role: str) -> None:
    with stocked.room.client(role) as client:
        tried, wrong = 0, []
        for route in ROUTES:
            permission = route.permission
            if (
                permission is Guard.PUBLIC
                or permission in (Guard.SIGNED_IN, Guard.ENROLLING, Guard.RENEWING)
                or permission in SHIPPED_ROLES[role]
            ):
                continue
            expected = (401,) if permission is Guard.DEVICE else (403, 404)
            for method, path in requests_of(route):
                tried += 1
                answer = client.request(method, fill(path, stocked.known))
                if answer.status_code not in expected:
                    wrong.append(f"{method} {path} needs {permission}: {answer.status_code}")
    assert tried > 20
    assert not wrong


def test_a_role_gets_in_where_it_has_the_right(stocked: Stocked) -> None:
    readable = [
        route
        for route in ROUTES
        if isinstance(route.permission, Permission)
        and route.methods == ("GET",)
        and "stream" not in route.path
        and route.path != "/api/v1/events"
        and all(name in stocked.known for name in _PARAMETER.findall(route.path))
    ]
    with stocked.room.client() as client:
        answers = {route.path: client.get(fill(route.path, stocked.known)) for route in readable}
    refused = {path: answer.status_code for path, answer in answers.items() if not answer.is_success}
    assert refused == _NEED_MORE


def _turned_away(answer: httpx.Response) -> bool:
    to_sign_in = answer.status_code in (302, 303, 307) and "/sign-in" in answer.headers["location"]
    return answer.status_code == 401 or to_sign_in
