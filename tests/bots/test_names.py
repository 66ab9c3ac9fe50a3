from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controlroom.bots.errors import NameInvalid, UnsafeEntry
from controlroom.bots.names import (
    LONGEST_BOT_NAME,
    bot_name,
    check_path,
    cleaned_bot_name,
    collision_key,
    folder_path,
)

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
AWKWARD = st.lists(
    st.sampled_from(["..", ".", "/", "\\", "a", "B", "c:", "con", " ", "\0", "ä", "x.py"]), max_size=6
)


@given(st.one_of(TEXT, AWKWARD.map("".join), AWKWARD.map("/".join)))
@example("C:\\x")
def test_a_path_that_passes_stays_inside_on_every_system(path: str) -> None:
    try:
        check_path(path)
    except UnsafeEntry:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        parsed = kind(path)
        assert not parsed.is_absolute()
        assert not parsed.drive
        assert not parsed.root
        assert ".." not in parsed.parts
        assert str(parsed).replace("\\", "/") == path.removesuffix("/")


@given(TEXT)
def test_a_bot_name_that_passes_is_its_own_normal_form(text: str) -> None:
    try:
        name = bot_name(text)
    except NameInvalid:
        return
    assert bot_name(name) == name
    assert 0 < len(name) <= LONGEST_BOT_NAME
    assert not set('/\\"<>*:,|?\0') & set(name)


@given(st.text(max_size=200))
def test_a_cleaned_name_stands_or_is_empty(text: str) -> None:
    name = cleaned_bot_name(text)
    if name and not name.startswith("bot_"):
        assert bot_name(name) == name


@pytest.mark.parametrize("name", ["", "  ", "a/b", "x" * 101, "-x", ".x", "bot_1", "a:b", "a\nb", "a,b"])
def test_a_name_that_cannot_stand_is_refused_with_its_field(name: str) -> None:
    with pytest.raises(NameInvalid) as refused:
        bot_name(name)
    assert refused.value.fields[0].pointer == "/name"


@pytest.mark.parametrize(
    ("given_path", "path"),
    [("", "/"), ("/", "/"), ("finance", "/finance"), ("/a//b/", "/a/b"), (" a / b ", "/a/b")],
)
def test_a_folder_has_one_normal_form(given_path: str, path: str) -> None:
    assert folder_path(given_path) == path


@pytest.mark.parametrize("path", ["/a/..", "/a/b:c", "/" + "x" * 500, "/a\0b"])
def test_a_folder_that_cannot_stand_is_refused(path: str) -> None:
    with pytest.raises(NameInvalid):
        folder_path(path)


def test_case_and_composition_do_not_count_for_collisions() -> None:
    assert collision_key("Ä.py") == collision_key("a\u0308.PY")
    assert collision_key("a") != collision_key("b")
