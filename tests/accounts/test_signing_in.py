"""Signing in and out over the API: what a page does, and what somebody does who isn't one."""

import pytest

from pbx.accounts import records, sessions
from tests.accounts.desk import PASSWORD, code_at


def test_a_name_and_its_password_open_a_session(desk):
    told = desk.sign_in("alice").json()
    assert (told["account"], told["extension"], told["second_factor"]) == ("alice", "1001", "none")
    assert "own" in told["rights"]
    assert "accounts.read" not in told["rights"]
    assert desk.ask("GET", "/session").json() == told


@pytest.mark.parametrize("typed", ["1001", " Alice ", "ALICE"])
def test_an_account_is_found_by_its_extension_and_however_its_name_is_typed(desk, typed):
    assert desk.sign_in(typed).json()["account"] == "alice"


def test_nobody_is_signed_in_at_first(desk):
    answer = desk.ask("GET", "/session")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert "Basic" not in answer.headers["www-authenticate"]


@pytest.mark.parametrize("who", ["alice", "nobody.here", "9999", "\0", "a" * 150])
def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(desk, who):
    answer = desk.sign_in(who, "wrong")
    told = answer.json()
    del told["request"]
    assert answer.status_code == 403
    assert told == {
        "type": "urn:beffroi:problem:wrong_sign_in",
        "title": "Forbidden",
        "status": 403,
        "detail": "the name or the password is wrong",
        "code": "wrong_sign_in",
        "mend": "",
        "where": "password",
    }
    assert "set-cookie" not in answer.headers


def test_a_closed_account_looks_like_a_wrong_password(hall, desk):
    hall.write(lambda connection: records.change(connection, "alice", disabled=True))
    assert desk.sign_in("alice").json()["code"] == "wrong_sign_in"


def test_the_same_work_is_done_for_an_unknown_name(hall, desk):
    computed = []
    matches = hall.node.accounts.hashing.matches

    async def counted(password_hash, password, *, is_known):
        computed.append(password_hash[:9])
        return await matches(password_hash, password, is_known=is_known)

    hall.node.accounts.hashing.matches = counted
    desk.sign_in("alice", "wrong")
    desk.sign_in("nobody.here", "wrong")
    assert computed == ["$argon2id", ""]  # of "" a hash is computed as well: tests/accounts/test_passwords.py


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(desk):
    kept = desk.sign_in("alice").headers.get_list("set-cookie")
    session = next(cookie for cookie in kept if cookie.startswith("beffroi="))
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert "Path=/" in session
    assert "Domain" not in session


def test_over_tls_the_cookie_has_the_prefix_that_other_hosts_cannot_set(hall):
    # RFC 6265bis section 4.1.3.2: `__Host-` is Secure, without a Domain, for the whole host.
    kept = hall.desk(url="https://localhost").sign_in("alice").headers.get_list("set-cookie")
    session = next(cookie for cookie in kept if cookie.startswith("__Host-beffroi="))
    assert "Secure" in session
    assert "Domain" not in session


def test_the_database_doesnt_hold_what_the_cookie_holds(hall, desk):
    desk.sign_in("alice")
    token, file = desk.cookie.encode(), hall.node.configuration.sqlite_file
    assert len(token) >= 43
    for each in file.parent.glob(f"{file.name}*"):
        assert token not in each.read_bytes()


def test_a_cookie_that_was_copied_is_dead_after_signing_out(hall, desk):
    desk.sign_in("alice")
    thief = hall.desk("198.51.100.9")
    thief.client.cookies.set("beffroi", desk.cookie)
    assert thief.ask("GET", "/session").status_code == 200
    assert desk.ask("DELETE", "/session").status_code == 204
    assert desk.ask("GET", "/session").status_code == 401
    assert thief.ask("GET", "/session").status_code == 401


def test_signing_in_again_gives_another_token_and_ends_the_one_before(hall, desk):
    desk.sign_in("alice")
    before = desk.cookie
    desk.sign_in("alice")
    assert desk.cookie != before
    thief = hall.desk()
    thief.client.cookies.set("beffroi", before)
    assert thief.ask("GET", "/session").status_code == 401


def test_a_token_that_was_planted_before_signing_in_is_not_taken_over(hall, desk):
    planted = "planted-by-somebody-else-before-the-sign-in"
    desk.client.cookies.set("beffroi", planted)
    desk.sign_in("alice")
    thief = hall.desk()
    thief.client.cookies.set("beffroi", planted)
    assert thief.ask("GET", "/session").status_code == 401


@pytest.mark.parametrize("forged", ["x", "A" * 43, "é", "' OR 1=1 --", "A" * 100_000, "\x7f\x80"])
def test_a_forged_cookie_opens_nothing(desk, forged):
    desk.sign_in("alice")
    answer = desk.client.get("/api/v1/session", headers={"Cookie": f"beffroi={forged}".encode()})
    assert answer.status_code in (401, 431)


# Whatever changes something comes from a page of ours


@pytest.mark.parametrize("sent", ["", "x", "0" * 64, "é"])
def test_a_change_without_the_sessions_csrf_token_is_refused(desk, sent):
    desk.sign_in("alice")
    answer = desk.client.patch(
        "/api/v1/account", json={"language": "en"}, headers={"X-CSRF-Token": sent.encode()}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_csrf")
    assert desk.ask("GET", "/account").json()["language"] == "fr"


def test_another_sessions_csrf_token_is_refused(hall, desk):
    desk.sign_in("alice")
    other = hall.desk()
    other.sign_in("bruno")
    desk.csrf = other.csrf
    assert desk.ask("PATCH", "/account", {"language": "en"}).json()["code"] == "wrong_csrf"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "https://localhost"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing_and_signs_nobody_in(desk, headers):
    credentials = {"account": "alice", "password": PASSWORD}
    answer = desk.client.post("/api/v1/session", json=credentials, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "other_site")
    desk.sign_in("alice")
    sent = {"X-CSRF-Token": desk.csrf, **headers}
    assert desk.client.patch("/api/v1/account", json={"language": "en"}, headers=sent).status_code == 403


def test_our_own_page_says_where_it_is_and_is_heard(desk):
    desk.sign_in("alice")
    answer = desk.ask(
        "PATCH", "/account", {"language": "en"}, Origin="http://localhost", Sec_Fetch_Site="same-origin"
    )
    assert (answer.status_code, answer.json()["language"]) == (200, "en")


# How long it lasts


def test_an_agents_session_that_is_left_alone_ends_after_twelve_hours(hall, desk):
    desk.sign_in("alice")
    hall.wait(sessions.IDLE_SECONDS - 1)
    assert desk.ask("GET", "/session").status_code == 200
    hall.wait(sessions.IDLE_SECONDS - 1)
    assert desk.ask("GET", "/session").status_code == 200
    hall.wait(sessions.IDLE_SECONDS)
    assert desk.ask("GET", "/session").status_code == 401


def test_an_auditors_session_that_is_left_alone_ends_after_half_an_hour(hall, desk):
    desk.sign_in("farid")
    hall.wait(sessions.SHORT_IDLE_SECONDS)
    assert desk.ask("GET", "/session").status_code == 401


def test_a_page_that_reads_by_itself_while_nobody_is_at_it_keeps_no_session_open(hall, desk):
    desk.sign_in("farid")
    for _ in range(3):
        hall.wait(sessions.SHORT_IDLE_SECONDS / 3 - 1)
        assert desk.ask("GET", "/session", X_Unattended="1").status_code == 200
    hall.wait(3)
    assert desk.ask("GET", "/session", X_Unattended="1").status_code == 401


def test_no_session_outlives_seven_days(hall, desk):
    desk.sign_in("alice")
    for _ in range(14):
        hall.wait(sessions.ABSOLUTE_SECONDS / 14 - 1)
        assert desk.ask("GET", "/session").status_code == 200
    hall.wait(20)
    assert desk.ask("GET", "/session").status_code == 401


@pytest.mark.parametrize(
    "changes", [{"roles": ["agent", "operator"]}, {"disabled": True}, {"extension": "1003"}]
)
def test_other_roles_another_extension_or_closing_end_the_sessions(hall, desk, changes):
    desk.sign_in("alice")
    assert desk.ask("GET", "/session").status_code == 200
    hall.write(lambda connection: records.change(connection, "alice", **changes))
    hall.wait(1.0)  # changed by a command, beside the web process
    assert desk.ask("GET", "/session").status_code == 401


def test_a_change_of_language_ends_no_session(hall, desk):
    desk.sign_in("alice")
    hall.write(lambda connection: records.change(connection, "alice", language="en"))
    hall.wait(1.0)
    assert desk.ask("GET", "/session").json()["language"] == "en"


def test_one_sees_where_one_is_signed_in_and_ends_it_there(hall, desk):
    desk.sign_in("alice")
    other = hall.desk("198.51.100.9")
    other.sign_in("alice")
    stranger = hall.desk()
    stranger.sign_in("bruno")
    listed = desk.ask("GET", "/account").json()["sessions"]
    assert sorted((one["address"], one["current"]) for one in listed) == [
        ("192.0.2.7", True),
        ("198.51.100.9", False),
    ]
    its = next(one["id"] for one in listed if not one["current"])
    assert stranger.ask("DELETE", f"/account/sessions/{its}").status_code == 404
    assert desk.ask("DELETE", f"/account/sessions/{its}").json() == {"ended": 1}
    assert other.ask("GET", "/session").status_code == 401
    assert desk.ask("GET", "/session").status_code == 200


def test_signing_out_everywhere_leaves_this_session_alone(hall, desk):
    desk.sign_in("alice")
    others = [hall.desk(), hall.desk()]
    for other in others:
        other.sign_in("alice")
    assert desk.ask("DELETE", "/account/sessions").json() == {"ended": 2}
    assert [other.ask("GET", "/session").status_code for other in others] == [401, 401]
    assert desk.ask("GET", "/session").status_code == 200


# The journal


def test_signing_in_failing_to_and_signing_out_are_in_the_audit_journal(hall, desk):
    desk.sign_in("alice", "wrong")
    desk.sign_in("alice")
    desk.ask("DELETE", "/session")
    assert hall.journal() == ["session.refused", "session.begin", "session.end"]


def test_what_was_typed_instead_of_a_name_is_in_no_journal(hall, desk):
    desk.sign_in("my password, in the wrong field", "wrong")
    assert "wrong field" not in hall.node.configuration.audit_journal.read_text("utf-8")


def test_an_account_changes_itself_in_a_page_and_not_with_a_token(desk):
    answer = desk.ask("GET", "/account", Authorization="Bearer agent:1001")
    assert (answer.status_code, answer.json()["code"]) == (403, "pages_only")


def test_a_right_that_one_lacks_is_refused(desk):
    desk.sign_in("alice")
    answer = desk.ask("GET", "/accounts")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("scheme", ["Basic YWxpY2U6eA==", "Bearer", "Bearer x", "bft_x", "Bearer  "])
def test_another_authorization_is_refused_even_beside_a_session(desk, scheme):
    desk.sign_in("alice")
    assert desk.ask("GET", "/accounts", Authorization=scheme).status_code == 401


def test_a_second_factor_that_is_missing_opens_nothing_but_the_way_to_it(hall, desk):
    told = desk.sign_in("admin").json()
    assert (told["second_factor"], told["rights"]) == ("must_set_up", [])
    answer = desk.ask("GET", "/accounts")
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_must_set_up")
    desk.set_up_application(hall.node.now)
    assert desk.ask("GET", "/accounts").status_code == 200


def test_who_has_a_second_factor_is_asked_for_it(hall, desk):
    desk.sign_in("alice")
    secret, _ = desk.set_up_application(hall.node.now)
    hall.wait(60)
    other = hall.desk()
    assert other.sign_in("alice").json()["second_factor"] == "needed"
    assert other.ask("GET", "/account").json()["code"] == "second_factor_needed"
    assert other.code(code_at(secret, hall.node.now)).json()["second_factor"] == "done"
    assert other.ask("GET", "/account").status_code == 200
