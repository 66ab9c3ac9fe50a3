"""What can go wrong with the declared site and with questions about it."""

from controlroom.foundation.errors import Conflict, FieldError, Invalid, NotFound, TooLarge, TooManyRequests


class NoSite(NotFound):
    """No site is declared yet."""

    code = "no_site"
    title = "No site is declared yet"


class NoSuchVersion(NotFound):
    """The site has no such version."""

    code = "no_such_site_version"


class NoSuchReport(NotFound):
    """There is no such report, or it was dropped for newer ones."""

    code = "no_such_network_report"


class BadSiteText(Invalid):
    """The site file cannot stand; ``line`` and ``key`` say where."""

    code = "bad_site"
    title = "The site cannot stand"

    def __init__(self, detail: str, *, line: int | None = None, key: str = "") -> None:
        super().__init__(detail, fields=(FieldError("/text", detail),))
        self.line = line
        self.key = key


class Refused(Invalid):
    """The network contract refuses the question: what was asked for is not there, or cannot be said or read."""

    code = "network_refused"
    title = "This cannot be answered"


class SiteChangedMeanwhile(Conflict):
    """Someone else declared a version since the one that was edited was read."""

    code = "site_changed_meanwhile"


class SiteUnchanged(Conflict):
    """The text is that of the present version."""

    code = "site_unchanged"


class SiteTooLarge(TooLarge):
    """A file is larger than is taken."""

    code = "site_too_large"


class GivenUp(Invalid):
    """The answer would have taken longer, or more memory, than is given to one question."""

    code = "network_given_up"
    title = "Given up, not guessed"


class TooBusy(TooManyRequests):
    """As many questions as may be asked at once are being answered."""

    code = "network_busy"
