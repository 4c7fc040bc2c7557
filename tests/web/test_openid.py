"""Signing in at a provider's page, as a browser goes there and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from pbx.accounts import records
from pbx.store.database import open_database
from pbx.store.revision import upgrade
from pbx.store.schema import accounts
from pbx.web.application import application
from tests.accounts.provider import OwnProvider, provider
from tests.web.office import NOW, Office, office

SETTINGS = "client_id: beffroi, client_secret: {file: secret}"
ROLES = "create: true, second_factor_by_provider: true, roles: {map: {admins: administrator}}"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnProvider]:
    with provider(NOW) as running:
        yield running


class Browser:
    """A browser on the pages of a node of its own."""

    def __init__(self, folder: Path, there: OwnProvider, settings: str) -> None:
        there.__init__(there.issuer, NOW)  # type: ignore[misc]
        (folder / "secret").write_text("s3cret+/=")
        openid = f"{{issuer: '{there.issuer}', {SETTINGS}, name: Compte de la ville, {settings}}}"
        self.there = there
        self.node = office(folder, f"{{listen: '127.0.0.1:8080', openid: {openid}}}")
        self.client = TestClient(application(self.node), base_url="http://localhost", follow_redirects=False)

    def add(self, account: str, **fields: str) -> None:
        database = open_database(self.node.configuration.database)
        upgrade(database)
        database.write(lambda connection: records.add(connection, account, "Anne", now=NOW, **fields))
        database.close()

    def sign_in(self, path: str = "/directory") -> str:
        """Go there and back; returns where the browser ends up."""
        to = self.client.get("/api/v1/openid/begin", params={"path": path}).headers["location"]
        return self.come_back(self.there.sign_in(to))

    def come_back(self, answer: dict[str, str]) -> str:
        came = self.client.get("/api/v1/openid/callback", params=answer)
        assert came.status_code == 302
        return str(came.headers["location"])

    def entries(self) -> list[tuple[str, str, str]]:
        from pbx.audit.reading import Query, read_page

        journal = self.node.audit.journal
        page = read_page(journal.path, journal.public_key, Query())
        return [(one.entry.what, one.entry.by, str(one.entry.about.get("why", ""))) for one in page.entries]


@pytest.fixture
def browser(tmp_path: Path, server: OwnProvider) -> Iterator[Browser]:
    made = Browser(tmp_path, server, ROLES)
    with made.client:
        yield made


@pytest.fixture
def strict(tmp_path: Path, server: OwnProvider) -> Iterator[Browser]:
    """Where nobody gets an account by coming, and a second factor shown elsewhere doesn't count."""
    made = Browser(tmp_path, server, "create: false")
    with made.client:
        yield made


def test_pages_know_what_the_button_says(browser: Browser):
    assert browser.client.get("/api/v1/openid").json() == {"available": True, "name": "Compte de la ville"}


def test_somebody_new_is_signed_in_with_an_account(browser: Browser):
    assert browser.sign_in() == "/directory"
    session = browser.client.get("/api/v1/session").json()
    assert (session["account"], session["name"], session["roles"]) == ("anne", "Anne Martin", ["agent"])
    assert browser.entries() == [("session.begin", "anne", "")]


def test_cookies_are_out_of_reach_of_scripts_and_gone_afterwards(browser: Browser):
    begun = browser.client.get("/api/v1/openid/begin")
    cookie = begun.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    browser.come_back(browser.there.sign_in(begun.headers["location"]))
    assert "beffroi-openid" not in browser.client.cookies


def test_second_factor_that_was_shown_there_counts(browser: Browser):
    browser.there.person |= {"groups": ["admins"], "amr": ["pwd", "otp"]}
    browser.sign_in()
    session = browser.client.get("/api/v1/session").json()
    assert (session["roles"], session["second_factor"]) == (["administrator"], "done")


def test_administrator_without_a_second_factor_sets_one_up_first(browser: Browser):
    browser.there.person |= {"groups": ["admins"]}
    browser.sign_in()
    assert browser.client.get("/api/v1/session").json()["second_factor"] == "must_set_up"
    assert browser.client.get("/api/v1/audit").status_code == 403


def test_group_that_was_left_takes_its_role_along(browser: Browser):
    browser.add("chef", roles=("administrator",))
    browser.there.person |= {"groups": ["admins"]}
    browser.sign_in()
    browser.there.person |= {"groups": []}
    browser.sign_in()
    assert browser.client.get("/api/v1/session").json()["roles"] == ["agent"]


def test_somebody_without_an_account_is_told(strict: Browser):
    assert strict.sign_in() == "/?problem=no_account_here"
    assert strict.client.get("/api/v1/session").status_code == 401
    assert strict.entries() == [("session.refused", "", "no_account_here")]


def test_account_without_a_password_is_signed_in_there(strict: Browser):
    strict.add("anne", roles=("auditor",))
    assert strict.sign_in() == "/directory"
    assert strict.client.get("/api/v1/session").json()["roles"] == ["auditor"]


def test_account_with_a_password_here_is_not_taken_over(strict: Browser):
    strict.add("anne", password_hash="$argon2id$")
    assert strict.sign_in() == "/?problem=account_of_another"


def account_of(browser: Browser) -> str:
    return str(browser.client.get("/api/v1/session").json()["account"])


def test_somebody_whose_name_changed_there_keeps_their_account(browser: Browser):
    browser.sign_in()
    browser.there.person |= {"preferred_username": "anne.durand"}
    browser.sign_in()
    assert account_of(browser) == "anne"


# OpenID Connect Core 1.0 section 5.7: names and addresses are given to others, `sub` never is.
def test_somebody_who_is_given_a_predecessors_name_does_not_get_their_account(browser: Browser):
    browser.sign_in()
    browser.client.cookies.clear()
    browser.there.person |= {"sub": "43"}
    browser.there.userinfo = {"sub": "43"}
    assert browser.sign_in() == "/?problem=another_subject"
    assert browser.client.get("/api/v1/session").status_code == 401


def test_somebody_who_takes_the_name_of_another_at_the_provider_stays_themselves(browser: Browser):
    browser.add("chef", roles=("administrator",))
    browser.sign_in()
    browser.there.person |= {"preferred_username": "chef"}
    browser.sign_in()
    assert account_of(browser) == "anne"


def test_another_provider_knows_nobody_of_the_former_one(browser: Browser):
    browser.sign_in()
    database = open_database(browser.node.configuration.database)
    database.write(
        lambda connection: connection.execute(sa.update(accounts).values(subject="https://former.example 42"))
    )
    database.close()
    assert browser.sign_in() == "/?problem=another_subject"


def test_account_that_was_let_go_is_its_next_owners(browser: Browser):
    browser.sign_in()
    database = open_database(browser.node.configuration.database)
    database.write(lambda connection: records.forget_subject(connection, "anne"))
    database.close()
    browser.there.person |= {"sub": "43"}
    browser.there.userinfo = {"sub": "43"}
    assert browser.sign_in() == "/directory"
    assert account_of(browser) == "anne"


def test_answer_of_another_browser_signs_nobody_in(strict: Browser):
    strict.add("anne")
    answer = strict.there.sign_in(strict.client.get("/api/v1/openid/begin").headers["location"])
    strict.client.cookies.clear()
    assert strict.come_back(answer) == "/?problem=openid_begin_again"
    assert strict.client.get("/api/v1/session").status_code == 401


def test_answer_that_is_replayed_signs_nobody_in(strict: Browser):
    strict.add("anne")
    begun = strict.client.get("/api/v1/openid/begin")
    kept = dict(strict.client.cookies)
    answer = strict.there.sign_in(begun.headers["location"])
    assert strict.come_back(answer) == "/"
    strict.client.cookies.clear()
    strict.client.cookies.update(kept)
    assert strict.come_back(answer) == "/?problem=openid_begin_again"


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_nobody_is_sent_elsewhere_afterwards(browser: Browser, path: str):
    assert browser.sign_in(path) == "/"


def test_provider_that_is_down_is_said_and_passwords_go_on(browser: Browser):
    browser.there.answers["/.well-known/openid-configuration"] = (503, b"")
    gone = browser.client.get("/api/v1/openid/begin")
    assert gone.headers["location"] == "/?problem=openid_away"
    refused = browser.client.post("/api/v1/session", json={"account": "anne", "password": "wrong"})
    assert refused.json()["code"] == "wrong_sign_in"


def test_node_without_a_provider_says_so(node: Office):
    with TestClient(application(node), base_url="http://localhost", follow_redirects=False) as client:
        assert client.get("/api/v1/openid").json() == {"available": False, "name": ""}
        assert client.get("/api/v1/openid/begin").status_code == 404
