"""Turns measurements of a bot's processes into a bounded number of samples, ever longer ones the longer it runs."""

from dataclasses import dataclass

from controlroom.protocol.messages import MOST_SAMPLES, UsageSample
from controlroom.runner.platform.contract import TreeUse

FIRST_SECONDS = 2.0
"""Length of the first samples."""


@dataclass(slots=True)
class UsageSampler:
    """The samples of one attempt. Times are Unix seconds; a clock that is set back only makes a sample longer.

    The first `MOST_SAMPLES` last `FIRST_SECONDS` each. From then on half as many fill it again at twice the length,
    as the Control Room makes one of each two when it has that many: a bot that runs for a year sends under 2,000.
    """

    seconds: float = FIRST_SECONDS
    _until_full: int = MOST_SAMPLES
    _begun: float = 0
    _cpu_before: float = 0
    _cpu_used: float = 0
    _memory_bytes: int = 0

    def begin(self, now: float) -> None:
        """Begin with a new process: its processor time counts from 0."""
        self._begun = now
        self._cpu_before = self._cpu_used = 0
        self._memory_bytes = 0

    def take(self, use: TreeUse, now: float) -> UsageSample | None:
        """Add a measurement; return a sample where one is complete by it. A tree that is gone gives none."""
        if not use.processes:
            return None
        self._cpu_used += max(0.0, use.cpu_seconds - self._cpu_before)
        self._cpu_before = use.cpu_seconds
        self._memory_bytes = max(self._memory_bytes, use.memory_bytes)
        lasted = now - self._begun
        if lasted < self.seconds:
            return None
        sample = UsageSample(now, lasted, self._cpu_used / lasted, self._memory_bytes)
        self._begun, self._cpu_used, self._memory_bytes = now, 0, 0
        self._count()
        return sample

    def _count(self) -> None:
        self._until_full -= 1
        if not self._until_full:
            self.seconds *= 2
            self._until_full = MOST_SAMPLES // 2
