"""The tree of folders, and moving one with the roles given at it."""

import pytest
from sqlalchemy import select

from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.models import AuditEntry
from controlroom.bots.folders import Folder, list_folders, move_folder
from controlroom.bots.models import Bot
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from controlroom.foundation.ids import new_id
from controlroom.identity.caller import Caller
from controlroom.identity.models import RoleAssignment, User
from controlroom.identity.permissions import Permission
from controlroom.identity.places import Place, Placed, PlaceKind

ACTOR = Actor(ActorKind.SYSTEM, "system", "test")
ALL = Caller(ACTOR, "usr_1", "test", frozenset(Permission))


def at(*folders: str) -> Caller:
    rights = frozenset({Permission.BOT_READ, Permission.BOT_MANAGE, Permission.RIGHTS_MANAGE})
    placed = Placed({Place(PlaceKind.FOLDER, folder): rights for folder in folders})
    return Caller(ACTOR, "usr_1", "test", rights, placed=placed)


@pytest.fixture
async def bots(database: Database, clock: Clock) -> Database:
    now = clock.now()
    async with database.write() as transaction:
        for folder, name in (
            ("/", "a"),
            ("/finance", "b"),
            ("/finance/monthly", "c"),
            ("/finances", "d"),
            ("/staff", "b"),
        ):
            transaction.session.add(
                Bot(id=new_id("bot"), name=name, folder=folder, created_at=now, updated_at=now)
            )
        user = User(id=new_id("usr"), name="alice", roles=[], created_at=now, updated_at=now)
        transaction.session.add(user)
        await transaction.session.flush()
        transaction.session.add(
            RoleAssignment(
                id=new_id("asg"), user_id=user.id, role="viewer", kind=PlaceKind.FOLDER, place="/finance/monthly",
                created_at=now, created_by="test",
            )
        )  # fmt: skip
    return database


async def test_the_tree_shows_what_one_may_see(bots: Database) -> None:
    async with bots.read() as session:
        assert await list_folders(session, ALL) == [
            Folder("/", 1, 5),
            Folder("/finance", 1, 2),
            Folder("/finance/monthly", 1, 1),
            Folder("/finances", 1, 1),
            Folder("/staff", 1, 1),
        ]
        mine = await list_folders(session, at("/finance/monthly"))
    assert [(each.path, each.bots, each.bots_in_all) for each in mine] == [
        ("/", 0, 1),
        ("/finance", 0, 1),
        ("/finance/monthly", 1, 1),
    ]


async def test_a_folder_moves_with_its_bots_and_the_roles_given_there(bots: Database, clock: Clock) -> None:
    async with bots.write() as transaction:
        assert await move_folder(transaction, ALL, "/finance", "/money/office", now=clock.now()) == 2
    async with bots.read() as session:
        folders = set(await session.scalars(select(Bot.folder)))
        places = list(await session.scalars(select(RoleAssignment.place)))
        entry = await session.scalar(select(AuditEntry).where(AuditEntry.action == "folder.moved"))
    assert folders == {"/", "/money/office", "/money/office/monthly", "/finances", "/staff"}
    assert places == ["/money/office/monthly"]
    assert entry is not None
    assert entry.detail == {"from": "/finance", "to": "/money/office", "bots": 2, "roles": 1}


@pytest.mark.parametrize(
    ("caller", "path", "to", "error"),
    [
        (ALL, "/", "/x", Invalid),
        (ALL, "/finance", "/finance/x", Invalid),
        (ALL, "/nowhere", "/x", NotFound),
        (ALL, "/finance", "/staff", Conflict),
        (ALL, "/finance", "/" + "x" * 396, Invalid),
        (at("/finance"), "/finance", "/staff", Forbidden),
        (at("/staff"), "/finance", "/staff/x", Forbidden),
    ],
)
async def test_what_cannot_be_moved_stays(
    bots: Database, clock: Clock, caller: Caller, path: str, to: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        async with bots.write() as transaction:
            await move_folder(transaction, caller, path, to, now=clock.now())
    async with bots.read() as session:
        assert "/finance" in set(await session.scalars(select(Bot.folder)))
