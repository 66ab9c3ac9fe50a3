"""Where a server on this machine is reached."""

import pytest

from controlroom.cli.addresses import EXAMPLE_ADDRESS, local_address
from controlroom.foundation.settings import Settings


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:7"),
        ("0.0.0.0", "http://127.0.0.1:7"),
        ("::", "http://[::1]:7"),
        ("::1", "http://[::1]:7"),
        ("rpa.example", "http://rpa.example:7"),
    ],
)
def test_a_server_is_reached_where_it_listens(host: str, address: str) -> None:
    assert local_address(host, 7) == address


def test_the_example_is_where_a_server_listens_that_was_told_nothing_else() -> None:
    fields = Settings.model_fields
    assert local_address(fields["host"].default, fields["port"].default) == EXAMPLE_ADDRESS
