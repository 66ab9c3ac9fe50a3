"""From declared entries to tasks: what ``task`` and ``tasks`` may name, and how each is launched."""

from collections.abc import Mapping
from dataclasses import dataclass

from controlroom.bots.declaration import Declaration, Entry, check_task_name, default_task
from controlroom.bots.errors import shown
from controlroom.bots.files import PackageFiles
from controlroom.bots.manifest import Manifest, Task
from controlroom.bots.names import cleaned_bot_name
from controlroom.bots.table import Table
from controlroom.protocol.plan import EnvironmentSpec, Launch, LaunchKind

MAIN = "main.py"
DEFAULT_TASK = "main"


@dataclass(frozen=True, slots=True)
class Layout:
    """What a format knows of its package: its environment, where modules are, what runs where nothing is declared."""

    format: str
    environment: EnvironmentSpec | None
    python_path: tuple[str, ...]
    entry: str = ""
    """A function or a file; empty where there is none."""
    name: str = ""
    """The package's name where its author declares none for the bot."""
    description: str = ""
    runnable: tuple[str, ...] = (".py",)
    """Ends of the files that an entry may name."""


def manifest_of_entries(files: PackageFiles, declared: Declaration, layout: Layout) -> Manifest:
    """Return the manifest of a package that runs a script or a function; raise `DeclarationInvalid` where it has none."""
    launches = {
        name: Task(name, launch_of(files, entry, declared, layout), entry.description, entry.inputs)
        for name, entry in _entries(declared, layout).items()
    }
    return whole_manifest(files, declared, layout, launches)


def whole_manifest(
    files: PackageFiles, declared: Declaration, layout: Layout, tasks: Mapping[str, Task]
) -> Manifest:
    """Return the manifest of some tasks with all that the author declares of the whole."""
    for name in tasks:
        check_task_name(declared.table, name)
    return Manifest(
        name=declared.name or cleaned_bot_name(layout.name) or cleaned_bot_name(files.suggested_name),
        format=layout.format,
        description=declared.description or layout.description,
        tasks=tuple(tasks.values()),
        default_task=default_task(declared, list(tasks)),
        environment=layout.environment,
        inputs=declared.inputs,
        outputs=declared.outputs,
        labels=declared.labels,
        limits=declared.limits,
        retry=declared.retry,
        exclusive=declared.exclusive,
    )


def _entries(declared: Declaration, layout: Layout) -> dict[str, Entry]:
    if declared.tasks:
        return dict(declared.tasks)
    entry = declared.task or layout.entry
    if not entry:
        raise declared.table.refusal(
            "task",
            f'is missing: name what to run, such as "bot:main" or "{MAIN}" (there is no {MAIN} to run without it)',
        )
    return {DEFAULT_TASK: Entry(run=entry)}


def launch_of(files: PackageFiles, entry: Entry, declared: Declaration, layout: Layout) -> Launch:
    """Return how an entry is launched; raise `DeclarationInvalid` where it names nothing of the package."""
    kind, target, arguments = _what(files, entry, declared, layout)
    warm = declared.warm if entry.warm is None else entry.warm
    return Launch(
        kind,
        target,
        arguments,
        python_path=layout.python_path,
        artifacts_folder=declared.artifacts,
        warm=warm and kind is not LaunchKind.COMMAND,
    )


def _what(
    files: PackageFiles, entry: Entry, declared: Declaration, layout: Layout
) -> tuple[LaunchKind, str, tuple[str, ...]]:
    if entry.command:
        return LaunchKind.COMMAND, "", (*python_command(entry.command), *entry.arguments)
    target = entry.run
    if target.endswith(layout.runnable):
        return LaunchKind.SCRIPT, _file(files, target, declared.table), entry.arguments
    module, colon, function = target.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        raise declared.table.refusal(
            "task", f'must be "module:function" or a file such as "{MAIN}", not \'{shown(target)}\''
        )
    if entry.arguments:
        raise declared.table.refusal(
            "tasks", f"the function '{shown(target)}' takes no arguments; use inputs"
        )
    return LaunchKind.FUNCTION, target, ()


def _file(files: PackageFiles, target: str, table: Table) -> str:
    path = table.as_inner_path("task", target)
    if not files.is_file(path):
        raise table.refusal("task", f"names the file '{shown(path)}', which is not in the package")
    return path


def python_command(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command line that uses the environment's own interpreter where it says ``python``."""
    if words and words[0].lower() in ("python", "python3", "python.exe"):
        return ("{python}", *words[1:])
    return words
