"""What a runner says of its machine."""

import os
import platform
import socket

import psutil

from controlroom import __version__
from controlroom.protocol.messages import DeviceFacts


def machine_facts() -> DeviceFacts:
    """Read the facts of this machine."""
    return DeviceFacts(
        hostname=socket.gethostname(),
        system=platform.system().lower(),
        release=platform.release(),
        machine=platform.machine(),
        python=platform.python_version(),
        runner_version=__version__,
        processors=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
    )


def machine_load() -> tuple[float, float]:
    """Return the processor use since the last call and the memory in use now, each 0 to 1."""
    return psutil.cpu_percent(interval=None) / 100, psutil.virtual_memory().percent / 100
