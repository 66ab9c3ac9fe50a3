import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bots.conftest import MakePackage
from controlroom.bots.errors import DeclarationInvalid
from controlroom.bots.formats import read_package
from controlroom.bots.formats.sema4 import FORMAT

V2 = """\
spec-version: v2
name: My awesome cookie maker
description: This does cookies
version: 0.0.1
dependencies:
  conda-forge:
    - python=3.12.11
    - uv=0.9.5
  pypi:
    - sema4ai-actions=1.6.6
    - pydantic[email]=2.12
pythonpath:
  - src
post-install:
  - python -m playwright install
packaging:
  exclude:
    - tests/**
    - ./*.temp
external-endpoints:
  - name: Cookies
dev-tasks:
  test: pytest tests
"""

ACTIONS = '''\
from typing import Literal
from sema4ai.actions import action, Response, Secret
from robocorp.tasks import task


@action(is_consequential=False)
def bake(kind: str, count: int = 12, oven: Literal["hot", "cold"] = "hot", *, tags: list[str] = [], key: Secret) -> Response[str]:
    """Bakes cookies.

    Args:
        kind: What kind of cookies.
        count: How many.

    Returns:
        The cookies.
    """
    return Response(result=kind)


@task
def clean():
    """Cleans the kitchen."""


def helper(x): ...
'''


def test_actions_and_tasks_are_the_ways_to_start(package: MakePackage) -> None:
    manifest = read_package(package({"package.yaml": V2, "actions.py": ACTIONS, "tests/test_a.py": ACTIONS}))
    assert (manifest.format, manifest.name) == ("sema4", "My awesome cookie maker")
    assert manifest.description == "This does cookies"
    assert [task.name for task in manifest.tasks] == ["bake", "clean"]
    environment = manifest.environment
    assert environment is not None
    assert environment.python == "==3.12.11"
    assert environment.requirements == ("sema4ai-actions==1.6.6", "pydantic[email]==2.12")
    assert environment.post_install == ("python -m playwright install",)
    bake, clean = (manifest.task(name).launch for name in ("bake", "clean"))
    assert bake.python_path == ("src",)
    assert bake.arguments[:2] == ("{python}", "-c")
    assert bake.arguments[3:] == ("sema4ai.actions", "run", "actions.py", "-a", "bake", "-o", "output")
    assert clean.arguments == (
        "{python}",
        "-m",
        "robocorp.tasks",
        "run",
        "actions.py",
        "-t",
        "clean",
        "-o",
        "output",
    )


def test_parameters_become_inputs(package: MakePackage) -> None:
    manifest = read_package(package({"package.yaml": V2, "actions.py": ACTIONS}))
    assert manifest.inputs_of("bake") == {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "description": "What kind of cookies."},
            "count": {"type": "integer", "description": "How many.", "default": 12},
            "oven": {"enum": ["hot", "cold"], "default": "hot"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "additionalProperties": False,
        "required": ["kind"],
    }
    assert manifest.inputs_of("clean") == {"type": "object", "properties": {}, "additionalProperties": False}


def test_the_first_specification_is_read(package: MakePackage) -> None:
    v1 = "name: Old\nversion: 1.2.3\ndescription: x\ndependencies:\n  conda-forge: [python=3.10.12]\n  pypi: [robocorp-actions=0.2.1]\n"
    manifest = read_package(package({"package.yaml": v1, "lib/a.py": ACTIONS}))
    assert manifest.task("bake").launch.arguments[3:6] == ("robocorp.actions", "run", "lib/a.py")
    assert manifest.task("bake").launch.python_path == (".",)


def test_what_to_leave_out_counts_from_the_top(package: MakePackage) -> None:
    files = package({"package.yaml": V2})
    assert FORMAT.exclusions(files) == ["/tests/**", "/*.temp"]


def test_another_products_package_yaml_is_let_be(package: MakePackage) -> None:
    assert FORMAT.read(package({"package.yaml": "name: x\nversion: 1.0.0\ndependencies: [a]\n"})) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("spec-version: v2", "spec-version: v3", "spec-version: must be one of v1, v2"),
        ("version: 0.0.1", "version: 1.0", "version: must be"),
        (
            "    - uv=0.9.5",
            "    - nodejs=20",
            "dependencies.conda-forge: 'nodejs' is installed by conda only",
        ),
        (
            "sema4ai-actions=1.6.6",
            "sema4ai-actions>=1.6.6",
            "dependencies.pypi: 'sema4ai-actions>=1.6.6' must have",
        ),
        ("  - src", "  - /src", "pythonpath: must be a path inside"),
    ],
)
def test_what_cannot_stand_names_file_and_key(old: str, new: str, said: str, package: MakePackage) -> None:
    with pytest.raises(DeclarationInvalid, match=said) as refused:
        read_package(package({"package.yaml": V2.replace(old, new), "actions.py": ACTIONS}))
    assert refused.value.detail.startswith("package.yaml: ")


def test_a_package_without_entry_points_is_refused(package: MakePackage) -> None:
    with pytest.raises(DeclarationInvalid, match="no function with @action or @task"):
        read_package(package({"package.yaml": V2, "actions.py": "def action(): ...\n"}))


def test_two_entry_points_of_one_name_are_refused(package: MakePackage) -> None:
    with pytest.raises(DeclarationInvalid, match=r"b\.py: bake: is the name of another task"):
        read_package(package({"package.yaml": V2, "a.py": ACTIONS, "b.py": ACTIONS}))


def test_the_frameworks_command_gets_the_file_of_inputs(package: MakePackage, tmp_path: Path) -> None:
    """The framework itself is not installed; a module in its place shows what its command line would get."""
    launch = read_package(package({"package.yaml": V2, "actions.py": ACTIONS})).task("bake").launch
    framework = tmp_path / "framework" / "sema4ai" / "actions"
    framework.mkdir(parents=True)
    (framework / "__main__.py").write_text("import json, sys; print(json.dumps([__name__, *sys.argv[1:]]))\n")
    command = [sys.executable if word == "{python}" else word for word in launch.arguments]
    ended = subprocess.run(
        command,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path / "framework"),
            "CONTROLROOM_INPUTS": "/run/inputs.json",
        },
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(ended.stdout) == [
        "__main__", "run", "actions.py", "-a", "bake", "-o", "output", "--json-input", "/run/inputs.json",
    ]  # fmt: skip
