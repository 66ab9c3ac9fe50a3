"""Why an environment cannot be had on this machine."""

from controlroom.foundation.errors import ControlRoomError


class EnvironmentUnavailable(ControlRoomError):
    """The bot's environment cannot be had here."""

    status = 422
    code = "environment_unavailable"
    title = "The bot's environment cannot be had on this machine"


class NoSuitablePython(EnvironmentUnavailable):
    """No Python on this machine satisfies what the bot asks for."""

    code = "no_suitable_python"


class BuildFailed(EnvironmentUnavailable):
    """The build went wrong; the text holds the last words of what failed."""

    code = "environment_build_failed"
