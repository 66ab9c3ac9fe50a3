"""What this run is, read from the environment the moment it is asked for."""

from __future__ import annotations

import os


class RunFacts:
    """The facts of a run. Outside a runner the texts are empty and the attempt is the first."""

    @property
    def inside_runner(self) -> bool:
        """Whether a Bot Runner (or ``controlroom bot run``) started this bot."""
        return bool(self.attempt_id)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return os.environ.get("CONTROLROOM_RUN_ID", "")

    @property
    def attempt_id(self) -> str:
        """The id of this try of the run."""
        return os.environ.get("CONTROLROOM_ATTEMPT_ID", "")

    @property
    def attempt(self) -> int:
        """Which try of the run this is, from 1."""
        number = os.environ.get("CONTROLROOM_ATTEMPT_NUMBER", "1")
        return int(number) if number.isdecimal() else 1

    @property
    def bot_name(self) -> str:
        """The bot's name as published."""
        return os.environ.get("CONTROLROOM_BOT_NAME", "")

    @property
    def bot_version(self) -> int:
        """The version that runs, or 0."""
        number = os.environ.get("CONTROLROOM_BOT_VERSION", "0")
        return int(number) if number.isdecimal() else 0

    @property
    def control_room_url(self) -> str:
        """The address of the Control Room that asked for the run, as its runner reaches it; empty without one."""
        return os.environ.get("CONTROLROOM_URL", "") if self.inside_runner else ""

    def __repr__(self) -> str:
        if not self.inside_runner:
            return "<no run: outside a Bot Runner>"
        return f"<run {self.run_id}, attempt {self.attempt} of {self.bot_name}>"
