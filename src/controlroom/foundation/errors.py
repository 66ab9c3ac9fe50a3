"""The one tree of errors that people meet, each saying what happened, to which value, and what to do.

The API turns them into problem+json (RFC 9457) in one place, the UI into a message, the CLI into an exit code.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One value that cannot stand.

    ``pointer`` is a JSON pointer (RFC 6901) into what was sent, such as ``/inputs/amount``.
    """

    pointer: str
    message: str


class ControlRoomError(Exception):
    """Base of every error that is meant for a person.

    Subclasses set ``status`` (HTTP), ``code`` (stable, for scripts) and ``title`` (one line, the same each time).
    """

    status = 500
    code = "internal"
    title = "Something went wrong here"

    def __init__(
        self, detail: str, *, fields: tuple[FieldError, ...] = (), retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields
        self.retry_after_seconds = retry_after_seconds


class Invalid(ControlRoomError):
    """What was sent cannot be understood or does not fit; ``fields`` says where."""

    status = 422
    code = "invalid"
    title = "What was sent does not fit"


class Unauthenticated(ControlRoomError):
    """Nobody is signed in, or what was shown as proof is not valid."""

    status = 401
    code = "unauthenticated"
    title = "Sign in first"


class Forbidden(ControlRoomError):
    """Someone is signed in but has no right to this."""

    status = 403
    code = "forbidden"
    title = "You may not do this"


class NotFound(ControlRoomError):
    """There is no such thing, or none that this person may see."""

    status = 404
    code = "not_found"
    title = "There is no such thing"


class Conflict(ControlRoomError):
    """The thing is in a state, or has a name, that does not allow this."""

    status = 409
    code = "conflict"
    title = "This does not go with the present state"


class PreconditionFailed(ControlRoomError):
    """Someone else changed the thing since it was read (RFC 9110 section 13.1.1)."""

    status = 412
    code = "changed_meanwhile"
    title = "Someone changed this meanwhile"


class PreconditionRequired(ControlRoomError):
    """An edit must name the version it was made from (RFC 6585 section 3)."""

    status = 428
    code = "precondition_required"
    title = "Say which version you edit"


class TooLarge(ControlRoomError):
    """What was sent is larger than this server takes."""

    status = 413
    code = "too_large"
    title = "Too large"


class TooManyRequests(ControlRoomError):
    """Asked too often; ``retry_after_seconds`` says when to come again."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"


class Unavailable(ControlRoomError):
    """Something this server needs does not answer at the moment; the same request may succeed later."""

    status = 503
    code = "unavailable"
    title = "Not available at the moment"
