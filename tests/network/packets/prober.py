"""Runs inside a namespace: sends one packet to each target and tells which arrived.

Nothing listens over there, so a packet that arrives is answered by a reset or by port unreachable, and one that a
firewall drops is not answered at all.
"""

import errno
import json
import resource
import select
import socket
import sys
import time

WAIT_SECONDS = 2.5
AT_ONCE = 3000


def ask(targets: list[tuple[str, str, int]]) -> list[bool]:
    """Return for each target whether anything came back within the time limit."""
    poller = select.poll()
    open_sockets: dict[int, tuple[int, socket.socket]] = {}
    arrived = [False] * len(targets)
    for number, (transport, address, port) in enumerate(targets):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
        one = socket.socket(family, kind)
        one.setblocking(False)
        code = one.connect_ex((address, port))
        if transport == "udp" and code == 0:
            try:
                one.send(b"?")
            except OSError as error:
                code = error.errno or 0
        if code == errno.ECONNREFUSED:
            arrived[number] = True
        open_sockets[one.fileno()] = (number, one)
        poller.register(one, select.POLLIN | select.POLLERR | (select.POLLOUT if transport == "tcp" else 0))
    end = time.monotonic() + WAIT_SECONDS
    while open_sockets and (left := end - time.monotonic()) > 0:
        for descriptor, _ in poller.poll(left * 1000):
            number, one = open_sockets.pop(descriptor)
            poller.unregister(descriptor)
            arrived[number] = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in {0, errno.ECONNREFUSED}
            one.close()
    for _, one in open_sockets.values():
        one.close()
    return arrived


def main() -> None:
    """Read the targets from standard input, write the answers to standard output."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, AT_ONCE + 100), most))
    targets = [tuple(one) for one in json.load(sys.stdin)]
    answers: list[bool] = []
    for start in range(0, len(targets), AT_ONCE):
        answers += ask(targets[start : start + AT_ONCE])  # type: ignore[arg-type]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
