import sys

import pytest

from bots.conftest import MakePackage
from controlroom.bots.check import Severity, check_package, require_passed
from controlroom.bots.errors import DeclarationInvalid

GOOD = {
    "controlroom.toml": 'name = "x"\ntask = "bot:main"\n[inputs]\na = {type = "integer", default = 1}\n',
    "bot.py": "def main(): ...\n",
    "requirements.txt": "httpx==0.28.1\n",
}


def test_a_sound_package_has_nothing_to_say(package: MakePackage) -> None:
    report = check_package(package(GOOD))
    assert report.passed
    assert report.findings == ()
    assert require_passed(report).name == "x"


@pytest.mark.parametrize(
    ("change", "severity", "code", "said"),
    [
        ({"bot.py": "def main(:\n"}, "error", "not_python", "bot.py, line 1: does not compile"),
        ({"other.py": "x = (\n"}, "error", "not_python", "other.py, line 1"),
        ({"other.py": b"\xff"}, "error", "not_python", "not UTF-8"),
        ({"bot.py": "def other(): ...\n"}, "error", "no_function", "bot.py has no function 'main'"),
        ({"controlroom.toml": 'name="x"\ntask="gone:main"\ninputs={}'}, "error", "no_module", "'gone' is not in"),
        ({"controlroom.toml": 'name="x"\ntask="robot.run:main"\ninputs={}'}, "warning", "no_module", "'robot.run'"),
        ({"controlroom.toml": 'name="x"\ntask="bot:main"\n'}, "warning", "no_inputs", "declares no inputs"),
        (
            {"controlroom.toml": 'task="bot:main"\ninputs.a={type="integer", default="x"}'},
            "error", "default_invalid", "the default of the input 'a' must be a whole number",
        ),
        ({"requirements.txt": "a==1\nb>=2\nc\nd===1\ne==1.*\n"}, "warning", "unpinned", "b>=2, c, e==1.*"),
        ({"controlroom.toml": "nam = 1"}, "error", "declaration_invalid", "nam: is not a key"),
        ({"controlroom.toml": 'task = "gone.py"'}, "error", "declaration_invalid", "'gone.py'"),
    ],
)  # fmt: skip
def test_each_fault_is_found(
    change: dict[str, str | bytes], severity: str, code: str, said: str, package: MakePackage
) -> None:
    report = check_package(package({**GOOD, **change}))
    (finding,) = [found for found in report.findings if found.code == code]
    assert finding.severity == severity
    assert said in finding.message
    assert report.passed is (severity == Severity.WARNING)


def test_a_package_of_no_format_is_an_error_of_its_own(package: MakePackage) -> None:
    report = check_package(package({"README.md": ""}))
    assert [finding.code for finding in report.findings] == ["unknown_format"]
    with pytest.raises(DeclarationInvalid, match="Nothing in the package says"):
        require_passed(report)


def test_newer_syntax_is_only_a_warning_where_the_bot_asks_for_another_python(package: MakePackage) -> None:
    wanted = f">{sys.version_info.major}.{sys.version_info.minor}.999"
    declared = f'name = "x"\ntask = "bot:main"\npython = "{wanted}"\ninputs = {{}}\n'
    report = check_package(package({"controlroom.toml": declared, "bot.py": "def main(): ...\nnew syntax\n"}))
    assert [finding.code for finding in report.findings] == ["perhaps_not_python"]
    assert report.passed


def test_all_errors_are_told_together(package: MakePackage) -> None:
    report = check_package(package({**GOOD, "bot.py": "def other(): ...\n", "other.py": "(\n"}))
    with pytest.raises(DeclarationInvalid) as refused:
        require_passed(report)
    assert "no function 'main'" in refused.value.detail
    assert "other.py, line 1" in refused.value.detail
    assert len(refused.value.fields) == 2
