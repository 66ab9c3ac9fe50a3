"""LDAP that begins in the clear and goes on within TLS (RFC 4511, 4.14)."""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import TlsFailed
from controlroom.network.probes.interface import Probe
from controlroom.network.probes.ldap import answer_ldap, ask_ldap
from controlroom.network.probes.ldap_messages import EXTENDED_ANSWER, expect, start_tls


async def ask_ldap_start_tls(conversation: Conversation) -> str:
    """Return what the directory holds, seen within TLS."""
    await conversation.send(start_tls(1))
    answer = await expect(conversation, 1, EXTENDED_ANSWER)
    if answer.code:
        raise TlsFailed(f"LDAP refuses StartTLS with result {answer.code} {answer.words}".rstrip())
    await conversation.start_tls()
    return await ask_ldap(conversation, 2)


PROBE = Probe("ldap-start-tls", "LDAP with StartTLS", ask_ldap_start_tls, answer_ldap)
