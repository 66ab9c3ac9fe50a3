"""One's own second factors and recovery codes, and resetting another's."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from controlroom.foundation.http import PROBLEMS
from controlroom.identity.access import Guard, identity_of, party_of, permitted
from controlroom.identity.caller import Caller
from controlroom.identity.factor_schemas import (
    ConfirmationIn,
    EnrolledOut,
    FactorEditIn,
    FactorOut,
    FactorsResetOut,
    OwnFactorsOut,
    PasskeyConfirmIn,
    PasskeyOfferOut,
    RecoveryCodesOut,
    TotpConfirmIn,
    TotpOfferOut,
)
from controlroom.identity.permissions import Permission

router = APIRouter(tags=["second factors"], responses=PROBLEMS)

Enrolling = Annotated[Caller, permitted(Guard.ENROLLING)]
Owner = Annotated[Caller, permitted(Permission.OWN_ACCOUNT)]
UserManager = Annotated[Caller, permitted(Permission.USER_MANAGE)]
FactorId = Annotated[str, Path(max_length=64)]


@router.post("/me/confirmation", status_code=204)
async def confirm_password(
    request: Request, response: Response, caller: Enrolling, body: ConfirmationIn
) -> None:
    """Prove once more who one is, before changing how one signs in; the cookie gets a new secret."""
    identity = identity_of(request)
    token = await identity.local.confirm(caller, body.password)
    identity.cookie.give(response, token, lifetime_seconds=identity.sessions.lifetime_seconds)


@router.get("/me/second-factors")
async def list_own_factors(request: Request, caller: Enrolling) -> OwnFactorsOut:
    """List one's second factors."""
    return OwnFactorsOut.of(await identity_of(request).second_factors.own(caller.user_id))


@router.post("/me/second-factors/totp", status_code=201)
async def offer_totp(request: Request, response: Response, caller: Enrolling) -> TotpOfferOut:
    """Offer a secret for an authenticator app; it counts once its code was confirmed."""
    response.headers["Cache-Control"] = "no-store"
    return TotpOfferOut.of(await identity_of(request).enrolment.begin_totp(caller))


@router.post("/me/second-factors/totp/confirm", status_code=201)
async def confirm_totp(
    request: Request, response: Response, caller: Enrolling, body: TotpConfirmIn
) -> EnrolledOut:
    """Enrol an authenticator app with the code that it shows."""
    identity = identity_of(request)
    enrolled = await identity.enrolment.confirm_totp(caller, token=body.token, code=body.code, name=body.name)
    identity.cookie.give(
        response, enrolled.session_token, lifetime_seconds=identity.sessions.lifetime_seconds
    )
    response.headers["Cache-Control"] = "no-store"
    return EnrolledOut.of(enrolled)


@router.post("/me/second-factors/passkey", status_code=201)
async def offer_passkey(request: Request, response: Response, caller: Enrolling) -> PasskeyOfferOut:
    """Offer what the browser needs to make a passkey."""
    response.headers["Cache-Control"] = "no-store"
    return PasskeyOfferOut.of(await identity_of(request).enrolment.begin_passkey(caller, party_of(request)))


@router.post("/me/second-factors/passkey/confirm", status_code=201)
async def confirm_passkey(
    request: Request, response: Response, caller: Enrolling, body: PasskeyConfirmIn
) -> EnrolledOut:
    """Enrol the passkey that the browser made."""
    identity = identity_of(request)
    enrolled = await identity.enrolment.confirm_passkey(
        caller, token=body.token, credential=body.credential, party=party_of(request), name=body.name
    )
    identity.cookie.give(
        response, enrolled.session_token, lifetime_seconds=identity.sessions.lifetime_seconds
    )
    response.headers["Cache-Control"] = "no-store"
    return EnrolledOut.of(enrolled)


@router.patch("/me/second-factors/{factor_id}")
async def rename_factor(
    request: Request, caller: Owner, factor_id: FactorId, body: FactorEditIn
) -> FactorOut:
    """Give one of one's factors another name."""
    return FactorOut.of(await identity_of(request).second_factors.rename(caller, factor_id, body.name))


@router.delete("/me/second-factors/{factor_id}", status_code=204)
async def remove_factor(request: Request, caller: Owner, factor_id: FactorId) -> None:
    """Remove one of one's factors."""
    await identity_of(request).second_factors.remove(caller, factor_id)


@router.post("/me/recovery-codes", status_code=201)
async def make_recovery_codes(request: Request, response: Response, caller: Owner) -> RecoveryCodesOut:
    """Make new recovery codes in place of the old ones."""
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodesOut(
        recovery_codes=await identity_of(request).second_factors.make_recovery_codes(caller)
    )


@router.post("/users/{user_id}/reset-second-factor")
async def reset_second_factor(
    request: Request, caller: UserManager, user_id: Annotated[str, Path(max_length=64)]
) -> FactorsResetOut:
    """Remove all second factors and recovery codes of another user who lost them; their sessions end."""
    return FactorsResetOut(removed=await identity_of(request).second_factors.reset(caller, user_id))
