"""What can be wrong with a request about runs."""

from controlroom.foundation.errors import Conflict, Forbidden, Invalid, NotFound


class RunNotFound(NotFound):
    """There is no run, attempt or artifact of this id."""

    code = "run_not_found"


class UnknownTarget(Invalid):
    """The device or pool that a run is meant for does not exist."""

    code = "unknown_target"


class IdempotencyKeyReused(Conflict):
    """The same key came before with another request."""

    code = "idempotency_key_reused"


class RunHasEnded(Conflict):
    """The run has ended, and what has ended never changes again."""

    code = "run_has_ended"


class AttemptForbidden(Forbidden):
    """A device asks for an attempt that is not its own, or shows a token that does not count."""

    code = "attempt_forbidden"


class PackageDamaged(Conflict):
    """The stored package is not what was published; its runs are rejected until it is restored or published again."""

    code = "package_damaged"
    title = "The bot's package is damaged"


class NoEnvironment(Conflict):
    """The package has no environment for this kind of machine; the attempt is rejected."""

    code = "no_environment"
    title = "The bot cannot run on this kind of machine"


class NothingToCompareWith(NotFound):
    """No other run of the bot has succeeded."""

    code = "nothing_to_compare_with"
