"""`beffroi call now|originate|hold|…`, against a real node and an answer without one."""

from __future__ import annotations

import json

import pytest

from pbx.api.views import CallView, Done, PartyView
from pbx.cli.live_calls import _print
from pbx.control import CallsNow
from tests.cli.conftest import Town

TALK = CallView(
    "018f00000000000000aa",
    "internal",
    "1001",
    "Alice Martin",
    "1002",
    "1002",
    1_798_192_800.0,
    1_798_192_805.0,
    (
        PartyView("a", "1001", "1001", "Alice Martin", "holds"),
        PartyView("b1", "1002", "1002", "Bruno Petit", "held", muted=True),
    ),
)


def test_a_node_without_calls_says_so_and_what_can_not_be_done(town: Town):
    with town.serving():
        assert town.run("call", "now").out == "no call in progress\n"
        held = town.run("call", "hold", "1001")
        assert (held.status, held.err) == (1, "beffroi: 1001 is in no call\n")
        placed = town.run("call", "originate", "1001", "1002")
        assert (placed.status, placed.err) == (1, "beffroi: 1001 has no telephone here\n")
        picked = town.run("call", "pickup", "1001")
        assert (picked.status, picked.err) == (1, "beffroi: 1001 has no telephone here\n")
        retrieved = town.run("call", "retrieve", "1001", "700")
        assert (retrieved.status, retrieved.err) == (1, "beffroi: nobody waits at 700\n")


def test_without_a_node_one_sentence_says_how_to_start_one(town: Town):
    outcome = town.run("call", "now")
    assert outcome.status == 1
    assert "beffroi serve" in outcome.err


def test_who_is_in_a_call_and_what_they_do_is_a_row(capsys: pytest.CaptureFixture[str]):
    _print(CallsNow([TALK], Done(TALK.id, "done", "705")), as_json=False)
    out = capsys.readouterr().out
    assert out.startswith("parked at 705\n")
    assert "2026-12-25 10:00:00" in out
    assert "1001 Alice Martin (holds), 1002 Bruno Petit (held, muted)" in out


def test_the_json_has_what_came_of_it_and_the_calls(capsys: pytest.CaptureFixture[str]):
    _print(CallsNow([TALK], Done(TALK.id, "rings")), as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["call"], printed["state"]) == (TALK.id, "rings")
    assert printed["calls"][0]["answered"] == "2026-12-25T10:00:05.000Z"
    assert printed["calls"][0]["parties"][1]["muted"] is True
