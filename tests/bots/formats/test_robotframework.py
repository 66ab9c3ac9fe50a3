import subprocess
import sys
from pathlib import Path

import pytest

from bots.conftest import MakePackage
from controlroom.bots.errors import DeclarationInvalid
from controlroom.bots.formats import read_package
from controlroom.bots.formats.robotframework import FORMAT
from controlroom.protocol.plan import LaunchKind

SUITE = "*** Test Cases ***\nIt Works\n    Log    hello\n"


def test_bare_suites_run_with_robot_framework_added(package: MakePackage) -> None:
    manifest = read_package(package({"orders.robot": SUITE}))
    launch = manifest.task().launch
    assert manifest.format == "robotframework"
    assert launch.kind is LaunchKind.COMMAND
    assert launch.arguments == ("{python}", "-m", "robot", "--outputdir", "output", "orders.robot")
    assert launch.artifacts_folder == "output"
    assert manifest.environment is not None
    assert manifest.environment.requirements == ("robotframework",)


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (["suites/a.robot", "suites/b.robot"], "suites"),
        (["a.robot", "suites/b.robot"], "."),
        (["suites/__init__.robot", "suites/b.robot"], "suites/b.robot"),
    ],
)
def test_all_suites_run_where_none_is_named(names: list[str], target: str, package: MakePackage) -> None:
    manifest = read_package(package(dict.fromkeys(names, SUITE)))
    assert manifest.task().launch.arguments[-1] == target


def test_a_pinned_robot_framework_is_left_as_it_is(package: MakePackage) -> None:
    environment = read_package(
        package({"a.robot": SUITE, "requirements.txt": "RobotFramework==7.4\n"})
    ).environment
    assert environment is not None
    assert environment.requirements == ("RobotFramework==7.4",)


def test_suites_beside_a_project_take_its_environment(package: MakePackage) -> None:
    text = '[project]\nname = "suites"\ndependencies = ["robotframework-browser==19"]\n'
    manifest = read_package(package({"pyproject.toml": text, "suites/a.robot": SUITE}))
    assert (manifest.format, manifest.name) == ("robotframework", "suites")
    assert manifest.environment is not None
    assert manifest.environment.requirements == ("robotframework-browser==19", "robotframework")


def test_tasks_are_suites_folders_or_commands(package: MakePackage) -> None:
    declared = (
        'name = "S"\nartifacts = "out"\n[tasks]\nsmoke = {run = "a.robot", arguments = ["--include", "smoke"]}\n'
        'all = "."\nown = ["robot", "a.robot"]\n'
    )
    manifest = read_package(package({"controlroom.toml": declared, "a.robot": SUITE, "b.robot": SUITE}))
    start = ("{python}", "-m", "robot", "--outputdir", "out")
    assert manifest.task().launch.arguments == (*start, "--include", "smoke", "a.robot")
    assert manifest.task("all").launch.arguments == (*start, ".")
    assert manifest.task("own").launch.arguments == ("robot", "a.robot")


def test_a_python_package_without_suites_is_none_of_this(package: MakePackage) -> None:
    assert FORMAT.read(package({"main.py": "", "keywords.resource": ""})) is None


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"controlroom.toml": 'task = "gone.robot"'}, "task: names 'gone.robot'"),
        ({"controlroom.toml": 'task = "../x"'}, "inside the package"),
        ({"requirements.txt": "a==1 --hash=sha256:00"}, "requirements.txt: must name robotframework"),
        (
            {"pyproject.toml": "[project]\nname = 'x'\n", "uv.lock": "version = 1\n"},
            "pyproject.toml: must name robot",
        ),
    ],
)
def test_what_cannot_stand_names_file_and_key(texts: dict[str, str], said: str, package: MakePackage) -> None:
    with pytest.raises(DeclarationInvalid, match=said):
        read_package(package({"a.robot": SUITE, **texts}))


def test_the_command_runs_and_its_exit_code_counts_failures(package: MakePackage, tmp_path: Path) -> None:
    failing = "*** Test Cases ***\nOne\n    Fail    no\nTwo\n    Fail    no\nThree\n    Log    yes\n"
    launch = read_package(package({"a.robot": SUITE, "b.robot": failing})).task().launch
    command = [sys.executable if word == "{python}" else word for word in launch.arguments]
    folder = tmp_path / "package"
    ended = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 2
    left = {path.name for path in (folder / launch.artifacts_folder).iterdir()}
    assert left == {"output.xml", "log.html", "report.html"}
