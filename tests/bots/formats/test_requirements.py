import pytest

from bots.conftest import MakePackage
from controlroom.bots.errors import DeclarationInvalid
from controlroom.bots.formats import read_package
from controlroom.protocol.plan import LaunchKind


def test_main_and_requirements_are_a_package(package: MakePackage) -> None:
    text = "# what we need\nhttpx == 0.28.1  # pinned\n\nrich[jupyter]>=14 ; \\\n  python_version > '3.10'\nhttpx==0.28.1\n"
    manifest = read_package(package({"main.py": "", "requirements.txt": text}))
    assert manifest.format == "requirements"
    assert manifest.name == "package"
    assert manifest.environment is not None
    assert manifest.environment.requirements == (
        "httpx==0.28.1",
        'rich[jupyter]>=14; python_version > "3.10"',
    )
    assert manifest.task().launch.kind is LaunchKind.SCRIPT


def test_a_comment_does_not_make_another_environment(package: MakePackage) -> None:
    one = read_package(package({"main.py": "", "requirements.txt": "a==1\n"})).environment
    other = read_package(package({"main.py": "", "requirements.txt": "# a\na == 1 # b\n"})).environment
    assert one == other


def test_requirements_with_hashes_are_kept_as_text(package: MakePackage) -> None:
    text = "a==1 \\\n    --hash=sha256:00ff \\\n    --hash=sha256:11ee\n-r more/b.txt\n"
    files = package({"main.py": "", "requirements.txt": text, "more/b.txt": "b==2 --hash=sha256:22dd\n"})
    environment = read_package(files).environment
    assert environment is not None
    assert environment.requirements == ()
    assert environment.files == {
        "requirements.txt": "a==1 --hash=sha256:00ff --hash=sha256:11ee\nb==2 --hash=sha256:22dd\n"
    }


def test_included_files_are_read(package: MakePackage) -> None:
    files = package(
        {
            "main.py": "",
            "requirements.txt": "-r more/b.txt\na\n",
            "more/b.txt": "-r c.txt\n",
            "more/c.txt": "c",
        }
    )
    environment = read_package(files).environment
    assert environment is not None
    assert environment.requirements == ("c", "a")


def test_controlroom_toml_declares_entry_and_python(package: MakePackage) -> None:
    declared = 'name = "X"\ntask = "bot:main"\npython = ">=3.12"\n'
    manifest = read_package(package({"controlroom.toml": declared, "bot.py": "def main(): ...\n"}))
    assert manifest.name == "X"
    assert manifest.environment is not None
    assert manifest.environment.python == ">=3.12"
    assert manifest.task().launch.target == "bot:main"


@pytest.mark.parametrize(
    ("requirements", "said"),
    [
        ("a b", r"requirements\.txt: line 1: 'a b' is no requirement"),
        ("\n\n-e .", r"line 3: asks for a local project"),
        ("-c x.txt", "names a constraints file"),
        ("--index-url https://x/simple", "is a setting of the Bot Runner"),
        ("--extra-index-url=https://u:p@x/simple", "--extra-index-url is not taken"),
        ("a==1 --no-binary :all:", "--no-binary"),
        ("-r gone.txt", "includes 'gone.txt', which is not in the package"),
        ("-r ../../etc/passwd", "inside the package"),
        ("-r requirements.txt", "includes itself"),
        ("./local.whl", "is no requirement"),
        ("a @ file:///etc/x", "not https"),
        ("\n".join(f"p{n}" for n in range(2100)), "more than 2,000"),
    ],
)
def test_a_line_that_cannot_stand_is_named(requirements: str, said: str, package: MakePackage) -> None:
    with pytest.raises(DeclarationInvalid, match=said):
        read_package(package({"main.py": "", "requirements.txt": requirements}))


@pytest.mark.parametrize(
    "line",
    [
        "--index-url=https://u:hunter2@x/s",
        "git+https://u:hunter2@x/s.git",
        "a @ http://u:hunter2@x/s",
        "a @ https://u:hunter2@x/s",
        "a @ https://u:hunter2@x/s b c",
    ],
)
def test_a_password_is_never_repeated(line: str, package: MakePackage) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        read_package(package({"main.py": "", "requirements.txt": line}))
    assert "hunter2" not in refused.value.detail
