"""`beffroi audit` and `beffroi token`, as an auditor and an administrator type them."""

from __future__ import annotations

import sqlalchemy as sa

from pbx.store.database import open_database
from pbx.store.revision import upgrade
from pbx.store.schema import accounts
from tests.cli.conftest import Town


def with_account(town: Town) -> None:
    """An administrator of the pages, `chef`."""
    opened = open_database(town.settings.database)
    upgrade(opened)
    row: dict[str, object] = {
        "account": "chef",
        "name": "Chef",
        "extension": "",
        "roles": "administrator",
        "language": "fr",
    }
    row |= {"password_hash": "", "must_change": False, "disabled": False, "source": "local"}
    row |= {"totp_step": 0, "handle": "chef", "created_at": 0.0}
    opened.write(lambda connection: connection.execute(sa.insert(accounts).values(row)) and None)
    opened.close()


def test_token_is_made_shown_once_and_ended(town: Town):
    with_account(town)
    made = town.run(
        "token", "add", "Sauvegarde", "--account", "chef", "--scope", "backup.make", "--json"
    ).json
    assert made["token"].startswith("bft_")
    listed = town.run("token", "list", "--json")
    assert made["token"] not in listed.out
    assert [(one["id"], one["scopes"]) for one in listed.json] == [(made["id"], ["backup.make"])]
    assert town.run("token", "remove", made["id"]).status == 0
    assert town.run("token", "list").out == "there is no token\n"
    assert town.run("token", "remove", made["id"]).status == 1


def test_token_that_cant_be_made_is_told_with_its_option(town: Town):
    with_account(town)
    refused = town.run("token", "add", "x", "--account", "chef", "--scope", "everything")
    assert (refused.status, refused.err) == (2, "beffroi: --scope: everything is no right\n")
    refused = town.run("token", "add", "x", "--account", "nobody")
    assert (refused.status, refused.err) == (2, "beffroi: --account: there is no account nobody\n")


def test_what_commands_do_is_in_the_audit_journal(town: Town):
    assert town.run("audit", "list").out == "nothing is like this\n"
    with_account(town)
    made = town.run("token", "add", "Sauvegarde", "--account", "chef", "--json").json
    town.run("token", "remove", made["id"])
    items = town.run("audit", "list", "--json").json["items"]
    assert [(one["what"], one["how"], one["sound"]) for one in items] == [
        ("token.remove", "command", True),
        ("token.add", "command", True),
    ]
    assert made["token"] not in town.settings.audit_journal.read_text()
    assert "Sauvegarde" in town.run("audit", "list", "--what", "token.add", "--whom", "chef").out


def test_ban_by_hand_is_in_the_audit_journal(town: Town):
    town.run("ban", "add", "203.0.113.7", "calls at night")
    town.run("ban", "remove", "203.0.113.7")
    items = town.run("audit", "list", "--json").json["items"]
    assert [(one["what"], one["about"]["source"]) for one in items] == [
        ("ban.remove", "203.0.113.7"),
        ("ban.add", "203.0.113.7"),
    ]


def test_journal_is_verified_exported_and_its_damage_located(town: Town):
    with_account(town)
    town.run("token", "add", "Sauvegarde", "--account", "chef")
    target = town.folder / "audit.zip"
    exported = town.run("audit", "export", str(target), "--json").json
    assert exported["entries"] == 2
    assert town.run("audit", "verify", str(target), "--json").json["head"] == exported["head"]
    assert town.run("audit", "verify", "--known", f"1:{exported['head']}").status == 0
    journal = town.settings.audit_journal
    journal.write_bytes(journal.read_bytes().replace(b"Sauvegarde", b"Sauvetage "))
    found = town.run("audit", "verify")
    assert found.status == 1
    assert "journal:1 (byte 0): is not what this node has signed" in found.out


def test_what_is_misused_is_told_in_a_sentence(town: Town):
    with_account(town)
    town.run("token", "add", "Sauvegarde", "--account", "chef")
    assert town.run("audit", "list", "--after", "7").status == 2
    assert town.run("audit", "verify", "--known", "seven").status == 2
    target = town.folder / "audit.zip"
    target.write_text("kept")
    assert "is there already" in town.run("audit", "export", str(target)).err
    assert "can't be unpacked" in town.run("audit", "verify", str(target)).err


def test_what_cant_be_entered_is_not_done(town: Town):
    town.run("account", "add", "anne", "Anne")
    journal = town.settings.audit_journal
    journal.unlink()
    journal.mkdir()  # nothing can be written there
    for words in (("account", "remove", "anne"), ("user", "add", "2099", "Zoé")):
        refused = town.run(*words)
        assert refused.status == 1
        assert "can't be written into the audit journal" in refused.err
    assert [one["account"] for one in town.run("account", "list", "--json").json] == ["anne"]
    assert "2099" not in town.run("user", "list").out


def test_what_is_refused_after_it_was_entered_is_entered_as_not_done(town: Town):
    assert town.run("settings", "clear", "2010").status == 1  # no node runs
    items = town.run("audit", "list", "--json").json["items"]
    assert [(one["what"], one["about"].get("not_done", False)) for one in items] == [
        ("settings.change", True),
        ("settings.change", False),
    ]
