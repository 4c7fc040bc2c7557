"""The second factor over the API: set up, shown, taken once, recovered, taken away."""

from __future__ import annotations

import json

import pytest
from webauthn.helpers import bytes_to_base64url

from pbx.accounts import codes, factors, records
from pbx.accounts.sessions import PROOF_SECONDS
from pbx.accounts.signing_in import MOST_WRONG_CODES
from tests.accounts.desk import PASSWORD, Desk, TownHall, code_at


def with_application(hall: TownHall, account: str) -> tuple[Desk, str, list[str]]:
    """Somebody whose application is set up: their desk, its secret, the recovery codes."""
    desk = hall.desk()
    desk.sign_in(account)
    secret, recovery = desk.set_up_application(hall.node.now)
    hall.wait(codes.STEP_SECONDS)
    return desk, secret, recovery


def second_step(hall: TownHall, account: str) -> Desk:
    """Another browser, after the password."""
    desk = hall.desk("198.51.100.9")
    assert desk.sign_in(account).json()["second_factor"] == "needed"
    return desk


def test_setting_a_factor_up_gives_the_session_another_token(hall):
    desk = hall.desk()
    desk.sign_in("admin")
    before = desk.cookie
    desk.set_up_application(hall.node.now)
    assert desk.cookie != before
    thief = hall.desk()
    thief.client.cookies.set("beffroi", before)
    assert thief.ask("GET", "/session").status_code == 401


def test_showing_the_factor_gives_the_session_another_token(hall):
    _, secret, _ = with_application(hall, "alice")
    desk = second_step(hall, "alice")
    before = desk.cookie
    desk.code(code_at(secret, hall.node.now))
    assert desk.cookie != before


def test_a_code_is_taken_once(hall):
    _, secret, _ = with_application(hall, "alice")
    code = code_at(secret, hall.node.now)
    assert second_step(hall, "alice").code(code).status_code == 200
    answer = second_step(hall, "alice").code(code)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_code")


def test_the_code_that_confirmed_the_application_is_not_taken_again(hall):
    desk = hall.desk()
    desk.sign_in("alice")
    secret, _ = desk.set_up_application(hall.node.now)
    assert second_step(hall, "alice").code(code_at(secret, hall.node.now)).status_code == 403


def test_five_wrong_codes_end_the_session(hall):
    with_application(hall, "alice")
    desk = second_step(hall, "alice")
    for _ in range(MOST_WRONG_CODES):
        hall.wait(20)
        assert desk.code("000000").json()["code"] == "wrong_code"
    assert desk.code("000000").status_code == 401


def test_codes_are_guessed_slowly_wherever_one_guesses_from(hall):
    with_application(hall, "alice")
    statuses = []
    for number in range(6):
        desk = hall.desk(f"203.0.{number}.9")
        desk.sign_in("alice")
        statuses.append(desk.code("000000").status_code)
    assert statuses == [403, 403, 403, 403, 429, 429]


def test_the_owner_is_not_slowed_down_in_their_own_browser(hall):
    desk, secret, _ = with_application(hall, "alice")
    desk.ask("DELETE", "/session")
    for number in range(6):
        guesser = hall.desk(f"203.0.{number}.9")
        guesser.sign_in("alice")
        guesser.code("000000")
    desk.sign_in("alice")
    assert desk.code(code_at(secret, hall.node.now)).status_code == 200


def test_a_recovery_code_works_once(hall):
    _, _, recovery = with_application(hall, "alice")
    assert second_step(hall, "alice").code(recovery[0]).status_code == 200
    assert second_step(hall, "alice").code(recovery[0]).status_code == 403
    assert second_step(hall, "alice").code(recovery[1].upper()).status_code == 200


def test_somebody_elses_recovery_code_works_for_nobody(hall):
    _, _, recovery = with_application(hall, "alice")
    with_application(hall, "bruno")
    assert second_step(hall, "bruno").code(recovery[0]).status_code == 403


def test_new_recovery_codes_replace_those_before(hall):
    desk, _, recovery = with_application(hall, "alice")
    told = desk.follow(desk.ask("POST", "/account/recovery-codes"))
    assert len(set(told["recovery_codes"]) - set(recovery)) == codes.RECOVERY_CODES
    assert second_step(hall, "alice").code(recovery[0]).status_code == 403
    assert second_step(hall, "alice").code(told["recovery_codes"][0]).status_code == 200


def test_a_session_on_the_way_sets_up_no_factor_in_place_of_the_one_that_is_asked(hall):
    with_application(hall, "alice")
    desk = second_step(hall, "alice")
    for method, path in (
        ("POST", "/account/application"),
        ("POST", "/account/passkeys/question"),
        ("DELETE", "/account/application"),
        ("POST", "/account/recovery-codes"),
        ("PUT", "/account/password"),
    ):
        answer = desk.ask(
            method, path, {"password": "un autre de quatre mots"} if "password" in path else None
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_needed")


def test_the_way_to_the_second_factor_is_a_quarter_of_an_hour_long(hall):
    _, secret, _ = with_application(hall, "alice")
    desk = second_step(hall, "alice")
    hall.wait(15 * 60)
    assert desk.code(code_at(secret, hall.node.now)).status_code == 401


def test_an_application_that_another_session_began_is_not_confirmed_here(hall):
    desk, other = hall.desk(), hall.desk()
    for each in (desk, other):
        each.sign_in("alice")
    begun = other.ask("POST", "/account/application").json()
    body = {"pending": begun["pending"], "code": code_at(begun["secret"].replace(" ", ""), hall.node.now)}
    assert desk.ask("PUT", "/account/application", body).json()["code"] == "set_up_again"
    assert other.ask("PUT", "/account/application", body).status_code == 200


@pytest.mark.parametrize("pending", ["", "zz", "00", "01" * 200, "é"])
def test_an_application_that_was_never_begun_is_not_confirmed(hall, pending):
    desk = hall.desk()
    desk.sign_in("alice")
    answer = desk.ask("PUT", "/account/application", {"pending": pending, "code": "123456"})
    assert (answer.status_code, answer.json()["code"]) == (409, "set_up_again")


def test_the_secret_of_an_application_is_in_no_file(hall):
    _, secret, recovery = with_application(hall, "alice")
    for file in hall.node.configuration.data_dir.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes()
            assert recovery[0].encode() not in file.read_bytes()


# Changing what one proves oneself with


def test_a_change_asks_for_a_proof_that_is_not_old(hall):
    desk, secret, _ = with_application(hall, "alice")
    hall.wait(PROOF_SECONDS)
    for method, path, body in (
        ("POST", "/account/application", None),
        ("DELETE", "/account/application", None),
        ("POST", "/account/recovery-codes", None),
        ("PUT", "/account/password", {"password": "un autre de quatre mots"}),
        ("POST", "/session/fresh", None),
    ):
        answer = desk.ask(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "prove_again")
    wrong = desk.ask("POST", "/session/proof", {"password": "wrong"})
    assert wrong.json()["code"] == "wrong_password"
    assert desk.ask("POST", "/session/proof", {"password": PASSWORD}).status_code == 204
    assert desk.ask("POST", "/session/fresh").status_code == 204
    hall.wait(PROOF_SECONDS)
    assert desk.ask("POST", "/session/proof", {"code": code_at(secret, hall.node.now)}).status_code == 204
    assert desk.ask("POST", "/account/recovery-codes").status_code == 200


@pytest.mark.parametrize("body", [{}, {"password": "x", "code": "y"}])
def test_a_proof_is_a_password_or_a_code(hall, body):
    desk = hall.desk()
    desk.sign_in("alice")
    assert desk.ask("POST", "/session/proof", body).status_code == 422


def test_somebody_elses_password_proves_nothing(hall):
    desk = hall.desk()
    desk.sign_in("alice")
    hall.write(lambda connection: records.set_password(connection, "bruno", "", now=0))
    assert desk.ask("POST", "/session/proof", {"password": "quelque chose"}).status_code == 403


def test_who_needs_a_factor_keeps_one(hall):
    desk, _, _ = with_application(hall, "admin")
    answer = desk.ask("DELETE", "/account/application")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_factor")
    assert desk.ask("GET", "/account").json()["has_application"]


def test_who_needs_none_takes_it_away_and_the_recovery_codes_go_with_it(hall):
    desk, _, _ = with_application(hall, "alice")
    told = desk.follow(desk.ask("DELETE", "/account/application"))
    assert told["session"]["factors"] == []
    assert hall.desk().sign_in("alice").json()["second_factor"] == "none"


def test_another_password_ends_the_other_sessions_and_not_this_one(hall):
    desk, other = hall.desk(), hall.desk()
    for each in (desk, other):
        each.sign_in("alice")
    body = {"password": "un autre de quatre mots"}
    assert desk.ask("PUT", "/account/password", body).status_code == 204
    assert desk.ask("GET", "/session").status_code == 200
    assert other.ask("GET", "/session").status_code == 401
    assert hall.desk("198.51.100.9").sign_in("alice").status_code == 403
    assert hall.desk("198.51.100.9").sign_in("alice", body["password"]).status_code == 200


@pytest.mark.parametrize("password", ["court", "alice-ALICE-2026", "motdepasse123"])
def test_a_password_that_is_guessed_first_is_refused_with_its_field(hall, password):
    desk = hall.desk()
    desk.sign_in("alice")
    answer = desk.ask("PUT", "/account/password", {"password": password})
    assert answer.status_code == 422
    assert answer.json()["where"] == "password"


def test_a_password_that_must_be_changed_opens_nothing_else(hall):
    hall.write(lambda connection: records.change(connection, "alice", name="Alice"))
    desk = hall.desk()
    hall.write(must_change)
    assert desk.sign_in("alice").json()["must_change"]
    assert desk.ask("GET", "/account").json()["code"] == "password_must_change"
    assert desk.ask("PUT", "/account/password", {"password": "un autre de quatre mots"}).status_code == 204
    desk.follow(desk.ask("GET", "/session"))
    assert desk.ask("GET", "/account").status_code == 200


def must_change(connection):
    connection.exec_driver_sql("UPDATE accounts SET must_change=1 WHERE account='alice'")


def test_what_another_node_has_sealed_is_told_and_not_a_wrong_code(hall):
    with_application(hall, "alice")
    desk = second_step(hall, "alice")
    hall.write(lambda connection: factors.set_totp(connection, "alice", b"\x01" + bytes(60), 0))
    answer = desk.code("000000")
    assert (answer.status_code, answer.json()["code"]) == (409, "factor_unreadable")
    assert "reset-second-factor" in answer.json()["mend"]


def test_changes_of_factors_are_in_the_audit_journal(hall):
    desk, _, _ = with_application(hall, "alice")
    desk.follow(desk.ask("POST", "/account/recovery-codes"))
    desk.ask("DELETE", "/account/application")
    assert hall.journal()[-3:] == ["application.add", "recovery_codes.make", "application.remove"]


# Passkeys, without a browser


def test_a_passkey_is_asked_for_by_the_nodes_name(hall):
    question = hall.desk().ask("POST", "/session/passkey/question").json()["options"]
    assert (question["rpId"], question["userVerification"]) == ("localhost", "required")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://[::1]:8080"])
def test_an_address_has_no_passkeys(hall, url):
    answer = hall.desk(url=url).ask("POST", "/session/passkey/question")
    assert (answer.status_code, answer.json()["code"]) == (409, "passkey_needs_name")


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"id": "x"},
        {"id": "x", "response": {}},
        {"id": "x", "response": {"clientDataJSON": "!!!"}},
        {"id": "x", "response": {"clientDataJSON": "e30"}},
        {"id": 7, "response": {"clientDataJSON": "eyJjaGFsbGVuZ2UiOiJBQUFBIn0"}},
        {"id": "x", "response": []},
        {"id": "x\0y", "response": {"clientDataJSON": "eyJjaGFsbGVuZ2UiOiJBQUFBIn0"}},
        {"id": "x", "response": {"clientDataJSON": None}},
    ],
)
def test_what_no_browser_would_answer_is_refused(hall, credential):
    answer = hall.desk().ask("POST", "/session/passkey", {"credential": credential})
    assert answer.status_code in (403, 422)
    assert answer.json()["code"] in ("passkey_refused", "challenge_refused")


@pytest.mark.parametrize("key", [r"\ud800", r"a\u0000b", "unknown", "", "=" * 2000])
def test_a_challenge_of_ours_with_a_key_that_nobody_has_is_refused(hall, key):
    desk = hall.desk()
    challenge = desk.ask("POST", "/session/passkey/question").json()["options"]["challenge"]
    client = bytes_to_base64url(json.dumps({"challenge": challenge}).encode())
    body = f'{{"credential": {{"id": "{key}", "response": {{"clientDataJSON": "{client}"}}}}}}'
    sent = {"Content-Type": "application/json"}
    answer = desk.client.post("/api/v1/session/passkey", content=body, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (403, "passkey_refused")
