"""What can be wrong with who someone is, beyond the ground floor's errors."""

from controlroom.foundation.errors import Forbidden, Invalid, Unauthenticated


class SignInNeeded(Unauthenticated):
    """A page was asked for and nobody is signed in; ``location`` is where to sign in and come back from.

    The web room answers it with a redirect (303), or with ``HX-Redirect`` for a part of a page.
    """

    def __init__(self, location: str) -> None:
        super().__init__("Sign in to see this page.")
        self.location = location


class WrongCredentials(Unauthenticated):
    """The name and the password do not go together; which of the two is wrong is not said."""

    code = "wrong_credentials"
    title = "That name and password do not match"


class WrongSecondFactor(Unauthenticated):
    """What was shown as a second factor does not hold."""

    code = "wrong_second_factor"
    title = "That second factor does not hold"


class SignInEnded(Unauthenticated):
    """The second step of a sign-in came too late, too often, or after the password was changed."""

    code = "sign_in_ended"
    title = "Begin signing in again"


class SecondFactorNeeded(Forbidden):
    """A role of the caller's asks for a second factor, and they have enrolled none; nothing else is open to them."""

    code = "second_factor_needed"
    title = "Enrol a second factor first"


class PasswordChangeNeeded(Forbidden):
    """The caller's password was made up for them, and they have not chosen their own; nothing else is open to them."""

    code = "password_change_needed"
    title = "Choose a password of your own first"


class ConfirmationNeeded(Forbidden):
    """The caller proved who they are too long ago for what they want to change."""

    code = "confirmation_needed"
    title = "Enter your password again"


class CrossSiteRefused(Forbidden):
    """A change asked for with a session's cookie did not prove that it came from the session's own pages."""

    code = "cross_site"
    title = "This request did not come from a page of the Control Room"


class WeakPassword(Invalid):
    """A new password does not meet the policy."""

    code = "weak_password"
    title = "This password will not do"
