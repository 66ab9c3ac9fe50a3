"""Ports as people write them: ``443``, ``943, 4530``, ``47100-47200``."""

import re
from collections.abc import Iterable

from controlroom.network.errors import BadPorts
from controlroom.network.intervals import IntervalSet

LOWEST_PORT = 1
HIGHEST_PORT = 65_535
ALL_PORTS = IntervalSet(((0, HIGHEST_PORT),))

_PART = re.compile(r"(\d{1,5})(?:\s*[-–:]\s*(\d{1,5}))?")


def ports(*parts: int | tuple[int, int]) -> IntervalSet:
    """Return a set of ports from single ports and closed ranges; raise `BadPorts` beyond 1-65535."""
    return _checked((part, part) if isinstance(part, int) else part for part in parts)


def parse_ports(text: str) -> IntervalSet:
    """Read ports as people write them; raise `BadPorts` with the part that cannot be read."""
    found: list[tuple[int, int]] = []
    for part in re.split(r"\s*(?:,|\band\b)\s*", text.strip()):
        match = _PART.fullmatch(part)
        if match is None:
            raise BadPorts(
                f"{part!r} is not a port or a range of ports; write a number, or two with a hyphen between them"
            )
        low = int(match[1])
        found.append((low, int(match[2]) if match[2] else low))
    return _checked(found)


def format_ports(ports: IntervalSet, *, separator: str = ", ") -> str:
    """Write ports as people read them, in order."""
    return separator.join(str(low) if low == high else f"{low}-{high}" for low, high in ports)


def single_ports(ports: IntervalSet) -> list[int]:
    """Spell a set of ports out one by one."""
    return [port for low, high in ports for port in range(low, high + 1)]


def _checked(ranges: Iterable[tuple[int, int]]) -> IntervalSet:
    kept = list(ranges)
    for low, high in kept:
        if not LOWEST_PORT <= low <= HIGHEST_PORT or not LOWEST_PORT <= high <= HIGHEST_PORT:
            raise BadPorts(
                f"{low if low == high else f'{low}-{high}'} is beyond {LOWEST_PORT}-{HIGHEST_PORT}"
            )
        if low > high:
            raise BadPorts(f"{low}-{high} is upside down; write {high}-{low}")
    return IntervalSet.of(kept)
