"""Guessing over the API: who waits, and who doesn't."""

from __future__ import annotations

from tests.accounts.desk import PASSWORD


def locked(desk, account="alice"):
    """Guess until one has to wait."""
    for _ in range(20):
        answer = desk.sign_in(account, "wrong")
        if answer.status_code == 429:
            return answer
    raise AssertionError("nobody was slowed down")


def test_who_guesses_is_told_how_long_to_wait(hall, desk):
    answer = locked(desk)
    assert answer.json()["code"] == "too_many_attempts"
    seconds = int(answer.headers["retry-after"])
    assert desk.sign_in("alice").status_code == 429  # the right one too: it would tell
    hall.wait(seconds)
    assert desk.sign_in("alice").status_code == 200


def test_an_unknown_name_is_slowed_down_in_the_same_way(desk, hall):
    known, unknown = locked(desk), locked(hall.desk("198.51.100.9"), "nobody.here")
    assert known.headers["retry-after"] == unknown.headers["retry-after"]
    assert known.json()["detail"] == unknown.json()["detail"]


def test_other_spellings_of_a_name_share_one_count(desk):
    for typed in ("alice", "1001", "ALICE", " alice "):
        desk.sign_in(typed, "wrong")
    assert desk.sign_in("alice", "wrong").status_code == 429


def test_the_owner_elsewhere_is_not_slowed_down(hall, desk):
    locked(hall.desk("198.51.100.9"))
    assert desk.sign_in("alice").status_code == 200


def test_in_a_browser_that_has_signed_in_before_one_is_not_slowed_down_by_the_neighbours(hall, desk):
    desk.sign_in("alice")
    desk.ask("DELETE", "/session")
    locked(hall.desk())
    assert hall.desk().sign_in("alice").status_code == 429
    assert desk.sign_in("alice").status_code == 200


def test_attempts_that_had_to_wait_dont_fill_the_journal(hall, desk):
    locked(desk)
    before = len(hall.journal())
    for _ in range(5):
        assert desk.sign_in("alice", "wrong").status_code == 429
    assert len(hall.journal()) == before


def test_a_password_under_old_parameters_is_kept_under_new_ones(hall, desk):
    from argon2 import PasswordHasher

    from pbx.accounts import records
    from tests.accounts.desk import HASHER

    old = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    hall.write(lambda connection: records.set_password(connection, "alice", old, now=0))
    assert desk.sign_in("alice").status_code == 200
    kept = hall.write(lambda connection: records.secrets_of(connection, "alice")).password_hash
    assert not HASHER.check_needs_rehash(kept)
    assert desk.sign_in("alice").status_code == 200
