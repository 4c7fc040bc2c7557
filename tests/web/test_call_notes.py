"""Notes about calls over HTTP, and the calls that one missed."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest
from starlette.testclient import TestClient

from pbx import control
from pbx.api.views import CallView, PartyView
from pbx.audit.reading import Query as AuditQuery
from pbx.audit.reading import read_page
from pbx.records import CallRecord
from pbx.store.call_notes import notes_of
from pbx.store.calls import erase_number, notes_about
from pbx.store.database import open_database
from tests.web.office import NOW, Office, as_
from tests.web.test_history import CITIZEN, from_outside, inside, store

__all__ = ["store"]  # a fixture

ALICE, BRUNO = as_("agent", "1001"), as_("agent", "1002")


def missed(number: int, callee: str = "1002") -> CallRecord:
    """A call from outside that nobody took."""
    record = from_outside(number, callee, answered=None, cause="no answer", intervals=())
    legs = [msgspec.structs.replace(one, answered=None) for one in record.legs]
    return msgspec.structs.replace(record, legs=legs)


def put(client: TestClient, call: str, text: str, headers: dict[str, str] = ALICE):
    return client.put(f"/api/v1/history/{call}/note", json={"text": text}, headers=headers)


def test_a_note_is_shown_with_its_call_to_who_wrote_it(client: TestClient, store):
    call = inside(1)
    store(call)
    assert put(client, call.id, "  Rappeler jeudi. ").json()["text"] == "Rappeler jeudi."
    listed = client.get("/api/v1/history", headers=ALICE).json()["items"]
    assert [one["note"] for one in listed] == ["Rappeler jeudi."]
    assert client.get(f"/api/v1/history/{call.id}", headers=ALICE).json()["note"] == "Rappeler jeudi."
    others = client.get("/api/v1/history", headers=BRUNO).json()["items"]
    assert [one["note"] for one in others] == [""]


def test_an_empty_note_is_none_any_more(client: TestClient, node: Office, store):
    call = inside(1)
    store(call)
    put(client, call.id, "Rappeler jeudi.")
    put(client, call.id, "")
    with closing(open_database(node.configuration.database)) as database:
        assert database.read(lambda connection: notes_of(connection, [call.id])) == []


def test_nobody_notes_something_of_a_call_that_is_not_theirs(client: TestClient, node: Office, store):
    call = inside(1, "1002", "2010")
    store(call)
    node.answers[control.ListCalls] = control.CallsNow([])
    refused = put(client, call.id, "Curieux.")
    assert (refused.status_code, refused.json()["code"]) == (404, "no_call")


def test_a_note_may_be_written_while_the_call_goes_on(client: TestClient, node: Office):
    parties = (PartyView("a", "1001", "1001", "Alice", "talks"), PartyView("b", "1002", "1002", "B", "talks"))
    view = CallView("019bf3a0c1d", "internal", "1001", "Alice", "1002", "1002", NOW, NOW, parties)
    node.answers[control.ListCalls] = control.CallsNow([view])
    assert put(client, view.id, "Dossier 12.").status_code == 200
    assert client.get(f"/api/v1/history/{view.id}/note", headers=ALICE).json()["text"] == "Dossier 12."


def test_who_reads_everybodys_notes_is_entered_in_the_audit_journal(client: TestClient, node: Office, store):
    call = inside(1)
    store(call)
    put(client, call.id, "Rappeler jeudi.")
    shown = client.get(f"/api/v1/history/{call.id}/notes", headers=as_("supervisor"))
    assert [one["text"] for one in shown.json()["items"]] == ["Rappeler jeudi."]
    journal = node.audit.journal
    (entry,) = read_page(journal.path, journal.public_key, AuditQuery(what="history.notes")).entries
    assert entry.entry.about == {"call": call.id, "notes": 1}
    assert client.get(f"/api/v1/history/{call.id}/notes", headers=BRUNO).status_code == 403


def test_what_was_noted_of_a_number_is_found_and_erased_with_it(client: TestClient, node: Office, store):
    call, other = from_outside(1), inside(2)
    store(call, other)
    put(client, call.id, "M. Durand veut une place en crèche.", BRUNO)
    put(client, other.id, "Autre chose.")
    with closing(open_database(node.configuration.database)) as database:
        found = database.read(lambda connection: notes_about(connection, CITIZEN))
        assert [one.text for one in found] == ["M. Durand veut une place en crèche."]
        database.write(lambda connection: erase_number(connection, CITIZEN))
        left = database.read(lambda connection: notes_of(connection, [call.id, other.id]))
    assert [one.text for one in left] == ["Autre chose."]


@pytest.mark.parametrize("text", ["x" * 2001, None, 7])
def test_what_is_no_note_is_refused(client: TestClient, store, text: object):
    store(inside(1))
    assert put(client, inside(1).id, text).status_code == 422


def test_missed_calls_are_counted_until_they_are_seen(client: TestClient, store):
    store(missed(1), missed(2), from_outside(3), inside(4, "1002", "1001"))
    told = client.get("/api/v1/history/missed", headers=BRUNO).json()
    assert (told["count"], told["seen_until_at"]) == (2, 0.0)
    seen = {"until_at": told["items"][1]["started_at"] + 1}
    assert client.put("/api/v1/history/missed", json=seen, headers=BRUNO).status_code == 204
    left = client.get("/api/v1/history/missed", headers=BRUNO).json()
    assert [one["id"] for one in left["items"]] == [told["items"][0]["id"]]


def test_nobody_has_seen_calls_that_are_still_to_come(client: TestClient, store):
    store(missed(1))
    client.put("/api/v1/history/missed", json={"until_at": NOW + 86_400}, headers=BRUNO)
    assert client.get("/api/v1/history/missed", headers=BRUNO).json()["seen_until_at"] == NOW
