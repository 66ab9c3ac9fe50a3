"""Reads what an author declares for the Control Room: ``controlroom.toml``, or ``[tool.controlroom]`` in other files.

The keys are described in ``docs/reference/controlroom-toml.md``. Unknown ones are refused, with the nearest known one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controlroom.bots.documents import read_toml
from controlroom.bots.errors import NameInvalid
from controlroom.bots.files import PackageFiles
from controlroom.bots.input_schema import expand, first_problem
from controlroom.bots.manifest import JsonSchema, RetryPolicy
from controlroom.bots.names import bot_name
from controlroom.bots.table import Table
from controlroom.protocol.plan import Limits

FILE = "controlroom.toml"
SECTION = "tool.controlroom"

KEYS = (
    "name", "description", "inputs", "outputs", "labels", "timeout", "retry", "task", "tasks", "limits", "warm",
    "exclusive", "artifacts", "python", "exclude",
)  # fmt: skip
_RETRY_KEYS = ("on", "count", "backoff", "backoff_limit")
_LIMIT_KEYS = ("memory_mb", "processes", "open_files", "artifacts_mb", "log_lines")
_TASK_KEYS = ("run", "command", "arguments", "description", "inputs", "warm")
_LONGEST_TIMEOUT_SECONDS = 30 * 86_400
_LONGEST_BACKOFF_SECONDS = 86_400
_MOST_RETRIES = 100
_MOST_TASKS = 200
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=/-]{0,62}")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a task runs, as declared: ``run`` is ``module:function`` or a file, or ``command`` is a command line."""

    run: str = ""
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    description: str = ""
    inputs: JsonSchema | None = None
    warm: bool | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that an author declares; empty where nothing is. ``table`` is where it stands, for further refusals."""

    table: Table
    name: str = ""
    description: str = ""
    inputs: JsonSchema = field(default_factory=dict)
    outputs: JsonSchema = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    task: str = ""
    """An entry where there are no ``tasks``, otherwise the name of the default one."""
    tasks: Mapping[str, Entry] = field(default_factory=dict)
    warm: bool = True
    exclusive: bool = False
    artifacts: str = ""
    python: str = ""
    exclude: tuple[str, ...] = ()


def declaration_of(files: PackageFiles, inside: Table | None = None) -> Declaration:
    """Return what a package declares; ``inside`` is its ``[tool.controlroom]`` in another file, None without one.

    Raises `DeclarationInvalid` for what cannot stand, and where both places are used.
    """
    if not files.is_file(FILE):
        return read_declaration(inside or Table(FILE, "", {}))
    if inside is not None:
        raise inside.refusal("", f"stands here and in {FILE} too; keep one of the two")
    return read_declaration(Table(FILE, "", read_toml(files, FILE)))


def read_declaration(table: Table) -> Declaration:
    """Read one table of declarations; raise `DeclarationInvalid`."""
    table.refuse_unknown(KEYS)
    tasks = _tasks(table)
    task = table.text("task")
    if tasks and task and task not in tasks:
        raise table.refusal("task", f"must name one of the tasks {', '.join(tasks)}")
    return Declaration(
        table=table,
        name=_name(table),
        description=table.text("description"),
        inputs=read_schema(table, "inputs"),
        outputs=read_schema(table, "outputs"),
        labels=_labels(table),
        limits=_limits(table),
        retry=_retry(table),
        task=task,
        tasks=tasks,
        warm=table.flag("warm", True),
        exclusive=table.flag("exclusive", False),
        artifacts=table.inner_path("artifacts"),
        python=table.text("python"),
        exclude=table.texts("exclude"),
    )


def read_schema(table: Table, key: str) -> JsonSchema:
    """Return the schema that stands under a key, written out; empty where there is none."""
    declared = table.table(key)
    if declared is None:
        return {}
    schema = expand(declared.values)
    problem = first_problem(schema)
    if problem:
        path = problem.path
        if not declared.has("properties") and path.startswith("properties."):
            path = path.removeprefix(
                "properties."
            )  # the author wrote the short form, which has no such level
        raise declared.refusal(path, problem.message)
    return schema


def _name(table: Table) -> str:
    if not table.has("name"):
        return ""
    try:
        return bot_name(table.text("name"))
    except NameInvalid as error:
        raise table.refusal("name", error.fields[0].message) from None


def _labels(table: Table) -> tuple[str, ...]:
    labels = table.texts("labels")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise table.refusal(
                "labels", f"'{label}' is no label: letters, digits and ._=/- only, at most 63 of them"
            )
    return tuple(dict.fromkeys(labels))


def _limits(table: Table) -> Limits:
    timeout = table.seconds("timeout", 0, most=_LONGEST_TIMEOUT_SECONDS)
    inner = table.table("limits")
    if inner is None:
        return Limits(timeout_seconds=timeout)
    inner.refuse_unknown(_LIMIT_KEYS)
    standard = Limits()
    return Limits(
        timeout_seconds=timeout,
        **{key: inner.whole(key, getattr(standard, key), most=2**31) for key in _LIMIT_KEYS},
    )


def _retry(table: Table) -> RetryPolicy:
    choices = ("never", "loss", "failure")
    if isinstance(table.values.get("retry"), str):
        return RetryPolicy(on=_retry_on(table.choice("retry", "never", choices)))
    inner = table.table("retry")
    if inner is None:
        return RetryPolicy()
    inner.refuse_unknown(_RETRY_KEYS)
    standard = RetryPolicy()
    return RetryPolicy(
        on=_retry_on(inner.choice("on", "failure", choices)),
        count=inner.whole("count", standard.count, least=1, most=_MOST_RETRIES),
        backoff_seconds=inner.seconds("backoff", standard.backoff_seconds, most=_LONGEST_BACKOFF_SECONDS),
        backoff_limit_seconds=inner.seconds(
            "backoff_limit", standard.backoff_limit_seconds, most=_LONGEST_BACKOFF_SECONDS
        ),
    )


def _retry_on(word: str) -> Any:  # one of the literals of RetryPolicy.on, checked by Table.choice
    return word


def _tasks(table: Table) -> dict[str, Entry]:
    inner = table.table("tasks")
    if inner is None:
        return {}
    if not inner.values or len(inner.values) > _MOST_TASKS:
        raise table.refusal("tasks", f"must hold 1 to {_MOST_TASKS} tasks")
    return {name: _entry(inner, name) for name in inner.values}


def _entry(tasks: Table, name: str) -> Entry:
    check_task_name(tasks, name)
    value = tasks.values[name]
    if isinstance(value, str):
        return Entry(run=tasks.text(name))
    if isinstance(value, list):
        return Entry(command=tasks.texts(name))
    inner = tasks.table(name)
    if inner is None:
        raise tasks.refusal(name, "must say what the task runs")
    inner.refuse_unknown(_TASK_KEYS)
    entry = Entry(
        run=inner.text("run"),
        command=inner.texts("command"),
        arguments=inner.texts("arguments"),
        description=inner.text("description"),
        inputs=read_schema(inner, "inputs") if inner.has("inputs") else None,
        warm=inner.flag("warm", True) if inner.has("warm") else None,
    )
    if bool(entry.run) == bool(entry.command):
        raise inner.refusal("", "needs either 'run' (a function or a file) or 'command' (a list)")
    return entry


def check_task_name(table: Table, name: str) -> None:
    """Raise for a task's name that cannot stand: 1 to 200 printable characters."""
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise table.refusal("", "has a task whose name is empty, too long or not printable")


def section(file: str, document: Mapping[str, Any], *path: str) -> Table | None:
    """Return a table of a document by its path, None where it is not there; raise where it is no table."""
    table: Table | None = Table(file, "", document)
    for key in path:
        table = table.table(key) if table else None
    return table


def default_task(declared: Declaration, names: Sequence[str]) -> str:
    """Return the default of some tasks: the declared one, otherwise the first."""
    return declared.task if declared.task in names else names[0]
