import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bots.conftest import MakePackage
from controlroom.bots.errors import DeclarationInvalid, UnknownFormat
from controlroom.bots.formats import read_package
from controlroom.bots.formats.pep723 import FORMAT, blocks
from controlroom.protocol.plan import EnvironmentKind, LaunchKind

CANONICAL = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""The specification's own expression (packaging.python.org: Inline script metadata)."""

SCRIPT = """\
#!/usr/bin/env -S uv run
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "httpx>=0.28",
#   "rich==14.2.0",
# ]
#
# [tool.controlroom]
# name = "Fetch rates"
# timeout = "5m"
# inputs.day = { type = "string", format = "date" }
# ///
print("hello")
"""

LINES = st.lists(
    st.sampled_from(["# /// script", "# /// other-1", "# ///", "#", "# a = 1", "#a", "x = 1", "", "# /// bad type", "# ///  "]),
    max_size=14,
)  # fmt: skip


def canonical(source: str) -> list[tuple[str, str]]:
    found = []
    for match in CANONICAL.finditer(source):
        lines = match["content"].splitlines(keepends=True)
        found.append(
            (match["type"], "".join(line[2:] if line.startswith("# ") else line[1:] for line in lines))
        )
    return found


@given(LINES, st.booleans())
@example(["# /// script", "# a", "# ///", "# /// script", "# ///"], True)
def test_blocks_are_those_of_the_canonical_expression(lines: list[str], ends_with_newline: bool) -> None:
    source = "\n".join(lines) + ("\n" if ends_with_newline else "")
    assert [(block.kind, block.content) for block in blocks(source)] == canonical(source)


@pytest.mark.timeout(20)  # the canonical expression takes minutes for this
def test_many_unclosed_blocks_are_read_in_linear_time() -> None:
    assert list(blocks("# /// script\n# x\n" * 30_000)) == []


def test_a_script_is_read_whole(package: MakePackage) -> None:
    manifest = read_package(package({"rates.py": SCRIPT}))
    assert (manifest.name, manifest.format, manifest.default_task) == ("Fetch rates", "pep723", "main")
    assert manifest.limits.timeout_seconds == 300
    assert manifest.inputs["required"] == ["day"]
    assert manifest.environment is not None
    assert manifest.environment.kind is EnvironmentKind.REQUIREMENTS
    assert manifest.environment.python == ">=3.11"
    assert manifest.environment.requirements == ("httpx>=0.28", "rich==14.2.0")
    launch = manifest.task().launch
    assert (launch.kind, launch.target, launch.warm) == (LaunchKind.SCRIPT, "rates.py", True)


def test_a_script_without_a_name_is_named_after_its_file(package: MakePackage) -> None:
    assert (
        read_package(package({"fetch_rates.py": "# /// script\n# dependencies = []\n# ///\n"})).name
        == "fetch_rates"
    )


def test_windows_line_ends_do_not_matter(package: MakePackage) -> None:
    assert read_package(package({"a.py": SCRIPT.replace("\n", "\r\n")})).name == "Fetch rates"


def test_a_function_of_the_script_may_be_the_task(package: MakePackage) -> None:
    text = '# /// script\n# [tool.controlroom]\n# task = "a:run"\n# ///\ndef run(): ...\n'
    assert read_package(package({"a.py": text})).task().launch.kind is LaunchKind.FUNCTION


def test_the_script_with_a_declaration_goes_before_the_authors_tools(package: MakePackage) -> None:
    tool = "# /// script\n# dependencies = ['fpdf2']\n# ///\n"
    assert read_package(package({"a_tool.py": tool, "rates.py": SCRIPT})).task().launch.target == "rates.py"
    assert read_package(package({"a_tool.py": tool, "main.py": tool})).task().launch.target == "main.py"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"a.py": SCRIPT + SCRIPT}, r"a\.py: line 16: begins a second"),
        ({"a.py": SCRIPT, "b.py": SCRIPT}, r"a\.py and b\.py: each hold"),
        ({"a.py": "# /// script\n# dependencies = [\n# ///\n"}, r"a\.py: is not TOML"),
        (
            {"a.py": "# /// script\n# dependencies = ['a b']\n# ///\n"},
            r"a\.py: dependencies: 'a b' is no req",
        ),
        ({"a.py": "# /// script\n# dependencies = ['x @ http://h/x']\n# ///\n"}, "not https"),
        (
            {"a.py": "# /// script\n# dependencies = ['x @ https://u:p@h/x']\n# ///\n"},
            "user name or password",
        ),
        (
            {"a.py": "# /// script\n# requires-python = '3'\n# ///\n"},
            r"a\.py: requires-python: must be a version",
        ),
        ({"a.py": "# /// script\n# dependencys = []\n# ///\n"}, r"a\.py: dependencys: .*'dependencies'"),
        ({"a.py": "# /// script\n# tool.controlroom.nam = 'x'\n# ///\n"}, r"tool\.controlroom\.nam.*'name'"),
        ({"a.py": "# /// script\n# tool.controlroom.python = '>3'\n# ///\n"}, "stands in the script"),
        ({"a.py": SCRIPT, "controlroom.toml": "name = 'x'"}, r"a\.py: tool\.controlroom: stands here and in"),
    ],
)
def test_what_cannot_stand_names_file_and_key(texts: dict[str, str], said: str, package: MakePackage) -> None:
    with pytest.raises(DeclarationInvalid, match=said):
        read_package(package(texts))


def test_an_unclosed_block_is_no_block(package: MakePackage) -> None:
    files = package({"a.py": "# /// script\n# dependencies = []\n"})
    assert FORMAT.read(files) is None
    with pytest.raises(UnknownFormat, match="pep723: one Python script"):
        read_package(files)
