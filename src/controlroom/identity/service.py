"""All that can be done with identities, in one hand: the server makes one service and puts it into its state."""

import secrets

import argon2
from argon2.profiles import RFC_9106_LOW_MEMORY

from controlroom.audit.actor import SYSTEM, Actor
from controlroom.foundation.cache import Cache
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict
from controlroom.foundation.live_settings import LiveSettings
from controlroom.foundation.settings import Settings
from controlroom.identity.accounts import Accounts
from controlroom.identity.api_keys import ApiKeys
from controlroom.identity.assignments import Assignments
from controlroom.identity.authentication import Authentication
from controlroom.identity.caller import Caller
from controlroom.identity.cookies import DEVICE_COOKIE_NAME, STEP_COOKIE_NAME, SessionCookie
from controlroom.identity.enrolment import Enrolment
from controlroom.identity.explanation import Explanations
from controlroom.identity.holders import Holders
from controlroom.identity.known_devices import KnownDevices
from controlroom.identity.overviews import Overviews
from controlroom.identity.passwords import PasswordHasher, PasswordPolicy
from controlroom.identity.permissions import Permission
from controlroom.identity.providers.local import LocalProvider
from controlroom.identity.roles import RoleService
from controlroom.identity.sealing import Sealing
from controlroom.identity.second_factors import SecondFactors
from controlroom.identity.second_step import SecondStep
from controlroom.identity.sessions import Sessions
from controlroom.identity.throttle import SignInThrottle
from controlroom.identity.usage import UsageNotes


class IdentityService:
    """Users, sessions and API keys of one node, as ``app.state.identity``."""

    def __init__(
        self,
        database: Database,
        cache: Cache,
        clock: Clock,
        settings: Settings,
        *,
        secret_key: bytes | None = None,
        live: LiveSettings | None = None,
        hash_parameters: argon2.Parameters = RFC_9106_LOW_MEMORY,
    ) -> None:
        """Put the parts together; without ``secret_key``, the server's, what is sealed is lost with this process."""
        self.public_url = settings.public_url
        is_https = settings.public_url.lower().startswith("https://")
        self.cookie = SessionCookie(secure=is_https)
        self.step_cookie = SessionCookie(secure=is_https, name=STEP_COOKIE_NAME)
        live = live or LiveSettings.of(settings)
        self.policy = PasswordPolicy(lambda: live.password_minimum_length)
        self._hasher = PasswordHasher(hash_parameters)
        self.usage = UsageNotes(database, clock)
        self.authentication = Authentication(database, clock, live, self.usage)
        self.accounts = Accounts(database, clock, self.authentication, self._hasher, self.policy)
        self.sessions = Sessions(database, clock, live, self.authentication)
        key = secret_key or secrets.token_bytes(32)
        sealing, self.devices = Sealing(key), KnownDevices(key)
        self.device_cookie = SessionCookie(secure=is_https, name=DEVICE_COOKIE_NAME)
        throttle = SignInThrottle(cache, clock)
        self.second_factors = SecondFactors(database, clock, self.authentication)
        self.enrolment = Enrolment(database, clock, self.sessions, self.authentication, sealing)
        self.second_step = SecondStep(
            database, clock, self.sessions, self.authentication, sealing, throttle, self.devices
        )
        self.local = LocalProvider(
            database,
            clock,
            sessions=self.sessions,
            authentication=self.authentication,
            hasher=self._hasher,
            policy=self.policy,
            throttle=throttle,
            second_step=self.second_step,
            devices=self.devices,
        )
        self.api_keys = ApiKeys(database, clock, self.authentication)
        self.roles = RoleService(database, clock, self.authentication)
        self.assignments = Assignments(database, clock, self.authentication)
        self.explanations = Explanations(database, self.accounts)
        self.holders = Holders(database)
        self.overviews = Overviews(database)

    async def ensure_administrator(self, *, name: str = "admin") -> str | None:
        """Create an administrator where there is no user at all, and return the password made up for them.

        Returns None where there are users already; of several nodes that start at once, one gets the password.
        """
        if await self.accounts.count():
            return None
        caller = local_caller(SYSTEM)
        try:
            given = await self.accounts.create(
                caller, name=name, roles=["administrator"], display_name="Administrator", only_if_none=True
            )
        except Conflict:
            return None
        return given.generated

    async def close(self) -> None:
        """Write what is still to be written and end the threads; called once when the node stops."""
        await self.usage.settle()
        self._hasher.close()


def local_caller(actor: Actor) -> Caller:
    """Return a caller with every right: the product itself, or whoever may read the server's own settings and keys."""
    return Caller(actor=actor, user_id="", user_name=actor.name, permissions=frozenset(Permission))
