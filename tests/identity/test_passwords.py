import argon2
import pytest
from argon2.low_level import Type
from hypothesis import given
from hypothesis import strategies as st

from controlroom.foundation.errors import TooManyRequests
from controlroom.identity import passwords
from controlroom.identity.errors import WeakPassword
from controlroom.identity.passwords import PasswordHasher, PasswordPolicy

POLICY = PasswordPolicy(12)
QUICK = argon2.Parameters(
    type=Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1
)
STRONGER = argon2.Parameters(
    type=Type.ID, version=19, salt_len=16, hash_len=32, time_cost=2, memory_cost=16, parallelism=1
)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short-one", "at least 12"),
        ("x1" * 200, "at most 256"),
        ("my alice-and-more", "user name"),
        ("my ALICE-and-more", "user name"),
        ("abcabcabcabc", "repeated"),
        ("aaaaaaaaaaaaaaaa", "repeated"),
        ("correct horse battery staple", "tried first"),
        ("123456789012", "tried first"),
        ("Administrator1!", "tried first"),
        ("!!liverpoolfc24", "tried first"),
        ("1q2w3e4r5t6y", "tried first"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(password: str, reason: str) -> None:
    with pytest.raises(WeakPassword, match=reason) as refused:
        POLICY.check(password, user_name="alice", pointer="/new_password")
    assert refused.value.fields[0].pointer == "/new_password"
    assert password not in refused.value.detail


@pytest.mark.parametrize(
    "password",
    ["lamps over quiet rivers", "жёлтый-чайник-на-окне", "dragon flies at 7 past noon", "aaaabbbbccccdddd"],
)
def test_long_passwords_need_no_mixture_of_characters(password: str) -> None:
    POLICY.check(password, user_name="alice")


def test_a_very_short_user_name_does_not_forbid_its_letters() -> None:
    POLICY.check("lamps over quiet rivers", user_name="am")


@given(st.integers(8, 128))
def test_made_up_passwords_meet_the_policy_they_were_made_for(minimum_length: int) -> None:
    policy = PasswordPolicy(minimum_length)
    made = policy.generate()
    policy.check(made, user_name="administrator")
    assert policy.generate() != made


async def test_a_password_is_right_only_for_its_own_hash() -> None:
    hasher = PasswordHasher(QUICK)
    kept = await hasher.hash("lamps over quiet rivers")
    assert kept.startswith("$argon2id$")
    assert await hasher.is_right("lamps over quiet rivers", kept)
    assert not await hasher.is_right("lamps over quiet river", kept)
    hasher.close()


async def test_the_same_text_typed_on_another_keyboard_is_the_same_password() -> None:
    hasher = PasswordHasher(QUICK)
    kept = await hasher.hash("Caf\u00e9 am Fluss, spät")
    assert await hasher.is_right("Cafe\u0301 am Fluss, spa\u0308t", kept)
    hasher.close()


@pytest.mark.parametrize("kept", [None, "", "not a hash", "$argon2id$v=19$m=8,t=1,p=1$broken"])
async def test_nothing_is_right_where_there_is_no_usable_hash(kept: str | None) -> None:
    hasher = PasswordHasher(QUICK)
    assert not await hasher.is_right("", kept)
    assert not await hasher.is_right("lamps over quiet rivers", kept)
    hasher.close()


async def test_an_unknown_user_costs_one_comparison_like_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    original = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, kept: str, password: str) -> bool:
        compared.append(kept)
        return original(self, kept, password)

    hasher = PasswordHasher(QUICK)
    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    await hasher.is_right("lamps over quiet rivers", None)
    assert len(compared) == 1
    assert argon2.extract_parameters(compared[0]) == QUICK
    hasher.close()


async def test_a_hash_with_other_parameters_is_outdated() -> None:
    old, new = PasswordHasher(QUICK), PasswordHasher(STRONGER)
    kept = await old.hash("lamps over quiet rivers")
    assert new.is_outdated(kept)
    assert not old.is_outdated(kept)
    old.close()
    new.close()


async def test_more_waiting_than_the_pool_bears_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_MOST_WAITING", 0)
    hasher = PasswordHasher(QUICK)
    with pytest.raises(TooManyRequests) as refused:
        await hasher.hash("lamps over quiet rivers")
    assert refused.value.retry_after_seconds
    hasher.close()
