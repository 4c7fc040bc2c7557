"""`beffroi webhook`, as an administrator types it."""

from __future__ import annotations

from tests.cli.conftest import Town
from tests.webhooks.receiver import receiver


def test_webhook_is_added_tested_listed_and_removed(town: Town):
    with receiver() as there:
        made = town.run(
            *("webhook", "add", "Intranet", f"{there.url}/hook", "--event", "CallEnded"),
            *("--private-address", "--json"),
        ).json
        assert made["secret"].startswith("bfs_")
        listed = town.run("webhook", "list", "--json")
        assert made["secret"] not in listed.out
        assert [(one["name"], one["kinds"], one["waiting"]) for one in listed.json] == [
            ("Intranet", ["CallEnded"], 0)
        ]
        assert town.run("webhook", "test", made["id"]).out == "taken, with status 200\n"
        assert there.got[0][0]["Beffroi-Event"] == "Test"
        there.answers.append(500)
        refused = town.run("webhook", "test", made["id"])
        assert (refused.status, refused.out) == (1, "answers 500\n")
    assert town.run("webhook", "remove", made["id"]).status == 0
    assert town.run("webhook", "list").out == "there is no webhook\n"
    said = [one["what"] for one in town.run("audit", "list", "--json").json["items"]]
    assert said == ["webhook.remove", "webhook.test", "webhook.test", "webhook.add"]


def test_webhook_that_cant_be_is_told_with_its_option(town: Town):
    inward = town.run("webhook", "add", "x", "https://10.0.0.7/", "--event", "CallEnded")
    assert (inward.status, "nobody has said" in inward.err) == (2, True)
    unknown = town.run("webhook", "add", "x", "https://x.example/", "--event", "Everything")
    assert (unknown.status, unknown.err) == (2, "beffroi: --event: Everything isn't told to webhooks\n")
    assert "there is no webhook" in town.run("webhook", "test", "nothing").err
