import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.conftest import MakePackage
from controlroom.bots.documents import MOST_NODES, parse_toml, parse_yaml, read_yaml
from controlroom.bots.errors import DeclarationInvalid

PARSERS = (parse_toml, parse_yaml)


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (laughs(9), "more than"),
        ("a: &a [*a]", "before its anchor ends"),
        ("a: *nothing", "before its anchor ends"),
        ("[" * 100_000, "nesting depth"),
        ("a: " + "{b: " * 100, "deeper"),
        ("a: 1\nb: 2\na: 3", "the key 'a' twice"),
        ("a: [1, 2", "line"),
        ("a: !!python/object/apply:os.system [id]", "python"),
        ("a: 2026-99-99", "read as YAML"),
        ("- 1\n- 2", "must be a mapping"),
        ("a: .nan", "a: must be a finite"),
        ("a: " + "9" * 30, "64 bits"),
        ("a: " + "9" * 5000, "read as YAML"),
        ("? [x]\n: 1", "YAML"),
        ("{true: b}", "keys are text"),
        ('a: "\\0"', "NUL"),
        ('a: "\\ud800"', "YAML"),
        ("a: !!binary aGVsbG8=", "bytes"),
        ("a: b: c", "line 1"),
        ("\n".join(f"k{n}: 1" for n in range(MOST_NODES)), "more than"),
    ],
)
def test_hostile_yaml_is_refused_and_says_why(text: str, said: str) -> None:
    with pytest.raises(DeclarationInvalid, match=said) as refused:
        parse_yaml(text, "robot.yaml")
    assert refused.value.detail.startswith("robot.yaml")
    assert len(refused.value.detail) < 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = [", "not TOML"),
        ("a = 1\na = 2", "not TOML"),
        ("a = nan", "finite"),
        ("a = " + "9" * 30, "64 bits"),
        ('a = "\\u0000"', "a: holds a NUL"),
        ("a = " + "[" * 5000 + "]" * 5000, "too deep"),
        (".".join(["a"] * 500) + " = 1", "deep"),
        ("a = [" + "1," * (MOST_NODES + 5) + "]", "more than"),
    ],
)
def test_hostile_toml_is_refused_and_says_why(text: str, said: str) -> None:
    with pytest.raises(DeclarationInvalid, match=said):
        parse_toml(text, "controlroom.toml")


def test_anchors_and_merges_that_stay_small_are_taken() -> None:
    text = "base: &base {a: 1, b: [x]}\nmore:\n  <<: *base\n  c: 2026-01-31\nlist: [*base, *base]\n"
    document = parse_yaml(text, "x.yaml")
    assert document["more"] == {"a": 1, "b": ["x"], "c": "2026-01-31"}
    assert document["list"] == [{"a": 1, "b": ["x"]}] * 2


def test_empty_yaml_is_an_empty_mapping() -> None:
    assert parse_yaml("# nothing\n", "x.yaml") == {}


def test_dates_become_text() -> None:
    assert parse_toml("d = 2026-01-31\nt = 08:00:00\n", "x.toml") == {"d": "2026-01-31", "t": "08:00:00"}


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "not UTF-8"), (b"a: 1\0", "NUL"), (b"# " + b"x" * 300_000, "larger than")],
)
def test_a_file_that_is_no_text_is_refused(package: MakePackage, content: bytes, said: str) -> None:
    with pytest.raises(DeclarationInvalid, match=said):
        read_yaml(package({"robot.yaml": content}), "robot.yaml")


def test_line_ends_and_byte_order_mark_do_not_matter(package: MakePackage) -> None:
    assert read_yaml(package({"robot.yaml": b"\xef\xbb\xbfa: 1\r\nb: 2\r\n"}), "robot.yaml") == {
        "a": 1,
        "b": 2,
    }


@given(st.text(max_size=200), st.sampled_from(PARSERS))
def test_any_text_is_read_or_refused(text: str, parse: object) -> None:
    assert callable(parse)
    try:
        document = parse(text, "file")
    except DeclarationInvalid:
        return
    assert isinstance(document, dict)


FRAGMENTS = [
    "a: ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&x ",
    "*x",
    "!!int ",
    "'",
    '"',
    "\n",
    " ",
    "? ",
    "<<: ",
    "1",
    "|",
    "%",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40))
def test_any_yaml_like_text_is_read_or_refused(parts: list[str]) -> None:
    with contextlib.suppress(DeclarationInvalid):
        assert isinstance(parse_yaml("".join(parts), "file"), dict)
