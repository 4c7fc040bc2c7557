"""Which passwords are refused, and what computing their hashes may cost."""

from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from pbx.accounts import passwords
from pbx.accounts.account import AccountError
from pbx.accounts.passwords import HASHER, Hashing, hash_password, strong
from tests.accounts.desk import HASHER as WEAK


def refused(password: str, account: str = "alice.martin", name: str = "Alice Martin") -> str:
    with pytest.raises(AccountError) as refusal:
        strong(password, account=account, name=name)
    return refusal.value.code


@pytest.mark.parametrize(
    "password",
    [
        "quatre mots sans rapport",
        "correct cheval pile agrafe",
        "fW7!kz93Qm#p",
        "été à Valmont-le-Haut",
        "martingale et bigoudis",
        "пароль из четырёх слов",
        "x" * 12 + "yzabc",
    ],
)
def test_what_nobody_guesses_is_taken(password):
    assert strong(password, account="alice.martin", name="Alice Martin")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_short"),
        ("onze lettre", "password_short"),
        ("x" * 201, "password_long"),
        ("alice.martin", "password_is_name"),
        ("ALICE MARTIN 1", "password_is_name"),
        ("martinalice2026", "password_is_name"),
        ("Alice-Martin!", "password_is_name"),
        ("aaaaaaaaaaaa", "password_common"),
        ("abababababab", "password_common"),
        ("motdepasse123", "password_common"),
        ("Mot de passe 2026", "password_common"),
        ("AZERTYUIOP12", "password_common"),
        ("123456789012", "password_common"),
        ("987654321098", "password_common"),
        ("abcdefghijklm", "password_common"),
        ("chaton12chaton12chaton12", "password_common"),
        ("administrateur2026", "password_common"),
    ],
)
def test_what_is_guessed_first_is_refused(password, code):
    assert refused(password) == code


def test_a_refusal_says_what_would_do():
    with pytest.raises(AccountError) as refusal:
        strong("court", account="a", name="A")
    assert "four words" in refusal.value.mend
    assert refusal.value.where == "password"


def test_two_ways_of_writing_an_accent_are_one_password():
    hashed = hash_password("e\u0301te\u0301 a\u0300 Valmont", WEAK)
    assert WEAK.verify(hashed, "été à Valmont")


def test_hashes_cost_what_they_should():
    # RFC 9106 section 4: the second recommended choice.
    assert (HASHER.type.name, HASHER.memory_cost, HASHER.time_cost) == ("ID", 64 * 1024, 3)


async def test_the_right_password_matches_and_a_wrong_one_or_none_does_not():
    hashing = Hashing(WEAK)
    hashed = await hashing.hash("quatre mots sans rapport")
    assert await hashing.matches(hashed, "quatre mots sans rapport", is_known=False)
    assert not await hashing.matches(hashed, "quatre mots", is_known=False)
    assert not await hashing.matches("", "quatre mots sans rapport", is_known=False)
    assert not await hashing.matches("not a hash", "quatre mots sans rapport", is_known=False)
    hashing.close()


class Watched(PasswordHasher):
    """Weak, remembers what it verified, and waits for `go_on` where the password is wrong."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified: list[str | bytes] = []
        self.go_on = threading.Event()

    def verify(self, hash, password):  # noqa: A002 (the library's own name)
        self.verified.append(hash)
        assert password == "right" or self.go_on.wait(10)
        return super().verify(hash, password)


async def test_without_an_account_a_hash_is_computed_all_the_same():
    hasher = Watched()
    hasher.go_on.set()
    hashing = Hashing(hasher)
    assert not await hashing.matches("", "nobody has this password", is_known=False)
    (decoy,) = hasher.verified
    assert str(decoy).startswith("$argon2id$")
    hashing.close()


async def test_what_was_hashed_with_other_parameters_is_outdated():
    assert Hashing(WEAK).is_outdated(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("x"))
    assert not Hashing(WEAK).is_outdated(WEAK.hash("x"))


async def test_a_flood_of_strangers_is_turned_away_and_somebody_known_is_not():
    hasher = Watched()
    hashing, hashed = Hashing(hasher), hasher.hash("right")
    async with asyncio.TaskGroup() as tasks:
        for _ in range(passwords.MOST_WAITING):
            tasks.create_task(hashing.matches(hashed, "wrong", is_known=False))
        await asyncio.sleep(0)
        with pytest.raises(AccountError) as refusal:
            await hashing.matches(hashed, "wrong", is_known=False)
        assert (refusal.value.code, refusal.value.status) == ("busy", 503)
        assert await hashing.matches(hashed, "right", is_known=True)
        hasher.go_on.set()
    hashing.close()
