"""Environments: built once, at their address, by one builder at a time, and cleaned by last use."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec
from controlroom.runner.environments import BuildFailed, EnvironmentLease, EnvironmentStore, NoSuitablePython
from controlroom.runner.platform import current_platform
from runner.environments.wheels import make_wheel

PLAIN = EnvironmentSpec(EnvironmentKind.REQUIREMENTS)
LARGE = 10**10


async def _free(_environment: Path) -> bool:
    return True


def open_store(folder: Path, *, limit_bytes: int = LARGE, build_seconds: float = 60) -> EnvironmentStore:
    return EnvironmentStore(
        folder, current_platform(), limit_bytes=limit_bytes, release_idle=_free, build_seconds=build_seconds
    )


async def lease(
    store: EnvironmentStore, spec: EnvironmentSpec = PLAIN, lines: list[str] | None = None
) -> EnvironmentLease:
    return await store.lease(spec, (lines if lines is not None else []).append, lambda: None)


def run(environment: EnvironmentLease, *words: str) -> str:
    program = environment.folder / "bin" / words[0]
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def numbered(number: int) -> EnvironmentSpec:
    """Specs that differ but need nothing."""
    return EnvironmentSpec(EnvironmentKind.REQUIREMENTS, post_install=(f"python -c {number}",))


async def test_second_lease_finds_what_the_first_built(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    first = await lease(store)
    second = await lease(store)

    assert first.built
    assert not second.built
    assert first.folder == second.folder
    assert (
        run(first, "python", "-c", "from controlroom import bot; print(bot.run)")
        == "<no run: outside a Bot Runner>\n"
    )


async def test_script_of_a_package_works_after_the_rename(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "parcel", console_script="send-parcel")
    spec = EnvironmentSpec(EnvironmentKind.REQUIREMENTS, requirements=(f"parcel @ {wheel.as_uri()}",))

    environment = await lease(open_store(tmp_path / "store"), spec)

    assert run(environment, "send-parcel") == "parcel 1.0\n"
    assert run(environment, "python", "-c", "import parcel; print(parcel.VERSION)") == "1.0\n"


async def test_requirements_files_with_hashes_are_held_to_them(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "parcel")
    text = f"parcel @ {wheel.as_uri()} --hash=sha256:{'0' * 64}\n"
    spec = EnvironmentSpec(EnvironmentKind.REQUIREMENTS, files={"requirements.txt": text})

    with pytest.raises(BuildFailed, match=r"(?i)hash"):
        await lease(open_store(tmp_path / "store"), spec)


async def test_locked_project_is_synced_from_its_lock(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "parcel")
    project = f"""
        [project]
        name = "job"
        version = "1"
        requires-python = ">=3.9"
        dependencies = ["parcel"]
        [dependency-groups]
        dev = ["nothing-like-this"]
        [tool.uv.sources]
        parcel = {{ path = "{wheel}" }}
        """
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock = f"""
        version = 1
        requires-python = ">=3.9"
        [[package]]
        name = "job"
        version = "1"
        source = {{ virtual = "." }}
        dependencies = [{{ name = "parcel" }}]
        [[package]]
        name = "parcel"
        version = "1.0"
        source = {{ path = "{wheel}" }}
        wheels = [{{ filename = "{wheel.name}", hash = "sha256:{digest}" }}]
        """
    files = {"pyproject.toml": textwrap.dedent(project), "uv.lock": textwrap.dedent(lock)}
    spec = EnvironmentSpec(EnvironmentKind.LOCKED_PROJECT, files=files)

    environment = await lease(open_store(tmp_path / "store"), spec)

    assert (
        run(environment, "python", "-c", "import parcel, controlroom.bot; print(parcel.VERSION)") == "1.0\n"
    )


async def test_failed_build_shows_the_resolvers_words_and_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    lines: list[str] = []
    spec = EnvironmentSpec(
        EnvironmentKind.REQUIREMENTS, requirements=("parcel @ file:///nowhere/parcel-1.0.whl",)
    )

    with pytest.raises(BuildFailed) as failure:
        await lease(store, spec, lines)

    assert "/nowhere/parcel-1.0.whl" in str(failure.value)
    assert any("/nowhere/parcel-1.0.whl" in line for line in lines)
    assert list((tmp_path / "ready").iterdir()) == list((tmp_path / "building").iterdir()) == []


async def test_failing_step_after_the_installation_fails_the_build(tmp_path: Path) -> None:
    spec = EnvironmentSpec(
        EnvironmentKind.REQUIREMENTS, post_install=("python -c \"raise SystemExit('no browser')\"",)
    )

    with pytest.raises(BuildFailed, match="no browser"):
        await lease(open_store(tmp_path), spec)


async def test_build_that_takes_too_long_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    code = f"import os, time; open('{marker}', 'w').write(str(os.getpid())); time.sleep(1000)"
    spec = EnvironmentSpec(EnvironmentKind.REQUIREMENTS, post_install=(f'python -c "{code}"',))

    with pytest.raises(BuildFailed, match="longer than 3 s"):
        await lease(open_store(tmp_path / "store", build_seconds=3), spec)

    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


async def test_file_that_leads_out_of_the_build_is_refused(tmp_path: Path) -> None:
    spec = EnvironmentSpec(EnvironmentKind.REQUIREMENTS, files={"../../evil.txt": ""})

    with pytest.raises(BuildFailed, match="outside"):
        await lease(open_store(tmp_path), spec)


@pytest.mark.parametrize("python", ["==2.7.*", "nonsense"])
async def test_python_that_cannot_be_had_is_named(tmp_path: Path, python: str) -> None:
    with pytest.raises(NoSuitablePython, match=python.replace("*", r"\*")):
        await lease(open_store(tmp_path), EnvironmentSpec(EnvironmentKind.REQUIREMENTS, python=python))


async def test_secrets_of_the_runner_do_not_reach_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTROLROOM_RUNNER_KEY", "hidden-one")
    monkeypatch.setenv("UV_INDEX_INNER_PASSWORD", "hidden-two")
    lines: list[str] = []
    spec = EnvironmentSpec(
        EnvironmentKind.REQUIREMENTS, post_install=('python -c "import os; print(dict(os.environ))"',)
    )

    await lease(open_store(tmp_path), spec, lines)

    assert any("UV_NO_PROGRESS" in line for line in lines)
    assert not any("hidden" in line for line in lines)


async def test_least_recently_used_goes_first_and_what_is_in_use_stays(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    leases = [await lease(store, numbered(number)) for number in range(4)]
    for age, held in zip((40, 30, 20, 10), leases, strict=True):
        os.utime(held.folder.parent / "last-used", (1_000_000 - age, 1_000_000 - age))
    for held in leases[1:]:
        held.release()
    size = json.loads((leases[0].folder.parent / "environment.json").read_text())["size_bytes"]

    await open_store(tmp_path, limit_bytes=size * 5 // 2).clean()

    present = {path.name for path in (tmp_path / "ready").iterdir()}
    assert leases[0].address in present, "the oldest is in use"
    assert leases[3].address in present, "the newest fits"
    assert len(present) == 2
    assert list((tmp_path / "building").iterdir()) == []
    assert not (await lease(store, numbered(3))).built
    assert (await lease(store, numbered(1))).built


async def test_environment_whose_helpers_are_busy_stays(tmp_path: Path) -> None:
    async def busy(_environment: Path) -> bool:
        return False

    store = EnvironmentStore(tmp_path, current_platform(), limit_bytes=0, release_idle=busy)
    held = await lease(store)
    held.release()
    await store.clean()

    assert held.folder.is_dir()


async def test_leftover_of_a_dead_builder_is_removed_and_a_living_one_stays(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for address in ("dead", "alive"):
        (tmp_path / "building" / address).mkdir()
    lock = current_platform().lock_file(tmp_path / "locks/alive.build", shared=False)
    assert lock is not None

    await store.clean_leftovers()

    assert [path.name for path in (tmp_path / "building").iterdir()] == ["alive"]


BUILDER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from runner.environments.test_store import lease, open_store
from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec
async def main():
    step = f"python -c \\"open('{sys.argv[2]}', 'a').write('built ')\\""
    spec = EnvironmentSpec(EnvironmentKind.REQUIREMENTS, post_install=(step,))
    print((await lease(open_store(Path(sys.argv[1])), spec)).folder)
asyncio.run(main())
"""


async def test_builders_in_several_processes_build_once(tmp_path: Path) -> None:
    count, tests = tmp_path / "count", Path(__file__).parents[2]
    command = [sys.executable, "-c", BUILDER, str(tmp_path / "store"), str(count), str(tests)]
    builders = [await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(3)]

    said = [(await builder.communicate())[0].splitlines()[-1] for builder in builders]

    assert len(set(said)) == 1
    assert said[0]
    assert count.read_text() == "built "


async def test_builder_that_is_cancelled_lets_the_next_one_build(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    building = asyncio.Event()
    first = asyncio.create_task(store.lease(PLAIN, lambda _line: building.set(), lambda: None))
    await building.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    assert (await lease(store)).built
