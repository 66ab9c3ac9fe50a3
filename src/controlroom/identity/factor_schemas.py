"""What the API takes and gives of second factors and of the second step of a sign-in."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from controlroom.foundation.http import Schema
from controlroom.identity.enrolment import Enrolled, PasskeyOffer, TotpOffer
from controlroom.identity.models import FactorKind, SecondFactor
from controlroom.identity.passwords import LONGEST_PASSWORD
from controlroom.identity.second_factors import LONGEST_NAME, OwnFactors
from controlroom.identity.second_step import NextStep

Token = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Code = Annotated[str, StringConstraints(max_length=100)]
FactorName = Annotated[str, StringConstraints(max_length=LONGEST_NAME)]
Credential = Annotated[
    dict[str, Any], Field(description="What the browser's WebAuthn call gave, as its `toJSON()` has it.")
]


class NextStepOut(Schema):
    """The password was right; now a second factor is needed."""

    kinds: list[FactorKind] = Field(description="What the user has; a recovery code goes too.")
    passkey_options: dict[str, Any] | None = Field(
        description="For `navigator.credentials.get`, where the user has a passkey."
    )
    expires_at: datetime

    @classmethod
    def of(cls, step: NextStep, options: Any) -> "NextStepOut":
        """Show a second step."""
        return cls(kinds=list(step.kinds), passkey_options=options, expires_at=step.expires_at)


class SecondStepIn(Schema):
    """A second factor: a code, or what a passkey signed."""

    code: Code = Field("", description="Six digits of an authenticator app, or a recovery code.")
    credential: Credential | None = None


class FactorOut(Schema):
    """A second factor, without its secret."""

    id: str
    kind: FactorKind
    name: str
    created_at: datetime
    used_at: datetime | None

    @classmethod
    def of(cls, factor: SecondFactor) -> "FactorOut":
        """Show a factor."""
        return cls(
            id=factor.id,
            kind=factor.kind,
            name=factor.name,
            created_at=factor.created_at,
            used_at=factor.used_at,
        )


class OwnFactorsOut(Schema):
    """One's second factors."""

    factors: list[FactorOut]
    recovery_codes_left: int
    is_asked_for: bool = Field(description="A role of one's own asks for a second factor.")

    @classmethod
    def of(cls, own: OwnFactors) -> "OwnFactorsOut":
        """Show them."""
        return cls(
            factors=[FactorOut.of(each) for each in own.factors],
            recovery_codes_left=own.recovery_codes_left,
            is_asked_for=own.is_asked_for,
        )


class TotpOfferOut(Schema):
    """A secret for an authenticator app; shown this once."""

    token: str
    secret: str
    uri: str
    qr_svg: str = Field(description="The address as a QR code, an SVG element.")

    @classmethod
    def of(cls, offer: TotpOffer) -> "TotpOfferOut":
        """Show an offer."""
        return cls(token=offer.token, secret=offer.secret, uri=offer.uri, qr_svg=offer.qr_svg)


class PasskeyOfferOut(Schema):
    """What `navigator.credentials.create` is given."""

    token: str
    options: dict[str, Any]

    @classmethod
    def of(cls, offer: PasskeyOffer) -> "PasskeyOfferOut":
        """Show an offer."""
        return cls(token=offer.token, options=dict(offer.options))


class TotpConfirmIn(Schema):
    """The code that an authenticator app shows for an offered secret."""

    token: Token
    code: Code
    name: FactorName = ""


class PasskeyConfirmIn(Schema):
    """The passkey that the browser made."""

    token: Token
    credential: Credential
    name: FactorName = ""


class EnrolledOut(Schema):
    """A new second factor; the session's cookie got a new secret."""

    factor: FactorOut
    recovery_codes: list[str] = Field(
        description="With the first factor: codes that each stand in for it once. Shown this once."
    )

    @classmethod
    def of(cls, enrolled: Enrolled) -> "EnrolledOut":
        """Show it."""
        return cls(factor=FactorOut.of(enrolled.factor), recovery_codes=list(enrolled.recovery_codes))


class RecoveryCodesOut(Schema):
    """New recovery codes; shown this once, and the old ones are gone."""

    recovery_codes: list[str]


class FactorEditIn(Schema):
    """Another name for a factor."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]


class ConfirmationIn(Schema):
    """One's password, to prove once more who one is."""

    password: Annotated[
        str, Field(min_length=1, max_length=LONGEST_PASSWORD, json_schema_extra={"format": "password"})
    ]


class FactorsResetOut(Schema):
    """How many factors were removed."""

    removed: int
