"""RDP: a connection request with its negotiation (MS-RDPBCGR 2.2.1.1 and 2.2.1.2)."""

from controlroom.network.probes.conversation import Conversation, shown
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

_TPKT = b"\x03\x00"
_CONNECTION_REQUEST, _CONNECTION_CONFIRM = 0xE0, 0xD0
_NEGOTIATION_REQUEST, _NEGOTIATION_ANSWER, _NEGOTIATION_FAILURE = 1, 2, 3
_TLS, _CREDSSP = 0x1, 0x2
_LONGEST_PACKET = 512
_PROTOCOLS = {0: "RDP's own security", 1: "TLS", 2: "CredSSP", 8: "CredSSP with early answer"}
_FAILURES = {
    1: "TLS is required",
    2: "TLS is not allowed",
    3: "it has no certificate",
    4: "the flags do not fit",
    5: "CredSSP is required",
    6: "TLS with a smart card is required",
}


def _packet(kind: int, negotiation: int, value: int) -> bytes:
    told = bytes((negotiation, 0, 8, 0)) + value.to_bytes(4, "little")
    x224 = bytes((kind, 0, 0, 0, 0, 0)) + told
    return _TPKT + (len(x224) + 5).to_bytes(2, "big") + bytes((len(x224),)) + x224


GREETING = _packet(_CONNECTION_REQUEST, _NEGOTIATION_REQUEST, _TLS | _CREDSSP)


async def ask_rdp(conversation: Conversation) -> str:
    """Return the security that the server chose, or what it demands instead."""
    await conversation.send(GREETING)
    header = await conversation.read_exactly(4)
    length = int.from_bytes(header[2:], "big")
    if header[:2] != _TPKT or not 11 <= length <= _LONGEST_PACKET:
        raise NotThisProtocol(f"answered {shown(header)}, which is no RDP")
    packet = await conversation.read_exactly(length - 4)
    if packet[1] & 0xF0 != _CONNECTION_CONFIRM or packet[0] != len(packet) - 1:
        raise NotThisProtocol("answered with something else than a confirmation of the connection")
    told = packet[7:15]
    value = int.from_bytes(told[4:8], "little")
    if len(told) == 8 and told[0] == _NEGOTIATION_ANSWER and value in _PROTOCOLS:
        return f"RDP, chose {_PROTOCOLS[value]}"
    if len(told) == 8 and told[0] == _NEGOTIATION_FAILURE and value in _FAILURES:
        return f"RDP, says that {_FAILURES[value]}"
    raise NotThisProtocol("confirmed a connection of X.224, but negotiates no RDP")


async def answer_rdp(conversation: Conversation) -> None:
    """Choose RDP's own security."""
    header = await conversation.read_exactly(4)
    length = int.from_bytes(header[2:], "big")
    if header[:2] != _TPKT or not 11 <= length <= _LONGEST_PACKET:
        raise NotThisProtocol("no request of RDP came")
    await conversation.read_exactly(length - 4)
    await conversation.send(_packet(_CONNECTION_CONFIRM, _NEGOTIATION_ANSWER, 0))


PROBE = Probe("rdp", "RDP", ask_rdp, answer_rdp, services=("rdp", "remote-desktop"))
