"""Tokens open what their account may open, cut to what they were made for, and end in time."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from pbx.accounts import tokens
from pbx.accounts.account import AccountError
from pbx.accounts.bearers import Bearers
from pbx.accounts.tokens import NoToken, TokenRefused, TokenWrong, Wanted
from pbx.store.database import Database, SqliteDatabase
from pbx.store.revision import upgrade
from pbx.store.schema import accounts

NOW = 1_800_000_000.0
MONTH = 30 * 86_400.0


@pytest.fixture
def database(tmp_path: Path):
    opened = SqliteDatabase(tmp_path / "beffroi.db")
    upgrade(opened)
    opened.write(lambda connection: _account(connection, "chef", "administrator"))
    opened.write(lambda connection: _account(connection, "agnes", "agent"))
    yield opened
    opened.close()


def _account(connection: sa.Connection, name: str, roles: str) -> None:
    row = {
        "account": name,
        "name": name.title(),
        "extension": "",
        "roles": roles,
        "language": "fr",
        "password_hash": "",
        "must_change": False,
        "disabled": False,
        "source": "local",
        "totp_step": 0,
        "handle": name,
        "created_at": NOW,
    }
    connection.execute(sa.insert(accounts).values(row))


def made(database: Database, account: str = "chef", **wanted: object):
    asked = Wanted(**{"name": "Sauvegarde", "ends_at": NOW + MONTH, **wanted})
    return database.write(lambda connection: tokens.add(connection, account, asked, NOW))


def actor(database: Database, secret: str, address: str = "192.0.2.7", now: float = NOW):
    return database.read(lambda connection: tokens.actor_of(connection, secret, address, now)[0])


def test_token_acts_for_its_account(database):
    token, secret = made(database, scopes=("people.read", "plan.read"))
    who = actor(database, secret)
    assert (who.account, who.name, who.how, who.address) == ("chef", "Chef", "token", "192.0.2.7")
    assert who.rights == {"people.read", "plan.read"}
    assert token.scopes == ("people.read", "plan.read")


def test_token_has_256_bits_and_is_kept_hashed(database):
    _, secret = made(database)
    assert secret.startswith("bft_")
    assert len(secret) == 47
    rows = database.read(lambda connection: connection.exec_driver_sql("SELECT * FROM tokens").all())
    assert secret[4:] not in str(rows)


def test_token_without_scopes_has_the_rights_of_its_account(database):
    assert made(database, "agnes")[0].scopes == ("own", "people.read")


def test_right_that_the_account_loses_is_lost_by_its_tokens(database):
    _, secret = made(database, scopes=("people.read", "plan.change"))
    database.write(lambda connection: connection.execute(sa.update(accounts).values(roles="agent")))
    assert actor(database, secret).rights == {"people.read"}


def test_right_that_the_account_gets_isnt_got_by_its_tokens(database):
    _, secret = made(database, "agnes")
    database.write(lambda connection: connection.execute(sa.update(accounts).values(roles="administrator")))
    assert actor(database, secret).rights == {"own", "people.read"}


@pytest.mark.parametrize("secret", ["", "bft_", "bft_" + "a" * 43, "bft_" + "é" * 43, "a" * 100_000])
def test_what_is_no_token_is_refused(database, secret: str):
    made(database)
    with pytest.raises(TokenRefused, match="unknown"):
        actor(database, secret)


def test_token_ends_when_it_was_to_end(database):
    _, secret = made(database)
    assert actor(database, secret, now=NOW + MONTH - 1)
    with pytest.raises(TokenRefused, match="expired"):
        actor(database, secret, now=NOW + MONTH)


def test_token_of_a_disabled_account_is_refused(database):
    _, secret = made(database)
    database.write(lambda connection: connection.execute(sa.update(accounts).values(disabled=True)))
    with pytest.raises(TokenRefused, match="account"):
        actor(database, secret)


def test_token_goes_with_its_account(database):
    _, secret = made(database)
    database.write(lambda connection: connection.execute(sa.delete(accounts)))
    with pytest.raises(TokenRefused, match="unknown"):
        actor(database, secret)


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7"])
def test_token_is_taken_from_its_networks(database, address: str):
    _, secret = made(database, networks=("10.0.0.0/8", "2001:db8::/32"))
    assert actor(database, secret, address).account == "chef"


@pytest.mark.parametrize("address", ["192.0.2.7", "11.0.0.1", "", "somewhere"])
def test_token_is_refused_from_elsewhere(database, address: str):
    _, secret = made(database, networks=("10.0.0.0/8",))
    with pytest.raises(TokenRefused, match="network"):
        actor(database, secret, address)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"scopes": ("plan.change",)}, "scopes"),
        ({"scopes": ("everything",)}, "scopes"),
        ({"ends_at": NOW}, "ends_at"),
        ({"ends_at": NOW + 800 * 86_400}, "ends_at"),
        ({"ends_at": float("nan")}, "ends_at"),
        ({"ends_at": float("inf")}, "ends_at"),
        ({"name": "  "}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"name": "a\x1b[31m"}, "name"),
        ({"networks": ("10.0.0.0/33",)}, "networks"),
        ({"networks": ("10.0.0.0/8",) * 21}, "networks"),
    ],
)
def test_token_that_cant_be_is_not_made(database, wanted: dict[str, object], field: str):
    with pytest.raises(TokenWrong) as refused:
        made(database, "agnes", **wanted)
    assert refused.value.field == field
    assert database.read(tokens.listed) == []


def test_token_of_nobody_is_not_made(database):
    with pytest.raises(TokenWrong, match="no account"):
        made(database, "nobody")


def test_account_has_fifty_tokens_at_most(database):
    for _ in range(50):
        made(database, "agnes")
    with pytest.raises(TokenWrong, match="end one first"):
        made(database, "agnes")


def test_tokens_are_listed_by_owner(database):
    made(database, "agnes", name="Mine")
    made(database, "chef", name="His")
    assert {token.name for token in database.read(tokens.listed)} == {"Mine", "His"}
    assert [t.name for t in database.read(lambda connection: tokens.listed(connection, "agnes"))] == ["Mine"]


def test_ended_token_opens_nothing(database):
    token, secret = made(database)
    assert database.write(lambda connection: tokens.remove(connection, token.id)).name == "Sauvegarde"
    with pytest.raises(TokenRefused):
        actor(database, secret)


def test_token_of_another_cant_be_ended(database):
    token, secret = made(database)
    with pytest.raises(NoToken):
        database.write(lambda connection: tokens.remove(connection, token.id, "agnes"))
    assert actor(database, secret).account == "chef"


def test_use_is_noted_once_a_minute(database):
    token, _ = made(database)
    assert tokens.is_due(token, NOW)
    database.write(lambda connection: tokens.used(connection, token.id, NOW))
    (token,) = database.read(tokens.listed)
    assert token.last_used_at == NOW
    assert not tokens.is_due(token, NOW + 59)
    assert tokens.is_due(token, NOW + 60)


class Town:
    """A database and a clock, and what was asked of the database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.reads = self.writes = 0

    async def read(self, work):
        self.reads += 1
        return self.database.read(work)

    async def write(self, work):
        self.writes += 1
        return self.database.write(work)


async def test_requests_of_one_second_ask_the_database_once(database):
    _, secret = made(database)
    town = Town(database)
    bearers = Bearers(town, lambda: town.now)
    for _ in range(10):
        assert (await bearers.actor(secret, "192.0.2.7")).account == "chef"
        town.now += 0.05
    assert (town.reads, town.writes) == (1, 1)


async def test_token_that_was_ended_opens_nothing_a_second_later(database):
    token, secret = made(database)
    town = Town(database)
    bearers = Bearers(town, lambda: town.now)
    await bearers.actor(secret, "192.0.2.7")
    database.write(lambda connection: tokens.remove(connection, token.id))
    town.now += 1.0
    with pytest.raises(AccountError) as refused:
        await bearers.actor(secret, "192.0.2.7")
    assert (refused.value.status, refused.value.code) == (401, "token_refused")


async def test_what_this_process_ends_is_gone_at_once(database):
    token, secret = made(database)
    town = Town(database)
    bearers = Bearers(town, lambda: town.now)
    await bearers.actor(secret, "192.0.2.7")
    database.write(lambda connection: tokens.remove(connection, token.id))
    bearers.forget()
    with pytest.raises(AccountError):
        await bearers.actor(secret, "192.0.2.7")


async def test_token_that_is_remembered_isnt_taken_from_another_network(database):
    _, secret = made(database, networks=("192.0.2.0/24",))
    town = Town(database)
    bearers = Bearers(town, lambda: town.now)
    await bearers.actor(secret, "192.0.2.7")
    with pytest.raises(AccountError):
        await bearers.actor(secret, "198.51.100.7")


async def test_uses_of_one_minute_are_written_once(database):
    _, secret = made(database)
    town = Town(database)
    bearers = Bearers(town, lambda: town.now)
    for _ in range(61):
        await bearers.actor(secret, "192.0.2.7")
        town.now += 1.0
    assert town.writes == 2
