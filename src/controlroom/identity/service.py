"""All that can be done with identities, in one hand: the server makes one service and puts it into its state."""

from controlroom.foundation.cache import Cache
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.settings import Settings
from controlroom.identity.authentication import Authentication
from controlroom.identity.cookies import SessionCookie
from controlroom.identity.usage import UsageNotes


class IdentityService:
    """Users, sessions and API keys of one node."""

    def __init__(self, database: Database, cache: Cache, clock: Clock, settings: Settings) -> None:
        self.public_url = settings.public_url
        self.cookie = SessionCookie(secure=settings.public_url.lower().startswith("https://"))
        self._usage = UsageNotes(database, clock)
        self.authentication = Authentication(database, clock, settings, self._usage)

    async def close(self) -> None:
        """Write what is still to be written; called once when the node stops."""
        await self._usage.settle()
