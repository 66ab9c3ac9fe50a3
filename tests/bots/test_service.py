import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bots.building import zip_of
from controlroom.audit.models import AuditEntry
from controlroom.audit.service import verify
from controlroom.bots.compare import ChangeKind
from controlroom.bots.errors import (
    AmbiguousBot,
    CurrentVersionKept,
    DeclarationInvalid,
    NameInvalid,
    NoCurrentVersion,
    NoSuchBot,
    NoSuchVersion,
    PackageRefused,
    UploadTooLarge,
    VersionRetired,
)
from controlroom.bots.lookup import manifest_of, version_for_run
from controlroom.bots.models import Bot
from controlroom.bots.publishing import Published
from controlroom.bots.service import BotService, Edit
from controlroom.foundation.blobs import BlobStore, CorruptBlob
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Forbidden, Invalid, PreconditionFailed
from controlroom.foundation.outbox import read_events
from controlroom.foundation.paging import PageRequest
from controlroom.identity.caller import Caller


def content(mark: str = "1", name: str = "Orders", **more: str) -> bytes:
    declared = f'name = "{name}"\n[inputs]\nzebra = "string"\napple = {{type = "number", default = 1}}\n'
    return zip_of({"controlroom.toml": declared, "main.py": f"print({mark})\n", **more})


async def chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def any_revision(_revision: int) -> None:
    """Stand for an edit that takes whatever is there."""


async def publish(
    bots: BotService, caller: Caller, data: bytes | None = None, **options: object
) -> Published:
    return await bots.publish(caller, chunks(data or content()), **options)  # type: ignore[arg-type]


async def audit_actions(database: Database) -> list[str]:
    async with database.read() as session:
        assert not (await verify(session)).faults
        return list(await session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))


async def test_the_first_publish_makes_the_bot(bots: BotService, author: Caller, database: Database) -> None:
    published = await publish(bots, author, note="  first ")
    assert published.created
    assert (published.bot.name, published.bot.folder, published.bot.revision) == ("Orders", "/", 1)
    assert (published.version.number, published.version.note) == (1, "first")
    assert published.bot.current_version_id == published.version.id
    assert await audit_actions(database) == ["bot.created", "bot.published"]
    async with database.read() as session:
        events = await read_events(session, after=0)
    assert [(event.kind, event.subject) for event in events] == [
        ("bot.created", published.bot.id),
        ("bot.published", published.bot.id),
    ]
    assert events[1].data["version"] == 1


async def test_the_same_content_is_the_same_version(
    bots: BotService, author: Caller, database: Database
) -> None:
    first = await publish(bots, author)
    again = await publish(bots, author)
    assert not again.created
    assert again.version.id == first.version.id
    assert again.bot.revision == first.bot.revision
    assert len(await audit_actions(database)) == 2


async def test_versions_count_up_and_become_current_where_asked(bots: BotService, author: Caller) -> None:
    await publish(bots, author)
    second = await publish(bots, author, content("2"), make_current=False)
    assert (second.version.number, second.current.number) == (2, 1)
    third = await publish(bots, author, content("3"))
    assert (third.version.number, third.current.number) == (3, 3)


async def test_a_name_given_goes_before_the_declared_one(bots: BotService, author: Caller) -> None:
    published = await publish(bots, author, name=" Other ", folder="finance/monthly")
    assert (published.bot.name, published.bot.folder) == ("Other", "/finance/monthly")


async def test_the_folder_is_needed_only_for_namesakes(bots: BotService, author: Caller) -> None:
    first = await publish(bots, author, folder="/a")
    assert (await publish(bots, author, content("2"))).bot.id == first.bot.id
    second = await publish(bots, author, folder="/b")
    assert second.bot.id != first.bot.id
    with pytest.raises(AmbiguousBot, match="/a, /b"):
        await publish(bots, author, content("3"))
    assert (await publish(bots, author, content("3"), folder="/a")).bot.id == first.bot.id
    assert (await bots.get_bot(author, "/b/Orders")).bot.id == second.bot.id


async def test_a_form_keeps_the_authors_order(bots: BotService, author: Caller, database: Database) -> None:
    published = await publish(bots, author)
    async with database.read() as session:
        _, version, manifest = await version_for_run(session, published.bot.id)
    assert list(manifest.inputs["properties"]) == ["zebra", "apple"]
    assert manifest_of(version) == manifest


async def test_what_a_run_needs_is_found_by_name_and_number(
    bots: BotService, author: Caller, database: Database
) -> None:
    await publish(bots, author)
    await publish(bots, author, content("2"))
    async with database.read() as session:
        assert (await version_for_run(session, "Orders"))[1].number == 2
        bot, version, manifest = await version_for_run(session, "Orders", 1)
        assert (bot.name, version.number, manifest.name) == ("Orders", 1, "Orders")
        for reference in ("Nothing", "bot_" + "0" * 26, "a\0b", "", "/", "x" * 5000):
            with pytest.raises(NoSuchBot):
                await version_for_run(session, reference)
        for number in (0, -1, 3, 2**40):
            with pytest.raises(NoSuchVersion):
                await version_for_run(session, "Orders", number)


async def test_a_retired_version_is_not_run_and_can_come_back(
    bots: BotService, author: Caller, database: Database
) -> None:
    await publish(bots, author)
    await publish(bots, author, content("2"))
    _, version = await bots.retire(author, "Orders", 1)
    assert version.retired_at is not None
    async with database.read() as session:
        with pytest.raises(VersionRetired):
            await version_for_run(session, "Orders", 1)
    with pytest.raises(VersionRetired):
        await bots.set_current(author, "Orders", 1)
    with pytest.raises(CurrentVersionKept):
        await bots.retire(author, "Orders", 2)
    await bots.retire(author, "Orders", 1)
    await bots.unretire(author, "Orders", 1)
    async with database.read() as session:
        assert (await version_for_run(session, "Orders", 1))[1].number == 1
    assert (await audit_actions(database))[3:] == ["bot.version_retired", "bot.version_unretired"]


async def test_a_bot_without_a_current_version_says_so(
    bots: BotService, author: Caller, database: Database
) -> None:
    await publish(bots, author)
    async with database.write() as transaction:
        await transaction.session.execute(update(Bot).values(current_version_id=None))
    async with database.read() as session:
        with pytest.raises(NoCurrentVersion):
            await version_for_run(session, "Orders")


async def test_rolling_back_moves_the_current_version(
    bots: BotService, author: Caller, database: Database
) -> None:
    await publish(bots, author)
    await publish(bots, author, content("2"))
    view = await bots.set_current(author, "Orders", 1)
    assert view.current is not None
    assert view.current.number == 1
    await bots.set_current(author, "Orders", 1)
    assert (await audit_actions(database)).count("bot.current_changed") == 1
    async with database.read() as session:
        assert (await version_for_run(session, "Orders"))[1].number == 1


async def test_an_edit_names_the_revision_it_was_made_from(
    bots: BotService, author: Caller, database: Database
) -> None:
    await publish(bots, author)

    def refuse(revision: int) -> None:
        raise PreconditionFailed(f"it is {revision}")

    with pytest.raises(PreconditionFailed, match="it is 1"):
        await bots.edit(author, "Orders", Edit(description="x"), check_revision=refuse)
    view = await bots.edit(author, "Orders", Edit("new", "/finance", 3), check_revision=any_revision)
    assert (view.bot.description, view.bot.folder, view.bot.most_at_once, view.bot.revision) == (
        "new",
        "/finance",
        3,
        2,
    )
    view = await bots.edit(author, "Orders", Edit(most_at_once=0), check_revision=any_revision)
    assert view.bot.most_at_once is None
    unchanged = await bots.edit(author, "Orders", Edit("new"), check_revision=any_revision)
    assert unchanged.bot.revision == view.bot.revision
    assert (await audit_actions(database)).count("bot.edited") == 2


async def test_a_bot_is_not_moved_onto_its_namesake(bots: BotService, author: Caller) -> None:
    await publish(bots, author, folder="/a")
    await publish(bots, author, folder="/b")
    with pytest.raises(Conflict, match="/b has a bot named 'Orders' already"):
        await bots.edit(author, "/a/Orders", Edit(folder="/b"), check_revision=any_revision)


async def test_an_edit_that_cannot_be_stored_is_refused(bots: BotService, author: Caller) -> None:
    await publish(bots, author)
    for edit in (Edit(description="a\0b"), Edit(description="x" * 2001), Edit(folder="/a/../b")):
        with pytest.raises(Invalid):
            await bots.edit(author, "Orders", edit, check_revision=any_revision)


async def test_versions_are_compared_by_content(bots: BotService, author: Caller) -> None:
    await publish(bots, author)
    await publish(bots, author, content("2", **{"new.py": "x = 1\n"}))
    comparison = await bots.compare(author, "Orders", 1, 2)
    assert [(change.path, change.kind) for change in comparison.changes] == [
        ("main.py", ChangeKind.CHANGED),
        ("new.py", ChangeKind.ADDED),
    ]
    assert "-print(1)\n+print(2)\n" in comparison.changes[0].diff


async def test_a_damaged_package_is_not_compared(bots: BotService, author: Caller, blobs: BlobStore) -> None:
    first = await publish(bots, author)
    await publish(bots, author, content("2"))
    path = await blobs.path(first.version.sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptBlob):
        await bots.compare(author, "Orders", 1, 2)


REFUSALS: list[tuple[bytes, type[Exception], str]] = [
    (b"", PackageRefused, "no package in the request"),
    (b"hello", PackageRefused, "not a zip"),
    (content()[:-30], PackageRefused, "not a zip"),
    (zip_of({"main.py": "(", "controlroom.toml": "inputs = {}"}), DeclarationInvalid, "main.py, line 1"),
    (zip_of({"README.md": "x"}), DeclarationInvalid, "Nothing in the package"),
    (zip_of({"main.py": ""}), NameInvalid, "does not say the bot's name"),
    (zip_of({"../evil.py": ""}), PackageRefused, "leads out"),
    (bytes(2_000_000), UploadTooLarge, "larger than the 1,048,576 bytes"),
]


async def test_what_cannot_be_published_leaves_nothing_behind(
    bots: BotService, author: Caller, database: Database, tmp_path: Path
) -> None:
    for data, error, said in REFUSALS:
        with pytest.raises(error, match=said):
            await bots.publish(author, chunks(data, 100_000))
        assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []
    assert await audit_actions(database) == []


async def test_an_announced_size_or_hash_that_differs_is_refused(bots: BotService, author: Caller) -> None:
    with pytest.raises(UploadTooLarge):
        await publish(bots, author, size_bytes=2_000_000)
    with pytest.raises(Invalid, match="as announced"):
        await publish(bots, author, expected_sha256="0" * 64)


async def test_a_broken_upload_leaves_nothing_behind(
    bots: BotService, author: Caller, tmp_path: Path
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield content()[:100]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await bots.publish(author, broken())
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []


async def test_publishing_at_once_loses_and_doubles_nothing(bots: BotService, author: Caller) -> None:
    uploads = [publish(bots, author, content(str(n % 4))) for n in range(8)]
    published = await asyncio.gather(*uploads)
    assert len({one.bot.id for one in published}) == 1
    assert sorted(one.version.number for one in published if one.created) == [1, 2, 3, 4]
    assert len({one.version.id for one in published}) == 4


async def test_each_act_needs_its_right(bots: BotService, author: Caller, viewer: Caller) -> None:
    await publish(bots, author)
    for act in (
        publish(bots, viewer),
        bots.set_current(viewer, "Orders", 1),
        bots.retire(viewer, "Orders", 1),
        bots.unretire(viewer, "Orders", 1),
        bots.edit(viewer, "Orders", Edit(), check_revision=any_revision),
    ):
        with pytest.raises(Forbidden):
            await act
    assert (await bots.get_bot(viewer, "Orders")).bot.name == "Orders"


async def test_bots_are_listed_filtered_and_paged(bots: BotService, author: Caller) -> None:
    for name, folder in (
        ("Alpha", "/finance"),
        ("Beta", "/finance/monthly"),
        ("Gamma", "/financeer"),
        ("delta", "/"),
    ):
        await publish(bots, author, content(name=name), folder=folder)

    async def names(filter_: str = "", **more: object) -> list[str]:
        page = await bots.list_bots(author, PageRequest(filter=filter_, **more))  # type: ignore[arg-type]
        return [view.bot.name for view in page.items]

    assert set(await names()) == {"Alpha", "Beta", "Gamma", "delta"}
    assert await names("folder:/finance") == ["Alpha", "Beta"]
    assert await names("folder:/finance/*") == ["Alpha", "Beta"]
    assert len(await names("folder:/")) == 4
    assert await names("name:B*") == ["Beta"]
    assert await names("elt") == ["delta"]
    page = await bots.list_bots(author, PageRequest(limit=3))
    assert page.next_cursor is not None
    rest = await bots.list_bots(author, PageRequest(limit=3, cursor=page.next_cursor))
    assert {view.bot.name for view in [*page.items, *rest.items]} == {"Alpha", "Beta", "Gamma", "delta"}
    assert all(view.current is not None and view.current.number == 1 for view in page.items)


async def test_versions_are_listed_newest_first(bots: BotService, author: Caller) -> None:
    for mark in range(3):
        await publish(bots, author, content(str(mark)), note=f"change {mark}")
    bot, page = await bots.list_versions(author, "Orders", PageRequest())
    assert bot.name == "Orders"
    assert [version.number for version in page.items] == [3, 2, 1]
    _, page = await bots.list_versions(author, "Orders", PageRequest(filter='number>=2 "change 1"'))
    assert [version.number for version in page.items] == [2]
