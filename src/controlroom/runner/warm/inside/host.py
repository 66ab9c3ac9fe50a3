"""The fork server: a single-threaded process that waits for start requests on a socket and forks a keeper for each.

Started as ``python host.py NUMBER``, where NUMBER is an inherited Unix stream socket. A request is four bytes of length
(big endian) that carry four descriptors (standard output, standard error, channel, control), then that much JSON. The
answer goes over the control socket, from the keeper. When the socket closes, the runner is gone or wants no more: the
host ends, and its keepers look after themselves.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import threading
from typing import Any

if __name__ == "__main__" and sys.path and os.path.dirname(os.path.abspath(__file__)) == sys.path[0]:
    del sys.path[0]

from controlroom.runner.warm.inside import ending, keeper, launch

assert sys.platform != "win32"  # noqa: S101  # tells the type checker that what follows needs fork  # nosec B101

READY = b"+"
_DESCRIPTORS = 4


def main() -> None:
    """Serve until the socket closes; returns to the interpreter only in a bot's process that Python itself must end."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    keeper.prepare()
    known = ending.prepare()
    gc.collect()
    gc.freeze()
    requests.sendall(READY)
    start, descriptors = _serve(requests)
    keeper.keep(start, descriptors)
    code = 0
    try:
        launch.run(start["launch"])
    except SystemExit as raised:
        code = ending.exit_code(raised)
    ending.end(code, known)
    sys.exit(code)


def _serve(requests: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork for every request; returns in the forked processes only."""
    while True:
        try:
            header, descriptors, _, _ = socket.recv_fds(requests, 4, _DESCRIPTORS)
            if not header:
                os._exit(0)
            header += _receive(requests, 4 - len(header))
            body = _receive(requests, int.from_bytes(header, "big"))
        except OSError:
            os._exit(0)
        refusal = _fork_hazard()
        try:
            forked = -1 if refusal else os.fork()
        except OSError as error:
            forked, refusal = -1, f"no process could be forked: {error}"
        if forked == 0:
            requests.close()
            return json.loads(body), descriptors
        if refusal:
            keeper.tell(descriptors[-1], refused=refusal)
        for descriptor in descriptors:
            os.close(descriptor)


def _receive(requests: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = requests.recv(min(count - len(parts), 65_536))
        if not part:
            os._exit(0)
        parts += part
    return bytes(parts)


def _fork_hazard() -> str:
    """Say why this interpreter must not be forked: something in the environment started a thread at start-up."""
    try:
        threads = len(os.listdir("/proc/self/task"))
    except OSError:
        threads = threading.active_count()
    if threads > 1:
        return f"the environment itself runs {threads - 1} threads in every interpreter"
    return ""


if __name__ == "__main__":
    main()
