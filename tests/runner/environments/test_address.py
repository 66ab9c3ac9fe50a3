"""An environment's address changes with everything that defines it and with nothing else."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec
from controlroom.runner.environments.address import environment_address
from controlroom.runner.environments.interpreters import Interpreter

PYTHON = Interpreter(Path("/usr/bin/python3.11"), "3.11.7")
SPEC = EnvironmentSpec(
    EnvironmentKind.REQUIREMENTS, requirements=("a==1", "b==2"), files={"requirements.txt": "c"}
)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": EnvironmentKind.LOCKED_PROJECT},
        {"requirements": ("a==1",)},
        {"files": {"requirements.txt": "d"}},
        {"files": {"other.txt": "c"}},
        {"post_install": ("x",)},
    ],
)
def test_what_defines_it_changes_it(change: dict[str, object]) -> None:
    assert environment_address(msgspec.structs.replace(SPEC, **change), PYTHON) != environment_address(
        SPEC, PYTHON
    )


def test_another_python_changes_it() -> None:
    assert environment_address(SPEC, Interpreter(PYTHON.path, "3.11.8")) != environment_address(SPEC, PYTHON)
    assert environment_address(SPEC, Interpreter(Path("/opt/python"), "3.11.7")) != environment_address(
        SPEC, PYTHON
    )


@given(st.permutations(["a==1", "b==2", "c>=3", "d @ file:///d.whl"]))
def test_order_of_requirements_does_not(requirements: list[str]) -> None:
    one = EnvironmentSpec(EnvironmentKind.REQUIREMENTS, requirements=tuple(requirements))
    other = EnvironmentSpec(EnvironmentKind.REQUIREMENTS, requirements=tuple(sorted(requirements)))

    assert environment_address(one, PYTHON) == environment_address(other, PYTHON)
