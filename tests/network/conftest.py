"""Programs and examples that the network tests share."""

import os
from pathlib import Path

import pytest

from network.required_programs import required

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "network"


@pytest.fixture(scope="session")
def nft() -> str:
    return required("nft", "nftables")


@pytest.fixture(scope="session")
def iptables_restore() -> str:
    required("ipset", "ipset")
    return required("iptables-restore", "iptables")


@pytest.fixture(scope="session")
def conntrack() -> str:
    return required("conntrack", "conntrack")


@pytest.fixture(scope="session")
def namespaces() -> str:
    """The ``ip`` program, where this process may make network namespaces."""
    program = required("ip", "iproute2")
    if os.geteuid() != 0:
        message = "network namespaces need root: run the tests with sudo"
        if os.environ.get("CONTROLROOM_TEST_SERVERS") == "required":
            pytest.fail(message)
        pytest.skip(message)
    return program


@pytest.fixture(params=sorted(path.name for path in EXAMPLES.glob("*.toml")))
def example(request: pytest.FixtureRequest) -> Path:
    return EXAMPLES / str(request.param)


@pytest.fixture
def five_nodes() -> Path:
    return EXAMPLES / "five-nodes.toml"
