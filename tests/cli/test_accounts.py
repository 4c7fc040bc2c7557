"""`beffroi account`: the same verbs as the pages, with the node running or not."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Town


def test_an_account_is_added_listed_changed_and_removed(town: Town):
    added = town.run("account", "add", "Anne.Martin", "Anne Martin", "--role", "operator", "--json").json
    assert (added["account"], added["roles"]) == ("anne.martin", ["operator"])
    assert town.run("account", "list", "--json").json == [
        {key: value for key, value in added.items() if key != "links"}
    ]
    town.run("account", "change", "anne.martin", "--closed", "--name", "Anne Roux")
    shown = town.run("account", "show", "anne.martin", "--json").json
    assert (shown["disabled"], shown["name"]) == (True, "Anne Roux")
    town.run("account", "remove", "anne.martin")
    assert town.run("account", "list").out.strip().startswith("there is no account")


def test_a_new_account_gets_a_link_whose_secret_no_server_is_told(town: Town):
    text = town.configuration_file.read_text("utf-8")
    town.configuration_file.write_text(text.replace("web: []", "web: 127.0.0.1:8080"), "utf-8")
    (link,) = town.run("account", "add", "anne", "Anne", "--json").json["links"]
    assert link.startswith("http://127.0.0.1:8080/new-password#")
    again = town.run("account", "password", "anne").out
    assert "works once" in again
    assert link not in again


def test_a_node_without_pages_says_that_there_is_no_link(town: Town):
    added = town.run("account", "add", "anne", "Anne")
    assert added.status == 0
    assert "no page is served" in added.out


def test_the_table_says_who_still_needs_a_second_factor(town: Town):
    town.run("account", "add", "chef", "Chef", "--role", "administrator")
    row = next(line for line in town.run("account", "list").out.splitlines() if "chef" in line)
    assert "none yet" in row
    assert "invited" in row


def test_the_last_administrator_is_kept(town: Town):
    town.run("account", "add", "chef", "Chef", "--role", "administrator")
    refused = town.run("account", "remove", "chef")
    assert refused.status == 1
    assert "last administrator" in refused.err
    assert "make somebody else" in refused.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "anne", "Anne", "--role", "chef"), 'no role "chef"'),
        (("add", "a b", "Anne"), "a sign-in name is"),
        (("show", "nobody"), 'no account "nobody"'),
        (("change", "nobody"), "nothing to change"),
        (("reset-second-factor", "nobody"), 'no account "nobody"'),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(town: Town, words: tuple[str, ...], told: str):
    outcome = town.run("account", *words)
    assert outcome.status == 1
    assert told in outcome.err


def test_what_a_command_does_is_in_the_audit_journal(town: Town):
    town.run("account", "add", "anne", "Anne")
    town.run("account", "reset-second-factor", "anne")
    entries = town.run("audit", "list", "--json").json["items"]
    found = {entry["what"]: entry for entry in entries}
    assert found["account.add"]["how"] == "command"
    assert found["second_factor.reset"]["about"]["whom"] == "anne"
