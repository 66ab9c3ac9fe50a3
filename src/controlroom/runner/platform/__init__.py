"""What differs between operating systems: one file each, behind the protocol in `contract`.

The files for macOS and Windows are type-checked for their system but were never run; `docs/explanation` says so too.
"""

import sys

from controlroom.runner.platform.contract import Platform

if sys.platform == "win32":
    from controlroom.runner.platform.windows import WindowsPlatform as ThisPlatform
elif sys.platform == "darwin":
    from controlroom.runner.platform.darwin import DarwinPlatform as ThisPlatform
else:
    from controlroom.runner.platform.linux import LinuxPlatform as ThisPlatform


def current_platform() -> Platform:
    """Return the platform of the machine this runs on."""
    return ThisPlatform()
