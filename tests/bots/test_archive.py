import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bots.building import RawEntry, RawZip, zip_of
from controlroom.bots.archive import PackageLimits, facts_of, open_package
from controlroom.bots.errors import NotAZip, PackageRefused, PackageTooBig, UnsafeEntry
from controlroom.bots.files import read_text
from controlroom.foundation.errors import Invalid, NotFound

LIMITS = PackageLimits()
MEBIBYTE = 1024 * 1024


def opened(content: bytes, folder: Path, limits: PackageLimits = LIMITS) -> list[str]:
    path = folder / "package.zip"
    path.write_bytes(content)
    with open_package(path, limits) as files:
        return list(files.names())


def test_an_honest_zip_opens_and_reads(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(zip_of({"main.py": "print('hello')\n", "data/ä.csv": "1;2\r\n", "empty/": ""}))
    with open_package(path, LIMITS) as files:
        assert list(files.names()) == ["data/ä.csv", "main.py"]
        assert read_text(files, "data/ä.csv") == "1;2\n"
        assert not files.is_file("empty")
        with pytest.raises(NotFound):
            files.size_bytes("nothing")
        facts = facts_of(path, files)
    assert facts.files == 2
    assert facts.size_bytes == path.stat().st_size


def test_a_zip_written_as_a_stream_opens(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.content = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.content += bytes(data)  # type: ignore[call-overload]  # any buffer will do
            return len(bytes(data))  # type: ignore[call-overload]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # sizes follow the data: flag bit 3
        archive.writestr("main.py", "x" * 5000)
        with archive.open("big.txt", "w", force_zip64=True) as file:
            file.write(b"y" * 5000)
    assert opened(bytes(pipe.content), tmp_path) == ["big.txt", "main.py"]


def test_a_strongly_compressed_file_is_unpacked_to_its_end(tmp_path: Path) -> None:
    assert opened(zip_of({"zeros": bytes(900_000), "main.py": ""}), tmp_path) == ["main.py", "zeros"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (b"../evil.py", "leads out"),
        (b"a/../../evil.py", "leads out"),
        (b"a//b.py", "leads out"),
        (b"./a.py", "leads out"),
        (b"/etc/passwd", "absolute"),
        (b"C:/evil.py", "drive"),
        (b"C:evil.py", "drive"),
        (b"a\\b.py", "not every system"),
        (b"..\\evil.py", "not every system"),
        (b"file.py:stream", "not every system"),
        (b"a\nb.py", "not every system"),
        (b"a\x00b.py", "not every system"),
        (b"con.txt", "device on Windows"),
        (b"lib/NUL", "device on Windows"),
        (b"trailing./x", "Windows drops"),
        (b"blank /x", "Windows drops"),
        (b"x" * 300, "longer than"),
        (b"d/" * 60 + b"x", "deeper than"),
        (b"", "has no name"),
        (b"\x84.py", "UTF-8"),
    ],
)
def test_an_unsafe_name_is_refused_by_name(name: bytes, said: str, tmp_path: Path) -> None:
    content = RawZip([RawEntry(b"main.py"), RawEntry(name)]).build()
    with pytest.raises(UnsafeEntry, match=said):
        opened(content, tmp_path)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (RawEntry(b"link", b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "is a link"),
        (RawEntry(b"link", external=0x0400), "is a link"),
        (RawEntry(b"pipe", mode=stat.S_IFIFO | 0o644), "neither a file"),
        (RawEntry(b"disk", mode=stat.S_IFBLK | 0o644), "neither a file"),
        (RawEntry(b"folder", mode=stat.S_IFDIR | 0o755), "neither a file"),
        (RawEntry(b"root.sh", mode=stat.S_IFREG | 0o4755), "another user's rights"),
        (RawEntry(b"folder/", b"content", mode=stat.S_IFDIR | 0o755), "yet has content"),
        (RawEntry(b"secret", flags=1), "encrypted"),
        (RawEntry(b"secret", flags=0x40), "encrypted"),
        (RawEntry(b"odd", method=12), "another method"),
        (RawEntry(b"two", extra=struct.pack("<HHBL", 0x7075, 8, 1, 0) + b"../"), "two different names"),
    ],
)
def test_an_entry_of_a_harmful_kind_is_refused_by_name(entry: RawEntry, said: str, tmp_path: Path) -> None:
    with pytest.raises(PackageRefused, match=said) as refused:
        opened(RawZip([RawEntry(b"main.py"), entry]).build(), tmp_path)
    assert entry.name.decode() in refused.value.detail
    assert isinstance(refused.value, Invalid)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([b"main.py", b"main.py"], "twice"),
        ([b"main.py", b"MAIN.py"], "same file"),
        ([b"lib/a.py", b"Lib/b.py"], "same as"),
        ([b"a", b"a/b"], "which is a file"),
        ([b"a/b", b"A"], "same file"),
        ([b"a/b", b"a"], "twice"),
        ([b"a.py", b"lib/", b"LIB/"], "same folder"),
        (["stra\u00dfe".encode(), b"strasse"], "same file"),
        (["e\u0301".encode(), "\u00e9".encode()], "same file"),
    ],
)
def test_names_that_are_one_file_somewhere_are_refused(names: list[bytes], said: str, tmp_path: Path) -> None:
    entries = [RawEntry(name, b"" if name.endswith(b"/") else b"x", flags=0x0800, mode=0) for name in names]
    with pytest.raises(UnsafeEntry, match=said):
        opened(RawZip(entries).build(), tmp_path)


def test_a_folder_named_twice_is_one_folder(tmp_path: Path) -> None:
    names = [b"lib/", b"lib/a.py", b"lib/b.py"]
    entries = [RawEntry(name, b"" if name.endswith(b"/") else b"x", mode=0) for name in names]
    assert opened(RawZip(entries).build(), tmp_path) == ["lib/a.py", "lib/b.py"]


def test_a_bomb_of_one_entry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageTooBig, match="zip bomb") as refused:
        opened(zip_of({"main.py": "", "bomb": bytes(20 * MEBIBYTE)}), tmp_path)
    assert refused.value.entry == "bomb"


def test_a_bomb_of_overlapping_entries_is_refused(tmp_path: Path) -> None:
    kernel = RawEntry(b"a", b"z" * 40_000)
    entries = [kernel, *(RawEntry(f"{number}".encode(), b"z" * 40_000, offset=0) for number in range(50))]
    with pytest.raises(NotAZip):
        opened(RawZip(entries).build(), tmp_path)


def test_entries_that_share_bytes_are_refused_even_with_matching_headers(tmp_path: Path) -> None:
    inner = RawZip([RawEntry(b"b", b"inner")])
    hidden = inner._local(inner.entries[0]) + inner.entries[0].data()
    outer = RawEntry(b"a", hidden, method=zipfile.ZIP_STORED)
    start = 30 + len(b"a")
    with pytest.raises(NotAZip, match="shares bytes") as refused:
        opened(RawZip([outer, RawEntry(b"b", b"inner", offset=start)]).build(), tmp_path)
    assert refused.value.entry == "b"


@pytest.mark.parametrize(
    "entry",
    [
        RawEntry(b"lie", b"x" * 100, size=50),
        RawEntry(b"lie", b"x" * 100, size=200),
        RawEntry(b"lie", b"x" * 100, local_size=7),
        RawEntry(b"lie", b"x" * 100, crc=1),
        RawEntry(b"lie", b"x" * 100, packed_size=3),
        RawEntry(b"lie", b"x" * 100, packed_size=100_000),
        RawEntry(b"lie", b"x" * 100, local_name=b"truth"),
        RawEntry(b"lie", b"x" * 100, packed=b"no deflate stream"),
        RawEntry(b"lie", b"x" * 100, packed=RawEntry(b"", b"x" * 100).data() + b"behind the end"),
        RawEntry(b"lie", b"x" * 100, offset=100_000),
        RawEntry(b"lie", b"x" * 100, offset=1),
    ],
)
def test_a_header_that_lies_is_refused_by_name(entry: RawEntry, tmp_path: Path) -> None:
    with pytest.raises(NotAZip) as refused:
        opened(RawZip([RawEntry(b"main.py"), entry]).build(), tmp_path)
    assert "lie" in refused.value.detail


@pytest.mark.parametrize(
    "archive",
    [
        RawZip([RawEntry(b"a")], before=b"#!/bin/sh\n"),
        RawZip([RawEntry(b"a")], after=b"more"),
        RawZip([RawEntry(b"a")], count=2),
        RawZip([RawEntry(b"a")], count=0),
        RawZip([RawEntry(b"a")], offset_shift=-5),
        RawZip([RawEntry(b"a")], offset_shift=5),
    ],
)
def test_an_archive_that_is_more_or_less_than_it_says_is_refused(archive: RawZip, tmp_path: Path) -> None:
    with pytest.raises(NotAZip):
        opened(archive.build(), tmp_path)


def test_a_package_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageRefused, match="no file"):
        opened(RawZip([]).build(), tmp_path)


def test_each_limit_holds(tmp_path: Path) -> None:
    content = zip_of({"a": "x" * 1000, "b": "x" * 1000, "c": "x"})
    for limits, said in (
        (PackageLimits(packed_bytes=10), "at most 10 bytes"),
        (PackageLimits(unpacked_bytes=1500), "b: unpacked"),
        (PackageLimits(entries=2), "3 entries"),
    ):
        with pytest.raises(PackageTooBig, match=said):
            opened(content, tmp_path, limits)


def test_a_hundred_thousand_entries_are_refused_before_they_are_read(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(100_000):
            archive.writestr(zipfile.ZipInfo(f"f{number}"), b"")
    with pytest.raises(PackageTooBig, match="entries"):
        opened(target.getvalue(), tmp_path)


def test_every_truncation_of_a_package_is_refused(tmp_path: Path) -> None:
    content = zip_of({"main.py": "print(1)", "lib/tool.py": "x = 1\n" * 50})
    for length in range(len(content)):
        with pytest.raises(PackageRefused):
            opened(content[:length], tmp_path)


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_package_is_refused_or_reads_as_its_directory_says(
    data: st.DataObject, tmp_path: Path
) -> None:
    content = bytearray(zip_of({"main.py": "print(1)\n" * 9, "lib/tool.py": "x = 1\n" * 50, "lib/": ""}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "package.zip"
    path.write_bytes(bytes(content))
    try:
        files = open_package(path, LIMITS)
    except PackageRefused:
        return
    with files:
        for name in files.names():
            assert ".." not in name.split("/")
            assert sum(map(len, files.chunks(name))) == files.size_bytes(name)


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arbitrary_bytes_are_no_package(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PackageRefused):
        opened(content, tmp_path)
