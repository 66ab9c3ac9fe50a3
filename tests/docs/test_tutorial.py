"""The tutorial is followed to the letter: its commands are run in order against a real Control Room and runner."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving import running_server

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-bot.md"
_BLOCK = re.compile(r'^```(?P<kind>console|python title="(?P<file>[^"]+)")\n(?P<text>.*?)^```$', re.M | re.S)
_LONGEST_SECONDS = 150


def steps(page: str) -> str:
    """Return the page as a shell script: commands of its console blocks, and its files, in their order."""
    lines = ["set -eux"]
    for block in _BLOCK.finditer(page):
        if block["file"]:
            lines.append(f"cat > '{block['file']}' <<'END OF FILE'\n{block['text']}END OF FILE")
        else:
            lines += [line[2:] for line in block["text"].splitlines() if line.startswith("$ ")]
    return "\n".join(lines) + "\n"


@pytest.mark.timeout(240)
def test_a_reader_who_follows_the_tutorial_gets_through(tmp_path: Path) -> None:
    script = steps(PAGE.read_text(encoding="utf-8"))
    work = tmp_path / "work"
    work.mkdir()
    with running_server(tmp_path / "control room", runners=1) as server:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CONTROLROOM_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "CONTROLROOM_URL": server.url,
            "CONTROLROOM_API_KEY": server.keys["administrator"],
            "CONTROLROOM_RUNNER_STATE": str(tmp_path / "trials"),
        }
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        with server.client() as client:
            runs = client.get("/api/v1/runs").json()["items"]
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert [(run["state"], run["version_number"]) for run in reversed(runs)] == [
        ("succeeded", 1),
        ("succeeded", 2),
        ("succeeded", 1),
    ]
    assert (work / "letters" / "letter.txt").read_text() == "Hello, Grace!\n" * 3
