"""Past calls over HTTP: found, paged, exported, drawn; and who sees what of them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from media.engine import LegQuality
from pbx.audit.reading import Query as AuditQuery
from pbx.audit.reading import read_page
from pbx.messages.scribe import Scribe
from pbx.messages.segments import Segments
from pbx.messages.tap import Tap
from pbx.plans.history import version_of
from pbx.records import CallRecord, Interval, LegRecord
from pbx.store.calls import insert_calls
from pbx.store.database import open_database
from sip.core.flow import Flow
from tests.pbx.messages.talk import PLENTY, request, response
from tests.web.office import NOW, SAMPLE_PLAN, Office, as_

CITIZEN = "+33612345678"
MINUTE = 60.0


def leg(device: str, number: str, name: str, at: float, **more: object) -> LegRecord:
    made = LegRecord(
        device, "192.0.2.9:5060", "udp", "PCMA", at, at + 4, at + 64, "hung up", name=name, number=number
    )
    return msgspec.structs.replace(made, call_id=f"{name}-{at:.0f}@sip", **more)


def call(number: int, caller: LegRecord, callee: LegRecord, **more: object) -> CallRecord:
    at = caller.started
    made = CallRecord(
        *(f"{int(at * 1000):011x}{number:09x}", at, at + 4, at + 64, "internal", caller.number, ""),
        *(callee.number, callee.number, "completed", "abcdefabcdef", [caller, callee]),
        (Interval("talk", at + 4, at + 64, ("a", "b1")),),
    )
    return msgspec.structs.replace(made, **more)


def inside(number: int, caller: str = "1001", callee: str = "1002", **more: object) -> CallRecord:
    at = NOW - number * MINUTE
    a = leg(caller, caller, "a", at, reached="calls")
    return call(number, a, leg(callee, callee, "b1", at, reached="dialled"), **more)


def from_outside(number: int, callee: str = "1002", **more: object) -> CallRecord:
    at = NOW - number * MINUTE
    a = leg("operateur-a", CITIZEN, "a", at, reached="calls")
    made = call(number, a, leg(callee, callee, "b1", at, reached="dialled"), direction="inbound")
    named = msgspec.structs.replace(made, from_name="Élise DURAND", dialled="+33383001010")
    return msgspec.structs.replace(named, **more)


@pytest.fixture
def store(node: Office):
    database = open_database(node.configuration.database)

    def put(*calls: CallRecord) -> None:
        database.write(lambda connection: insert_calls(connection, calls))

    yield put
    database.close()


def ids(answer: Response) -> list[int]:
    return [int(item["id"][-9:], 16) for item in answer.json()["items"]]


def found(client: TestClient, **asked: Any) -> list[int]:
    answer = client.get("/api/v1/history", params={"whose": "all", **asked}, headers=as_("supervisor"))
    assert answer.status_code == 200, answer.text
    return ids(answer)


def test_somebody_sees_their_own_calls_and_who_supervises_sees_all(client: TestClient, store):
    store(inside(1), inside(2, "1002", "2010"), from_outside(3))
    own = client.get("/api/v1/history", headers=as_("agent", "1001"))
    assert ids(own) == [1]
    first: dict[str, object] = own.json()["items"][0]
    assert first | {"id": ""} == {
        "id": "",
        "direction": "internal",
        "way": "out",
        "from_number": "1001",
        "from_name": "Alice Martin",
        "is_hidden": False,
        "dialled": "1002",
        "to": "1002",
        "to_name": "Bruno Petit",
        "started_at": NOW - 60,
        "answered_at": NOW - 56,
        "ended_at": NOW + 4,
        "outcome": "answered",
        "cause": "completed",
        "is_recorded": False,
        "mos": None,
        "quality": "unknown",
        "note": "",
    }
    assert found(client) == [1, 2, 3]
    assert ids(client.get("/api/v1/history", headers=as_("supervisor", "2010"))) == [2]


def test_who_may_not_read_everybodys_calls_gets_none_of_them(client: TestClient, store):
    store(inside(1, "1001", "2010"))
    call_id = f"{int((NOW - 60) * 1000):011x}{1:09x}"
    for role in ("agent", "operator", "listener"):
        headers = as_(role, "1002")
        assert client.get("/api/v1/history?whose=all", headers=headers).status_code == 403
        assert client.get("/api/v1/history/export", headers=headers).status_code == 403
        for path in (call_id, f"{call_id}/ladder"):
            assert client.get(f"/api/v1/history/{path}", headers=headers).json()["code"] == "no_call"
        assert client.get(f"/api/v1/history/{call_id}/explanation", headers=headers).status_code == 403


def test_a_call_from_ones_desk_by_somebody_else_is_theirs_alone(client: TestClient, store):
    """A hot desk: device 1001, used by 2020."""
    at = NOW - 60
    theirs = call(1, leg("1001", "2020", "a", at, reached="calls"), leg("1002", "1002", "b1", at))
    store(theirs)
    assert ids(client.get("/api/v1/history", headers=as_("agent", "1001"))) == []
    assert client.get(f"/api/v1/history/{theirs.id}", headers=as_("agent", "1001")).status_code == 404
    assert ids(client.get("/api/v1/history", headers=as_("agent", "2020"))) == [1]


def test_an_account_without_an_extension_has_no_calls_of_its_own(client: TestClient):
    answer = client.get("/api/v1/history", headers=as_("agent"))
    assert (answer.status_code, answer.json()["code"]) == (403, "no_extension")


BAD = LegQuality(2.4, 8.0, 60.0, 300.0)


ASKED = [
    ({"number": CITIZEN}, [3]),
    ({"number": "06 12 34 56 78"}, [3]),
    ({"number": "0033612345678"}, [3]),
    ({"number": "1001"}, [1, 2]),
    ({"extension": "2010"}, [2, 5]),
    ({"extension": "2010", "number": "1001"}, [2]),
    ({"name": "elise"}, [3]),
    ({"name": "dur élise"}, [3]),
    ({"name": "bruno"}, [1, 3]),
    ({"name": "nobody"}, []),
    ({"trunk": "operateur-a"}, [3]),
    ({"service": "standard"}, [5]),
    ({"direction": "inbound"}, [3]),
    ({"outcome": "missed"}, [4]),
    ({"outcome": "answered"}, [1, 2, 3, 5]),
    ({"cause": "busy"}, [4]),
    ({"recorded": True}, [2]),
    ({"quality_below": 3}, [1]),
    ({"quality_below": 2}, []),
    ({"quality_below": 5}, [1]),
    ({"since": NOW - 150}, [1, 2]),
    ({"until": NOW - 150}, [3, 4, 5]),
    ({"since": NOW - 250, "until": NOW - 110}, [2, 3, 4]),
    ({"number": "100_"}, []),
    ({"number": "%"}, []),
]


def test_calls_are_found_by_what_is_asked(client: TestClient, store):
    poor = inside(1)
    poor = msgspec.structs.replace(
        poor, legs=[poor.legs[0], msgspec.structs.replace(poor.legs[1], quality=BAD)]
    )
    busy = inside(4, "2301", "2302", cause="busy", answered=None)
    queued = inside(5, "2401", "2010")
    queued = msgspec.structs.replace(
        queued,
        to="standard",
        legs=[queued.legs[0], msgspec.structs.replace(queued.legs[1], reached="queue", via="standard")],
    )
    store(poor, inside(2, "1001", "2010", recorded=True), from_outside(3), busy, queued)
    assert [(asked, found(client, **asked)) for asked, _ in ASKED] == ASKED


REFUSED = [
    {"limit": 0},
    {"limit": 201},
    {"after": "ZZ"},
    {"after": "' or 1=1"},
    {"since": "nan"},
    {"since": -1},
    {"quality_below": 0},
    {"direction": "sideways"},
    {"number": "x" * 61},
    {"number": "a\x00b"},
]


def test_what_cannot_be_asked_is_refused(client: TestClient):
    headers = as_("agent", "1001")
    answers = [client.get("/api/v1/history", params=asked, headers=headers) for asked in REFUSED]
    assert [answer.status_code for answer in answers] == [422] * len(REFUSED)


def test_pages_follow_each_other_whatever_comes_meanwhile(client: TestClient, store):
    store(*(inside(number) for number in range(10, 30)))
    first = client.get("/api/v1/history?limit=7", headers=as_("agent", "1001"))
    store(inside(1), inside(2))
    seen = ids(first)
    after = first.json()["next"]
    while after:
        page = client.get(f"/api/v1/history?limit=7&after={after}", headers=as_("agent", "1001"))
        seen += ids(page)
        after = page.json()["next"]
    assert seen == list(range(10, 30))


def test_a_caller_that_hid_is_not_told_to_who_was_called(client: TestClient, store):
    """RFC 3323 section 4.2: the record has it, for those who may read everybody's."""
    hidden = from_outside(1, hidden=True)
    store(hidden)
    headers = as_("agent", "1002")
    (listed,) = client.get("/api/v1/history", headers=headers).json()["items"]
    whole = client.get(f"/api/v1/history/{hidden.id}", headers=headers)
    assert (listed["from_number"], listed["from_name"], listed["is_hidden"]) == ("", "", True)
    assert CITIZEN not in whole.text
    assert "DURAND" not in whole.text
    for asked in ({"number": CITIZEN}, {"name": "durand"}):
        assert ids(client.get("/api/v1/history", params=asked, headers=headers)) == []
    seen = client.get(f"/api/v1/history/{hidden.id}", headers=as_("auditor")).json()
    assert (seen["from_number"], seen["from_name"]) == (CITIZEN, "Élise DURAND")


def test_a_mobile_to_which_somebody_forwarded_is_not_told_to_who_called(client: TestClient, store):
    at = NOW - 60
    mobile = leg("operateur-b", "+33699999999", "b1", at, reached="forwarded", via="1002")
    made = call(1, leg("1001", "1001", "a", at, reached="calls"), mobile, dialled="1002", to="+33699999999")
    store(made)
    assert "33699999999" not in client.get(f"/api/v1/history/{made.id}", headers=as_("agent", "1001")).text
    assert "33699999999" not in client.get("/api/v1/history", headers=as_("agent", "1001")).text
    assert "+33699999999" in client.get(f"/api/v1/history/{made.id}", headers=as_("supervisor")).text


def test_a_number_that_one_dialled_oneself_is_shown(client: TestClient, store):
    at = NOW - 60
    outside = leg("operateur-b", CITIZEN, "b1", at, reached="dialled")
    made = call(1, leg("1001", "1001", "a", at, reached="calls"), outside, direction="outbound")
    store(made)
    shown = client.get(f"/api/v1/history/{made.id}", headers=as_("agent", "1001")).json()
    assert (shown["to"], shown["legs"][1]["number"], shown["legs"][1]["address"]) == (CITIZEN, CITIZEN, "")


def test_who_did_not_take_a_call_sees_who_did_or_that_it_was_missed(client: TestClient, store):
    taken = inside(1, "2010", "1001")
    mine = msgspec.structs.replace(
        taken.legs[1], device="1002", number="1002", name="b2", answered=None, cause="answered elsewhere"
    )
    store(msgspec.structs.replace(taken, legs=[*taken.legs, mine]))
    outcomes = {
        extension: client.get("/api/v1/history", headers=as_("agent", extension)).json()["items"][0][
            "outcome"
        ]
        for extension in ("2010", "1001", "1002")
    }
    assert outcomes == {"2010": "answered", "1001": "answered", "1002": "elsewhere"}
    missed = client.get("/api/v1/history?outcome=missed", headers=as_("agent", "1002"))
    assert ids(missed) == [1]


def test_who_joined_two_calls_has_not_missed_those_that_came_of_them(client: TestClient, store):
    joined = inside(1, "2010", "2010", to="1001, 1002, 2010")
    inside_it = msgspec.structs.replace(joined.legs[0], reached="conference", via="1001")
    store(msgspec.structs.replace(joined, legs=[inside_it]))
    for outcome in ("", "missed"):
        answer = client.get(f"/api/v1/history?outcome={outcome}", headers=as_("agent", "1001"))
        assert ids(answer) == []
    assert ids(client.get("/api/v1/history", headers=as_("agent", "2010"))) == [1]


def test_a_call_tells_its_parties_times_quality_and_the_calls_around_it(client: TestClient, store):
    parent, child = inside(9), inside(5)
    made = inside(7, parents=(parent.id,), plan_lines=(0, 12, 40))
    made = msgspec.structs.replace(
        made, legs=[msgspec.structs.replace(made.legs[0], quality=BAD), made.legs[1]]
    )
    store(parent, made, msgspec.structs.replace(child, parents=(made.id,)))
    shown = client.get(f"/api/v1/history/{made.id}", headers=as_("administrator")).json()
    assert [one["id"] for one in shown["parents"] + shown["children"]] == [parent.id, child.id]
    assert shown["legs"][0]["quality"] == {
        "mos": 2.4,
        "word": "bad",
        "loss_percent": 8.0,
        "jitter_ms": 60.0,
        "round_trip_ms": 300.0,
    }
    assert (shown["legs"][1]["name"], shown["legs"][1]["address"]) == ("Bruno Petit", "192.0.2.9:5060")
    assert [(one["kind"], one["legs"]) for one in shown["intervals"]] == [("talk", ["a", "b1"])]
    assert shown["plan_lines"] == [12, 40]
    assert shown["has_messages"] is False


def test_the_export_is_a_table_of_every_call_without_formulas(client: TestClient, store, node: Office):
    store(from_outside(1, from_name="=HYPERLINK(1)"), *(inside(number) for number in range(2, 1200)))
    answer = client.get("/api/v1/history/export", headers=as_("auditor"))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 1199
    assert (rows[0]["from"], rows[0]["from_name"], rows[0]["seconds"]) == (CITIZEN, "'=HYPERLINK(1)", "60")
    narrowed = client.get("/api/v1/history/export", params={"number": CITIZEN}, headers=as_("auditor"))
    assert narrowed.text.count("\r\n") == 2
    journal = node.audit.journal
    entries = read_page(journal.path, journal.public_key, AuditQuery(what="history.export")).entries
    assert len(entries) == 2
    assert CITIZEN not in repr(entries)


# Messages


def keep(node: Office, made: CallRecord) -> None:
    """Let the messages of a call be kept."""
    folder = node.configuration.messages_dir

    class At:
        def send(self, batch: bytes, /) -> int:
            Scribe(Segments(folder, 1e9, PLENTY, free_bytes=lambda _: PLENTY)).take(batch)
            return len(batch)

    tap = Tap(At(), lambda: made.started, lambda: 0.0)
    alice = Flow("UDP", ("10.54.0.10", 5060), ("192.0.2.1", 5060))
    bruno = Flow("UDP", ("10.54.0.10", 5060), ("192.0.2.2", 5060))
    a, b = (one.call_id for one in made.legs)
    tap.crossed((0.0, alice, request(call_id=a, lines='Authorization: Digest response="secret"\r\n')))
    tap.crossed((0.01, [(bruno, request(call_id=b))]))
    tap.crossed((0.5, [(bruno, request(call_id=b))]))
    tap.crossed((0.6, bruno, response("486 Busy Here", call_id=b)))
    tap.crossed((0.61, [(alice, response("486 Busy Here", call_id=a, lines="Reason: Q.850;cause=17\r\n"))]))
    tap.crossed((0.7, alice, request(call_id="of another call")))
    tap.pass_on()


def test_a_ladder_is_drawn_from_what_was_sent(client: TestClient, store, node: Office):
    made = inside(1, cause="busy", answered=None)
    store(made)
    keep(node, made)
    shown = client.get(f"/api/v1/history/{made.id}/ladder", headers=as_("administrator")).json()
    assert [(one["name"], one["person"], one["kind"]) for one in shown["columns"]] == [
        ("1001", "Alice Martin", "party"),
        ("Beffroi", "", "beffroi"),
        ("1002", "Bruno Petit", "party"),
    ]
    assert [(row["sender"], row["receiver"], row["label"], row["phrase"]) for row in shown["rows"]] == [
        (0, 1, "INVITE", ""),
        (1, 2, "INVITE", ""),
        (1, 2, "INVITE again", ""),
        (2, 1, "486 INVITE", "Busy Here"),
        (1, 0, "486 INVITE", "Busy Here"),
    ]
    assert "Authorization: (blanked)" in shown["rows"][0]["text"]
    assert shown["is_whole"]
    assert client.get(f"/api/v1/history/{made.id}", headers=as_("auditor")).json()["has_messages"]
    journal = node.audit.journal
    (entry,) = read_page(journal.path, journal.public_key, AuditQuery(what="history.messages")).entries
    assert entry.entry.about == {"call": made.id}


def test_whose_call_it_is_sees_the_ladder_without_the_messages_texts(client: TestClient, store, node: Office):
    made = inside(1)
    store(made)
    keep(node, made)
    shown = client.get(f"/api/v1/history/{made.id}/ladder", headers=as_("agent", "1001")).json()
    assert len(shown["rows"]) == 5
    assert {row["text"] for row in shown["rows"]} == {""}


def test_a_call_whose_messages_are_gone_has_a_ladder_without_rows(client: TestClient, store):
    made = inside(1)
    store(made)
    shown = client.get(f"/api/v1/history/{made.id}/ladder", headers=as_("auditor")).json()
    assert (shown["rows"], shown["is_whole"]) == ([], False)


# Why


def test_a_call_is_explained_by_the_plan_of_its_time(client: TestClient, store, node: Office):
    version = version_of(SAMPLE_PLAN.read_text("utf-8"))
    made = inside(1, "2010", "2020", plan_version=version)
    store(made, inside(2, plan_version="0123456789ab"))
    why = client.get(f"/api/v1/history/{made.id}/explanation", headers=as_("supervisor")).json()
    assert (why["plan_version"], why["is_in_force"], why["note"]) == (version, True, "")
    lines = SAMPLE_PLAN.read_text("utf-8").splitlines()
    person = next(step for step in why["steps"] if step["line"] and "2020" in lines[step["line"] - 1])
    assert person["outcome"]
    assert why["lines"]
    gone = client.get("/api/v1/history", params={"whose": "all"}, headers=as_("auditor")).json()["items"][1]
    lost = client.get(f"/api/v1/history/{gone['id']}/explanation", headers=as_("auditor")).json()
    assert (lost["steps"], lost["is_in_force"]) == ([], False)
    assert "0123456789ab" in lost["note"]


def test_a_call_that_is_not_there_is_said_so(client: TestClient, store):
    store(inside(1))
    for call_id in ("00000000000000000001", "..%2f..%2fetc", "A" * 20, "x" * 61):
        for path in ("", "/ladder", "/explanation"):
            answer = client.get(f"/api/v1/history/{call_id}{path}", headers=as_("administrator"))
            assert answer.status_code in {404, 422}
            assert answer.headers["content-type"] == "application/problem+json"


def test_files_of_messages_that_cannot_be_read_are_a_problem(client: TestClient, store, node: Office):
    made = inside(1)
    store(made)
    folder: Path = node.configuration.messages_dir
    (folder / f"{int(made.started * 1000):013d}.sip").mkdir(parents=True)
    answer = client.get(f"/api/v1/history/{made.id}/ladder", headers=as_("auditor"))
    assert (answer.status_code, answer.json()["code"]) == (503, "messages_unreadable")
