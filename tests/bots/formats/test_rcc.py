import pytest

from bots.conftest import MakePackage
from controlroom.bots.errors import DeclarationInvalid
from controlroom.bots.formats import read_package
from controlroom.bots.formats.rcc import fits
from controlroom.protocol.plan import LaunchKind

ROBOT = """\
tasks:
  Run Task:
    shell: python -m robocorp.tasks run tasks.py -o output
  Named Test:
    robotTaskName: Order robots
  By Words:
    command:
      - python
      - tool.py
      - "two words"
devTasks:
  Lint:
    shell: ruff check .
environmentConfigs:
  - environment_windows_amd64_freeze.yaml
  - environment_linux_amd64_freeze.yaml
  - conda_windows.yaml
  - conda.yaml
preRunScripts:
  - privatePip_linux.sh
  - privatePip_windows.bat
  - python prepare.py --all
artifactsDir: output
PATH:
  - .
  - bin
PYTHONPATH:
  - .
  - libraries
ignoreFiles:
  - .gitignore
"""

CONDA = """\
channels:
  - conda-forge
dependencies:
  - python=3.12.11
  - uv=0.9.5
  - pip=25.3
  - pip:
    - robocorp==3.1.2
    - rpaframework[aws]==31.1.1
rccPostInstall:
  - python -m playwright install chromium
"""

FILES = {"robot.yaml": ROBOT, "conda.yaml": CONDA, ".gitignore": "output\n", "tasks.py": "", "tool.py": ""}


def test_a_robot_is_read_whole(package: MakePackage) -> None:
    manifest = read_package(package(FILES))
    assert (manifest.format, manifest.name, manifest.default_task) == ("rcc", "package", "Run Task")
    assert [task.name for task in manifest.tasks] == ["Run Task", "Named Test", "By Words"]
    environment = manifest.environment
    assert environment is not None
    assert environment.python == "==3.12.11"
    assert environment.requirements == ("robocorp==3.1.2", "rpaframework[aws]==31.1.1")
    assert environment.post_install == ("python -m playwright install chromium",)
    launch = manifest.task().launch
    assert launch.kind is LaunchKind.COMMAND
    assert launch.arguments == ("{python}", "-m", "robocorp.tasks", "run", "tasks.py", "-o", "output")
    assert launch.path == (".", "bin")
    assert launch.python_path == (".", "libraries")
    assert launch.artifacts_folder == "output"
    assert launch.pre_run == (("privatePip_linux.sh",), ("{python}", "prepare.py", "--all"))
    assert manifest.task("By Words").launch.arguments == ("{python}", "tool.py", "two words")
    assert manifest.task("Named Test").launch.arguments == (
        "{python}", "-m", "robot", "--report", "NONE", "--outputdir", "output", "--logtitle", "Task log",
        "--task", "Order robots", ".",
    )  # fmt: skip


def test_another_system_gets_its_own_environment_and_preparation(package: MakePackage) -> None:
    windows = CONDA.replace("rpaframework[aws]==31.1.1", "rpaframework-windows==8.0.0")
    manifest = read_package(package({**FILES, "conda_windows.yaml": windows}))
    on_windows = manifest.on_machine("Windows", "AMD64")
    assert on_windows.environment is not None
    assert "rpaframework-windows==8.0.0" in on_windows.environment.requirements
    assert on_windows.task().launch.pre_run[0] == ("privatePip_windows.bat",)
    on_linux = manifest.on_machine("Linux", "x86_64")
    assert on_linux.environment == manifest.environment
    on_mac = manifest.on_machine("Darwin", "arm64")
    assert on_mac.environment == manifest.environment
    assert on_mac.task().launch.pre_run == (("{python}", "prepare.py", "--all"),)


def test_a_frozen_file_counts_only_where_it_names_system_and_machine(package: MakePackage) -> None:
    frozen = CONDA.replace("robocorp==3.1.2", "robocorp==3.0.0")
    manifest = read_package(package({**FILES, "environment_linux_amd64_freeze.yaml": frozen}))
    assert manifest.environment is not None
    assert "robocorp==3.0.0" in manifest.environment.requirements
    on_arm = manifest.on_machine("linux", "aarch64").environment
    assert on_arm is not None
    assert "robocorp==3.1.2" in on_arm.requirements


def test_a_robot_for_windows_alone_has_no_environment_elsewhere(package: MakePackage) -> None:
    robot = "tasks: {a: {shell: python t.py}}\nenvironmentConfigs: [conda_windows.yaml]\n"
    manifest = read_package(package({"robot.yaml": robot, "conda_windows.yaml": CONDA}))
    assert manifest.environment is None
    assert manifest.on_machine("windows", "amd64").environment is not None


def test_the_old_key_for_the_environment_is_read(package: MakePackage) -> None:
    robot = "tasks: {a: {shell: python t.py}}\ncondaConfigFile: conda.yaml\n"
    environment = read_package(package({"robot.yaml": robot, "conda.yaml": CONDA})).environment
    assert environment is not None
    assert environment.python == "==3.12.11"


def test_a_robot_without_an_environment_is_a_plain_one(package: MakePackage) -> None:
    environment = read_package(package({"robot.yaml": "tasks: {a: {shell: ls}}\n"})).environment
    assert environment is not None
    assert environment.requirements == ()


def test_controlroom_toml_adds_what_robot_yaml_has_no_words_for(package: MakePackage) -> None:
    declared = 'name = "Orders"\ntimeout = "1h"\ntask = "By Words"\n[inputs]\nday = "string"\n'
    manifest = read_package(package({**FILES, "controlroom.toml": declared}))
    assert (manifest.name, manifest.default_task) == ("Orders", "By Words")
    assert manifest.limits.timeout_seconds == 3600
    assert manifest.inputs["required"] == ["day"]


@pytest.mark.parametrize(
    ("version", "specifier"),
    [("=3.12.11", "==3.12.11"), ("=3.11", "==3.11.*"), ("==3.11.4", "==3.11.4"), (" >=3.10,<3.13", ">=3.10,<3.13"),
     ("=3.11.4=h_1", "==3.11.4"), ("=3.11.*", "==3.11.*"), ("", "")],
)  # fmt: skip
def test_condas_versions_of_python(version: str, specifier: str, package: MakePackage) -> None:
    conda = f"dependencies:\n  - conda-forge::python{version}\n"
    robot = "tasks: {a: {shell: ls}}\ncondaConfigFile: conda.yaml\n"
    environment = read_package(package({"robot.yaml": robot, "conda.yaml": conda})).environment
    assert environment is not None
    assert environment.python == specifier


@pytest.mark.parametrize(
    "name", ["nodejs=20", "openssl", "conda-forge::libgl =1", "robocorp-truststore=0.9.1"]
)
def test_a_dependency_that_only_conda_has_is_refused_by_name(name: str, package: MakePackage) -> None:
    conda = CONDA.replace("  - pip=25.3", f"  - {name}")
    plain = name.rpartition("::")[2].split("=")[0].strip()
    with pytest.raises(
        DeclarationInvalid, match=f"conda.yaml: dependencies: '{plain}' is installed by conda only"
    ):
        read_package(package({**FILES, "conda.yaml": conda}))


@pytest.mark.parametrize(
    ("robot", "said"),
    [
        ("tasks: {}", "tasks: must name at least one"),
        ("artifactsDir: output", "tasks: must name at least one"),
        ("tasks: [a]", "tasks: must be a table"),
        ("tasks: {a: {}}", "tasks.a: needs exactly one"),
        ("tasks: {a: null}", "tasks.a: needs exactly one"),
        ("tasks: {a: {shell: x, command: [y]}}", "tasks.a: needs exactly one"),
        ('tasks: {a: {shell: "x \'y"}}', "tasks.a.shell: must be a command on one line"),
        ("tasks: {a: {shell: ''}}", "tasks.a.shell"),
        ("tasks: {a: {command: []}}", "tasks.a.command"),
        ("tasks: {a: {command: [1]}}", "tasks.a.command: must be a list of texts"),
        ("tasks: {a: {shel: x, shell: y}}", "tasks.a.shel.*did you mean 'shell'"),
        ("taks: {}", "taks.*did you mean 'tasks'"),
        ("tasks: {a: {shell: x}}\nPATH: [/usr/bin]", "PATH: must be a path inside"),
        ("tasks: {a: {shell: x}}\nPYTHONPATH: [..]", "PYTHONPATH: must be a path inside"),
        ("tasks: {a: {shell: x}}\nartifactsDir: C:\\x", "artifactsDir: must be a path inside"),
        ("tasks: {a: {shell: x}}\nignoreFiles: [gone]", "ignoreFiles: names 'gone'"),
        ("tasks: {a: {shell: x}}\ncondaConfigFile: gone.yaml", "condaConfigFile: names 'gone.yaml'"),
        ("tasks: {a: {shell: x}}\nenvironmentConfigs: [gone.yaml]", "environmentConfigs: names no file"),
        ("tasks: {a: {shell: x}}\ncondaConfigFile: odd.yaml", "odd.yaml: dependencies: must be a list"),
        ("tasks: {a: {shell: x}}\ncondaConfigFile: pip.yaml", "pip.yaml: dependencies.pip: '-r x.txt' is no"),
    ],
)
def test_what_cannot_stand_names_file_and_key(robot: str, said: str, package: MakePackage) -> None:
    others = {"odd.yaml": "dependencies: {a: 1}", "pip.yaml": "dependencies: [pip: ['-r x.txt']]"}
    with pytest.raises(DeclarationInvalid, match=said):
        read_package(package({"robot.yaml": robot, **others}))


def test_a_task_that_the_robot_lacks_is_refused(package: MakePackage) -> None:
    with pytest.raises(DeclarationInvalid, match=r"controlroom\.toml: task: must name a task of robot\.yaml"):
        read_package(package({**FILES, "controlroom.toml": 'task = "Nothing"'}))


@pytest.mark.parametrize(
    ("name", "linux_amd64", "windows_arm64"),
    [("conda.yaml", True, True), ("conda_linux.yaml", True, False), ("Windows_setup.bat", False, False),
     ("windows_arm64.yaml", False, True), ("x_arm64.yaml", False, True)],
)  # fmt: skip
def test_names_say_for_which_machine_they_are(name: str, linux_amd64: bool, windows_arm64: bool) -> None:
    assert fits(name, "linux", "amd64") is linux_amd64
    assert fits(name, "windows", "arm64") is windows_arm64
