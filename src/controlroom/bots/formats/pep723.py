"""A single script with its metadata inside (PEP 723, packaging.python.org: Inline script metadata)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlroom.bots.declaration import declaration_of, section
from controlroom.bots.dependencies import python_specifier, requirement_text
from controlroom.bots.documents import DOCUMENT_LIMIT_BYTES, parse_toml
from controlroom.bots.entries import MAIN, Layout, manifest_of_entries
from controlroom.bots.errors import declaration_error
from controlroom.bots.files import PackageFiles, readable_text
from controlroom.bots.manifest import Manifest
from controlroom.bots.source import SOURCE_LIMIT_BYTES, python_path
from controlroom.bots.table import Table
from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec

BLOCK = "script"
_START = re.compile(r"# /// ([a-zA-Z0-9-]+)")
_END = "# ///"
_KEYS = ("dependencies", "requires-python", "tool")


@dataclass(frozen=True, slots=True)
class MetadataBlock:
    """One block: its type, its content without the comment signs, and the line it begins on, counted from 1."""

    kind: str
    content: str
    line: int


def blocks(source: str) -> Iterator[MetadataBlock]:
    """Give every metadata block of a script, as the specification's canonical expression finds them.

    The expression itself takes time that grows with the square of the number of unclosed blocks; this walks each
    line a bounded number of times. Unclosed blocks are let be, as the specification asks.
    """
    lines = source.split("\n")
    run_ends = _comment_run_ends(lines)
    number = 0
    while number < len(lines):
        start = _START.fullmatch(lines[number])
        end = run_ends[number + 1] if start and number + 1 < len(lines) else -1
        if start and end > number + 1:
            content = "".join(
                f"{line[2:] if line[1:2] == ' ' else line[1:]}\n" for line in lines[number + 1 : end]
            )
            yield MetadataBlock(start[1], content, number + 1)
            number = end
        number += 1


def _comment_run_ends(lines: Sequence[str]) -> list[int]:
    """For each line, the number of the last closing line in the run of comments that begins there; -1 for none."""
    ends = [-1] * len(lines)
    last = -1
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number]
        if not (line == "#" or line.startswith("# ")):
            last = -1
            continue
        last = number if last < 0 and line == _END else last
        ends[number] = last
    return ends


class ScriptFormat:
    """Reads a package whose one script at the top holds a ``script`` block; more modules may lie beside it."""

    name = "pep723"
    title = "Python script"
    order = 40
    sign = "one Python script with a '# /// script' block"

    def read(self, files: PackageFiles) -> Manifest | None:
        """Return the script's manifest, None where no script at the top holds a block."""
        documents = _documents(files)
        if not documents:
            return None
        script = _the_script(documents)
        document = documents[script]
        Table(script, "", document).refuse_unknown(_KEYS)
        declared = declaration_of(files, section(script, document, "tool", "controlroom"))
        if declared.python:
            raise declared.table.refusal(
                "python", "stands in the script as requires-python; leave it out here"
            )
        layout = Layout(self.name, _environment(script, document), python_path(files), script, script[:-3])
        return manifest_of_entries(files, declared, layout)

    def exclusions(self, files: PackageFiles) -> Sequence[str] | None:
        """Let ``.gitignore`` count."""
        return None


def script_declaration(files: PackageFiles) -> Table | None:
    """Return ``[tool.controlroom]`` of the script that is the bot, None where there is no such script or table."""
    documents = _documents(files)
    if not documents:
        return None
    script = _the_script(documents)
    return section(script, documents[script], "tool", "controlroom")


def _documents(files: PackageFiles) -> dict[str, dict[str, Any]]:
    """Return the metadata of each script at the top that holds a block."""
    blocks_of = {name: block for name in files.names() if (block := _script_block(files, name)) is not None}
    return {name: parse_toml(block.content, name) for name, block in blocks_of.items()}


def _the_script(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """Choose between scripts: the one with [tool.controlroom], else ``main.py``; tools for the author may lie beside."""
    bots = [
        name for name, found in documents.items() if section(name, found, "tool", "controlroom") is not None
    ]
    candidates = bots or list(documents)
    if len(candidates) == 1:
        return candidates[0]
    if MAIN in candidates:
        return MAIN
    raise declaration_error(
        " and ".join(candidates[:3]),
        "",
        "each hold a '# /// script' block; give the bot's one [tool.controlroom], or call it main.py",
    )


def _script_block(files: PackageFiles, name: str) -> MetadataBlock | None:
    if "/" in name or not name.endswith(".py"):
        return None
    source = readable_text(files, name, SOURCE_LIMIT_BYTES)
    found = [block for block in blocks(source or "") if block.kind == BLOCK]
    if len(found) > 1:
        raise declaration_error(
            name, f"line {found[1].line}", "begins a second '# /// script' block; a script has one"
        )
    if found and len(found[0].content) > DOCUMENT_LIMIT_BYTES:
        raise declaration_error(name, f"line {found[0].line}", "begins a block that is too large")
    return found[0] if found else None


def _environment(script: str, document: dict[str, object]) -> EnvironmentSpec:
    table = Table(script, "", document)
    python = python_specifier(table.text("requires-python"), script, "requires-python")
    wanted = [requirement_text(text, script, "dependencies") for text in table.texts("dependencies")]
    return EnvironmentSpec(EnvironmentKind.REQUIREMENTS, python, tuple(dict.fromkeys(wanted)))


FORMAT = ScriptFormat()
