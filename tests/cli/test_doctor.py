"""`beffroi doctor`: what is wrong is found, said with its mend, and nothing else is complained about."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from media.engines import native
from media.sdes import SUITES
from pbx.journal import Journal
from pbx.media_process import plane_of
from pbx.messages.trouble import leave_word
from pbx.node.doctor import examine, holder_of
from pbx.node.keys import private_of, recording_key
from pbx.node.recordings import recordings_findings
from pbx.settings.values import Listen
from pbx.voicemail.mail import Letter, Spool
from recording.archive.clock import ClockWatch
from recording.retention import ClockSeen
from recording.safekeeping.disk import FILE_NAME as DISK
from recording.safekeeping.disk import room_of
from tests.cli.conftest import Town, run_command
from tests.pbx.sample_records import call
from tests.recording.time_authority import TimeAuthority

NOW = datetime(2026, 12, 25, 10, tzinfo=UTC)


def codes(town: Town, now: datetime = NOW) -> dict[str, str]:
    """The codes found in this town, with their severity."""
    found = [finding for one in examine(town.settings, {}, now) for finding in one.findings]
    return {finding.code: finding.severity for finding in found}


def test_a_town_that_never_ran_has_no_error_and_nothing_is_made(town: Town):
    outcome = town.run("doctor")
    assert outcome.status == 0
    assert "made at the start" in outcome.out
    assert not town.settings.data_dir.exists()


def test_messages_of_calls_that_are_not_kept_are_told(town: Town):
    folder = town.settings.messages_dir
    folder.mkdir(parents=True)
    leave_word(folder, "No space left on device")
    assert codes(town)["messages_not_kept"] == "warning"
    leave_word(folder, "")
    assert "messages_not_kept" not in codes(town)


def test_each_line_says_how_it_is(town: Town):
    lines = town.run("doctor").out.splitlines()
    assert f"ok       port            SIP udp 127.0.0.1:{town.port} is free" in lines
    assert "ok       node            isn't running" in lines
    media = town.settings.media
    found = f"{plane_of(media)}, ports {media.first_port} to {media.last_port} of 127.0.0.1"
    assert any(line.endswith(f"media           {found}") for line in lines)
    assert "note     certificates    none needed" in lines


def test_findings_have_the_agreed_keys(town: Town):
    findings = town.run("doctor", "--json").json
    assert {tuple(finding) for finding in findings} == {
        ("code", "severity", "file", "line", "column", "message", "hint")
    }


def test_a_configuration_with_an_error_is_told_as_a_finding(town: Town):
    town.configuration_file.write_text("domian: x\n")
    outcome = town.run("doctor", "--json")
    assert outcome.status == 1
    (finding,) = outcome.json
    assert (finding["code"], finding["line"]) == ("unknown_key", 1)


def test_no_configuration_is_told_as_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    outcome = run_command("doctor", "--json")
    assert outcome.status == 1
    assert [finding["code"] for finding in outcome.json] == ["no_configuration"]


def test_a_port_that_another_program_holds_is_an_error_with_its_name(town: Town):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", town.port))
        outcome = town.run("doctor", "--json")
        holder = holder_of(Listen("127.0.0.1", town.port), socket.SOCK_DGRAM)
    assert outcome.status == 1
    (error,) = [finding for finding in outcome.json if finding["severity"] == "error"]
    assert error["message"] == f"SIP udp 127.0.0.1:{town.port} is taken by {holder}"
    assert "(pid " in holder


def test_an_address_of_another_machine_is_an_error(town: Town):
    town.configuration_file.write_text("web: []\nsip: {udp: 192.0.2.77:5060, tcp: [], tls: [], ws: []}\n")
    found = [finding for one in examine(town.settings, {}, NOW) for finding in one.findings]
    assert [one.message for one in found if one.code == "port"] == [
        "SIP udp 192.0.2.77:5060: this machine has no address 192.0.2.77"
    ]


def test_a_node_without_any_port_is_an_error(town: Town):
    town.configuration_file.write_text("sip: {udp: [], tcp: [], tls: [], ws: []}\n")
    assert codes(town)["no_port"] == "error"


def test_a_plan_with_an_error_is_summed_up(town: Town):
    town.change_plan('expect: {user: "2301"}', 'expect: {user: "2302"}')
    outcome = town.run("doctor", "--json")
    assert outcome.status == 1
    (error,) = [finding for finding in outcome.json if finding["severity"] == "error"]
    assert (error["code"], error["message"]) == ("plan_errors", "the plan has 1 error")
    assert error["hint"] == f"`beffroi plan check -c {town.configuration_file}` shows all"


def test_a_rota_is_looked_at_and_its_gaps_are_told(town: Town):
    town.change_plan("{ring: {group: patrouille}, seconds: 20}", "{rota: astreinte.ics}")
    assert codes(town)["bad_rota"] == "error"
    shift = (
        "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20261225T080000Z\r\nDTEND:{end}\r\nSUMMARY:2301\r\nEND:VEVENT\r\n"
    )
    calendar = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n{shift}END:VCALENDAR\r\n"
    rota = town.plan_file.parent / "astreinte.ics"
    rota.write_text(calendar.replace("{end}", "20261226T080000Z"))
    assert codes(town)["rota_gap"] == "warning"
    told = [one.state for one in examine(town.settings, {}, NOW) if one.what == "rota astreinte.ics"]
    assert told == ["on call now: 2301"]
    rota.write_text(calendar.replace("{end}", "20270110T080000Z"))
    assert not codes(town).keys() & {"bad_rota", "rota_gap"}


def test_secrets_that_are_not_set_are_notes_with_their_line(town: Town):
    found = [one for one in town.run("doctor", "--json").json if one["code"] == "secret_not_set"]
    assert [one["line"] for one in found] == [
        town.line_of(word) for word in ("  operateur-a:", "  operateur-b:", "conseil:")
    ]
    assert {one["severity"] for one in found} == {"note"}


def test_music_and_voices_that_cannot_be_used_are_warnings(town: Town):
    town.configuration_file.write_text("media: {music: hold.wav, voices: {fr: fr.onnx}}\n")
    assert {"no_music": "warning", "no_voice": "warning"}.items() <= codes(town).items()


def test_a_plan_that_records_is_an_error_where_no_sound_comes_to_us(town: Town):
    assert "nothing_recorded" not in codes(town)
    town.configuration_file.write_text("media: {engine: passthrough}\n")
    assert codes(town)["nothing_recorded"] == "error"


def test_rtpengine_that_does_not_answer_is_an_error(town: Town):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
    town.configuration_file.write_text(f'media: {{engine: rtpengine, rtpengine: "{address}"}}\n')
    assert codes(town)["no_rtpengine"] == "error"
    assert any(one.state == "rtpengine, 0 daemons of 1" for one in examine(town.settings, {}, NOW))


@pytest.mark.parametrize(("engine", "severity"), [("auto", "note"), ("native", "warning")])
def test_a_native_engine_that_was_not_compiled_is_told(
    town: Town, monkeypatch: pytest.MonkeyPatch, engine: str, severity: str
):
    monkeypatch.setattr(native, "lib", None)
    town.configuration_file.write_text(f"media: {{engine: {engine}}}\n")
    assert codes(town)["no_native_engine"] == severity
    assert any(one.state.startswith("python, ports") for one in examine(town.settings, {}, NOW))


@pytest.mark.parametrize("engine", ["auto", "native"])
def test_a_native_engine_of_another_version_is_told(town: Town, monkeypatch: pytest.MonkeyPatch, engine: str):
    monkeypatch.setattr(native, "lib", SimpleNamespace(PLANE_ABI=native.ABI - 1))
    town.configuration_file.write_text(f"media: {{engine: {engine}}}\n")
    assert codes(town)["other_native_engine"] == "warning"
    assert any(one.state.startswith("python, ports") for one in examine(town.settings, {}, NOW))


def test_a_native_engine_without_srtp_is_told(town: Town, monkeypatch: pytest.MonkeyPatch):
    # Needs the C plane; without it the finding above is told in its place.
    monkeypatch.setattr(native, "is_built", lambda: True)
    monkeypatch.setattr(native, "suites", frozenset)
    assert codes(town)["no_native_srtp"] == "note"
    monkeypatch.setattr(native, "suites", lambda: frozenset(SUITES))
    assert "no_native_srtp" not in codes(town)


def test_python_engine_that_was_chosen_is_not_worth_a_word(town: Town, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(native, "lib", None)
    town.configuration_file.write_text("media: {engine: python}\n")
    assert "no_native_engine" not in codes(town)


def test_passwords_made_for_another_domain_are_an_error(town: Town):
    town.run("user", "add", "2011", "Claire")
    text = town.configuration_file.read_text()
    town.configuration_file.write_text(text.replace("domain: localhost", "domain: pbx.example"))
    assert codes(town)["other_domain"] == "error"


def test_a_damaged_journal_is_an_error(town: Town):
    journal = Journal(town.settings.journal_dir)
    for number in range(3):
        journal.append(call(number))
    journal.close()
    (segment,) = town.settings.journal_dir.glob("calls-*.seg")
    data = bytearray(segment.read_bytes())
    data[40] ^= 0xFF
    segment.write_bytes(data)
    assert codes(town)["journal_damaged"] == "error"


def test_a_torn_tail_is_nothing_to_mend(town: Town):
    journal = Journal(town.settings.journal_dir)
    journal.append(call(1))
    journal.close()
    (segment,) = town.settings.journal_dir.glob("calls-*.seg")
    segment.write_bytes(segment.read_bytes()[:-3])
    assert "journal_damaged" not in codes(town)


def test_a_database_that_is_none_is_an_error(town: Town):
    town.settings.data_dir.mkdir(mode=0o700)
    (town.settings.data_dir / "beffroi.sqlite3").write_bytes(b"this is no database" * 100)
    assert codes(town)["database_unavailable"] == "error"


def test_a_data_dir_that_others_can_read_is_a_warning(town: Town):
    town.run("user", "add", "2011", "Claire")
    town.settings.data_dir.chmod(0o755)
    assert codes(town)["data_dir_open"] == "warning"


def test_an_export_that_is_behind_the_database_is_a_warning(town: Town):
    town.run("user", "add", "2011", "Claire")
    town.settings.directory_file.unlink()
    assert codes(town)["directory_old"] == "warning"


def test_a_clock_of_another_century_is_an_error(town: Town):
    assert codes(town, datetime(1970, 1, 1, tzinfo=UTC))["clock"] == "error"


def test_without_a_speaking_engine_there_is_a_warning(town: Town, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert codes(town)["no_speech"] == "warning"


def test_a_path_too_long_for_a_socket_is_an_error(town: Town):
    town.configuration_file.write_text(f"data_dir: {'d' * 100}\n")
    assert codes(town)["data_dir_too_long"] == "error"


def test_a_data_dir_that_is_a_file_is_an_error(town: Town):
    town.settings.data_dir.write_text("a file")
    assert codes(town)["data_dir_not_writable"] == "error"


def outside(town: Town, own: str, external: str = "") -> dict[str, str]:
    """What is found where sound has this address of ours, and those outside are told that one."""
    text = town.configuration_file.read_text().replace(
        "media: {address: 127.0.0.1", f"media: {{address: {own}"
    )
    town.configuration_file.write_text(text + (f"external_address: {external}\n" if external else ""))
    return codes(town)


def test_a_private_address_and_an_operator_outside_need_an_external_address(town: Town):
    found = outside(town, "10.54.0.1")
    assert found["no_external_address"] == "warning"


def test_an_external_address_is_all_that_an_operator_needs(town: Town):
    found = outside(town, "10.54.0.1", "203.0.113.7")
    assert not {"no_external_address", "external_address"} & set(found)


def test_a_public_address_of_our_own_needs_no_other(town: Town):
    assert "no_external_address" not in outside(town, "203.0.113.7")


def test_an_external_address_that_is_not_found_is_an_error(town: Town, monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("pbx.node.doctor.socket.getaddrinfo", unknown)
    assert outside(town, "10.54.0.1", "nobody.invalid")["external_address"] == "error"


def test_an_external_name_that_leads_back_to_us_is_a_warning(town: Town, monkeypatch: pytest.MonkeyPatch):
    inner = [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("192.168.1.5", 0))]
    monkeypatch.setattr("pbx.node.doctor.socket.getaddrinfo", lambda *_: inner)
    assert outside(town, "10.54.0.1", "pbx.valmont.example")["external_address"] == "warning"


@pytest.mark.parametrize(("tls", "severity"), [("[]", "warning"), ("'127.0.0.1:0'", "note")])
def test_a_class_whose_keys_can_be_read_is_told(town: Town, tls: str, severity: str):
    """RFC 4568 section 7."""
    town.change_plan("interne:       [internal]", "interne: {rights: [internal], srtp: required}")
    text = town.configuration_file.read_text()
    town.configuration_file.write_text(text.replace("tls: []", f"tls: {tls}"))
    assert codes(town)["keys_in_clear"] == severity


def test_a_class_whose_phones_can_only_sign_in_over_tls_is_no_matter(town: Town):
    town.change_plan("interne:       [internal]", "interne: {rights: [internal], srtp: required}")
    text = town.configuration_file.read_text()
    address = f"127.0.0.1:{town.port}"
    only_tls = text.replace(f"udp: {address}, tcp: {address}, tls: []", f"udp: [], tcp: [], tls: '{address}'")
    assert only_tls != text
    town.configuration_file.write_text(only_tls)
    assert "keys_in_clear" not in codes(town)


def test_voice_messages_without_a_mail_server_are_told(town: Town):
    assert codes(town)["no_mail"] == "note"


def test_letters_that_wait_or_will_never_be_sent_are_told(town: Town, tmp_path: Path):
    with town.configuration_file.open("a") as file:
        file.write("mail: {host: m.example, from: a@b.example, username: a, password: {env: NONE_SUCH}}\n")
    assert codes(town)["secret_not_set"] == "note"
    assert not codes(town).keys() & {"letters_wait", "letters_failed", "no_mail"}
    sound = tmp_path / "sound.wav"
    sound.write_bytes(b"")
    spool = Spool(town.settings.mail_dir)
    refused, late = Letter("0a.2010"), Letter("0b.2010", at=NOW.timestamp() - 7200, tries=3)
    for letter in (refused, late):
        spool.put(letter, sound)
    spool.give_up(refused)
    found = codes(town)
    assert (found["letters_wait"], found["letters_failed"]) == ("warning", "warning")
    assert "1 letter couldn't be sent yet" in town.run("doctor").out


def recording(town: Town, recordings: str) -> Path:
    """The town records, as this says of it; returns the folder of its recordings."""
    text = town.configuration_file.read_text()
    town.configuration_file.write_text(f"{text}recordings: {recordings}\n")
    directory = town.settings.recordings.directory
    directory.mkdir(parents=True)
    return directory


def test_disk_of_recordings_that_fills_is_told_days_ahead(town: Town):
    directory, room = recording(town, "{warn_days: 30}"), room_of(town.folder)
    used = room.total - room.free
    pace = (room.free - room.little) // 10
    samples = [[NOW.timestamp() - 86_400.0, used - pace], [NOW.timestamp() - 60.0, used]]
    (directory / DISK).write_text(json.dumps(samples))
    assert codes(town)["recordings_disk"] == "warning"
    (state,) = (one.state for one in examine(town.settings, {}, NOW) if one.what == "recordings")
    assert state.endswith("its disk lasts 10 days at this pace")


def test_clock_that_stops_the_purge_of_recordings_is_told_until_somebody_vouches_for_it(town: Town):
    watch = ClockWatch(recording(town, "{}"))
    seen = ClockSeen(NOW.timestamp(), 100.0, "boot", synchronised=True)
    watch.seen(seen)
    assert "clock_doubted" not in codes(town)
    stepped = seen._replace(wall=seen.wall + 7200)
    watch.seen(stepped)
    assert codes(town)["clock_doubted"] == "warning"
    watch.vouch(stepped)
    assert "clock_doubted" not in codes(town)


def test_private_key_that_lies_beside_the_recordings_is_a_note(town: Town):
    recording(town, "{}")
    recording_key(town.settings.recordings.key_file)
    assert codes(town)["private_key_here"] == "note"
    private_of(town.settings.recordings.key_file).unlink()
    assert "private_key_here" not in codes(town)


def test_copies_that_go_nowhere_or_to_the_same_disk_are_told(town: Town):
    recording(town, "{copy_to: ../nas}")
    assert codes(town)["no_copies"] == "warning"
    (town.folder / "nas").mkdir()
    assert "no_copies" not in codes(town)
    assert codes(town)["copies_beside"] == "warning"


def test_secret_key_of_a_bucket_that_is_not_set_is_told(town: Town):
    recording(town, "{copy_to: 's3://calls', s3: {access_key: a, secret_key: {env: S3_SECRET_KEY}}}")
    assert codes(town)["secret_not_set"] == "note"
    found = [one.code for one in recordings_findings(town.settings, {"S3_SECRET_KEY": "hush"}, 0.0)]
    assert "secret_not_set" not in found


def test_authority_that_cannot_be_trusted_or_is_away_is_told(town: Town, tmp_path: Path):
    directory = recording(town, "{timestamp: {url: 'https://tsa.example', ca_file: tsa.pem}}")
    assert codes(town)["no_authority"] == "warning"
    authority = TimeAuthority(tmp_path / "authority")
    town.settings.recordings.timestamp.ca_file.write_bytes(authority.file.read_bytes())
    assert not {"no_authority", "not_stamped"} & set(codes(town))
    journal = directory / "journal"
    journal.write_bytes(b"")
    os.utime(journal, (0.0, NOW.timestamp() - 2 * 86_400.0))
    assert codes(town)["not_stamped"] == "warning"
    (directory / "stamps").mkdir()
    (stamp := directory / "stamps" / "0.tsr").write_bytes(b"")
    os.utime(stamp, (0.0, NOW.timestamp() - 2 * 86_400.0 - 1.0))
    assert "not_stamped" not in codes(town)
