import pytest

from bots.conftest import MakePackage
from controlroom.bots.errors import DeclarationInvalid
from controlroom.bots.formats import read_package
from controlroom.bots.formats.pyproject import FORMAT
from controlroom.protocol.plan import EnvironmentKind, LaunchKind

PROJECT = """\
[project]
name = "reconcile-orders"
version = "1.0"
description = "Finds what does not match."
requires-python = ">=3.11"
dependencies = ["openpyxl==3.1.5"]
"""

LOCK = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "openpyxl"
version = "3.1.5"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "reconcile-orders"
version = "1.0"
source = { virtual = "." }
"""


def test_a_project_without_a_lock_is_resolved(package: MakePackage) -> None:
    manifest = read_package(package({"pyproject.toml": PROJECT, "main.py": ""}))
    assert (manifest.format, manifest.name) == ("pyproject", "reconcile-orders")
    assert manifest.description == "Finds what does not match."
    assert manifest.environment is not None
    assert manifest.environment.kind is EnvironmentKind.REQUIREMENTS
    assert manifest.environment.requirements == ("openpyxl==3.1.5",)
    assert manifest.task().launch.target == "main.py"


def test_a_lock_makes_a_locked_environment(package: MakePackage) -> None:
    manifest = read_package(package({"pyproject.toml": PROJECT, "uv.lock": LOCK, "main.py": ""}))
    assert manifest.environment is not None
    assert manifest.environment.kind is EnvironmentKind.LOCKED_PROJECT
    assert manifest.environment.files == {"pyproject.toml": PROJECT, "uv.lock": LOCK}


def test_the_only_script_of_the_project_is_the_task(package: MakePackage) -> None:
    text = PROJECT + '[project.scripts]\nrun = "orders.cli:main"\n'
    manifest = read_package(package({"pyproject.toml": text, "src/orders/cli.py": "def main(): ...\n"}))
    launch = manifest.task().launch
    assert (launch.kind, launch.target) == (LaunchKind.FUNCTION, "orders.cli:main")
    assert launch.python_path == (".", "src")


def test_a_declared_task_goes_first(package: MakePackage) -> None:
    text = PROJECT + '[tool.controlroom]\nname = "Orders"\ntask = "jobs/night.py"\nwarm = false\n'
    manifest = read_package(package({"pyproject.toml": text, "main.py": "", "jobs/night.py": ""}))
    launch = manifest.task().launch
    assert (manifest.name, launch.target, launch.warm) == ("Orders", "jobs/night.py", False)


def test_tasks_have_their_own_arguments_inputs_and_commands(package: MakePackage) -> None:
    text = PROJECT + (
        '[tool.controlroom]\ntask = "b"\n[tool.controlroom.inputs]\nx = "string"\n[tool.controlroom.tasks]\n'
        'a = {run = "a.py", arguments = ["--all"]}\nb = {run = "a:go", inputs = {y = "number"}}\n'
        'c = ["python", "-m", "tool"]\n'
    )
    manifest = read_package(package({"pyproject.toml": text, "a.py": "def go(): ...\n"}))
    assert manifest.default_task == "b"
    assert manifest.task("a").launch.arguments == ("--all",)
    assert manifest.task("c").launch.arguments == ("{python}", "-m", "tool")
    assert manifest.task("c").launch.kind is LaunchKind.COMMAND
    assert list(manifest.inputs_of()["properties"]) == ["y"]
    assert list(manifest.inputs_of("a")["properties"]) == ["x"]


def test_a_file_that_only_sets_up_tools_is_no_project(package: MakePackage) -> None:
    files = package({"pyproject.toml": "[tool.ruff]\nline-length = 100\n", "main.py": ""})
    assert FORMAT.read(files) is None
    assert read_package(files).format == "requirements"


def test_a_bot_may_have_no_project_table(package: MakePackage) -> None:
    manifest = read_package(package({"pyproject.toml": '[tool.controlroom]\nname = "x"\n', "main.py": ""}))
    assert (manifest.format, manifest.name) == ("pyproject", "x")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({}, r"task: is missing"),
        ({"pyproject.toml": PROJECT.replace('"openpyxl==3.1.5"', '"a b"'), "main.py": ""}, r"project\.dependencies"),
        ({"pyproject.toml": PROJECT + 'dynamic = ["dependencies"]\n', "main.py": ""}, r"project\.dynamic"),
        ({"pyproject.toml": PROJECT + '[tool.uv.sources]\nx = {path = "../x"}\n', "main.py": ""}, r"tool\.uv\.sources\.x"),
        ({"pyproject.toml": PROJECT + '[tool.controlroom]\ntask = "gone.py"\n'}, "names the file 'gone.py'"),
        ({"pyproject.toml": PROJECT + '[tool.controlroom]\ntask = "../x.py"\n'}, "inside the package"),
        ({"pyproject.toml": PROJECT + '[tool.controlroom]\ntask = "no such"\n'}, 'must be "module:function"'),
        ({"pyproject.toml": PROJECT + '[tool.controlroom]\ntask = "a:b; import os"\n'}, 'must be "module:function"'),
        ({"pyproject.toml": PROJECT + "[tool]\ncontrolroom = 1\n", "main.py": ""}, r"tool\.controlroom: must be a table"),
        ({"pyproject.toml": "project = 1\n", "main.py": ""}, r"project: must be a table"),
        ({"uv.lock": LOCK.replace('virtual = "."', 'editable = "../lib"'), "main.py": ""}, r"uv\.lock: reconcile-orders: comes from"),
        ({"uv.lock": "[[", "main.py": ""}, r"uv\.lock: is not TOML"),
    ],
)  # fmt: skip
def test_what_cannot_stand_names_file_and_key(texts: dict[str, str], said: str, package: MakePackage) -> None:
    with pytest.raises(DeclarationInvalid, match=said):
        read_package(package({"pyproject.toml": PROJECT, **texts}))
