"""Slows down who guesses passwords, without locking out who owns the account.

Three counts, each within an hour of its first failure:

* an account from one network (IPv4 /24, IPv6 /64), or from one browser that it signed in from before: after some
  tries each further one must wait longer, up to a quarter of an hour. A guesser shuts out nobody but their own network,
  and there not the browser of the owner.
* a network over all accounts, against one password tried on many: waits of up to a minute, but not for an account
  that signed in from this network before.
* an account over all networks: tries only take longer, never fail for it, for everyone but those networks.

The counts live in the cache. Losing it forgives; it locks nobody out.
"""

import asyncio
import hashlib
import ipaddress
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controlroom.foundation.cache import Cache
from controlroom.foundation.clock import Clock
from controlroom.foundation.errors import TooManyRequests

WINDOW_SECONDS = 3600
FREE_PER_ACCOUNT_AND_NETWORK = 5
FREE_PER_NETWORK = 30
FREE_PER_ACCOUNT = 20
LONGEST_WAIT_SECONDS = 900
LONGEST_NETWORK_WAIT_SECONDS = 60
LONGEST_DELAY_SECONDS = 4.0

_KNOWN_SECONDS = 30 * 86_400
_MOST_DELAYED = 200
_FIRST_DELAY_SECONDS = 0.25

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One admitted try to sign in, by the keys of what it counts against."""

    pair: str
    network: str
    account: str
    is_known: bool


class SignInThrottle:
    """Admits tries to sign in."""

    def __init__(self, cache: Cache, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._cache = cache
        self._clock = clock
        self._sleep = sleep
        self._delayed = 0

    async def admit(self, account: str, address: str, device: str = "") -> Attempt:
        """Count a try and let it through, perhaps later; raise `TooManyRequests` that says when to come again.

        ``device`` names a browser that the account signed in from before: its tries count by themselves.

        The try is counted before its password is looked at, so that tries made side by side count too.
        """
        attempt = await self._attempt(account, address, device)
        await self._refuse_while_blocked(attempt.pair)
        if not attempt.is_known:
            await self._refuse_while_blocked(attempt.network)
        tries = await self._cache.increment(f"{attempt.pair}:count", WINDOW_SECONDS)
        await self._block(attempt.pair, tries - FREE_PER_ACCOUNT_AND_NETWORK, LONGEST_WAIT_SECONDS)
        if not attempt.is_known:
            await self._slow_down(attempt.account)
        return attempt

    async def failed(self, attempt: Attempt) -> None:
        """Count a wrong password against the network and the account."""
        tries = await self._cache.increment(f"{attempt.network}:count", WINDOW_SECONDS)
        await self._block(attempt.network, tries - FREE_PER_NETWORK, LONGEST_NETWORK_WAIT_SECONDS)
        await self._cache.increment(f"{attempt.account}:count", WINDOW_SECONDS)

    async def succeeded(self, attempt: Attempt) -> None:
        """Forgive this account's tries from this network, and know the two together from now on."""
        await self._cache.delete(f"{attempt.pair}:count")
        await self._cache.delete(f"{attempt.pair}:until")
        await self._cache.set(f"{attempt.pair}:known", b"1", _KNOWN_SECONDS)

    async def forgive(self, account: str, address: str, device: str = "") -> None:
        """Forgive an account's tries from a network: its owner came in from there by a second step."""
        await self.succeeded(await self._attempt(account, address, device))

    async def _attempt(self, account: str, address: str, device: str) -> Attempt:
        who = hashlib.sha256(account.encode(errors="replace")).hexdigest()[:32]
        where = network_of(address)
        pair = f"sign_in:{who}:device:{device}" if device else f"sign_in:{who}:{where}"
        known = bool(device) or await self._cache.get(f"{pair}:known") is not None
        return Attempt(pair, f"sign_in:network:{where}", f"sign_in:account:{who}", known)

    async def _refuse_while_blocked(self, key: str) -> None:
        until = await self._cache.get(f"{key}:until")
        left = float(until) - self._clock.now().timestamp() if until else 0.0
        if left > 0:
            seconds = math.ceil(left)
            raise TooManyRequests(
                f"Too many tries to sign in; try again in {seconds} seconds.", retry_after_seconds=seconds
            )

    async def _block(self, key: str, excess: int, longest_seconds: int) -> None:
        if excess <= 0:
            return
        wait = min(2 ** min(excess, 30), longest_seconds)
        until = self._clock.now().timestamp() + wait
        await self._cache.set(f"{key}:until", str(until).encode(), wait)

    async def _slow_down(self, account: str) -> None:
        count = await self._cache.get(f"{account}:count")
        excess = (int(count) if count else 0) - FREE_PER_ACCOUNT
        if excess <= 0:
            return
        if self._delayed >= _MOST_DELAYED:
            raise TooManyRequests("Too many tries to sign in; try again in a moment.", retry_after_seconds=5)
        self._delayed += 1
        try:
            await self._sleep(min(_FIRST_DELAY_SECONDS * 2 ** min(excess - 1, 10), LONGEST_DELAY_SECONDS))
        finally:
            self._delayed -= 1


def network_of(address: str) -> str:
    """Return the network that an address counts as: IPv4 /24, IPv6 /64, or the text itself where it is neither."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return hashlib.sha256(address.encode(errors="replace")).hexdigest()[:16]
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    width = 24 if parsed.version == 4 else 64
    return str(ipaddress.ip_network((parsed, width), strict=False))
