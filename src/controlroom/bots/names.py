"""Names of bots, folders and files inside packages: which ones can stand, on every system a bot may run on."""

import re
import unicodedata

from controlroom.bots.errors import NameInvalid, UnsafeEntry, shown
from controlroom.foundation.errors import FieldError

LONGEST_BOT_NAME = 100
LONGEST_FOLDER = 400
LONGEST_PATH = 240
"""Characters of a path inside a package; Windows takes 260 for a whole path."""
_DEEPEST_PATH = 24
_LONGEST_SEGMENT_BYTES = 255

_NOT_IN_NAMES = set('/\\"<>*:,|?')
_NOT_IN_PATHS = set('\\"<>*:|?')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$", re.IGNORECASE)
"""Names of devices on Windows (learn.microsoft.com: Naming Files, Paths, and Namespaces)."""


def bot_name(text: str) -> str:
    """Return a bot's name in its normal form; raise `NameInvalid`."""
    name = unicodedata.normalize("NFC", text).strip()
    problem = _name_problem(name)
    if problem:
        raise NameInvalid(
            f"The bot's name '{shown(name)}' {problem}.", fields=(FieldError("/name", problem),)
        )
    return name


def cleaned_bot_name(text: str) -> str:
    """Return the nearest name that can stand for one that another product allows; empty where nothing is left."""
    name = unicodedata.normalize("NFC", text)
    name = "".join("-" if letter in _NOT_IN_NAMES or not letter.isprintable() else letter for letter in name)
    return name.strip(" -.")[:LONGEST_BOT_NAME].strip(" -.")


def _name_problem(name: str) -> str:
    if not name:
        return "is empty"
    if len(name) > LONGEST_BOT_NAME:
        return f"is longer than {LONGEST_BOT_NAME} characters"
    for letter in name:
        if letter in _NOT_IN_NAMES or not letter.isprintable():
            return f"must not contain '{shown(letter)}'"
    if name[0] in "-.":
        return "must not begin with '-' or '.'"
    if name.startswith("bot_"):
        return "must not begin with 'bot_', as ids of bots do"
    return ""


def folder_path(text: str) -> str:
    """Return a folder's path in its normal form, such as ``/finance/monthly``; raise `NameInvalid`."""
    parts = [part.strip() for part in unicodedata.normalize("NFC", text).split("/")]
    path = "/" + "/".join(part for part in parts if part)
    problem = f"is longer than {LONGEST_FOLDER} characters" if len(path) > LONGEST_FOLDER else ""
    for part in path.split("/")[1:] if path != "/" else []:
        problem = problem or _name_problem(part)
    if problem:
        raise NameInvalid(f"The folder '{shown(text)}' {problem}.", fields=(FieldError("/folder", problem),))
    return path


def check_path(path: str) -> None:
    """Raise `UnsafeEntry` for a path that is not safe and portable inside a package; folders end with ``/``."""
    problem = _path_problem(path)
    if problem:
        raise UnsafeEntry(problem, entry=path or "(an entry without a name)")


def _path_problem(path: str) -> str:
    body = path.removesuffix("/")
    if not body or len(path) > LONGEST_PATH:
        return f"its path is longer than {LONGEST_PATH} characters" if body else "has no name"
    if body.startswith("/"):
        return "is an absolute path; paths in a package are relative"
    if len(body) > 1 and body[1] == ":":
        return "names a drive; paths in a package are relative"
    segments = body.split("/")
    if len(segments) > _DEEPEST_PATH:
        return f"lies deeper than {_DEEPEST_PATH} folders"
    return next((problem for segment in segments if (problem := _segment_problem(segment))), "")


def _segment_problem(segment: str) -> str:
    for letter in segment:
        if letter in _NOT_IN_PATHS or not letter.isprintable():
            return f"contains '{shown(letter)}', which not every system allows in a file's name"
    if segment in ("", ".", ".."):
        return "leads out of its folder or round about: '..', '.' and empty parts are not taken"
    if segment[-1] in ". ":
        return "a part of the path ends with a dot or a blank, which Windows drops"
    if _RESERVED.match(segment):
        return f"'{segment}' is the name of a device on Windows"
    if len(segment.encode("utf-8", "surrogatepass")) > _LONGEST_SEGMENT_BYTES:
        return f"a part of the path is longer than {_LONGEST_SEGMENT_BYTES} bytes"
    return ""


def collision_key(path: str) -> str:
    """Return what two paths share that are one file where letters' case or their composition does not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
