"""The plan over HTTP: checked, explained, compared, put in force and taken back, by whom the rights let."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx.control import ListSettings, SettingsInForce
from pbx.plans.history import version_of
from pbx.plans.proposal import examined
from pbx.web.plan_desk import MOST_FINDINGS
from tests.web.exchange import Exchange, exchange
from tests.web.office import NOW, Office, as_

URL = "/api/v1/plan"
CHIEF, READER = as_("administrator"), as_("auditor")
MOBILES = ("via: [operateur-b, operateur-a]", "via: [operateur-b]")
NAME = ("Alice Martin", "Alice Durand")


@pytest.fixture
def running(node: Office) -> Iterator[Exchange]:
    with exchange(node.configuration) as made:
        yield made


def text_of(node: Office, *changes: tuple[str, str]) -> str:
    text = node.configuration.plan.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def put(client: TestClient, text: str, expected: str, reason: str = "") -> Any:
    return client.put(URL, headers=CHIEF, json={"text": text, "expected": expected, "reason": reason})


def check(client: TestClient, text: str) -> dict[str, Any]:
    answer = client.post(f"{URL}/check", headers=READER, json={"text": text})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def entered(node: Office) -> list[tuple[str, str, dict[str, Any]]]:
    from pbx.audit.reading import Query, read_page

    journal = node.audit.journal
    page = read_page(journal.path, journal.public_key, Query())
    return [(one.entry.what, one.entry.by, dict(one.entry.about)) for one in page.entries]


# Reading


def test_the_plan_in_force_is_shown_with_its_version_and_names(client: TestClient, node: Office, running):
    shown = client.get(URL, headers=CHIEF).json()
    assert shown["text"] == text_of(node)
    assert shown["version"] == shown["in_file"] == version_of(text_of(node))
    assert (shown["running"], shown["masked"]) == (True, False)
    assert shown["trunks"] == ["operateur-a", "operateur-b"]


def test_who_may_not_change_the_plan_sees_no_password_in_it(client: TestClient, node: Office, running):
    shown = client.get(URL, headers=READER).json()
    assert shown["masked"] is True
    assert "password" in shown["text"]
    assert "pw1001" not in shown["text"]
    assert len(shown["text"].splitlines()) == len(text_of(node).splitlines())


def test_a_file_that_was_edited_and_not_put_in_force_is_told(client: TestClient, node: Office, running):
    edited = text_of(node, NAME)
    node.configuration.plan.write_text(edited, "utf-8")
    shown = client.get(URL, headers=CHIEF).json()
    assert (shown["version"], shown["in_file"]) == (running.version, version_of(edited))


# Asking


def test_what_is_wrong_is_told_with_its_place_and_mend(client: TestClient, node: Office):
    found = check(client, text_of(node, ("via: [operateur-a]", "via: [operateur-z]")))
    (finding,) = found["findings"]
    assert (found["errors"], finding["severity"], finding["line"]) == (1, "error", 81)
    assert (finding["message"], finding["hint"]) == (
        'unknown trunk "operateur-z" for calls to international',
        'did you mean "operateur-b"?',
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &x [1]\nb: [*x, *x]\n", "alias"),
        ("[" * 100_000, "too_deep"),
        ("x: !!python/object/apply:os.system [ls]\n", "tag"),
        ("plan: 1\ncountry: FR\n\x00", "syntax"),
        ("a: 'never closed", "syntax"),
        ("", "missing_key"),
        ("# " + "x" * 16_777_216, "too_long"),
    ],
    ids=["aliases", "depth", "tag", "control", "open", "empty", "long"],
)
def test_a_hostile_text_gets_findings(client: TestClient, text: str, code: str):
    assert code in {finding["code"] for finding in check(client, text)["findings"]}


def test_a_body_of_64_mb_is_refused(client: TestClient):
    answer = client.post(f"{URL}/check", headers=READER, json={"text": "x" * 64 * 1024 * 1024})
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


def test_a_body_that_is_no_json_is_a_problem(client: TestClient):
    headers = {**READER, "content-type": "application/json"}
    answer = client.post(f"{URL}/check", headers=headers, content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_the_plan_s_own_tests_are_run(client: TestClient, node: Office):
    wrong = text_of(node, ('expect: {user: "2301"}', 'expect: {user: "2302"}'))
    tested = client.post(f"{URL}/test", headers=READER, json={"text": wrong}).json()
    assert (len(tested["tests"]), tested["failed"]) == (14, 1)
    (failed,) = [one for one in tested["tests"] if not one["passed"]]
    assert (failed["caller"], failed["dial"], failed["expected"]) == ("2010", "2301", "user 2302")


def test_a_call_is_explained_rule_by_rule_with_lines(client: TestClient, node: Office):
    node.answers[ListSettings] = SettingsInForce([], [])
    asked = {"caller": "2010", "dialled": "18"}
    told = client.post(f"{URL}/explain", headers=READER, json=asked).json()
    assert (told["kind"], told["summary"]) == ("trunks", "emergency 18 by operateur-a, then operateur-b")
    assert any(step["line"] for step in told["steps"])


def test_a_text_that_isn_t_in_force_is_explained_as_well(client: TestClient, node: Office):
    asked = {"caller": "1001", "dialled": "0612345678", "text": text_of(node, MOBILES)}
    told = client.post(f"{URL}/explain", headers=READER, json=asked).json()
    assert told["summary"] == "+33612345678 by operateur-b"


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"caller": "9999"}, "caller"),
        ({"site": "lune"}, "site"),
        ({"trunks_down": ["z"]}, "trunks_down"),
        ({"when": "tomorrow"}, "when"),
    ],
)
def test_a_question_that_means_nothing_says_which_part(
    client: TestClient, node: Office, more: dict[str, Any], where: str
):
    asked = {"caller": "1001", "dialled": "18", "text": text_of(node), **more}
    answer = client.post(f"{URL}/explain", headers=READER, json=asked)
    assert (answer.status_code, answer.json()["where"]) == (422, where)


def test_what_changes_is_told_for_whom(client: TestClient, node: Office, running):
    compared = client.post(f"{URL}/diff", headers=READER, json={"text": text_of(node, MOBILES)}).json()
    (change,) = compared["changes"]
    assert (change["kind"], change["who"]) == ("inside", "7 users such as 1001 dialling mobile numbers")
    assert (change["after"], change["before"]) == ("by operateur-b", "by operateur-b, then operateur-a")
    assert (compared["passed"], compared["failed"], compared["against"]) == (14, 0, running.version)


# Putting in force


def test_a_plan_is_put_in_force_and_entered_by_its_author(client: TestClient, node: Office, running):
    new, former = text_of(node, MOBILES), running.version
    done = put(client, new, former, "dearer line").json()
    assert (done["version"], done["previous"], done["running"]) == (version_of(new), former, True)
    assert running.version == version_of(new)
    assert running.authors == ["administrator-"]
    newest = client.get(f"{URL}/history", headers=READER).json()["items"][0]
    assert newest == {
        "at": NOW,
        "version": version_of(new),
        "previous": former,
        "author": "administrator-",
        "reason": "dearer line",
        "kept": True,
    }
    ((what, by, about),) = entered(node)
    assert (what, by) == ("plan.apply", "administrator-")
    assert (about["version"], about["previous"]) == (version_of(new), former)


def test_of_two_editors_at_once_the_second_is_told_who_was_first(client: TestClient, node: Office, running):
    began = running.version
    mine, theirs = text_of(node, NAME), text_of(node, MOBILES)
    assert put(client, theirs, began).status_code == 200
    answer = put(client, mine, began)
    assert (answer.status_code, answer.json()["code"]) == (409, "plan_changed")
    assert answer.json()["detail"].startswith(
        f"administrator- put plan {version_of(theirs)} in force at 2026-"
    )
    assert node.configuration.plan.read_text("utf-8") == theirs


def test_of_many_at_the_same_moment_exactly_one_is_in_force(client: TestClient, node: Office, running):
    began = running.version
    texts = [text_of(node, ("Alice Martin", f"Alice {n}")) for n in range(6)]
    with ThreadPoolExecutor(6) as editors:
        answers = [*editors.map(lambda text: put(client, text, began), texts)]
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    winner = next(text for text, answer in zip(texts, answers, strict=True) if answer.status_code == 200)
    assert node.configuration.plan.read_text("utf-8") == winner


def test_a_plan_with_an_error_is_refused_and_changes_nothing(client: TestClient, node: Office, running):
    before = text_of(node)
    answer = put(client, text_of(node, ('expect: {user: "2301"}', 'expect: {user: "2302"}')), running.version)
    assert (answer.status_code, answer.json()["code"]) == (422, "plan_refused")
    assert "test fails: 2010 dials 2301" in answer.json()["errors"][0]["detail"]
    assert node.configuration.plan.read_text("utf-8") == before
    assert entered(node) == []


def test_a_node_that_keeps_its_plan_is_told_as_such(client: TestClient, node: Office, running):
    running.stubborn = "an app of the plan is missing"
    answer = put(client, text_of(node, MOBILES), running.version)
    assert (answer.status_code, answer.json()["code"]) == (503, "plan_not_taken")
    assert "an app of the plan is missing" in answer.json()["detail"]


def test_a_former_plan_is_put_in_force_again(client: TestClient, node: Office, running):
    first, before = text_of(node), running.version
    second = put(client, text_of(node, MOBILES), before).json()["version"]
    asked = {"version": before, "expected": second}
    done = client.post(f"{URL}/rollback", headers=CHIEF, json=asked).json()
    assert done["version"] == before
    assert node.configuration.plan.read_text("utf-8") == first
    entries = client.get(f"{URL}/history", headers=READER).json()["items"]
    assert [(one["version"], one["reason"]) for one in entries][:2] == [
        (before, f"rollback to {before}"),
        (second, ""),
    ]
    assert [what for what, _, _ in entered(node)] == ["plan.rollback", "plan.apply"]


def test_the_history_comes_in_pages(client: TestClient, node: Office, running):
    for n in range(4):
        assert put(client, text_of(node, ("plan: 1", f"plan: 1  # {n}")), running.version).status_code == 200
    first = client.get(f"{URL}/history", headers=READER, params={"limit": 3}).json()
    rest = client.get(f"{URL}/history", headers=READER, params={"limit": 3, "after": first["next"]}).json()
    ats = [one["version"] for one in (*first["items"], *rest["items"])]
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (3, 2, "")
    assert len(set(ats)) == 5


def test_a_version_s_text_is_masked_for_who_may_not_change_it(client: TestClient, node: Office, running):
    put(client, text_of(node, MOBILES), running.version)
    kept = client.get(f"{URL}/history/{running.version}", headers=READER).json()
    whole = client.get(f"{URL}/history/{running.version}", headers=CHIEF).json()
    assert (kept["masked"], whole["masked"]) == (True, False)
    assert "pw1001" not in kept["text"]
    assert whole["text"] == text_of(node)


@pytest.mark.parametrize("version", ["../../../etc/passwd", "%2e%2e%2f", "0123456789ab", "ABCDEF012345"])
def test_a_version_that_isn_t_kept_is_a_problem(client: TestClient, version: str):
    assert client.get(f"{URL}/history/{version}", headers=CHIEF).status_code in (404, 422)


# While others work


def test_a_long_check_keeps_nobody_else_waiting(
    client: TestClient, node: Office, monkeypatch: pytest.MonkeyPatch
):
    """Counted, not timed: the check waits until ten other requests were answered."""
    answered = threading.Semaphore(0)

    def slow(*arguments: Any) -> Any:
        for _ in range(10):
            assert answered.acquire(timeout=60)
        return examined(*arguments)

    monkeypatch.setattr("pbx.web.plan_desk.examined", slow)
    with ThreadPoolExecutor(1) as other:
        checking = other.submit(check, client, text_of(node))
        for _ in range(10):
            assert client.get("/health/live").status_code == 200
            answered.release()
        assert checking.result()["errors"] == 0


def test_a_plan_of_ten_thousand_people_is_checked(client: TestClient, node: Office):
    users = "".join(f'  - {{extension: "7{n:05d}", name: "Agent {n}"}}\n' for n in range(10_000))
    found = check(client, text_of(node, ('  - {extension: "1002"', f'{users}  - {{extension: "1002"')))
    assert (found["errors"], found["warnings"] + found["notes"] > 10_000) == (0, True)
    assert len(found["findings"]) == MOST_FINDINGS


def test_who_comes_when_too_many_wait_is_asked_to_come_again(
    client: TestClient, node: Office, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pbx.web.heavy.MOST_WAITING", 0)
    answer = client.post(f"{URL}/check", headers=READER, json={"text": ""})
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


# Rights


@pytest.mark.parametrize("role", ["agent", "operator", "listener"])
@pytest.mark.parametrize("path", ["", "/history", "/history/0123456789ab"])
def test_who_may_not_read_the_plan_doesn_t(client: TestClient, role: str, path: str):
    assert client.get(f"{URL}{path}", headers=as_(role)).status_code == 403


@pytest.mark.parametrize("role", ["supervisor", "auditor"])
def test_who_may_read_the_plan_doesn_t_change_it(client: TestClient, node: Office, running, role: str):
    asked = {"text": text_of(node, MOBILES), "expected": running.version}
    assert client.put(URL, headers=as_(role), json=asked).status_code == 403
    back = {"version": running.version, "expected": running.version}
    assert client.post(f"{URL}/rollback", headers=as_(role), json=back).status_code == 403
    assert running.authors == []
