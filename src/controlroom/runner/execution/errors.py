"""Why an attempt cannot be carried out."""

from controlroom.foundation.errors import ControlRoomError


class PackageUnusable(ControlRoomError):
    """The package cannot be unpacked safely, or lacks what the plan names."""

    status = 422
    code = "package_unusable"
    title = "The bot's package cannot be used"
