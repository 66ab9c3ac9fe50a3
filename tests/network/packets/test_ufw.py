"""Proved by packets: what ufw loads of our rendering lets pass exactly what the policy says, and nothing else."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projector
from controlroom.network.renderers import renderer
from controlroom.network.site import read_site
from network.hostfirewalls.programs import UfwFolder, ufw_program

from .laboratory import Laboratory, laboratory
from .test_packets import SITE, assert_as_the_policy_says, questions

__all__ = ["ufw_program"]


def start_ufw(ground: Laboratory, projector: Projector, name: str, folder: Path) -> None:
    """Apply a rendering as its own script does it, with ufw's files in a folder of the machine's own."""
    projection = projector.host(name) if name else projector.border()
    ufw = UfwFolder(folder)
    for file in renderer("ufw").render(projection).files:
        (folder / file.name).write_text(file.text)
    script = folder / f"{projection.name}-ufw.sh"
    # A namespace of processes too, so that the timed roll-back ends with the script.
    inside = [
        "ip",
        "netns",
        "exec",
        ground.names.get(name, ground.router),
        "unshare",
        "-p",
        "-f",
        "--kill-child",
    ]
    subprocess.run(
        [*inside, "sh", str(script), "apply"],
        check=True,
        capture_output=True,
        env=ufw.environment,
        timeout=60,
    )


@pytest.mark.timeout(110)
@pytest.mark.xdist_group("packets")
def test_what_ufw_loads_lets_pass_exactly_what_the_policy_says(
    ufw_program: str, namespaces: str, tmp_path: Path
) -> None:
    site = read_site(SITE)
    policy = derive_policy(site)
    asked = questions(site, policy)
    projector = Projector(policy)
    names = [*(host.name for host in site.hosts), ""]

    with laboratory(site) as ground, ThreadPoolExecutor(4) as pool:
        for name in names:
            (tmp_path / (name or "router")).mkdir()
        list(pool.map(lambda name: start_ufw(ground, projector, name, tmp_path / (name or "router")), names))
        answers = ground.probe(asked)

    shutil.rmtree(tmp_path)
    assert_as_the_policy_says(site, policy, asked, answers)
