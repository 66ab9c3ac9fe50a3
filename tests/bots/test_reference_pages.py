"""The reference pages show only what is so: their examples are read, and they name every key and format."""

import re
from pathlib import Path

import pytest

from bots.conftest import MakePackage
from controlroom.bots import declaration
from controlroom.bots.check import check_package
from controlroom.bots.declaration import read_declaration
from controlroom.bots.documents import parse_toml
from controlroom.bots.formats import formats
from controlroom.bots.table import Table

PAGES = Path(__file__).parents[2] / "docs" / "reference"
KEYS = (PAGES / "controlroom-toml.md").read_text(encoding="utf-8")
FORMATS = (PAGES / "package-formats.md").read_text(encoding="utf-8")


def examples(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", examples(KEYS, "toml"))
def test_every_example_of_the_keys_is_taken(text: str) -> None:
    read_declaration(Table("controlroom.toml", "", parse_toml(text, "controlroom.toml")))


@pytest.mark.parametrize("keys", ["KEYS", "_RETRY_KEYS", "_LIMIT_KEYS", "_TASK_KEYS"])
def test_every_key_is_described(keys: str) -> None:
    for key in getattr(declaration, keys):
        assert f"| `{key}` |" in KEYS


def test_every_format_is_described_in_its_order() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(#", FORMATS, re.MULTILINE)
    assert rows == [known.name for known in formats()]


SAMPLES = {
    "rcc": {
        "robot.yaml": "tasks: {a: {shell: python main.py}}\ncondaConfigFile: conda.yaml\n",
        "conda.yaml": "dependencies: [python=3.11]\n",
        "main.py": "",
    },
    "sema4": {
        "package.yaml": "name: A\nspec-version: v2\nversion: 1.0.0\n"
        "dependencies: {conda-forge: [python=3.11], pypi: [sema4ai-actions=1.0.0]}\n",
        "main.py": "from sema4ai.actions import action\n@action\ndef go() -> str:\n    return ''\n",
    },
    "pyproject": {"pyproject.toml": "[project]\nname = 'a'\n", "main.py": ""},
    "pep723": {"a.py": "# /// script\n# dependencies = []\n# ///\n"},
    "robotframework": {"suites/a.robot": "", "requirements.txt": "robotframework==7.4\n"},
    "requirements": {"main.py": ""},
}


def test_the_page_says_truly_which_formats_start_warm(package: MakePackage) -> None:
    told = dict(re.findall(r"^\| (\w+) \| (warm|cold) \|", FORMATS, re.MULTILINE))
    assert list(told) == [known.name for known in formats()]
    for name, texts in SAMPLES.items():
        report = check_package(package(texts))
        assert report.manifest is not None, report.findings
        assert report.manifest.format == name
        launches = [task.launch for task in report.manifest.tasks]
        assert {launch.warm for launch in launches} == {told[name] == "warm"}


def test_the_example_script_is_a_sound_bot(package: MakePackage) -> None:
    (script,) = examples(FORMATS, "python")
    assert check_package(package({"rates.py": script})).findings == ()


def test_the_example_project_and_suites_are_sound_bots(package: MakePackage) -> None:
    project, suites = examples(FORMATS, "toml")
    report = check_package(package({"pyproject.toml": project, "reconcile.py": "def main(): ...\n"}))
    assert report.errors == ()
    suite = package({"controlroom.toml": suites, "suites/a.robot": ""})
    assert check_package(suite).errors == ()
