"""NTP: one question of a client that keeps no state, whose answer also tells how far this clock is off (RFC 5905, 14)."""

import struct

from controlroom.network.catalogue import Transport
from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe

_VERSION_4, _CLIENT, _SERVER = 4, 3, 4
_PACKET_BYTES = 48
# Seconds between the epochs of NTP, 1900, and of Unix, 1970 (RFC 5905, section 6).
_EPOCH = 2_208_988_800
_UNSYNCHRONISED, _HIGHEST_STRATUM = 3, 15


def _stamp(seconds: float) -> bytes:
    return struct.pack(">II", (int(seconds) + _EPOCH) & 0xFFFF_FFFF, int(seconds % 1 * 2**32))


async def ask_ntp(conversation: Conversation) -> str:
    """Return the server's stratum and how far this clock is ahead of it."""
    sent = conversation.now().timestamp()
    mark = _stamp(sent)
    await conversation.send(bytes((_VERSION_4 << 3 | _CLIENT,)) + bytes(39) + mark)
    answer = await conversation.read_some()
    received = conversation.now().timestamp()
    if len(answer) < _PACKET_BYTES or answer[0] & 7 != _SERVER or answer[24:32] != mark:
        raise NotThisProtocol("answered with what is no answer of NTP to the question")
    if answer[0] >> 6 == _UNSYNCHRONISED or not 1 <= answer[1] <= _HIGHEST_STRATUM:
        return "NTP, but the server itself does not know the time"
    seconds, fraction = struct.unpack(">II", answer[40:48])
    ahead = (sent + received) / 2 - (seconds - _EPOCH + fraction / 2**32)
    return f"NTP, stratum {answer[1]}, this clock is {ahead:+.1f} s off"


async def answer_ntp(conversation: Conversation) -> None:
    """Tell this machine's time."""
    asked = await conversation.read_some()
    if len(asked) < _PACKET_BYTES:
        raise NotThisProtocol("no question of NTP came")
    now = _stamp(conversation.now().timestamp())
    await conversation.send(bytes((_VERSION_4 << 3 | _SERVER, 1)) + bytes(22) + asked[40:48] + now + now)


PROBE = Probe("ntp", "NTP", ask_ntp, answer_ntp, services=("ntp",), transport=Transport.UDP)
