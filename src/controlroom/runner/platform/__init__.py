"""What differs between operating systems: one file each, behind the protocol in `contract`.

The files for macOS and Windows are type-checked for their system but were never run; `docs/explanation` says so too.
"""

import sys

from controlroom.runner.platform.contract import Platform


def current_platform() -> Platform:
    """Return the platform of the machine this runs on."""
    if sys.platform == "win32":
        from controlroom.runner.platform.windows import WindowsPlatform

        return WindowsPlatform()
    if sys.platform == "darwin":
        from controlroom.runner.platform.darwin import DarwinPlatform

        return DarwinPlatform()
    from controlroom.runner.platform.linux import LinuxPlatform

    return LinuxPlatform()
