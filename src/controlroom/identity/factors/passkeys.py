"""Passkeys and security keys (W3C Web Authentication Level 3): options for the browser, and what it answers checked.

The library is imported where it is used: it is a fifth of a server's start, and most sign-ins do without it.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controlroom.foundation.errors import Invalid

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

_LONGEST_ID_BYTES = 1023  # WebAuthn Level 3 section 4, "Credential ID"
_TIMEOUT_MS = 120_000
_CHALLENGE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Party:
    """Whom a passkey is made for: the host that people see, and the addresses of its pages."""

    host: str
    origins: tuple[str, ...]
    name: str = "Control Room"


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as it is kept: base64url texts, the signature count, how the browser reaches it."""

    credential_id: str
    public_key: str
    counter: int
    transports: tuple[str, ...] = ()


def new_challenge() -> bytes:
    """Return a challenge that nobody can foresee, for one ceremony (section 13.4.3)."""
    return secrets.token_bytes(_CHALLENGE_BYTES)


def credential_hash(credential_id: str) -> str:
    """Return the hash by which a passkey is found."""
    return hashlib.sha256(credential_id.encode()).hexdigest()


def creation_options(
    party: Party,
    *,
    challenge: bytes,
    user_id: str,
    user_name: str,
    display_name: str,
    known: Sequence[Passkey],
) -> dict[str, Any]:
    """Return what ``navigator.credentials.create`` is given, as JSON; keys that are known already are left out."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=party.host,
        rp_name=party.name,
        user_id=user_id.encode(),
        user_name=user_name,
        user_display_name=display_name or user_name,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,  # a second factor: the name was typed already
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=[_descriptor(each) for each in known],
    )
    made: dict[str, Any] = json.loads(options_to_json(options))
    return made


def created(party: Party, *, challenge: bytes, credential: Mapping[str, Any]) -> Passkey:
    """Check what a browser answered to the options of a new passkey; raise `Invalid` where it does not hold."""
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        found = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=list(party.origins),
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise Invalid("The passkey's answer does not hold; begin again.") from error
    if len(found.credential_id) > _LONGEST_ID_BYTES:
        raise Invalid("The passkey's id is longer than the standard allows.")
    response = credential.get("response")
    transports = response.get("transports") if isinstance(response, Mapping) else None
    return Passkey(
        bytes_to_base64url(found.credential_id),
        bytes_to_base64url(found.credential_public_key),
        found.sign_count,
        _transports(transports),
    )


def request_options(party: Party, *, challenge: bytes, known: Sequence[Passkey]) -> dict[str, Any]:
    """Return what ``navigator.credentials.get`` is given, as JSON."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=party.host,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        allow_credentials=[_descriptor(each) for each in known],
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    made: dict[str, Any] = json.loads(options_to_json(options))
    return made


def answered(
    party: Party, *, challenge: bytes, credential: Mapping[str, Any], known: Sequence[Passkey]
) -> Passkey | None:
    """Return the passkey that signed a challenge, with its new signature count, or None where none did.

    A count that did not grow, where the passkey counts at all, shows a copy and is refused (section 6.1.1).
    """
    used = next((each for each in known if each.credential_id == credential.get("id")), None)
    if used is None:
        return None
    from webauthn import verify_authentication_response
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        found = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=list(party.origins),
            credential_public_key=base64url_to_bytes(used.public_key),
            credential_current_sign_count=used.counter,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        return None
    return Passkey(used.credential_id, used.public_key, found.new_sign_count, used.transports)


def _descriptor(passkey: Passkey) -> "PublicKeyCredentialDescriptor":
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    transports = [AuthenticatorTransport(each) for each in passkey.transports]
    return PublicKeyCredentialDescriptor(
        id=base64url_to_bytes(passkey.credential_id), transports=transports or None
    )


def _transports(given: object) -> tuple[str, ...]:
    """Keep those ways to a passkey that this version knows; the browser says them, and nothing depends on them."""
    from webauthn.helpers.structs import AuthenticatorTransport

    known = {each.value for each in AuthenticatorTransport}
    return tuple(each for each in given if each in known) if isinstance(given, list) else ()
