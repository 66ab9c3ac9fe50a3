"""What can be wrong with devices, pools and join tokens."""

from controlroom.foundation.errors import Conflict, NotFound, Unauthenticated


class DeviceNotFound(NotFound):
    """There is no such device."""

    code = "device_not_found"


class PoolNotFound(NotFound):
    """There is no such device pool."""

    code = "pool_not_found"


class JoinTokenNotFound(NotFound):
    """There is no such join token."""

    code = "join_token_not_found"


class JoinTokenRefused(Unauthenticated):
    """The join token is unknown, used, revoked or expired."""

    code = "join_token_refused"
    title = "This join token does not count"


class DeviceKeyRefused(Unauthenticated):
    """The device's key is unknown or was revoked."""

    code = "device_key_refused"
    title = "This device's key does not count"


class NameTaken(Conflict):
    """Another device or pool has this name."""

    code = "name_taken"
