"""File locks and leftovers on this machine's own platform."""

import subprocess
import sys
from pathlib import Path

import pytest

from controlroom.runner.platform import current_platform
from controlroom.runner.platform.processes import start_time

HOLDER = """
import sys
from pathlib import Path
from controlroom.runner.platform import current_platform
lock = current_platform().lock_file(Path(sys.argv[1]), shared=False)
print("held", flush=True)
sys.stdin.read()
"""


def test_shared_locks_go_together_and_exclude_the_exclusive(tmp_path: Path) -> None:
    platform, path = current_platform(), tmp_path / "lock"
    first, second = platform.lock_file(path, shared=True), platform.lock_file(path, shared=True)
    assert first is not None
    assert second is not None
    assert platform.lock_file(path, shared=False) is None

    first.release()
    second.release()
    second.release()

    assert platform.lock_file(path, shared=False) is not None


def test_lock_of_a_process_that_is_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert current_platform().lock_file(path, shared=True) is None

    holder.kill()
    holder.wait()

    assert current_platform().lock_file(path, shared=True) is not None


def test_lock_file_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    platform, path = current_platform(), tmp_path / "lock"
    old = platform.lock_file(path, shared=False)
    path.unlink()

    new = platform.lock_file(path, shared=False)

    assert old is not None
    assert new is not None
    assert path.exists()


@pytest.mark.parametrize("by", ["marker", "identity"])
def test_leftovers_are_ended_with_their_children_and_others_are_not(by: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", "MARK": "mine"}
    mine = subprocess.Popen(["sh", "-c", "sleep 1000 & wait"], env=environment)
    other = subprocess.Popen(["sleep", "1000"], env=environment | {"MARK": "other"})
    started = start_time(mine.pid)
    assert started is not None

    if by == "marker":
        killed = current_platform().end_processes({}, ("MARK", "mine"))
    else:
        killed = current_platform().end_processes({mine.pid: started, other.pid: 1.0}, ("", ""))

    assert killed >= 1
    assert mine.wait() == -9
    assert other.poll() is None
    other.kill()
    other.wait()
