"""Second factors: codes by the standard's own vectors, the second step of signing in, enrolment that a role asks for."""

import base64
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from conftest import SteeredClock
from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, Forbidden, Invalid, TooManyRequests
from controlroom.identity.caller import Caller
from controlroom.identity.errors import ConfirmationNeeded, SignInEnded, WrongSecondFactor
from controlroom.identity.factors.passkeys import Party
from controlroom.identity.factors.recovery import new_recovery_codes, recovery_hash
from controlroom.identity.factors.totp import code_at, enrolment_uri, matching_step, qr_svg
from controlroom.identity.models import FactorKind, RecoveryCode, SecondFactor
from controlroom.identity.roles import RoleEdit
from controlroom.identity.sealing import Sealing
from controlroom.identity.second_step import Answer, NextStep
from controlroom.identity.service import IdentityService
from controlroom.identity.sessions import Origin, SignedIn

PASSWORD = "lamps over quiet rivers"
HERE = Origin("192.0.2.7", "a browser", "req_1")
PARTY = Party("controlroom.test", ("https://controlroom.test",))
RFC_SECRET = b"12345678901234567890"
RFC_6238 = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


@pytest.mark.parametrize(("seconds", "code"), RFC_6238)
def test_codes_are_those_of_rfc_6238_appendix_b(seconds: int, code: str) -> None:
    assert (
        code_at(RFC_SECRET, seconds // 30) == code[-6:]
    )  # the standard shows eight digits, of which these are the last


def test_a_code_counts_one_step_early_or_late_and_once() -> None:
    now, step = 3000.0, 100
    for drift in (-1, 0, 1):
        assert matching_step(RFC_SECRET, code_at(RFC_SECRET, step + drift), now=now, after=0) == step + drift
    for drift in (-2, 2):
        assert matching_step(RFC_SECRET, code_at(RFC_SECRET, step + drift), now=now, after=0) is None
    assert matching_step(RFC_SECRET, code_at(RFC_SECRET, step), now=now, after=step) is None
    assert matching_step(
        RFC_SECRET, f" {code_at(RFC_SECRET, step)[:3]} {code_at(RFC_SECRET, step)[3:]}", now=now, after=0
    )


@given(code=st.text(max_size=40))
def test_no_text_but_the_code_is_a_code(code: str) -> None:
    right = {code_at(RFC_SECRET, step) for step in (99, 100, 101)}
    found = matching_step(RFC_SECRET, code, now=3000, after=0)
    assert (found is not None) is ("".join(code.split()) in right)


def test_the_qr_code_is_a_picture_without_script_of_an_address_that_names_the_account() -> None:
    uri = enrolment_uri(RFC_SECRET, account="anna <b>&", issuer="Control Room")
    assert uri.startswith("otpauth://totp/Control%20Room:anna%20%3Cb%3E%26?secret=GEZDGNBVGY3TQOJQ")
    svg = qr_svg(uri)
    assert svg.startswith("<svg")
    assert "script" not in svg
    assert "style=" not in svg


def test_recovery_codes_are_all_different_and_forgive_how_they_are_typed() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    assert recovery_hash("usr_1", codes[0]) == recovery_hash("usr_1", codes[0].upper().replace("-", " "))
    assert recovery_hash("usr_1", codes[0]) != recovery_hash("usr_2", codes[0])


def test_what_is_sealed_opens_only_with_its_key_at_its_place() -> None:
    sealed = Sealing(b"k" * 32).seal(b"secret", place="usr_1")
    assert Sealing(b"k" * 32).open(sealed, place="usr_1") == b"secret"
    assert base64.urlsafe_b64decode(sealed).find(b"secret") == -1
    for key, place in ((b"x" * 32, "usr_1"), (b"k" * 32, "usr_2")):
        with pytest.raises(Exception, match="another server key"):
            Sealing(key).open(sealed, place=place)


class Anna:
    """A person with a password, and what they do."""

    def __init__(self, identity: IdentityService, clock: SteeredClock) -> None:
        self.identity, self.clock = identity, clock
        self.secret = b""
        self.codes: list[str] = []

    def code(self, steps: int = 0) -> str:
        return code_at(self.secret, int(self.clock.now().timestamp()) // 30 + steps)

    async def sign_in(self) -> SignedIn | NextStep:
        return await self.identity.local.sign_in(name="anna", password=PASSWORD, origin=HERE)

    async def caller(self, signed_in: SignedIn | NextStep) -> Caller:
        assert isinstance(signed_in, SignedIn)
        found = await self.identity.authentication.by_session(signed_in.token)
        assert found is not None
        return found.caller(address="192.0.2.7", request_id="req_1")

    async def enrol(self, caller: Caller) -> str:
        offer = await self.identity.enrolment.begin_totp(caller)
        self.secret = base64.b32decode(offer.secret.replace(" ", ""))
        enrolled = await self.identity.enrolment.confirm_totp(
            caller, token=offer.token, code=self.code(), name="Phone"
        )
        self.codes = list(enrolled.recovery_codes)
        return enrolled.session_token

    async def finish(self, step: SignedIn | NextStep, code: str) -> SignedIn:
        assert isinstance(step, NextStep)
        return await self.identity.second_step.finish(step.token, Answer(code), party=PARTY, origin=HERE)


@pytest.fixture
async def anna(identity: IdentityService, console: Caller, clock: SteeredClock) -> Anna:
    await identity.accounts.create(console, name="anna", roles=["viewer"], password=PASSWORD)
    return Anna(identity, clock)


async def test_signing_in_asks_for_the_second_factor_and_takes_each_code_once(
    anna: Anna, database: Database
) -> None:
    first = await anna.sign_in()
    old_token = first.token
    renewed = await anna.enrol(await anna.caller(first))
    by_session = anna.identity.authentication.by_session
    assert (await by_session(old_token), await by_session(renewed) is not None) == (None, True)
    anna.clock.advance(60)
    step = await anna.sign_in()
    assert isinstance(step, NextStep)
    assert step.kinds == (FactorKind.TOTP,)
    assert await by_session(step.token) is None
    code = anna.code()
    assert isinstance(await anna.finish(step, code), SignedIn)
    with pytest.raises(WrongSecondFactor):
        await anna.finish(await anna.sign_in(), code)
    async with database.read() as session:
        entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.number))).all()
    started = [entry.detail for entry in entries if entry.action == "session.started"]
    assert [detail.get("second_factor") for detail in started] == [None, "totp"]
    assert entries[-1].detail == {"reason": "wrong_second_factor"}
    told = "".join(str(entry.detail) for entry in entries)
    assert not any(secret in told for secret in (*anna.codes, code))


async def test_a_recovery_code_counts_once(anna: Anna, database: Database) -> None:
    await anna.enrol(await anna.caller(await anna.sign_in()))
    await anna.finish(await anna.sign_in(), anna.codes[3].upper())
    with pytest.raises(WrongSecondFactor):
        await anna.finish(await anna.sign_in(), anna.codes[3])
    user = await anna.identity.accounts.by_name("anna")
    assert (await anna.identity.second_factors.own(user.id)).recovery_codes_left == 9
    async with database.read() as session:
        kept = (await session.scalars(select(RecoveryCode.code_hash))).all()
        factor = (await session.scalars(select(SecondFactor))).one()
    assert not set(kept) & set(anna.codes)
    assert base64.b32encode(anna.secret).decode() not in factor.secret


async def test_a_second_step_ends_after_five_tries_and_after_ten_minutes(anna: Anna) -> None:
    await anna.enrol(await anna.caller(await anna.sign_in()))
    step = await anna.sign_in()
    for _ in range(5):
        with pytest.raises(WrongSecondFactor):
            await anna.finish(step, "000000")
    with pytest.raises(SignInEnded):
        await anna.finish(step, anna.code(1))
    with pytest.raises(TooManyRequests):
        for _ in range(3):
            with pytest.raises(WrongSecondFactor):
                await anna.finish(await anna.sign_in(), "000000")
    anna.clock.advance(3600)
    late = await anna.sign_in()
    anna.clock.advance(601)
    with pytest.raises(SignInEnded):
        await anna.finish(late, anna.code())


async def test_a_second_step_is_worth_nothing_after_the_password_was_changed(
    anna: Anna, console: Caller
) -> None:
    await anna.enrol(await anna.caller(await anna.sign_in()))
    step = await anna.sign_in()
    anna.clock.advance(1)
    user = await anna.identity.accounts.by_name("anna")
    await anna.identity.accounts.reset_password(console, user.id)
    with pytest.raises(SignInEnded):
        await anna.finish(step, anna.code(1))


async def test_who_signs_in_often_with_a_second_factor_is_not_slowed_down(anna: Anna) -> None:
    await anna.enrol(await anna.caller(await anna.sign_in()))
    for _ in range(12):
        anna.clock.advance(60)
        await anna.finish(await anna.sign_in(), anna.code())


async def test_a_role_that_asks_for_a_second_factor_opens_nothing_else_until_there_is_one(
    anna: Anna, console: Caller
) -> None:
    await anna.identity.roles.edit(
        console, "viewer", RoleEdit(requires_second_factor=True), check_revision=lambda _: None
    )
    caller = await anna.caller(await anna.sign_in())
    assert (caller.must_enrol, caller.permissions) == (True, frozenset())
    token = await anna.enrol(caller)
    found = await anna.identity.authentication.by_session(token)
    assert found is not None
    assert (found.must_enrol, bool(found.permissions)) == (False, True)
    own = (await anna.identity.second_factors.own(caller.user_id)).factors[0]
    with pytest.raises(Conflict, match="asks for a second factor"):
        await anna.identity.second_factors.remove(found.caller(address="", request_id=""), own.id)


async def test_factors_are_changed_only_shortly_after_the_password_was_entered(anna: Anna) -> None:
    caller = await anna.caller(await anna.sign_in())
    anna.clock.advance(16 * 60)
    with pytest.raises(ConfirmationNeeded):
        await anna.identity.enrolment.begin_totp(caller)
    with pytest.raises(Invalid, match="not right"):
        await anna.identity.local.confirm(caller, "not her password")
    await anna.identity.local.confirm(caller, PASSWORD)
    await anna.enrol(caller)


async def test_a_factor_is_renamed_and_removed_and_belongs_to_its_owner(anna: Anna, console: Caller) -> None:
    caller = await anna.caller(await anna.sign_in())
    await anna.enrol(caller)
    factors = anna.identity.second_factors
    factor = (await factors.own(caller.user_id)).factors[0]
    assert (await factors.rename(caller, factor.id, "Old phone")).name == "Old phone"
    await anna.identity.accounts.create(console, name="bob", roles=["viewer"], password=PASSWORD)
    bob = await anna.caller(await anna.identity.local.sign_in(name="bob", password=PASSWORD, origin=HERE))
    with pytest.raises(Exception, match="no second factor"):
        await factors.remove(bob, factor.id)
    codes = await factors.make_recovery_codes(caller)
    assert not set(codes) & set(anna.codes)
    await factors.remove(caller, factor.id)
    assert (await factors.own(caller.user_id)).recovery_codes_left == 0
    assert isinstance(await anna.sign_in(), SignedIn)


async def test_an_administrator_resets_anothers_second_factor_but_of_nobody_who_has_more(
    anna: Anna, console: Caller, database: Database
) -> None:
    caller = await anna.caller(await anna.sign_in())
    token = await anna.enrol(caller)
    with pytest.raises(Forbidden):
        await anna.identity.second_factors.reset(caller, caller.user_id)
    assert await anna.identity.second_factors.reset(console, caller.user_id) == 1
    assert await anna.identity.authentication.by_session(token) is None
    assert isinstance(await anna.sign_in(), SignedIn)
    async with database.read() as session:
        entry = await session.scalar(
            select(AuditEntry).where(AuditEntry.action == "user.second_factor_reset")
        )
    assert entry is not None
    assert entry.detail["factors"] == ["totp"]


async def test_the_api_from_enrolment_to_the_second_step(
    anna: Anna, browsers: Any, clock: SteeredClock
) -> None:
    browser: httpx.AsyncClient = browsers()
    signed_in = await browser.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
    headers = {"X-CSRF-Token": signed_in.json()["csrf_token"]}
    offer = (await browser.post("/api/v1/me/second-factors/totp", headers=headers)).json()
    anna.secret = base64.b32decode(offer["secret"].replace(" ", ""))
    wrong = await browser.post(
        "/api/v1/me/second-factors/totp/confirm", json={"token": offer["token"], "code": "1"}, headers=headers
    )
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/code")
    body = {"token": offer["token"], "code": anna.code()}
    made = await browser.post("/api/v1/me/second-factors/totp/confirm", json=body, headers=headers)
    assert (made.status_code, len(made.json()["recovery_codes"])) == (201, 10)
    assert (await browser.get("/api/v1/me/second-factors")).json()["factors"][0]["kind"] == "totp"
    other: httpx.AsyncClient = browsers()
    clock.advance(60)
    step = await other.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
    assert (step.status_code, step.json()["kinds"]) == (202, ["totp"])
    assert (await other.get("/api/v1/session")).status_code == 401
    done = await other.post("/api/v1/session/second-step", json={"code": anna.code()})
    assert (done.status_code, done.json()["name"]) == (201, "anna")
    assert (await other.get("/api/v1/session")).status_code == 200
