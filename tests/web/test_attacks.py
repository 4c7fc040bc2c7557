"""What somebody tries who wants in: made-up cookies, pages of other sites, paths, sizes, what was stolen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from pbx.accounts import records, sessions, tokens
from pbx.store.schema import accounts
from tests.web.routes_walk import walked
from tests.web.signed_in import TownHall, town_hall

TOKENS = "/api/v1/tokens"
WANTED = {"name": "mine", "ends_at": 1_795_371_300.0 + 86_400}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TownHall]:
    with town_hall(tmp_path_factory.mktemp("town-hall")) as made:
        yield made


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# Cookies and tokens that were made up


@pytest.mark.parametrize(
    "cookie",
    ["", "x", "a" * 43, "../../etc/passwd", "' OR 1=1 --", "%00", "a" * 5000],
)
def test_cookie_that_was_made_up_is_nobodys(town: TownHall, cookie: str):
    answer = town.client.get(TOKENS, headers={"Cookie": f"beffroi={cookie}"})
    assert code(answer) == (401, "not_signed_in")


def test_cookie_with_a_letter_changed_is_nobodys(town: TownHall):
    token = town.session("agent")
    changed = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    assert town.by_cookie(token, "GET", TOKENS).status_code == 200
    assert code(town.by_cookie(changed, "GET", TOKENS)) == (401, "not_signed_in")


def test_what_the_database_holds_of_a_session_signs_nobody_in(town: TownHall):
    held = sessions.hash_of(town.session("agent"))
    assert code(town.by_cookie(held, "GET", TOKENS)) == (401, "not_signed_in")


def test_cookie_of_plain_loopback_is_not_taken_over_tls(town: TownHall):
    token = town.session("agent")
    answer = town.client.get(f"https://localhost{TOKENS}", headers={"Cookie": f"beffroi={token}"})
    assert code(answer) == (401, "not_signed_in")


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic YTpi",
        "bft_x",
        "Bearer bft_" + "a" * 43,
        "Bearer " + "a" * 7000,
    ],
)
def test_authorization_that_was_made_up_is_nobodys(town: TownHall, authorization: str):
    assert town.client.get(TOKENS, headers={"Authorization": authorization}).status_code == 401


def test_token_that_is_wrong_isnt_helped_by_a_cookie(town: TownHall):
    headers = {"Cookie": f"beffroi={town.session('agent')}", "Authorization": "Bearer bft_wrong"}
    assert town.client.get(TOKENS, headers=headers).status_code == 401


# What was stolen


def test_session_is_worth_nothing_after_its_owner_signed_out(town: TownHall):
    stolen = town.session("agent")
    assert town.by_cookie(stolen, "DELETE", "/api/v1/session").status_code == 204
    assert code(town.by_cookie(stolen, "GET", TOKENS)) == (401, "not_signed_in")


def test_session_ends_when_nobody_uses_it_and_at_last_in_any_case(town: TownHall):
    stolen = town.session("administrator")
    begun = town.node.now
    try:
        town.node.now = begun + 31 * 60
        assert code(town.by_cookie(stolen, "GET", TOKENS)) == (401, "not_signed_in")
        lasting, town.node.now = town.session("agent"), begun
        for hour in range(0, 8 * 24, 10):
            town.node.now = begun + 31 * 60 + hour * 3600
            status = town.by_cookie(lasting, "GET", TOKENS).status_code
            assert status == (200 if hour < 7 * 24 else 401), hour
    finally:
        town.node.now = begun


def test_token_is_worth_nothing_once_it_is_ended(town: TownHall):
    secret = town.token("agent")
    assert town.by_token(secret, "GET", TOKENS).status_code == 200
    (token, *_) = town.by_token(secret, "GET", TOKENS).json()["items"]
    assert town.ask("agent", "DELETE", f"{TOKENS}/{token['id']}").status_code == 204
    assert code(town.by_token(secret, "GET", TOKENS)) == (401, "token_refused")


def test_stolen_token_makes_and_ends_no_other(town: TownHall):
    secret = town.token("administrator")
    assert code(town.by_token(secret, "POST", TOKENS, json=WANTED)) == (403, "pages_only")
    assert code(town.by_token(secret, "DELETE", f"{TOKENS}/1")) == (403, "pages_only")


def test_stolen_token_changes_nothing_of_how_its_account_signs_in(town: TownHall):
    secret = town.token("administrator")
    own = ("/api/v1/account/", "/api/v1/session/")
    for one in walked(town.client.app):
        if (
            f"{one.path}/".startswith(own)
            and one.method in ("PUT", "DELETE", "PATCH")
            and one.right is not None
        ):
            assert code(town.by_token(secret, one.method, one.url())) == (403, "pages_only"), one.path


def test_token_opens_nothing_beyond_its_scopes(town: TownHall):
    secret = town.token("administrator", "people.read")
    for one in walked(town.client.app):
        if one.right in (None, "people.read") or one.method == "WEBSOCKET":
            continue
        assert town.by_token(secret, one.method, one.url()).status_code == 403, one.path


def test_token_doesnt_outlive_the_rights_of_its_account(town: TownHall):
    secret = town.token("auditor")
    database = town.database
    assert town.by_token(secret, "GET", "/api/v1/audit").status_code == 200
    database.write(lambda connection: records.change(connection, "auditor", roles=["agent"]))
    town.node.now += 1.0
    assert town.by_token(secret, "GET", "/api/v1/audit").status_code == 403
    database.write(lambda connection: records.change(connection, "auditor", roles=["auditor"]))
    database.close()


def test_account_that_is_closed_is_out_with_its_sessions_and_tokens(town: TownHall):
    cookie, secret = town.session("listener"), town.token("listener")
    closed = town.ask("administrator", "PATCH", "/api/v1/accounts/listener", json={"disabled": True})
    assert closed.status_code == 200
    assert town.by_cookie(cookie, "GET", TOKENS).status_code == 401
    town.node.now += 1.0
    assert town.by_token(secret, "GET", TOKENS).status_code == 401
    database = town.database
    database.write(lambda connection: connection.execute(sa.update(accounts).values(disabled=False)) and None)
    database.close()
    town.node.accounts.sessions.forget()


# Others' things


def test_nobody_ends_somebody_elses_token(town: TownHall):
    theirs = town.token("operator")
    database = town.database
    (token,) = database.read(lambda connection: tokens.listed(connection, "operator"))
    database.close()
    assert code(town.ask("agent", "DELETE", f"{TOKENS}/{token.id}")) == (404, "no_token")
    assert town.by_token(theirs, "GET", TOKENS).status_code == 200


def test_tokens_of_others_are_listed_for_who_may_alone(town: TownHall):
    assert town.ask("agent", "GET", f"{TOKENS}/all").status_code == 403
    assert town.ask("administrator", "GET", f"{TOKENS}/all").status_code == 200


def test_nobody_reaches_somebody_elses_own_things(town: TownHall):
    wrong = []
    for one in walked(town.client.app):
        if one.right == "own" and ("{extension}" in one.path or "{mailbox}" in one.path):
            answer = town.ask("agent", one.method, one.url("2010"), json={})
            if answer.status_code < 400:
                wrong.append(f"{one.method} {one.path}: {answer.status_code}")
    assert wrong == []


# Pages of other sites


@pytest.mark.parametrize("csrf", ["", "x", "0" * 64])
def test_request_without_the_sessions_csrf_is_refused(town: TownHall, csrf: str):
    headers = {"Cookie": f"beffroi={town.session('agent')}", "X-CSRF-Token": csrf}
    assert code(town.client.post(TOKENS, json=WANTED, headers=headers)) == (403, "wrong_csrf")


def test_csrf_of_another_session_is_refused(town: TownHall):
    mine, theirs = town.begun("agent", "done"), town.begun("agent", "done")
    headers = {"Cookie": f"beffroi={mine}", "X-CSRF-Token": sessions.csrf_of(theirs)}
    assert code(town.client.post(TOKENS, json=WANTED, headers=headers)) == (403, "wrong_csrf")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_page_of_another_site_changes_nothing(town: TownHall, headers: dict[str, str]):
    answer = town.ask("agent", "POST", TOKENS, json=WANTED, headers=headers)
    assert code(answer) == (403, "other_site")
    signing_in = town.client.post("/api/v1/session", json={"account": "a", "password": "b"}, headers=headers)
    assert code(signing_in) == (403, "other_site")


def test_every_change_by_a_cookie_wants_a_csrf_token(town: TownHall):
    cookie = town.session("administrator")
    for one in walked(town.client.app):
        if one.method in ("GET", "WEBSOCKET") or one.right is None or one.path == "/api/v1/session":
            continue
        answer = town.client.request(one.method, one.url(), headers={"Cookie": f"beffroi={cookie}"})
        assert answer.status_code == 403, f"{one.method} {one.path}: {answer.status_code}"
        assert answer.json()["code"] in ("wrong_csrf", "forbidden"), one.path


def test_form_of_another_site_is_no_request_of_ours(town: TownHall):
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        headers = {"Content-Type": kind}
        answer = town.ask("agent", "POST", TOKENS, content=b'{"name": "x", "ends_at": 1}', headers=headers)
        assert answer.status_code == 422, kind


def test_other_sites_are_told_nothing_that_a_browser_would_let_them_read(town: TownHall):
    answer = town.ask("agent", "GET", TOKENS, headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "localhost@evil.example"])
def test_name_that_isnt_ours_is_refused(town: TownHall, host: str):
    assert code(town.client.get(TOKENS, headers={"Host": host})) == (421, "unknown_host")


# Ways elsewhere, and paths


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "/https://evil.example", "/%2f/evil.example"]
)
def test_no_path_is_a_way_to_another_site(town: TownHall, path: str):
    answer = town.client.get(f"http://localhost{path}")
    assert "location" not in answer.headers
    assert answer.status_code in (200, 404, 503)


def test_no_route_leads_elsewhere_by_what_it_is_given(town: TownHall):
    for one in walked(town.client.app):
        if one.method != "GET":
            continue
        given = dict.fromkeys(("next", "url", "path", "redirect", "return_to", "callback"), "//evil.example")
        location = town.ask("administrator", "GET", one.url(), params=given).headers.get("location", "/")
        assert location.startswith("/"), one.path
        assert not location.startswith("//"), one.path


@pytest.mark.parametrize(
    "path",
    [
        "/../beffroi.yaml",
        "/..%2f..%2fbeffroi.yaml",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/../../../../etc/passwd",
        "/assets/..%5c..%5cbeffroi.yaml",
        "/assets//etc/passwd",
        "/.git/config",
        "/index.html%00.txt",
        "/assets/%c0%ae%c0%ae/etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_pages(town: TownHall, path: str):
    answer = town.client.get(f"http://localhost{path}")
    assert "root:" not in answer.text
    assert "domain:" not in answer.text
    assert answer.status_code in (404, 200, 503)


@pytest.mark.parametrize("name", ["%2e%2e", "..%2f..%2fnode.key", "a%00b%ff", "a" * 3000])
def test_no_name_in_a_path_leads_out_of_its_folder(town: TownHall, name: str):
    for one in walked(town.client.app):
        if one.method == "GET" and "{" in one.path:
            answer = town.ask("administrator", "GET", one.url(name))
            assert answer.status_code != 500, one.path
            assert "PRIVATE KEY" not in answer.text, one.path


# Sizes


def test_body_that_is_too_large_is_refused(town: TownHall):
    answer = town.ask(
        "agent", "POST", TOKENS, content=b" " * (2 << 20), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


def test_body_that_comes_in_pieces_without_a_length_is_bounded(town: TownHall):
    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    answer = town.ask("agent", "POST", TOKENS, content=pieces(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"name":' * 5000, b"\xff\xfe", b'{"name": "\\ud800", "ends_at": 1e999}', b"NaN"],
)
def test_body_that_is_no_json_of_ours_is_told_as_such(town: TownHall, body: bytes):
    answer = town.ask("agent", "POST", TOKENS, content=body, headers={"Content-Type": "application/json"})
    assert code(answer) in ((400, "bad_request"), (422, "invalid"))


def test_address_that_is_too_long_is_refused(town: TownHall):
    assert town.client.get(f"{TOKENS}?a={'a' * 9000}").status_code == 414


# What is told


def test_problem_tells_nothing_of_the_machine(town: TownHall):
    for url in (f"{TOKENS}/all", "/api/v1/nothing", "/api/v1/audit?limit=x"):
        told = town.ask("agent", "GET", url).text
        assert "/home" not in told
        assert "Traceback" not in told
        assert str(town.node.configuration.data_dir) not in told
