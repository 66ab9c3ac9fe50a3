"""Proved by packets: what real firewalls of firewalld hold of our rendering lets pass exactly what the policy says."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projector
from controlroom.network.renderers import renderer
from controlroom.network.site import read_site
from network.hostfirewalls.programs import FirewalldFolder, firewalld_program

from .laboratory import Laboratory, laboratory
from .test_packets import SITE, assert_as_the_policy_says, questions

__all__ = ["firewalld_program"]


@contextmanager
def firewalld(ground: Laboratory, projector: Projector, name: str, folder: Path) -> Iterator[None]:
    """Start a firewalld in a host, or in the router for an empty name, with our files among its own."""
    projection = projector.host(name) if name else projector.border()
    files = FirewalldFolder(folder)
    for file in renderer("firewalld").render(projection).files:
        if file.is_rules:
            _, kind, own = file.name.split("/")
            (files.config / kind / own).write_text(file.text)
    with files.running("ip", "netns", "exec", ground.names.get(name, ground.router)):
        yield


@pytest.mark.timeout(110)
@pytest.mark.xdist_group("packets")
def test_what_firewalld_holds_lets_pass_exactly_what_the_policy_says(
    firewalld_program: str, namespaces: str, tmp_path: Path
) -> None:
    site = read_site(SITE)
    policy = derive_policy(site)
    asked = questions(site, policy)
    projector = Projector(policy)
    names = [*(host.name for host in site.hosts), ""]

    with laboratory(site) as ground, ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        for name in names:
            (tmp_path / (name or "router")).mkdir()
        started = [firewalld(ground, projector, name, tmp_path / (name or "router")) for name in names]
        list(pool.map(stack.enter_context, started))
        answers = ground.probe(asked)

    assert_as_the_policy_says(site, policy, asked, answers)
