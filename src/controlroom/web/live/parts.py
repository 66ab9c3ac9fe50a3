"""Renderings of live parts of pages, each made once for all who may see the same, and kept for a short while.

A rendering's key holds all that it was made from but the database: the address, the rights themselves, the time zone, the
chosen columns, the places of things when rights at places were looked up. Whoever has other rights has another key. It is
given to a page that knows of nothing newer than what the rendering shows.
"""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from starlette.datastructures import URL
from starlette.responses import Response

from controlroom.audit.actor import Actor, ActorKind
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import Place
from controlroom.web.tables import COLUMNS_COOKIE

_MOST_PARTS = 500
_MOST_BYTES = 16_000_000
_OLDEST_SECONDS = 30.0
"""What counts the last hours, say, moves on without an event; no page is given an older picture of it."""
_NOBODY = Actor(ActorKind.SYSTEM, "", "whoever has these rights", "", "")

Rights = tuple[frozenset[Permission], frozenset[tuple[Place, frozenset[Permission]]] | None]


@dataclass(frozen=True, slots=True)
class PartKey:
    """All that a live part is made from, but the database."""

    address: str
    rights: Rights
    time_zone: str
    columns: tuple[tuple[str, str], ...]
    sight: int
    """Counts how often something came to lie in another place, and so in the sight of others."""
    person: str = ""
    """The user whose part this is, where a page says different things to people with the same rights."""


@dataclass(frozen=True, slots=True)
class Part:
    """A rendering. ``position`` is that of the newest event that it surely shows."""

    body: bytes
    etag: str
    position: int
    made_at: float
    media_type: str
    route: object


def rights_of(caller: Caller) -> Rights:
    """Return the rights of a caller, and where they have them, as a value to compare."""
    return caller.permissions, None if caller.placed is None else frozenset(caller.placed.at.items())


def key_of(url: URL, cookies: Mapping[str, str], caller: Caller, sight: int, person: str = "") -> PartKey:
    """Return the key of the live part of an address for a caller."""
    return PartKey(
        f"{url.path}?{url.query}",
        rights_of(caller),
        caller.time_zone,
        tuple(sorted((name, value) for name, value in cookies.items() if name.startswith(COLUMNS_COOKIE))),
        sight,
        person,
    )


class LiveParts:
    """The renderings of one node: bounded in number, bytes and age."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: OrderedDict[PartKey, Part] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[PartKey, tuple[int, asyncio.Event]] = {}
        self._csrf_mark = secrets.token_urlsafe(32)
        """Stands for the token of whoever gets the part. Nobody knows it, so no text that people typed holds it."""

    def anyone(self, caller: Caller, *, keeps_person: bool = False) -> Caller:
        """Return a caller with the same rights that is nobody, so that a page cannot show what is theirs alone."""
        return replace(
            caller,
            actor=_NOBODY,
            user_id=caller.user_id if keeps_person else "anyone",
            user_name=caller.user_name if keeps_person else "",
            display_name="",
            session_id=None,
            api_key_id=None,
            csrf_token=self._csrf_mark,
        )

    def body_for(self, part: Part, caller: Caller) -> bytes:
        """Return a part as one caller gets it, with their own token in its forms."""
        return part.body.replace(self._csrf_mark.encode(), caller.csrf_token.encode())

    def fresh(self, key: PartKey, known: int) -> Part | None:
        """Return a rendering for a page that knows of events up to a position; None where it must be made."""
        part = self._kept.get(key)
        if part is None or part.position < known or part.made_at < self._now() - _OLDEST_SECONDS:
            return None
        self._kept.move_to_end(key)
        return part

    async def shared(
        self,
        key: PartKey,
        known: int,
        position: Callable[[], int],
        render: Callable[[], Awaitable[Response]],
        route: object,
    ) -> Part | Response:
        """Return a fresh rendering; of those who ask at one time one makes it. What is no page (an error) is not kept.

        ``position`` tells how far this node has read events. What ``render`` raises is raised to the one who made it; the
        others try for themselves.
        """
        while True:
            part = self.fresh(key, known)
            if part is not None:
                return part
            begun = position()
            under_way = self._under_way.get(key)
            if (
                begun < known
            ):  # told by a node that has read further: the database shows it, this node cannot say so
                return await render()
            if under_way is None or under_way[0] < known:
                return await self._make(key, begun, render, route)
            await under_way[1].wait()

    async def _make(
        self, key: PartKey, position: int, render: Callable[[], Awaitable[Response]], route: object
    ) -> Part | Response:
        mine = (position, asyncio.Event())
        self._under_way[key] = mine
        try:
            response = await render()
        finally:
            if self._under_way.get(key) is mine:
                del self._under_way[key]
            mine[1].set()
        if response.status_code != 200:
            return response
        body = bytes(response.body)
        etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
        part = Part(body, etag, position, self._now(), response.headers["content-type"], route)
        self._keep(key, part)
        return part

    def _keep(self, key: PartKey, part: Part) -> None:
        before = self._kept.pop(key, None)
        if before is not None and before.position > part.position:
            part = before
        self._kept[key] = part
        self._bytes += len(part.body) - (len(before.body) if before is not None else 0)
        while len(self._kept) > _MOST_PARTS or self._bytes > _MOST_BYTES:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone.body)
