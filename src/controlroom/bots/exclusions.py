"""What an author wants left out of a package: one set of rules from all the places that may name some.

In order, so that a later rule may take back an earlier one: what the package's own format says, or else the top
``.gitignore``; the key ``exclude`` of the declaration; ``.controlroomignore``.
"""

from collections.abc import Sequence

from pathspec import GitIgnoreSpec

from controlroom.bots.declaration import FILE as DECLARATION_FILE
from controlroom.bots.declaration import section
from controlroom.bots.dependencies import PROJECT_FILE
from controlroom.bots.documents import read_toml
from controlroom.bots.errors import PackageRefused
from controlroom.bots.files import PackageFiles, read_text
from controlroom.bots.formats import formats
from controlroom.bots.formats.pep723 import script_declaration
from controlroom.bots.table import Table

IGNORE_FILE = ".controlroomignore"
GIT_IGNORE_FILE = ".gitignore"


def exclusion_rules(top: PackageFiles) -> GitIgnoreSpec:
    """Return the rules of a package from the files at its top.

    Raises `DeclarationInvalid` where a file that names rules cannot be read, `PackageRefused` for a rule without sense.
    """
    said = next((told for known in formats() if (told := known.exclusions(top)) is not None), None)
    first = list(said) if said is not None else _lines(top, GIT_IGNORE_FILE)
    last = _lines(top, IGNORE_FILE)
    declared = _declared(_Without(top, _understood([*first, *last])), has_own_say=said is not None)
    return _understood([*first, *declared, *last])


def _declared(top: PackageFiles, *, has_own_say: bool) -> Sequence[str]:
    """Return ``exclude`` of the one place that the package's format will read its declaration from."""
    if top.is_file(DECLARATION_FILE):
        return Table(DECLARATION_FILE, "", read_toml(top, DECLARATION_FILE)).texts("exclude")
    if has_own_say:  # such a format has no other place for a declaration
        return ()
    if top.is_file(PROJECT_FILE):
        document = read_toml(top, PROJECT_FILE)
        own = section(PROJECT_FILE, document, "tool", "controlroom")
        if own is not None or "project" in document:
            return own.texts("exclude") if own else ()
    script = script_declaration(top)
    return script.texts("exclude") if script else ()


def _lines(top: PackageFiles, name: str) -> list[str]:
    return read_text(top, name).split("\n") if top.is_file(name) else []


def _understood(lines: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise PackageRefused(f"What to leave out cannot be understood: {error}.") from None


class _Without:
    """A package's files without those that are left out already: what they declare does not count."""

    def __init__(self, files: PackageFiles, rules: GitIgnoreSpec) -> None:
        self._files = files
        self._names = [name for name in files.names() if not rules.match_file(name)]
        self.suggested_name = files.suggested_name
        self.size_bytes = files.size_bytes
        self.chunks = files.chunks

    def names(self) -> Sequence[str]:
        return self._names

    def is_file(self, name: str) -> bool:
        return name in self._names
