"""Signing in with a password of an LDAP directory, against Debian's slapd."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pbx.accounts import records
from pbx.accounts.account import AccountError
from pbx.accounts.admission import Identity
from pbx.accounts.elsewhere import Ldap
from pbx.accounts.ldap import Directory, DirectorySignIn, LdapAway
from pbx.settings.values import Secret
from pbx.store.database import SqliteDatabase
from pbx.store.revision import upgrade
from pbx.web.application import application
from tests.accounts.ldap_server import ADMINS, BASE, READER, READER_PASSWORD, ldap_server
from tests.web.office import office

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("slapd")]

NOW = 1_800_000_000.0
SECRET = {"S": READER_PASSWORD}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ldap]:
    folder = tmp_path_factory.mktemp("slapd")
    with ldap_server(folder) as (plain, _):
        yield Ldap(f"ldap://127.0.0.1:{plain}", BASE, READER, Secret(env="S"), ca_file=folder / "ca.pem")


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ldap]:
    folder = tmp_path_factory.mktemp("slapd-tls")
    with ldap_server(folder) as (_, tls):
        yield Ldap(f"ldaps://127.0.0.1:{tls}", BASE, READER, Secret(env="S"), ca_file=folder / "ca.pem")


def who(settings: Ldap, typed: str, password: str) -> list[Identity]:
    return [*Directory(settings, SECRET).identities(typed, password)]


def test_person_with_the_right_password_is_known(settings: Ldap):
    assert who(settings, "anne", "anne's secret") == [Identity("anne", "Anne Martin")]


def test_groups_are_told_by_their_dns(settings: Ldap):
    assert who(settings, "chef", "chef's secret")[0].groups == {ADMINS}


@pytest.mark.parametrize(
    ("typed", "password"),
    [
        ("anne", "chef's secret"),
        ("nobody", "anne's secret"),
        ("", "anne's secret"),
        ("a" * 300, "anne's secret"),
    ],
)
def test_wrong_name_or_password_is_nobody(settings: Ldap, typed: str, password: str):
    assert who(settings, typed, password) == []


def test_empty_password_is_no_anonymous_bind(settings: Ldap):
    assert who(settings, "anne", "") == []
    assert who(settings, "anne", "\0") == []


@pytest.mark.parametrize(
    "typed", ["*", "ann*", "anne)(uid=*", "anne)(|(uid=*", "\\61nne", "anne\0", "(", "é\udc80"]
)
def test_what_is_typed_is_never_a_filter(settings: Ldap, typed: str):
    assert who(settings, typed, "anne's secret") == []


def test_name_with_a_star_is_itself(settings: Ldap):
    assert who(settings, "a*b", "a*b's secret")[0].account == "a*b"


def test_name_is_the_directorys_however_it_is_typed(settings: Ldap):
    assert who(settings, "ANNE", "anne's secret")[0].account == "anne"
    assert who(settings, "ａｎｎｅ", "anne's secret")[0].account == "anne"


def test_filter_that_finds_several_finds_nobody(settings: Ldap):
    several = replace(settings, filter="(|(uid={name})(objectClass=inetOrgPerson))")
    assert who(several, "anne", "anne's secret") == []


def test_password_goes_over_tls_to_a_server_that_is_vouched_for(encrypted: Ldap):
    assert who(encrypted, "anne", "anne's secret")[0].account == "anne"


def test_server_that_nobody_vouches_for_is_away(encrypted: Ldap):
    with pytest.raises(LdapAway):
        who(replace(encrypted, ca_file=None), "anne", "anne's secret")


def test_server_of_another_name_is_away(encrypted: Ldap):
    elsewhere = replace(encrypted, url=encrypted.url.replace("127.0.0.1", "127.0.0.2"))
    with pytest.raises(LdapAway):
        who(elsewhere, "anne", "anne's secret")


def test_start_tls_encrypts_before_anybody_binds(settings: Ldap):
    assert who(replace(settings, start_tls=True), "anne", "anne's secret")[0].account == "anne"


def test_own_bind_that_is_refused_is_told(settings: Ldap):
    with pytest.raises(LdapAway, match="our own bind is refused"):
        Directory(settings, {"S": "wrong"}).identities("anne", "anne's secret")
    with pytest.raises(LdapAway, match="isn't set"):
        Directory(settings, {}).identities("anne", "anne's secret")


def test_server_that_is_down_or_says_nothing_is_away(settings: Ldap, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(LdapAway):
        who(replace(settings, url="ldap://127.0.0.1:9"), "anne", "anne's secret")
    monkeypatch.setattr("pbx.accounts.ldap.ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ldap://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(LdapAway):
            who(replace(settings, url=url), "anne", "anne's secret")


class Town:
    """A database, and signing in through a directory."""

    def __init__(self, folder: Path, settings: Ldap) -> None:
        self.database = SqliteDatabase(folder / "beffroi.db")
        upgrade(self.database)
        self.sign_in = DirectorySignIn(settings, Directory(settings, SECRET), self, lambda: NOW)

    async def read(self, work):
        return self.database.read(work)

    async def write(self, work):
        return self.database.write(work)

    def add(self, account: str, **fields: object) -> None:
        self.database.write(
            lambda connection: records.add(connection, account, "Somebody", now=NOW, **fields)
        )


@pytest.fixture
def town(tmp_path: Path, settings: Ldap) -> Iterator[Town]:
    made = Town(tmp_path, replace(settings, create=True, roles=((ADMINS.upper(), "administrator"),)))
    yield made
    made.sign_in.close()
    made.database.close()


async def test_account_is_made_with_the_roles_of_the_groups(town: Town):
    (chef,) = await town.sign_in.accounts("chef", "chef's secret")
    assert (chef.account, chef.name, chef.source, set(chef.roles)) == (
        "chef",
        "Chef Robert",
        "ldap",
        {"administrator"},
    )
    (anne,) = await town.sign_in.accounts("Anne", "anne's secret")
    assert (anne.account, set(anne.roles)) == ("anne", {"agent"})


async def test_account_with_a_password_here_isnt_asked_for_there(town: Town):
    town.add("anne", password_hash="$argon2id$")
    assert await town.sign_in.accounts("anne", "anne's secret") == []


async def test_somebody_without_an_account_is_refused_where_none_is_made(tmp_path: Path, settings: Ldap):
    town = Town(tmp_path, settings)
    with pytest.raises(AccountError) as refused:
        await town.sign_in.accounts("anne", "anne's secret")
    assert refused.value.code == "no_account_here"
    town.sign_in.close()
    town.database.close()


async def test_directory_that_is_away_signs_nobody_in_and_raises_nothing(tmp_path: Path, settings: Ldap):
    town = Town(tmp_path, replace(settings, url="ldap://127.0.0.1:9"))
    assert await town.sign_in.accounts("anne", "anne's secret") == []
    town.sign_in.close()
    town.database.close()


def test_page_signs_somebody_in_with_their_password_there(tmp_path: Path, settings: Ldap):
    (tmp_path / "secret").write_text(READER_PASSWORD)
    bind = f"bind_dn: '{READER}', bind_password: {{file: secret}}"
    ldap = f"{{url: '{settings.url}', base: '{BASE}', {bind}, create: true}}"
    node = office(tmp_path, f"{{listen: '127.0.0.1:8080', ldap: {ldap}}}")
    with TestClient(application(node), base_url="http://localhost", client=("127.0.0.1", 50000)) as client:
        wrong = client.post("/api/v1/session", json={"account": "anne", "password": "wrong"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_sign_in")
        right = client.post("/api/v1/session", json={"account": "anne", "password": "anne's secret"})
        assert (right.status_code, right.json()["account"]) == (200, "anne")
