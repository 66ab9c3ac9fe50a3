"""LDAP: an anonymous bind and a look at the root entry, which every directory shows (RFC 4511, RFC 4512)."""

from controlroom.network.probes.ber import INTEGER, SEQUENCE, elements, read_integer, within
from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe
from controlroom.network.probes.ldap_messages import (
    BIND,
    BIND_ANSWER,
    EXTENDED,
    EXTENDED_ANSWER,
    SEARCH,
    SEARCH_DONE,
    anonymous_bind,
    entry,
    expect,
    read_message,
    read_root,
    result,
)

_ATTRIBUTES = (b"defaultNamingContext", b"namingContexts", b"isGlobalCatalogReady", b"supportedLDAPVersion")
# RFC 4511, 4.1.9: results with which a directory turns anonymous guests away.
_SUCCESS, _UNAVAILABLE = 0, 52
_REQUESTS = {BIND: BIND_ANSWER, EXTENDED: EXTENDED_ANSWER}


async def ask_ldap(conversation: Conversation, first_number: int = 1) -> str:
    """Return what the directory holds, or how it turns a guest away."""
    code, shown = await look_around(conversation, first_number)
    held = (
        shown.get("defaultnamingcontext") or shown.get("namingcontexts") or "nothing that it shows to guests"
    )
    return f"LDAP, holds {held}" if code == _SUCCESS else f"LDAP, answers guests with result {code}"


async def look_around(conversation: Conversation, first_number: int = 1) -> tuple[int, dict[str, str]]:
    """Bind as nobody and read the root entry; return a result code and the attributes."""
    await conversation.send(anonymous_bind(first_number))
    bound = await expect(conversation, first_number, BIND_ANSWER)
    if bound.code == _UNAVAILABLE:
        raise NotThisProtocol(f"speaks LDAP, but is unavailable: {bound.words}")
    code, shown = await read_root(conversation, first_number + 1, _ATTRIBUTES)
    return code, dict(shown)


async def answer_ldap(conversation: Conversation) -> None:
    """Answer binds, searches of the root entry and a wish for TLS, until the client goes."""
    while True:
        try:
            data = await read_message(conversation)
            (tag, number), (kind, content), *_ = within(data, SEQUENCE)
            list(elements(content))
        except ValueError as error:
            raise NotThisProtocol(str(error)) from None
        if tag != INTEGER or kind not in {*_REQUESTS, SEARCH}:
            raise NotThisProtocol("no request of LDAP came")
        told = read_integer(number)
        if kind == SEARCH:
            await conversation.send(
                entry(told, {b"namingContexts": b"dc=stand-in", b"isGlobalCatalogReady": b"TRUE"})
            )
            await conversation.send(result(told, SEARCH_DONE, _SUCCESS))
        else:
            await conversation.send(result(told, _REQUESTS[kind], _SUCCESS))
        if kind == EXTENDED:
            await conversation.accept_tls()


PROBE = Probe("ldap", "LDAP", ask_ldap, answer_ldap, services=("ldap",))
