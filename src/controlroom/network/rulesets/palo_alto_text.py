"""Reads the words of PAN-OS set commands: quotation marks, lists in brackets, texts over several lines."""

import re
from collections.abc import Iterator

from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.interface import RulesetText

# A word, a text in quotation marks (which may go over lines), a bracket, the end of a line, or something else.
_TOKEN = re.compile(r'[ \t\r]*(?:(?P<end>\n)|"(?P<text>[^"]*)"|(?P<word>[^\s"]+)|(?P<odd>.))')
_LONGEST_TEXT = 8192


def commands(file: RulesetText) -> Iterator[tuple[int, list[str]]]:
    """Yield each command with the number of its line; raise `BadRuleset` where a text is cut off."""
    number, line, words = 1, 1, list[str]()
    text = file.text.removeprefix("\ufeff")
    if "\x00" in text:
        raise BadRuleset(f"{file.name}: not a text")
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            break
        position = token.end()
        if token["end"]:
            if words:
                yield line, words
            number += 1
            line, words = number, []
        elif token["odd"]:
            raise BadRuleset(f"{file.name}:{number}: a text in quotation marks is cut off")
        elif token["text"] is not None:
            if len(token["text"]) > _LONGEST_TEXT:
                raise BadRuleset(f"{file.name}:{number}: a text longer than any of the platform")
            number += token["text"].count("\n")
            words.append(token["text"])
        else:
            words.append(token["word"])
    if words:
        raise BadRuleset(f"{file.name}:{line}: cut off: the last line has no end")


def values(words: list[str], start: int) -> tuple[list[str], int]:
    """Return the value at a place, one word or a list in brackets, and the place behind it; raise `ValueError`."""
    if start >= len(words):
        raise ValueError("a value is missing")
    if words[start] != "[":
        return [words[start]], start + 1
    end = words.index("]", start)
    return words[start + 1 : end], end + 1
