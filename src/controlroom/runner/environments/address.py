"""The address of an environment: the SHA-256 of everything that defines it."""

import hashlib
import json
import platform
import sysconfig

from controlroom.protocol.plan import EnvironmentSpec
from controlroom.runner.environments.interpreters import Interpreter
from controlroom.runner.environments.sdk import sdk_hash

_LAYOUT = 1
"""Raised when environments are laid out differently, so that old ones are built anew."""


def environment_address(spec: EnvironmentSpec, interpreter: Interpreter) -> str:
    """Return 64 hexadecimal digits. Requirements count in any order; files by their exact text."""
    content = {
        "layout": _LAYOUT,
        "kind": spec.kind.value,
        "requirements": sorted(spec.requirements),
        "files": spec.files,
        "post_install": list(spec.post_install),
        "python": [str(interpreter.path), interpreter.version],
        "platform": [sysconfig.get_platform(), *platform.libc_ver()],
        "sdk": sdk_hash(),
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
