"""`beffroi recording listen`, `last`, `export` and `verify`, against an archive as the recorder has it."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from pbx.node.keys import recording_key
from recording.keys import read_private
from recording.proof.package import check
from recording.proof.sealed_file import segments
from tests.cli.conftest import Outcome, Town
from tests.recording import kept as kept_recordings
from tests.recording.kept import GOING, R1

AS = ("--as", "2201", "--why", "dossier 12")


class Kept(kept_recordings.Kept):
    """The same, of a town where commands run."""

    def __init__(self, town: Town) -> None:
        super().__init__(town.settings)
        self.town = town


@pytest.fixture
def kept(town: Town) -> Iterator[Kept]:
    made = Kept(town)
    yield made
    made.close()


def run(kept: Kept, *arguments: str, typed: str = "") -> Outcome:
    return kept.town.run("recording", *arguments, typed=typed)


def test_listener_hears_each_party_in_a_channel(kept: Kept, tmp_path: Path):
    kept.record(R1)
    out = tmp_path / "r1.wav"
    heard = run(kept, "listen", R1, *AS, "-o", str(out))
    assert (heard.status, heard.err) == (0, f"{R1}: 3.0 s, channels: +33699999999, 2201\n")
    with wave.open(str(out)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
    assert kept.heard() == [("listened", "2201")]


def test_last_call_of_a_line_is_heard_while_it_goes_on(kept: Kept, tmp_path: Path):
    kept.record(R1)
    kept.now += 60
    path = kept.record(GOING, ended=False)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])  # the recorder is in the middle of a segment
    heard = run(kept, "last", "--line", "8200", *AS, "--mix", "-o", str(tmp_path / "last.flac"))
    assert heard.status == 0, heard.err
    assert heard.err.startswith(f"{GOING}: 2.0 s, still going on")
    assert path.read_bytes() == whole[:-40]


def test_who_is_no_listener_is_refused_and_journalled(kept: Kept, tmp_path: Path):
    kept.record(R1)
    refused = run(kept, "listen", R1, "--as", "1001", "--why", "curieux", "-o", str(tmp_path / "x.wav"))
    assert refused.status == 1
    assert "1001 is a listener of no recordings" in refused.err
    assert kept.heard() == [("refused", "1001")]
    assert not (tmp_path / "x.wav").exists()


def test_private_key_that_is_away_is_said_and_nothing_is_touched(kept: Kept, tmp_path: Path):
    path = kept.record(R1)
    before = path.read_bytes()
    away = tmp_path / "safe.key"
    kept.private_file.rename(away)
    silent = run(kept, "listen", R1, *AS, "-o", str(tmp_path / "x.wav"))
    assert silent.status == 1
    assert (
        "the private key of recordings isn't here, so nothing can be opened; name it by --key" in silent.err
    )
    assert path.read_bytes() == before
    assert run(kept, "listen", R1, *AS, "-o", str(tmp_path / "x.wav"), "--key", str(away)).status == 0


def test_key_of_another_node_is_told_apart(kept: Kept, tmp_path: Path):
    kept.record(R1)
    other = tmp_path / "other.key"
    made = X25519PrivateKey.generate()
    secret = BestAvailableEncryption(b"soleil")
    other.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    arguments = ("listen", R1, *AS, "-o", str(tmp_path / "x.wav"), "--key", str(other))
    wrong = run(kept, *arguments, typed="soleil\n")
    assert (wrong.status, "and this one is" in wrong.err) == (1, True)
    mistyped = run(kept, *arguments, typed="lune\n")
    assert (mistyped.status, "isn't opened by this passphrase" in mistyped.err) == (1, True)


def test_key_with_a_passphrase_is_asked_for_it(kept: Kept, tmp_path: Path):
    kept.record(R1)
    key = tmp_path / "sealed.key"
    secret = BestAvailableEncryption("l'été".encode())
    private = read_private(kept.private_file)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    out = tmp_path / "r1.opus"
    heard = run(kept, "listen", R1, *AS, "-o", str(out), "--key", str(key), typed="l'été\n")
    assert heard.status == 0, heard.err
    assert out.read_bytes()[:4] == b"OggS"


def test_export_takes_two_persons_and_the_package_verifies(kept: Kept, tmp_path: Path):
    kept.record(R1)
    out = tmp_path / "export.zip"
    alone = run(kept, "export", R1, *AS, "-o", str(out))
    assert (alone.status, "ask first" in alone.err) == (1, True)
    asked = run(kept, "ask-export", R1, *AS, "--json").json
    agreed = run(kept, "approve", str(asked["request"]), "--as", "2202", "--why", "vu")
    assert agreed.out.startswith(f"2201 may export {R1} once")
    made = run(kept, "export", R1, *AS, "-o", str(out), "--format", "flac")
    assert made.status == 0, made.err
    checked = check(out)
    assert checked.faults == []
    assert [entry.what for entry in checked.entries] == [
        "begun", "ended", "refused", "export asked", "export approved", "exported", "packaged",
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".export")) == []
    verified = run(kept, "verify", str(out))
    assert (verified.status, verified.out.splitlines()[-1]) == (0, "INTACT / INTÈGRE")


def test_verify_says_which_byte_of_which_recording_turned(kept: Kept):
    path = kept.record(R1)
    assert run(kept, "verify", R1).out == f"{R1}: whole\n"
    everything = run(kept, "verify", "--all", "--key", str(kept.private_file))
    assert everything.status == 0
    assert everything.out.startswith("1 whole, 0 going on, 0 purged, 0 findings")
    assert "1 opened, segment by segment" in everything.out
    second = list(segments(path))[1]
    data = bytearray(path.read_bytes())
    data[second.offset + 60] ^= 4
    path.write_bytes(data)
    one = run(kept, "verify", R1)
    assert (one.status, one.out) == (1, f"{R1}, byte {second.offset}: segment 1 was changed\n")
    told = run(kept, "verify", "--all", "--json")
    assert told.status == 1
    assert told.json["findings"][0]["offset"] == second.offset


def test_damaged_recording_is_heard_up_to_the_damage_and_not_exported(kept: Kept, tmp_path: Path):
    path = kept.record(R1)
    third = list(segments(path))[2]
    data = bytearray(path.read_bytes())
    data[third.offset + 100] ^= 1
    path.write_bytes(data)
    heard = run(kept, "listen", R1, *AS, "-o", str(tmp_path / "r1.wav"))
    assert heard.status == 0
    assert f"segment 2, byte {third.offset}: was changed; what is before that is heard" in heard.err
    assert f"{R1}: 2.0 s, channels" in heard.err
    asked = run(kept, "ask-export", R1, *AS, "--json").json
    run(kept, "approve", str(asked["request"]), "--as", "2202", "--why", "vu")
    refused = run(kept, "export", R1, *AS, "-o", str(tmp_path / "x.zip"))
    assert (refused.status, "isn't exported as if it were whole" in refused.err) == (1, True)
    assert not (tmp_path / "x.zip").exists()


def test_what_is_asked_wrongly_is_told(kept: Kept, tmp_path: Path):
    kept.record(R1)
    assert run(kept, "listen", R1, *AS).status == 2
    assert run(kept, "listen", R1, *AS, "-o", "x.mp3").status == 2
    assert run(kept, "last", *AS, "-o", "-").status == 2
    assert run(kept, "verify").status == 2
    assert run(kept, "export", R1, *AS, "-o", str(tmp_path / "x.tar")).status == 2
    nothing = run(kept, "verify", "../../etc/passwd-not")
    assert nothing.err.endswith("there is no recording and no package ../../etc/passwd-not\n")
    gone = run(kept, "listen", "20261122-nothing", *AS, "-o", str(tmp_path / "x.wav"))
    assert "there is no recording '20261122-nothing'" in gone.err
    assert kept.heard() == [("refused", "2201")]


def test_without_a_node_nobody_listens(town: Town, tmp_path: Path):
    recording_key(town.settings.recordings.key_file)
    silent = town.run("recording", "listen", R1, *AS, "-o", str(tmp_path / "x.wav"))
    assert silent.status == 1
    assert "start `beffroi serve`" in silent.err
