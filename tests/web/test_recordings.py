"""Recordings over HTTP: found, heard, exported by two, held and verified, by whom the plan lets."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from starlette.testclient import TestClient

from recording.live.wire import Policy
from recording.proof.package import check
from recording.proof.sealed_file import segments
from tests.recording.kept import FIRE, GOING, R1, Kept
from tests.web.office import Office, as_

POLICE = Policy("police", "Délibération 2026-015", 30, ("2301",), "one_person")
ALONE = Policy("accueil", "", 30, ("2201",), "one_person")
WHY = {"reason": "dossier 12"}
CHIEF, DEPUTY, POLICE_CHIEF = as_("listener", "2201"), as_("listener", "2202"), as_("listener", "2301")
AUDITOR = as_("auditor")
URL = "/api/v1/recordings"


@pytest.fixture
def kept(node: Office) -> Iterator[Kept]:
    made = Kept(node.configuration, FIRE, POLICE, ALONE, over_pages=True)
    yield made
    made.close()


def listen(client: TestClient, recording: str = R1, **more: object) -> dict[str, Any]:
    answer = client.post(f"{URL}/{recording}/listenings", headers=CHIEF, json={**WHY, **more})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def sound(client: TestClient, listening: dict[str, Any], ears: str = "") -> npt.NDArray[np.int16]:
    """All of it: a row an ear."""
    answer = client.get(f"{URL}/listenings/{listening['listening']}/sound{ears}", headers=CHIEF)
    assert answer.status_code == 200
    with wave.open(io.BytesIO(answer.content)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        data = file.readframes(file.getnframes())
    return np.frombuffer(data, "<i2").reshape(-1, 2).T


def hertz(heard: npt.NDArray[np.int16]) -> float:
    """The loudest tone of the second second, in which both speak."""
    second = heard[9000:15000]
    return float(np.argmax(np.abs(np.fft.rfft(second * np.hanning(len(second)))))) * 8000 / len(second)


def test_listener_finds_what_they_may_hear_and_nothing_else(client: TestClient, kept: Kept):
    kept.record(R1)
    kept.record("20261122-100000-c3", policy="police")
    answer = client.post(f"{URL}/search", headers=CHIEF, json={**WHY, "number": "06 99 99 99 99"})
    (found,) = answer.json()["items"]
    assert (found["recording"], found["seconds"], found["line"]) == (R1, 3.0, "8200")
    assert answer.headers["cache-control"] == "no-store"
    police = client.post(f"{URL}/search", headers=POLICE_CHIEF, json=WHY).json()["items"]
    assert [one["policy"] for one in police] == ["police"]
    assert kept.heard() == [("searched", "2201"), ("searched", "2301")]


def test_pages_of_a_search_follow_each_other(client: TestClient, kept: Kept):
    for minute in range(3):
        kept.record(f"20261122-09{minute}000-a{minute}")
    first = client.post(f"{URL}/search", headers=CHIEF, json={**WHY, "limit": 2}).json()
    rest = client.post(
        f"{URL}/search", headers=CHIEF, json={**WHY, "limit": 2, "after": first["next"]}
    ).json()
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, ""]


@pytest.mark.parametrize(
    ("reason", "code"),
    [("", "recording_no_reason"), ("rappeler 0612345678", "recording_reason_with_number")],
)
def test_reason_that_will_not_do_is_refused_where_it_is(
    client: TestClient, kept: Kept, reason: str, code: str
):
    kept.record(R1)
    answer = client.post(f"{URL}/{R1}/listenings", headers=CHIEF, json={"reason": reason})
    assert (answer.status_code, answer.json()["code"], answer.json()["where"]) == (422, code, "reason")
    assert kept.heard() == [("refused", "2201")]


def test_each_party_is_heard_in_its_own_ear(client: TestClient, kept: Kept):
    kept.record(R1)
    opened = listen(client)
    assert [one["party"] for one in opened["channels"]] == ["+33699999999", "2201"]
    left, right = sound(client, opened, "?left=0&right=1")
    assert hertz(left) == pytest.approx(440, abs=3)
    assert hertz(right) == pytest.approx(1000, abs=3)
    left, right = sound(client, opened, "?left=1&right=")
    assert hertz(left) == pytest.approx(1000, abs=3)
    assert not right.any()


def test_both_ears_hear_everybody_unless_somebody_says_otherwise(client: TestClient, kept: Kept):
    kept.record(R1)
    left, right = sound(client, listen(client))
    assert (left == right).all()
    spectrum = np.abs(np.fft.rfft(left[8000:16000]))
    assert spectrum[440] > 1e5 < spectrum[1000]


def test_part_of_a_sound_is_the_same_as_in_the_whole(client: TestClient, kept: Kept):
    kept.record(R1)
    url = f"{URL}/listenings/{listen(client)['listening']}/sound?left=0&right=1"
    whole = client.get(url, headers=CHIEF).content
    for first, last in ((0, 43), (40, 50), (44, 44), (31_001, 70_006)):
        # RFC 9110 section 15.3.7: a part says which one it is.
        answer = client.get(url, headers={**CHIEF, "Range": f"bytes={first}-{last}"})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
        assert answer.content == whole[first : last + 1]
    end = client.get(url, headers={**CHIEF, "Range": "bytes=-100"})
    assert end.content == whole[-100:]
    behind = client.get(url, headers={**CHIEF, "Range": f"bytes={len(whole)}-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(whole)}")


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=0-1,4-5", "seconds=0-1", "bytes=-", "bytes=a-b"])
def test_range_that_is_none_is_answered_with_everything(client: TestClient, kept: Kept, asked: str):
    kept.record(R1)
    url = f"{URL}/listenings/{listen(client)['listening']}/sound"
    assert client.get(url, headers={**CHIEF, "Range": asked}).status_code == 200


def test_listening_is_journalled_once_however_often_its_sound_is_asked_for(client: TestClient, kept: Kept):
    kept.record(R1)
    opened = listen(client)
    for _ in range(3):
        sound(client, opened)
    assert kept.heard() == [("listened", "2201")]


def test_nothing_of_a_sound_is_kept_by_a_browser_or_on_the_disk(client: TestClient, kept: Kept, node: Office):
    kept.record(R1)
    before = {path for path in node.configuration.data_dir.rglob("*") if path.is_file()}
    before.add(node.configuration.audit_journal)
    opened = listen(client)
    answer = client.get(f"{URL}/listenings/{opened['listening']}/sound", headers=CHIEF)
    assert answer.headers["cache-control"] == "no-store"
    assert {path for path in node.configuration.data_dir.rglob("*") if path.is_file()} - before == set()


def test_sound_is_its_listeners_alone_and_over_when_they_say(client: TestClient, kept: Kept):
    kept.record(R1)
    url = f"{URL}/listenings/{listen(client)['listening']}"
    assert client.get(f"{url}/sound", headers=DEPUTY).json()["code"] == "listening_over"
    assert client.get(f"{url}/sound").status_code == 401
    assert client.delete(url, headers=CHIEF).status_code == 204
    assert client.get(f"{url}/sound", headers=CHIEF).status_code == 404


def test_third_listening_of_somebody_ends_their_first(client: TestClient, kept: Kept):
    kept.record(R1)
    first, second, third = (listen(client)["listening"] for _ in range(3))
    answers = [client.get(f"{URL}/listenings/{one}", headers=CHIEF) for one in (first, second, third)]
    assert [one.status_code for one in answers] == [404, 200, 200]


def test_waveform_is_told_as_it_is_made(client: TestClient, kept: Kept):
    kept.record(R1)
    opened = listen(client)
    sound(client, opened)
    url = f"{URL}/listenings/{opened['listening']}"
    state = client.get(url, headers=CHIEF).json()
    while not state["finished"]:  # the last word comes just behind the last sample
        state = client.get(url, headers=CHIEF).json()
    assert len(state["peaks"]) == opened["points"] == 1000
    assert state["peaks"][100][0] > 100 > state["peaks"][100][1]
    assert client.get(f"{url}?peaks_from=990", headers=CHIEF).json()["peaks"] == state["peaks"][990:]
    assert [part["what"] for part in opened["parts"]] == ["talk"]


def test_call_that_goes_on_is_heard_up_to_now(client: TestClient, kept: Kept):
    kept.record(R1)
    kept.now += 60
    kept.record(GOING, ended=False)
    answer = client.post(f"{URL}/last", headers=CHIEF, json={**WHY, "line": "8200", "last_seconds": 1})
    opened = answer.json()
    assert (opened["recording"]["recording"], opened["goes_on"]) == (GOING, True)
    assert 1.0 <= opened["seconds"] < 1.5


def test_who_is_no_listener_of_a_policy_hears_none_of_it_and_that_is_journalled(
    client: TestClient, kept: Kept
):
    kept.record(R1)
    for path in ("listenings", "facts", "packages", "verification"):
        answer = client.post(f"{URL}/{R1}/{path}", headers=POLICE_CHIEF, json=WHY)
        assert (answer.status_code, answer.json()["code"]) == (403, "recording_not_a_listener"), path
    assert kept.heard() == [("refused", "2301")] * 4


def test_auditor_reads_the_journal_and_hears_nothing(client: TestClient, kept: Kept):
    kept.record(R1)
    listen(client)
    for path in ("listenings", "facts", "packages"):
        answer = client.post(f"{URL}/{R1}/{path}", headers=AUDITOR, json=WHY)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    told = client.get(f"{URL}/keeping/custody/{R1}", headers=AUDITOR)
    assert [one["what"] for one in told.json()["journal"]] == ["listened", "reported"]
    assert "699999999" not in told.text


def test_listener_without_an_extension_is_told_so(client: TestClient, kept: Kept):
    kept.record(R1)
    answer = client.post(f"{URL}/search", headers=as_("listener"), json=WHY)
    assert (answer.status_code, answer.json()["code"]) == (403, "no_extension")


def test_facts_are_told_with_holds_and_what_was_done(client: TestClient, kept: Kept):
    kept.record(R1)
    until = kept.now + 86_400
    held = client.post(f"{URL}/{R1}/holds", headers=CHIEF, json={"reason": "procès", "until_at": until})
    assert held.status_code == 201
    facts = client.post(f"{URL}/{R1}/facts", headers=CHIEF, json=WHY).json()
    assert facts["rules"]["legal_basis"] == "Délibération 2026-014"
    assert facts["held_until_at"] == until
    assert [(one["by"], one["reason"]) for one in facts["holds"]] == [("2201", "procès")]
    assert [(one["what"], one["over_pages"]) for one in facts["journal"]] == [("held", True), ("shown", True)]
    released = client.post(
        f"{URL}/holds/release", headers=CHIEF, json={**WHY, "holds": [facts["holds"][0]["hold"]]}
    )
    assert released.status_code == 200
    assert client.get(f"{URL}/holds", headers=CHIEF).json()["items"] == []


def test_hold_of_another_is_ended_by_who_keeps_house(client: TestClient, kept: Kept):
    kept.record(R1)
    body = {"reason": "procès", "until_at": kept.now + 86_400}
    (hold,) = client.post(f"{URL}/{R1}/holds", headers=CHIEF, json=body).json()["items"]
    release = {**WHY, "holds": [hold["hold"]]}
    refused = client.post(f"{URL}/holds/release", headers=DEPUTY, json=release)
    assert refused.json()["code"] == "recording_hold_of_another"
    ended = client.post(f"{URL}/keeping/holds/release", headers=AUDITOR, json=release)
    assert [one["hold"] for one in ended.json()["items"]] == [hold["hold"]]
    assert kept.heard()[-1] == ("released", "auditor-")


def test_export_takes_two_persons_and_its_package_verifies(client: TestClient, kept: Kept, tmp_path: Path):
    kept.record(R1)
    alone = client.post(f"{URL}/{R1}/packages", headers=CHIEF, json=WHY)
    assert alone.json()["code"] == "recording_ask_first"
    asked = client.post(f"{URL}/{R1}/export-requests", headers=CHIEF, json=WHY).json()
    waiting = client.post(f"{URL}/{R1}/packages", headers=CHIEF, json=WHY)
    assert waiting.json()["code"] == "recording_waits_for_another"
    approval = f"{URL}/export-requests/{asked['request']}/approval"
    assert client.post(approval, headers=CHIEF, json=WHY).json()["code"] == "recording_not_by_oneself"
    (seen,) = client.get(f"{URL}/export-requests", headers=DEPUTY).json()["items"]
    assert (seen["recording"], seen["by"], seen["own"]) == (R1, "2201", False)
    assert client.post(approval, headers=DEPUTY, json=WHY).json()["approved_by"] == "2202"
    package = client.post(f"{URL}/{R1}/packages", headers=CHIEF, json={**WHY, "format": "flac"})
    assert package.status_code == 202
    url = f"{URL}/packages/{package.json()['package']}"
    assert client.get(url, headers=DEPUTY).json()["code"] == "package_gone"
    while (state := client.get(url, headers=CHIEF).json())["state"] == "making":
        pass
    assert (state["state"], state["failed"]) == ("made", "")
    fetched = client.get(f"{url}/file", headers=CHIEF)
    assert fetched.headers["content-disposition"] == f'attachment; filename="{R1}.zip"'
    (tmp_path / "call.zip").write_bytes(fetched.content)
    checked = check(tmp_path / "call.zip")
    assert checked.faults == []
    assert [entry.what for entry in checked.entries][-3:] == ["export approved", "exported", "packaged"]
    assert client.get(f"{url}/file", headers=CHIEF).json()["code"] == "package_gone"


def test_package_that_was_fetched_is_gone_from_the_disk(client: TestClient, kept: Kept, node: Office):
    kept.record(R1, policy="accueil")
    package = client.post(f"{URL}/{R1}/packages", headers=CHIEF, json=WHY).json()
    url = f"{URL}/packages/{package['package']}"
    while client.get(url, headers=CHIEF).json()["state"] == "making":
        pass
    folder = node.configuration.data_dir / "exports"
    assert [path.suffix for path in folder.rglob("*") if path.is_file()] == [".zip"]
    client.get(f"{url}/file", headers=CHIEF)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def turn_a_bit(path: Path) -> None:
    third = list(segments(path))[2]
    data = bytearray(path.read_bytes())
    data[third.offset + 60] ^= 4
    path.write_bytes(data)


def test_damaged_recording_is_heard_up_to_there_told_and_not_exported(client: TestClient, kept: Kept):
    turn_a_bit(kept.record(R1, policy="accueil"))
    opened = listen(client)
    assert opened["damage"].startswith("segment 2")
    assert 1.5 < opened["seconds"] < 2.5
    found = client.post(f"{URL}/{R1}/verification", headers=CHIEF).json()
    assert (found["whole"], found["findings"]) == (False, ["segment 2 was changed"])
    assert 0.5 < found["proved_seconds"] < 2.1
    package = client.post(f"{URL}/{R1}/packages", headers=CHIEF, json=WHY).json()
    url = f"{URL}/packages/{package['package']}"
    while (state := client.get(url, headers=CHIEF).json())["state"] == "making":
        pass
    assert (state["state"], state["failed"]) == ("failed", "damaged")


def test_verifying_says_what_was_looked_at(client: TestClient, kept: Kept):
    path = kept.record(R1)
    for url, who in ((f"{URL}/{R1}/verification", CHIEF), (f"{URL}/keeping/verification/{R1}", AUDITOR)):
        found = client.post(url, headers=who).json()
        assert (found["whole"], found["findings"], found["goes_on"]) == (True, [], False)
        assert found["segments"] == found["opened"] == len(list(segments(path)))
        assert found["journal_entries"] > 3


def test_private_key_that_is_away_is_said_and_nothing_is_opened(
    client: TestClient, kept: Kept, tmp_path: Path
):
    kept.record(R1, policy="accueil")
    kept.private_file.rename(tmp_path / "safe.key")
    assert client.post(f"{URL}/{R1}/facts", headers=CHIEF, json=WHY).json()["is_key_here"] is False
    for path in ("listenings", "packages"):
        answer = client.post(f"{URL}/{R1}/{path}", headers=CHIEF, json=WHY)
        assert (answer.status_code, answer.json()["code"]) == (409, "private_key_away")
    assert client.post(f"{URL}/{R1}/verification", headers=CHIEF).json()["opened"] is None


@pytest.mark.parametrize("name", ["20261122-nothing", "..%2f20261122-a1", "x"])
def test_recording_that_is_none_is_no_fault_of_ours(client: TestClient, kept: Kept, name: str):
    answer = client.post(f"{URL}/{name}/listenings", headers=CHIEF, json=WHY)
    assert answer.status_code in (404, 405, 422)


def test_number_that_is_none_is_told_at_its_field(client: TestClient, kept: Kept):
    answer = client.post(f"{URL}/search", headers=CHIEF, json={**WHY, "number": "06 12"})
    assert answer.status_code == 200  # an extension, as far as anybody knows
    answer = client.post(f"{URL}/search", headers=CHIEF, json={**WHY, "number": "12345678901234567890"})
    assert (answer.status_code, answer.json()["where"]) == (422, "number")


def test_without_a_recorder_that_is_said(client: TestClient):
    answer = client.post(f"{URL}/search", headers=CHIEF, json=WHY)
    assert (answer.status_code, answer.json()["code"]) == (503, "recorder_away")


def test_account_of_a_period_is_told_and_written_in_both_languages(client: TestClient, kept: Kept):
    kept.record(R1)
    listen(client)
    period = f"since_at={kept.now - 86_400}&until_at={kept.now + 60}"
    report = client.get(f"{URL}/keeping/report?{period}", headers=AUDITOR).json()
    assert [one["what"] for one in report["used"]] == ["listened", "reported"]
    assert [(one["name"], one["kept"]) for one in report["policies"] if one["kept"]] == [("pompiers", 1)]
    for language, words in (("fr", "a écouté"), ("en", "listened")):
        document = client.get(f"{URL}/keeping/report/document?{period}&language={language}", headers=AUDITOR)
        assert words in document.text
        assert document.headers["content-disposition"].startswith("attachment")


def test_what_a_purge_takes_is_foreseen_without_numbers(client: TestClient, kept: Kept):
    kept.record(R1)
    answer = client.get(f"{URL}/keeping/forecast?until_at={kept.now + 61 * 86_400}", headers=AUDITOR)
    assert [one["recording"] for one in answer.json()["going"]] == [R1]
    assert "699999999" not in answer.text


def test_receipt_of_an_erasure_is_checked_against_the_journal(client: TestClient, kept: Kept):
    from recording.archive.requests import Erased, EraseNumber

    kept.record(R1)
    erased = kept.archive.answer(EraseNumber(why="demande", number="+33699999999"), "root")
    assert isinstance(erased, Erased)
    told = client.post(f"{URL}/keeping/receipt", headers=AUDITOR, json={"receipt": erased.receipt})
    assert told.json()["erased"] == [R1]
    forged = erased.receipt.replace("+33699999999", "+33699999998")
    refused = client.post(f"{URL}/keeping/receipt", headers=AUDITOR, json={"receipt": forged})
    assert (refused.status_code, refused.json()["code"]) == (422, "receipt_not_signed")


def test_what_is_recorded_about_a_number_is_found_for_who_keeps_house(client: TestClient, kept: Kept):
    kept.record(R1)
    body = {"reason": "demande d'accès", "number": "06 99 99 99 99"}
    told = client.post(f"{URL}/keeping/about", headers=AUDITOR, json=body).json()
    assert [one["recording"] for one in told["items"]] == [R1]
    assert client.post(f"{URL}/keeping/about", headers=CHIEF, json=body).status_code == 403


def test_administrator_erases_what_there_is_about_a_number_and_gets_a_receipt(
    client: TestClient, kept: Kept, node: Office
):
    kept.record(R1)
    body = {"reason": "demande d'effacement", "number": "06 99 99 99 99"}
    assert client.post(f"{URL}/keeping/erasure", headers=AUDITOR, json=body).status_code == 403
    chief = as_("administrator", "2020")
    told = client.post(f"{URL}/keeping/erasure", headers=chief, json=body).json()
    assert (told["number"], told["erased"], told["stays"]) == ("+33699999999", [R1], {})
    assert client.post(f"{URL}/keeping/receipt", headers=AUDITOR, json={"receipt": told["receipt"]}).json()
    assert client.post(f"{URL}/keeping/about", headers=AUDITOR, json=body).json()["items"] == []
    journal = node.configuration.audit_journal.read_text()
    assert "number.erase" in journal and "699999999" not in journal


def test_policies_that_one_hears_are_told_with_their_lines(client: TestClient):
    (fire,) = client.get(f"{URL}/policies", headers=CHIEF).json()
    assert (fire["name"], fire["lines"], fire["export"]) == ("pompiers", ["secours"], "two_persons")
    assert client.get(f"{URL}/policies", headers=as_("listener", "1001")).json() == []
