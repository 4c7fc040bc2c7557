"""Accounts, as an administrator adds, changes and removes them over the API; and the links that work once."""

from __future__ import annotations

import pytest

from pbx.accounts import links, records
from tests.accounts.desk import PASSWORD, Desk, TownHall


@pytest.fixture
def admin(hall: TownHall) -> Desk:
    """An administrator, wholly signed in."""
    desk = hall.desk()
    desk.sign_in("admin")
    desk.set_up_application(hall.node.now)
    return desk


def test_accounts_are_listed_in_pages(admin):
    first = admin.ask("GET", "/accounts?limit=4").json()
    assert [one["account"] for one in first["items"]] == ["admin", "alice", "bruno", "farid"]
    second = admin.ask("GET", f"/accounts?limit=4&after={first['next']}").json()
    assert ([one["account"] for one in second["items"]], second["next"]) == (["paul", "sophie"], "")


def test_no_list_shows_a_secret(admin):
    listed = admin.ask("GET", "/accounts").text
    assert "argon2" not in listed
    assert "handle" not in listed


def test_a_new_account_chooses_its_password_by_a_link_that_works_once(hall, admin):
    body = {
        "account": "Nadia.Roche",
        "name": "Nadia  Roche",
        "extension": "2011",
        "roles": ["agent", "operator"],
    }
    answer = admin.ask("POST", "/accounts", body)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["account"]["account"], made["account"]["name"]) == ("nadia.roche", "Nadia Roche")
    origin, _, secret = made["password_link"]["link"].partition("/new-password#")
    assert origin == "http://localhost"
    desk, given = hall.desk("198.51.100.9"), {"secret": secret, "password": "un mot de passe à elle"}
    assert desk.ask("POST", "/account/password-link", {**given, "password": "court"}).status_code == 422
    assert desk.ask("POST", "/account/password-link", given).json() == {"account": "nadia.roche"}
    assert desk.ask("POST", "/account/password-link", given).json()["code"] == "link_refused"
    assert desk.sign_in("2011", given["password"]).json()["roles"] == ["agent", "operator"]


def test_a_link_ends_after_a_day(hall, admin):
    link = admin.ask("POST", "/accounts/alice/password-link").json()
    assert link["ends_at"] == hall.node.now + links.PASSWORD_SECONDS
    hall.wait(links.PASSWORD_SECONDS)
    given = {"secret": link["link"].partition("#")[2], "password": "un mot de passe à elle"}
    assert hall.desk().ask("POST", "/account/password-link", given).status_code == 404


def test_a_new_link_makes_the_one_before_worthless(hall, admin):
    old = admin.ask("POST", "/accounts/alice/password-link").json()["link"].partition("#")[2]
    admin.ask("POST", "/accounts/alice/password-link")
    given = {"secret": old, "password": "un mot de passe à elle"}
    assert hall.desk().ask("POST", "/account/password-link", given).status_code == 404


def test_until_the_link_is_used_the_former_password_works_and_then_its_sessions_end(hall, admin):
    desk = hall.desk()
    secret = admin.ask("POST", "/accounts/alice/password-link").json()["link"].partition("#")[2]
    assert desk.sign_in("alice").status_code == 200
    hall.desk().ask(
        "POST", "/account/password-link", {"secret": secret, "password": "un mot de passe à elle"}
    )
    assert desk.ask("GET", "/session").status_code == 401
    assert hall.desk("198.51.100.9").sign_in("alice", PASSWORD).status_code == 403


def test_a_links_secret_is_in_no_file(hall, admin):
    secret = admin.ask("POST", "/accounts/alice/password-link").json()["link"].partition("#")[2]
    for file in hall.node.configuration.data_dir.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes()


def test_guessing_links_is_slowed_down(hall):
    desk, statuses = hall.desk(), set()
    for number in range(40):
        given = {"secret": f"guess{number}", "password": "un mot de passe à elle"}
        statuses.add(desk.ask("POST", "/account/password-link", given).status_code)
    assert statuses == {404, 429}


@pytest.mark.parametrize(
    ("body", "where", "status"),
    [
        ({"account": "", "name": "X"}, "account", 422),
        ({"account": "a b", "name": "X"}, "account", 422),
        ({"account": "a" * 65, "name": "X"}, "account", 422),
        ({"account": "a\u202eb", "name": "X"}, "account", 422),
        ({"account": "alice", "name": "X"}, "account", 409),
        ({"account": "ALICE", "name": "X"}, "account", 409),
        ({"account": "new", "name": " "}, "name", 422),
        ({"account": "new", "name": "a\x07b"}, "name", 422),
        ({"account": "new", "name": "X", "extension": "12a"}, "extension", 422),
        ({"account": "new", "name": "X", "extension": "1001"}, "extension", 409),
        ({"account": "1002", "name": "X"}, "extension", 422),
        ({"account": "new", "name": "X", "roles": []}, "roles", 422),
    ],
)
def test_a_wrong_account_is_refused_with_its_field(admin, body, where, status):
    answer = admin.ask("POST", "/accounts", body)
    assert (answer.status_code, answer.json()["where"]) == (status, where)


def test_an_account_is_changed_and_its_sessions_end_where_its_rights_change(hall, admin):
    desk = hall.desk()
    desk.sign_in("alice")
    changed = admin.ask("PATCH", "/accounts/alice", {"name": "Alice Roux", "language": "en"})
    assert (changed.json()["name"], changed.json()["language"]) == ("Alice Roux", "en")
    assert desk.ask("GET", "/session").json()["name"] == "Alice Roux"
    admin.ask("PATCH", "/accounts/alice", {"roles": ["operator"]})
    assert desk.ask("GET", "/session").status_code == 401


def test_the_last_administrator_stays(hall, admin):
    for method, body in (("DELETE", None), ("PATCH", {"roles": ["agent"]})):
        answer = admin.ask(method, "/accounts/admin", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")
    hall.write(lambda connection: records.add(connection, "second", "S", now=0, roles=["administrator"]))
    assert admin.ask("PATCH", "/accounts/second", {"disabled": True}).status_code == 200
    assert admin.ask("DELETE", "/accounts/admin").json()["code"] == "last_administrator"
    admin.ask("PATCH", "/accounts/second", {"disabled": False})
    assert admin.ask("PATCH", "/accounts/admin", {"roles": ["agent"]}).status_code == 200
    assert admin.ask("GET", "/accounts").status_code == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"roles": ["administrator", "listener"]}, "own_roles"),
        ({"roles": ["administrator", "operator"]}, "own_roles"),
        ({"extension": "1001"}, "own_extension"),
        ({"extension": ""}, "own_extension"),
        ({"disabled": True}, "own_account"),
    ],
)
def test_nobody_raises_themselves(admin, body, code):
    answer = admin.ask("PATCH", "/accounts/admin", body)
    assert (answer.status_code, answer.json()["code"]) == (403, code)


def test_a_lost_factor_is_reset_by_an_administrator(hall, admin):
    desk = hall.desk()
    desk.sign_in("paul")
    desk.set_up_application(hall.node.now)
    assert admin.ask("DELETE", "/accounts/paul/second-factor").json()["factors"] == []
    assert desk.ask("GET", "/session").status_code == 401
    assert hall.desk().sign_in("paul").json()["second_factor"] == "must_set_up"


def test_somebody_is_signed_out_everywhere(hall, admin):
    desk = hall.desk()
    desk.sign_in("alice")
    assert admin.ask("DELETE", "/accounts/alice/sessions").status_code == 204
    assert desk.ask("GET", "/session").status_code == 401


def test_a_removed_account_is_gone_with_its_sessions(hall, admin):
    desk = hall.desk()
    desk.sign_in("alice")
    assert admin.ask("DELETE", "/accounts/alice").status_code == 204
    assert desk.ask("GET", "/session").status_code == 401
    assert desk.sign_in("alice").json()["code"] == "wrong_sign_in"
    assert admin.ask("GET", "/accounts/alice").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/password-link"), ("DELETE", "/second-factor")],
)
@pytest.mark.parametrize("account", ["nobody", "..", "%2e%2e%2fetc", "é", "a%00b"])
def test_what_is_no_account_is_not_found(admin, method, path, account):
    answer = admin.ask(method, f"/accounts/{account}{path}", {} if method == "PATCH" else None)
    assert answer.status_code in (404, 405)


def test_what_is_done_to_accounts_is_in_the_audit_journal_and_no_secret_with_it(hall, admin):
    link = admin.ask("POST", "/accounts", {"account": "new", "name": "N"}).json()["password_link"]["link"]
    admin.ask("PATCH", "/accounts/new", {"roles": ["operator"]})
    admin.ask("POST", "/accounts/new/password-link")
    admin.ask("DELETE", "/accounts/new/second-factor")
    admin.ask("DELETE", "/accounts/new/sessions")
    admin.ask("DELETE", "/accounts/new")
    assert hall.journal()[-6:] == [
        "account.add",
        "account.change",
        "password.reset",
        "second_factor.reset",
        "sessions.end",
        "account.remove",
    ]
    written = hall.node.configuration.audit_journal.read_text("utf-8")
    assert link.partition("#")[2] not in written
    assert '"roles":"agent -> operator"' in written


def test_an_auditor_reads_accounts_and_changes_none(hall):
    desk = hall.desk()
    desk.sign_in("farid")
    assert desk.ask("GET", "/accounts").status_code == 200
    assert desk.ask("PATCH", "/accounts/alice", {"name": "X"}).status_code == 403


# The demonstration


def test_a_demonstration_link_opens_nothing_in_a_town_that_is_not_the_sample(hall):
    ends_at = hall.node.now + 60
    secret = hall.write(lambda connection: links.make_link(connection, "demo", "admin", ends_at))
    answer = hall.desk("127.0.0.1").ask("POST", "/session/demonstration", {"secret": secret})
    assert (answer.status_code, answer.json()["code"]) == (404, "link_refused")


def test_a_link_for_one_purpose_serves_no_other(hall):
    ends_at = hall.node.now + 60
    secret = hall.write(lambda connection: links.make_link(connection, "first-run", "", ends_at))
    given = {"secret": secret, "password": "un mot de passe à elle"}
    assert hall.desk().ask("POST", "/account/password-link", given).status_code == 404
