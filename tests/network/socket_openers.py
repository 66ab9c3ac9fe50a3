"""Finds the calls of a module that open sockets: listeners, connections, and clients that make them."""

import ast
from collections.abc import Iterator

_OPENERS = (
    "socket.socket", "socket.create_connection", "socket.create_server", "socket.socketpair",
    "asyncio.open_connection", "asyncio.start_server",
    "httpx.Client", "httpx.AsyncClient", "httpx.get", "httpx.post", "httpx.request", "httpx.stream",
    "websockets.", "uvicorn.Server", "uvicorn.run", "sqlalchemy.create_engine",
    "sqlalchemy.ext.asyncio.create_async_engine", "asyncpg.connect", "asyncpg.create_pool",
    "smtplib.", "aiosmtplib.", "imaplib.", "poplib.", "ftplib.", "telnetlib.", "http.client.", "urllib.request.urlopen",
    "xmlrpc.", "ldap3.", "bonsai.", "aio_pika.connect", "redis.", "opensearchpy.", "paramiko.", "smbclient.", "smbprotocol.",
    "grpc.", "oracledb.", "pyodbc.connect", "aioodbc.", "requests.", "aiohttp.", "dns.", "syslog.",
    "logging.handlers.SysLogHandler",
)  # fmt: skip
_METHODS = frozenset({"create_connection", "create_server", "create_datagram_endpoint", "sock_connect"})
"""Of an event loop, whatever the loop is called."""


def opening_calls(source: str) -> list[str]:
    """Return the dotted names of what a module calls to open sockets, each once, in order."""
    tree = ast.parse(source)
    names = dict(_imported(tree))
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = _dotted(node.func, names)
            if any(
                called == known or (known.endswith(".") and called.startswith(known)) for known in _OPENERS
            ):
                found[called] = None
            elif isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
                found[node.func.attr] = None
    return sorted(
        name for name in found if not name.rpartition(".")[2].endswith(("Error", "Exception", "Refused"))
    )


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (
                    (alias.asname or alias.name.partition(".")[0]),
                    (alias.name if alias.asname else alias.name.partition(".")[0]),
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield (alias.asname or alias.name), f"{node.module}.{alias.name}"


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, "")  # what was not imported is a variable of the module
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return ""
