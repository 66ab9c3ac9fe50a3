"""The lists that a filter can be saved for, by the names that their tables have, and what each can be filtered by."""

from collections.abc import Mapping

from controlroom.audit.grammar import GRAMMAR as AUDIT
from controlroom.bots.lookup import BOT_GRAMMAR
from controlroom.devices.pools import POOL_GRAMMAR
from controlroom.devices.service import GRAMMAR as DEVICES
from controlroom.foundation.paging import Grammar
from controlroom.identity.accounts import GRAMMAR as USERS
from controlroom.identity.api_keys import GRAMMAR as API_KEYS
from controlroom.identity.sessions import GRAMMAR as SESSIONS
from controlroom.runs.queries import GRAMMAR as RUNS

LISTS: Mapping[str, Grammar] = {
    "api_keys": API_KEYS,
    "audit": AUDIT,
    "bots": BOT_GRAMMAR,
    "devices": DEVICES,
    "pools": POOL_GRAMMAR,
    "runs": RUNS,
    "sessions": SESSIONS,
    "users": USERS,
}
