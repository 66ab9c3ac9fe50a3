"""The form of a syslog message (RFC 5424) and of its frame (RFC 5425 section 4.3)."""

import json
import re
from datetime import UTC

from controlroom import __version__
from controlroom.audit.export import entry_line
from controlroom.audit.models import AuditEntry, AuditOutcome

LARGEST_MESSAGE_BYTES = 8_192
"""What a receiver should take (RFC 5425 section 4.3.1); of a longer message it may cut the end."""

_FACILITY_LOG_AUDIT = 13  # RFC 5424 section 6.2.1
_SEVERITIES = {AuditOutcome.DONE: 6, AuditOutcome.REFUSED: 4, AuditOutcome.FAILED: 3}
_APPLICATION = "controlroom"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SEQUENCE_LIMIT = 2_147_483_647  # RFC 5424 section 7.3.1
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")
_HOSTNAME_LENGTH, _MESSAGE_ID_LENGTH = 255, 32


def syslog_message(entry: AuditEntry, hostname: str) -> bytes:
    """Return an entry as a message: its action is the MSGID, its number the sequence id, and the message the JSON line.

    The structured data is of the ids that IANA registers and so needs no enterprise number. A detail that would make the
    message longer than receivers take is left out, which ``detail_left_out`` says; the hash still covers it.
    """
    priority = _FACILITY_LOG_AUDIT * 8 + _SEVERITIES[entry.outcome]
    time = entry.time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    sequence = (entry.number - 1) % _SEQUENCE_LIMIT + 1
    structured = f'[origin software="{_APPLICATION}" swVersion="{__version__}"][meta sequenceId="{sequence}"]'
    header = (
        f"<{priority}>1 {time} {_printable(hostname, _HOSTNAME_LENGTH)} {_APPLICATION} - "
        f"{_printable(entry.action, _MESSAGE_ID_LENGTH)} {structured} "
    ).encode("ascii")
    text = entry_line(entry).rstrip("\n").encode()
    if len(header) + len(_BYTE_ORDER_MARK) + len(text) > LARGEST_MESSAGE_BYTES:
        body = json.loads(text)
        body["detail"], body["detail_left_out"] = {}, True
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return header + _BYTE_ORDER_MARK + text


def frame(message: bytes) -> bytes:
    """Return a message with its length in octets before it, as it goes through TLS."""
    return b"%d " % len(message) + message


def _printable(text: str, longest: int) -> str:
    return _NOT_PRINTABLE.sub("_", text)[:longest] or "-"
