"""The bot in a real Control Room's own pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving import running_server, script

from .conftest import PASSWORD
from .test_whole import SCRIPT, needs_browser, sign_in_file


@needs_browser
@pytest.mark.browser
def test_report_of_a_real_control_room(run_example, tmp_path: Path) -> None:
    with running_server(tmp_path / "control-room") as running:
        add = ["user", "add", "reporter", "--role", "viewer", "--password-stdin"]
        subprocess.run(
            [sys.executable, "-m", "controlroom.cli", *add],
            input=f"{PASSWORD}\n", env=running.environment(), text=True, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        running.publish(script("print('never run')"), "waiting")
        with running.client() as client:
            run = client.post("/api/v1/runs", json={"bot": "waiting"}).raise_for_status().json()

        done = run_example(
            SCRIPT, inputs={"sign_in_file": sign_in_file(tmp_path, running.url), "theme": "dark"}
        )

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "output" / "report.html").read_text(encoding="utf-8")
    rows = re.findall(r"<tr class=\"(\w+)\"><td>([^<]+)</td>", page)
    assert rows == [("good", "Activity"), ("good", "Newest run"), ("good", "Bots"), ("good", "Devices")]
    assert f"/runs/{run['id']}" in page
    assert "Signed out" in done.stderr
