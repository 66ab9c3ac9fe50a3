"""Time-based one-time passwords (RFC 6238, on HMAC-SHA-1 as RFC 4226 has it, which every authenticator app speaks)."""

import base64
import hashlib
import hmac
import io
import secrets
import struct
from urllib.parse import quote

import segno

STEP_SECONDS = 30
DIGITS = 6
_DRIFT_STEPS = 1
"""A clock may be this many steps off, either way; RFC 6238 section 5.2 recommends at most one."""
_SECRET_BYTES = 20  # as long as the hash, RFC 4226 section 4


def new_totp_secret() -> bytes:
    """Return a new random secret of 160 bits."""
    return secrets.token_bytes(_SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step, which is seconds since 1970 divided by 30 (RFC 4226 section 5.3)."""
    digest = hmac.digest(secret, struct.pack(">Q", step), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def matching_step(secret: bytes, code: str, *, now: float, after: int) -> int | None:
    """Return the time step that a code belongs to, or None where it is wrong.

    Only steps later than ``after`` count, so that no code is taken twice (RFC 6238 section 5.2). ``now`` is in seconds
    since 1970. Blanks in the code do not matter; the comparison takes as long whichever digit is wrong.
    """
    given = "".join(code.split()).encode(errors="replace")
    present = int(now // STEP_SECONDS)
    found = None
    for step in range(present - _DRIFT_STEPS, present + _DRIFT_STEPS + 1):
        is_same = hmac.compare_digest(code_at(secret, step).encode(), given)
        if is_same and step > after and found is None:
            found = step
    return found


def as_text(secret: bytes) -> str:
    """Return a secret as people type it into an app: base 32, in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def enrolment_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """Return the address that authenticator apps take a secret from (the key URI format of Google Authenticator)."""
    label = f"{quote(issuer)}:{quote(account)}"
    text = base64.b32encode(secret).decode().rstrip("=")
    return (
        f"otpauth://totp/{label}?secret={text}&issuer={quote(issuer)}"
        f"&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    )


def qr_svg(uri: str) -> str:
    """Return an address as a QR code (ISO/IEC 18004), an ``svg`` element to put into a page."""
    made = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(
        made, kind="svg", xmldecl=False, svgns=True, border=4, omitsize=True, dark="#000", light="#fff"
    )
    return made.getvalue().decode().strip()
