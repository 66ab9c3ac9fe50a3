"""Reads the form of a FortiOS configuration: tables in tables, entries, settings of one or many values."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.interface import RulesetText

# A word, a text in quotation marks (in which \ takes the next sign as it is, over lines too), or the end of a line.
_TOKEN = re.compile(r'[ \t\r]*(?:(?P<end>\n)|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>[^\s"]+)|(?P<odd>.))', re.S)
_COMMENT = re.compile(r"[ \t]*#[^\n]*")
_ESCAPE = re.compile(r"\\(.)", re.S)
_DEEPEST = 12
Settings = dict[str, list[str]]


@dataclass(slots=True)
class Table:
    """What stands between ``config`` and ``end``: settings of its own, entries, and tables under either."""

    path: str
    settings: Settings = field(default_factory=dict)
    entries: dict[str, "Table"] = field(default_factory=dict)
    tables: dict[str, "Table"] = field(default_factory=dict)


def read_tables(file: RulesetText) -> Table:
    """Return a configuration as a table of tables; raise `BadRuleset` where it is cut off or of another kind."""
    root = Table("")
    open_ones: list[tuple[str, Table]] = [("", root)]
    for number, words in _lines(file):
        place = f"{file.name}:{number}"
        kind, table = open_ones[-1]
        match words:
            case ["config", *path] if path:
                open_ones.append(("table", table.tables.setdefault(" ".join(path), Table(" ".join(path)))))
            case ["edit", name] if kind == "table":
                open_ones.append(("entry", table.entries.setdefault(name, Table(name))))
            case ["next"] if kind == "entry":
                open_ones.pop()
            case ["end"] if kind == "entry":
                # The device takes an end for the end of the entry and of its table.
                del open_ones[-2:]
            case ["end"] if kind == "table":
                open_ones.pop()
            case ["set", key, *found] if kind and found:
                table.settings[key] = found
            case ["unset", key] if kind:
                table.settings.pop(key, None)
            case _:
                raise BadRuleset(f"{place}: {' '.join(words)[:80]!r} is not understood, or is cut off")
        if len(open_ones) > _DEEPEST:
            raise BadRuleset(f"{place}: tables lie more than {_DEEPEST} deep")
    if len(open_ones) > 1:
        raise BadRuleset(f"{file.name}: cut off: {open_ones[-1][1].path[:80]!r} has no end")
    return root


def _lines(file: RulesetText) -> Iterator[tuple[int, list[str]]]:
    text = file.text.removeprefix("\ufeff")
    if "\x00" in text:
        raise BadRuleset(f"{file.name}: not a text")
    number, first, words, position = 1, 1, list[str](), 0
    while position < len(text):
        if not words and (comment := _COMMENT.match(text, position)):
            position = comment.end()
            continue
        token = _TOKEN.match(text, position)
        if token is None:
            break
        position = token.end()
        if token["end"]:
            if words:
                yield first, words
            number += 1
            first, words = number, []
        elif token["odd"]:
            raise BadRuleset(f"{file.name}:{number}: a text in quotation marks is cut off")
        elif token["text"] is not None:
            number += token["text"].count("\n")
            words.append(_ESCAPE.sub(r"\1", token["text"]) if "\\" in token["text"] else token["text"])
        else:
            words.append(token["word"])
    if words:
        raise BadRuleset(f"{file.name}:{first}: cut off: the last line has no end")
