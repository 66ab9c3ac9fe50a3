"""`controlroom network`: the ports, rules and proofs of a data centre, with no server and no database.

One file a command or a few that belong together; each registers itself with the group when it is imported here, and
the order of the imports is the order of the help. Exit codes of every command: 0 all is well, 1 there are findings,
2 the input cannot be read or cannot stand.
"""

# isort: off
from controlroom.cli.network import (
    catalogue,
    site,
    render,
    verify,
    connections,
    preflight,
    check,
    probe,
    server,
)
from controlroom.cli.network.group import app
# isort: on

__all__ = ["app", "catalogue", "check", "connections", "preflight", "probe", "render", "server", "site", "verify"]  # fmt: skip
