"""Every page as each shipped role: it opens or is refused as its permission says, by the routes themselves."""

from collections.abc import Iterator

import httpx
import pytest

from controlroom.foundation.settings import Settings
from controlroom.identity.permissions import SHIPPED_ROLES, Permission
from controlroom.identity.route_audit import route_permissions
from controlroom.server.app import create_app
from controlroom.web.navigation import ADMINISTRATION, MENU
from web.served import Site, served_site
from web.stocked import PASSWORD, Stocked, stock
from web.test_every_page import PATHS, fill

_NEEDS = {
    route.path: route.permission
    for route in route_permissions(create_app(Settings()))
    if "GET" in route.methods and isinstance(route.permission, Permission)
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served_site(tmp_path_factory.mktemp("roles")) as served:
        yield served


@pytest.fixture(scope="module")
def known(room: Site) -> Stocked:
    return stock(room, past_runs=5)


@pytest.fixture(params=sorted(SHIPPED_ROLES))
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def person(room: Site, known: Stocked, role: str) -> Iterator[httpx.Client]:
    """A browser in which someone of the role is signed in; it follows no redirects."""
    with httpx.Client(base_url=room.address, headers={"Accept": "text/html"}, timeout=60) as opened:
        answer = opened.post("/sign-in", data={"name": known.people[role], "password": PASSWORD})
        assert answer.status_code == 303
        yield opened


def test_pages_open_and_are_refused_as_their_permissions_say(
    person: httpx.Client, known: Stocked, role: str
) -> None:
    asked = {path: needs for path, needs in _NEEDS.items() if path in PATHS}
    assert len(asked) > 30
    wrong = []
    for path, needs in asked.items():
        status = person.get(fill(path, known)).status_code
        expected = (200,) if needs in SHIPPED_ROLES[role] else (403, 404)
        if status not in expected:
            wrong.append(f"{path} needs {needs.value}: {status}")
    assert wrong == []


def test_the_menu_leads_only_where_the_role_may_go(person: httpx.Client, role: str) -> None:
    text = person.get("/me").text
    for entry in MENU:
        rights = {entry.permission, *entry.or_also}
        is_shown = f'href="{entry.path}"' in text
        assert is_shown == bool(rights & SHIPPED_ROLES[role]), entry.path
        if is_shown:
            answer = person.get(entry.path)
            assert answer.status_code in ((200, 303) if entry.path == ADMINISTRATION else (200,))


def test_a_page_that_is_refused_says_so_as_a_page(person: httpx.Client, known: Stocked, role: str) -> None:
    refused = [path for path in PATHS if (needs := _NEEDS.get(path)) and needs not in SHIPPED_ROLES[role]]
    assert bool(refused) == (role != "administrator")
    for path in refused[:3]:
        answer = person.get(fill(path, known))
        assert answer.headers["content-type"].startswith("text/html")
        assert "<h1" in answer.text
        assert (answer.status_code == 403) == ("asks an administrator for it" in answer.text)
        assert "Traceback" not in answer.text
