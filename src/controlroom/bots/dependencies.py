"""Reads what a package needs of others: requirements files, ``[project]`` tables, conda's few entries that uv can serve.

An environment is built from its specification alone, away from the package, so what would need files of the package
or an index of the author's own is refused here, by name, rather than failing on a runner.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from controlroom.bots.documents import read_toml
from controlroom.bots.errors import declaration_error, shown
from controlroom.bots.files import PackageFiles, read_text
from controlroom.bots.table import Table
from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec

REQUIREMENTS_FILE = "requirements.txt"
PROJECT_FILE = "pyproject.toml"
LOCK_FILE = "uv.lock"
_LOCK_LIMIT_BYTES = 2 * 1024 * 1024
_DEEPEST_INCLUDE = 8
_MOST_REQUIREMENTS = 2000
_COMMENT = re.compile(r"(^|\s)#.*$")
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_CONDA = re.compile(r"(?:[\w.-]+::)?([A-Za-z0-9][\w.-]*)\s*(.*)")
_CONDA_NATIVE = ("python", "uv", "pip")


@dataclass(slots=True)
class _RequirementLines:
    """What a requirements file and those it includes say."""

    plain: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    hashed: bool = False


def requirements_environment(files: PackageFiles, name: str, python: str) -> EnvironmentSpec:
    """Return the environment of a requirements file; one with hashes is kept as text, so that uv checks them.

    Raises `DeclarationInvalid` for a line that is no requirement, or that needs files or an index of the author's.
    """
    found = _RequirementLines()
    _read_lines(files, name, found, 0)
    if found.hashed:
        text = "".join(f"{line}\n" for line in found.lines)
        return EnvironmentSpec(EnvironmentKind.REQUIREMENTS, python, files={REQUIREMENTS_FILE: text})
    return EnvironmentSpec(EnvironmentKind.REQUIREMENTS, python, _unique(found.plain))


def _read_lines(files: PackageFiles, name: str, found: _RequirementLines, depth: int) -> None:
    if depth > _DEEPEST_INCLUDE:
        raise declaration_error(name, "", "includes itself, or includes too many others")
    for number, line in _logical_lines(read_text(files, name)):
        where = f"line {number}"
        words = line.split()
        if words[0] in ("-r", "--requirement") and len(words) == 2:
            inner = Table(name, "", {}).as_inner_path(where, _beside(name, words[1]))
            if not files.is_file(inner):
                raise declaration_error(
                    name, where, f"includes '{shown(inner)}', which is not in the package"
                )
            _read_lines(files, inner, found, depth + 1)
        elif line.startswith("-"):
            raise declaration_error(name, where, _option_refusal(words[0]))
        else:
            _note_requirement(found, line, name, where)
        if len(found.lines) > _MOST_REQUIREMENTS:
            raise declaration_error(name, "", f"needs more than {_MOST_REQUIREMENTS:,} packages")


def _note_requirement(found: _RequirementLines, line: str, name: str, where: str) -> None:
    requirement, *options = re.split(r"\s+(?=--)", line)
    for option in options:
        if not re.fullmatch(r"--hash[= ][a-z0-9]+:[0-9a-f]+", option):
            raise declaration_error(name, where, _option_refusal(option.partition("=")[0]))
    checked = requirement_text(requirement, name, where)
    found.hashed = found.hashed or bool(options)
    found.plain.append(checked)
    found.lines.append(" ".join([checked, *options]))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that say something, with comments gone and continued ones joined."""
    begun, number = "", 0
    for count, raw in enumerate(text.split("\n"), start=1):
        number = number or count
        line = _COMMENT.sub("", raw).rstrip()
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        whole, begun = (begun + line).strip(), ""
        if whole:
            yield number, " ".join(whole.split())
        number = 0
    if begun.strip():
        yield number, " ".join(begun.split())


def _beside(name: str, other: str) -> str:
    folder = name.rpartition("/")[0]
    return f"{folder}/{other}" if folder else other


def _option_refusal(option: str) -> str:
    if option in ("-e", "--editable"):
        return "asks for a local project; put its code into the package instead"
    if option in ("-c", "--constraint"):
        return "names a constraints file; pin the versions in the requirements themselves"
    name = shown(option.partition("=")[0])  # its value may hold a password
    return f"the option {name} is not taken: which index packages come from is a setting of the Bot Runner"


def requirement_text(text: str, file: str, where: str) -> str:
    """Return a requirement (PEP 508) in its plain form; raise `DeclarationInvalid`."""
    told = shown(_CREDENTIALS.sub("//***@", text))
    try:
        requirement = Requirement(text.strip())
    except InvalidRequirement as error:
        said = _CREDENTIALS.sub("//***@", str(error).partition("\n")[0])
        raise declaration_error(file, where, f"'{told}' is no requirement: {said}") from None
    if requirement.url and not requirement.url.startswith(("https://", "git+https://")):
        raise declaration_error(
            file, where, f"'{told}' is taken from an address that is not https; name a version instead"
        )
    if requirement.url and "@" in requirement.url.partition("//")[2].partition("/")[0]:
        raise declaration_error(file, where, "holds a user name or password in its address; leave it out")
    return str(requirement)


def python_specifier(text: str, file: str, key: str) -> str:
    """Return a version specifier for Python (PEP 440) as it is written; raise `DeclarationInvalid`."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise declaration_error(
            file, key, f"must be a version specifier such as \">=3.11\", not '{shown(text)}'"
        ) from None
    return text


def project_environment(files: PackageFiles) -> EnvironmentSpec:
    """Return the environment of a ``pyproject.toml``: locked where ``uv.lock`` is there, resolved otherwise."""
    table = Table(PROJECT_FILE, "", read_toml(files, PROJECT_FILE))
    project = table.table("project") or Table(PROJECT_FILE, "project", {})
    python = project.text("requires-python")
    if python:
        python_specifier(python, PROJECT_FILE, "project.requires-python")
    if files.is_file(LOCK_FILE):
        return _locked(files, python)
    if "dependencies" in project.texts("dynamic"):
        raise project.refusal(
            "dynamic", "makes the dependencies known only while building; list them in project.dependencies"
        )
    _refuse_local_sources(table)
    wanted = [
        requirement_text(text, PROJECT_FILE, "project.dependencies") for text in project.texts("dependencies")
    ]
    return EnvironmentSpec(EnvironmentKind.REQUIREMENTS, python, _unique(wanted))


def _refuse_local_sources(table: Table) -> None:
    tool = table.table("tool")
    uv = tool.table("uv") if tool else None
    sources = uv.table("sources") if uv else None
    if sources and sources.values:
        raise sources.refusal(
            next(iter(sources.values)),
            "is taken from another place than the index; make a uv.lock with 'uv lock'",
        )


def _locked(files: PackageFiles, python: str) -> EnvironmentSpec:
    text = read_text(files, LOCK_FILE, _LOCK_LIMIT_BYTES)
    try:
        lock = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        raise declaration_error(LOCK_FILE, "", "is not TOML; make it again with 'uv lock'") from None
    packages = lock.get("package", [])
    for package in packages if isinstance(packages, list) else ():
        source = package.get("source", {}) if isinstance(package, dict) else {}
        path = next(
            (source[kind] for kind in ("editable", "directory", "virtual", "path") if kind in source), "."
        )
        if path != ".":
            raise declaration_error(
                LOCK_FILE,
                shown(str(package.get("name", "?"))),
                f"comes from the folder '{shown(str(path))}', which a Bot Runner does not have",
            )
    project = read_text(files, PROJECT_FILE)
    return EnvironmentSpec(
        EnvironmentKind.LOCKED_PROJECT, python, files={PROJECT_FILE: project, LOCK_FILE: text}
    )


@dataclass(frozen=True, slots=True)
class CondaNeeds:
    """What of a conda environment uv can serve: a Python version and requirements."""

    python: str
    requirements: tuple[str, ...]


def conda_needs(entries: Sequence[object], file: str, key: str) -> CondaNeeds:
    """Read conda's list of dependencies; raise `DeclarationInvalid` that names one that only conda could install."""
    python = ""
    requirements: list[str] = []
    for entry in entries:
        if isinstance(entry, dict):
            requirements += _pip_entries(entry, file, key)
            continue
        match = _CONDA.fullmatch(entry.strip()) if isinstance(entry, str) else None
        if match is None:
            raise declaration_error(file, key, f"'{shown(str(entry))}' is no dependency")
        name, version = match[1].lower(), match[2].strip()
        if name not in _CONDA_NATIVE:
            raise declaration_error(
                file,
                key,
                f"'{shown(name)}' is installed by conda only, and environments here are built with uv; use its"
                " package from PyPI under pip, or install the program on the Bot Runner",
            )
        if name == "python":
            python = conda_version(version, file, key)
    return CondaNeeds(python, _unique(requirements))


def _pip_entries(entry: dict[str, object], file: str, key: str) -> list[str]:
    wanted = entry.get("pip")
    if list(entry) != ["pip"] or not isinstance(wanted, list):
        raise declaration_error(file, key, "holds a table that is not a list under pip")
    for item in wanted:
        if not isinstance(item, str) or item.strip().startswith("-"):
            raise declaration_error(file, f"{key}.pip", f"'{shown(str(item))}' is no requirement")
    return [requirement_text(str(item), file, f"{key}.pip") for item in wanted]


def conda_version(version: str, file: str, key: str) -> str:
    """Return a conda version as a PEP 440 specifier: ``=3.11`` means any 3.11, ``=3.11.4`` and ``==`` that one."""
    if not version:
        return ""
    if re.match(r"=[0-9]", version):
        number = version.removeprefix("=").partition("=")[0].rstrip(".*")
        exact = number.count(".") >= 2
        return python_specifier(f"=={number}" if exact else f"=={number}.*", file, key)
    return python_specifier(version, file, key)


def unpinned(environment: EnvironmentSpec) -> list[str]:
    """Return the requirements that another build may answer with another version."""
    loose = []
    for text in environment.requirements:
        requirement = Requirement(text)
        exact = any(
            clause.operator == "===" or (clause.operator == "==" and not clause.version.endswith("*"))
            for clause in requirement.specifier
        )
        if not exact and not requirement.url:
            loose.append(text)
    return loose


def requires(environment: EnvironmentSpec, name: str) -> bool:
    """Say whether a package is asked for by name; in a lock, whether it is locked."""
    wanted = canonicalize_name(name)
    if any(canonicalize_name(Requirement(text).name) == wanted for text in environment.requirements):
        return True
    pattern = re.compile(rf'(?m)^(name = "{re.escape(wanted)}"$|{re.escape(wanted)}[=<>!~ \[;])')
    return any(pattern.search(text) for text in environment.files.values())


def _unique(requirements: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(requirements))
