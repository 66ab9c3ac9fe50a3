"""Checks a package as a whole and says all that an author should know, before it is published or run."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from controlroom.bots.dependencies import unpinned
from controlroom.bots.errors import DeclarationInvalid
from controlroom.bots.files import PackageFiles, readable_text
from controlroom.bots.formats import read_package
from controlroom.bots.inputs import default_problems
from controlroom.bots.manifest import Manifest, Task
from controlroom.bots.source import (
    SOURCE_LIMIT_BYTES,
    SourceFault,
    bound_names,
    module_file,
    module_of,
    parsed,
)
from controlroom.foundation.errors import FieldError, Invalid
from controlroom.protocol.plan import LaunchKind

_MOST_SOURCES = 500
_MOST_NAMED = 5
_THIS_PYTHON = Version(".".join(str(part) for part in sys.version_info[:3]))


class Severity(StrEnum):
    """How much a finding weighs: an error keeps a package from being published."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. ``code`` is stable, for scripts; ``file`` and ``line`` (from 1, 0 for none) say where."""

    severity: Severity
    code: str
    message: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found; ``manifest`` is None where the package cannot be read at all."""

    findings: tuple[Finding, ...]
    manifest: Manifest | None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the package from being published."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that only want to be known."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    @property
    def passed(self) -> bool:
        """True where the package may be published."""
        return not self.errors


def check_package(files: PackageFiles) -> CheckReport:
    """Read and check a package; never raises for what is wrong with it. Call it in a thread: it parses its sources."""
    try:
        manifest = read_package(files)
    except Invalid as error:
        return CheckReport((Finding(Severity.ERROR, error.code, error.detail),), None)
    findings = [
        *_source_findings(files, manifest),
        *(finding for task in manifest.tasks for finding in _entry_findings(files, task)),
        *_schema_findings(manifest),
        *_environment_findings(manifest),
    ]
    return CheckReport(tuple(sorted(set(findings), key=_weight)), manifest)


def _weight(finding: Finding) -> tuple[bool, str, int, str, str]:
    return (
        finding.severity is not Severity.ERROR,
        finding.file,
        finding.line,
        finding.code,
        finding.message,
    )


def require_passed(report: CheckReport) -> Manifest:
    """Return the manifest of a package without errors; raise `DeclarationInvalid` that tells them all."""
    if report.manifest is None or report.errors:
        told = [finding.message for finding in report.errors]
        more = f"; and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
        raise DeclarationInvalid(
            "; ".join(told[:_MOST_NAMED]) + more,
            fields=tuple(
                FieldError(f"/package/{finding.file}", finding.message) for finding in report.errors
            ),
        )
    return report.manifest


def _source_findings(files: PackageFiles, manifest: Manifest) -> Iterator[Finding]:
    sources = [name for name in files.names() if name.endswith(".py")]
    for name in sources[:_MOST_SOURCES]:
        text = readable_text(files, name, SOURCE_LIMIT_BYTES)
        fault = parsed(text) if text is not None else SourceFault(0, "is too large, or is not UTF-8 text")
        if isinstance(fault, SourceFault):
            yield _source_finding(name, fault, manifest)


def _source_finding(name: str, fault: SourceFault, manifest: Manifest) -> Finding:
    where = f"{name}, line {fault.line}" if fault.line else name
    if _runs_on_this_python(manifest):
        return Finding(
            Severity.ERROR, "not_python", f"{where}: does not compile: {fault.message}", name, fault.line
        )
    return Finding(
        Severity.WARNING,
        "perhaps_not_python",
        f"{where}: does not compile with Python {_THIS_PYTHON} (the bot asks for another): {fault.message}",
        name,
        fault.line,
    )


def _runs_on_this_python(manifest: Manifest) -> bool:
    wanted = manifest.environment.python if manifest.environment else ""
    return SpecifierSet(wanted).contains(_THIS_PYTHON, prereleases=True)


def _entry_findings(files: PackageFiles, task: Task) -> Iterator[Finding]:
    if task.launch.kind is not LaunchKind.FUNCTION:
        return
    module, _, function = task.launch.target.partition(":")
    found = module_file(files, module)
    if found is None:
        top = module.partition(".")[0]
        own = any(
            name.startswith((f"{top}/", f"{top}.", f"src/{top}/", f"src/{top}.")) for name in files.names()
        )
        severity = Severity.ERROR if own or "." not in module else Severity.WARNING
        message = f"task '{task.name}': the module '{module}' is not in the package"
        yield Finding(severity, "no_module", message)
        return
    source = module_of(files, found[0])
    if source is not None and function.partition(".")[0] not in bound_names(source):
        message = f"task '{task.name}': {found[0]} has no function '{function}'"
        yield Finding(Severity.ERROR, "no_function", message, found[0])


def _schema_findings(manifest: Manifest) -> Iterator[Finding]:
    for task in manifest.tasks:
        for problem in default_problems(manifest.inputs_of(task.name)):
            message = f"the default of the input '{problem.pointer[1:]}' {problem.message}"
            yield Finding(Severity.ERROR, "default_invalid", message)
    if any(not manifest.inputs_of(task.name) for task in manifest.tasks):
        message = "the bot declares no inputs: any are taken unchecked, and its form is a plain text field"
        yield Finding(Severity.WARNING, "no_inputs", message)


def _environment_findings(manifest: Manifest) -> Iterator[Finding]:
    loose = unpinned(manifest.environment) if manifest.environment else []
    if loose:
        named = ", ".join(loose[:_MOST_NAMED]) + (", …" if len(loose) > _MOST_NAMED else "")
        message = f"requirements without an exact version may change between builds: {named}"
        yield Finding(Severity.WARNING, "unpinned", message)
