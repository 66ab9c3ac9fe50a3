"""Blobs: whole or not there."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlroom.foundation.blobs import BlobStore, CorruptBlob
from controlroom.foundation.errors import Invalid, NotFound, TooLarge


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_blob_is_found_by_the_hash_of_its_content(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    stored = await store.put(pieces(b"one", b"two"), limit_bytes=10)
    assert (stored.sha256, stored.size_bytes) == (hashlib.sha256(b"onetwo").hexdigest(), 6)
    assert b"".join([part async for part in store.read(stored.sha256)]) == b"onetwo"


@pytest.mark.parametrize("problem", [TooLarge, Invalid])
async def test_what_is_refused_leaves_nothing_behind(tmp_path: Path, problem: type[Exception]) -> None:
    store = BlobStore(tmp_path)
    limit, expected = (3, None) if problem is TooLarge else (10, "0" * 64)
    with pytest.raises(problem):
        await store.put(pieces(b"four"), limit_bytes=limit, expected_sha256=expected)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_damaged_blob_is_found_out(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    stored = await store.put_bytes(b"content")
    (await store.path(stored.sha256)).write_bytes(b"other")
    with pytest.raises(CorruptBlob, match="restore it"):
        await store.verified_path(stored.sha256)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "ABC", "0" * 63])
async def test_a_name_that_is_no_hash_leads_nowhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        await BlobStore(tmp_path).path(name)
