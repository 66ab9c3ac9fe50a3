"""Plain Python: ``main.py`` or another declared entry, with ``requirements.txt`` where it needs anything."""

from collections.abc import Sequence

from controlroom.bots.declaration import FILE, Declaration, declaration_of
from controlroom.bots.dependencies import REQUIREMENTS_FILE, python_specifier, requirements_environment
from controlroom.bots.entries import MAIN, Layout, manifest_of_entries
from controlroom.bots.files import PackageFiles
from controlroom.bots.manifest import Manifest
from controlroom.bots.source import python_path
from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec


class RequirementsFormat:
    """Reads a package with ``main.py`` or ``controlroom.toml``: the format of those that have nothing more particular."""

    name = "requirements"
    title = "Python with main.py"
    order = 60
    sign = f"{MAIN} or {FILE}, with {REQUIREMENTS_FILE} where packages are needed"

    def read(self, files: PackageFiles) -> Manifest | None:
        """Return the manifest, None where neither ``main.py`` nor ``controlroom.toml`` is there."""
        has_main = files.is_file(MAIN)
        if not has_main and not files.is_file(FILE):
            return None
        declared = declaration_of(files)
        environment = plain_environment(files, declared)
        layout = Layout(self.name, environment, python_path(files), MAIN if has_main else "")
        return manifest_of_entries(files, declared, layout)

    def exclusions(self, files: PackageFiles) -> Sequence[str] | None:
        """Let ``.gitignore`` count."""
        return None


def plain_environment(files: PackageFiles, declared: Declaration) -> EnvironmentSpec:
    """Return the environment of ``requirements.txt`` and the declared ``python``, an empty one without them."""
    python = python_specifier(declared.python, declared.table.file, "python")
    if files.is_file(REQUIREMENTS_FILE):
        return requirements_environment(files, REQUIREMENTS_FILE, python)
    return EnvironmentSpec(EnvironmentKind.REQUIREMENTS, python)


FORMAT = RequirementsFormat()
