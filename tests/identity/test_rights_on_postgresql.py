"""The parts of the rights matrix that lie in queries, once more on PostgreSQL, which lists runs another way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from identity import test_rights_matrix as matrix
from identity.stocked import Rooms, stock, user_with_key
from servers.postgresql import PostgresqlServer
from web.served import served_site

pytestmark = pytest.mark.postgresql
ROLES = ("operator", "viewer")


@pytest.fixture(scope="module")
def rooms(postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    folder: Path = tmp_path_factory.mktemp("rights")
    postgresql.execute("CREATE DATABASE rights_matrix")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTROLROOM_DATABASE_URL", postgresql.url("rights_matrix"))
        with served_site(folder) as site:
            assert site.app.state.database.engine.dialect.name == "postgresql"
            made = Rooms(site)
            made.own, made.foreign = stock(site, "/finance", "open"), stock(site, "/sales", "zebra")
            made.keys = {
                role: user_with_key(site, f"finance-{role}", (role, "/finance", made.own["pool"]))
                for role in ROLES
            }
            yield made
    postgresql.execute("DROP DATABASE rights_matrix WITH (FORCE)")


@pytest.mark.parametrize("role", ROLES)
def test_what_lies_elsewhere_is_as_good_as_not_there(rooms: Rooms, role: str) -> None:
    matrix.test_what_lies_elsewhere_is_as_good_as_not_there(rooms, role)


@pytest.mark.parametrize("role", ROLES)
def test_what_lies_where_the_role_was_given_opens(rooms: Rooms, role: str) -> None:
    matrix.test_what_lies_where_the_role_was_given_opens_to_its_rights_and_to_no_others(rooms, role)


@pytest.mark.parametrize("role", ROLES)
def test_no_list_count_or_search_shows_what_lies_elsewhere(rooms: Rooms, role: str) -> None:
    matrix.test_no_list_count_or_search_shows_what_lies_elsewhere(rooms, role)


def test_counts_count_only_what_may_be_seen(rooms: Rooms) -> None:
    matrix.test_counts_count_only_what_may_be_seen(rooms)
