"""An exported package: whoever has it can verify it with Python and `cryptography` alone."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import cryptography
import pytest

from recording.export.outline import opened
from recording.export.package import Node, Wanted, make
from recording.proof import package
from recording.proof.entries import About, Part, Silent
from recording.proof.journal import Journal
from recording.proof.package import check
from recording.proof.sealed_file import segments
from tests.recording.calls import Sender, recorded, said, tone, track
from tests.recording.sealed import BEGUN, KEY, NODE
from tests.recording.time_authority import NAME, TimeAuthority

RECORDING = "20261122-140000-1"
ABOUT = About("pompiers", "c1", "8200", "", "+33699999999", "8200", "in", "caserne", "")


class Exported(NamedTuple):
    """A package, and the recording's file that it was made of."""

    path: Path
    sealed: Path

    def with_bit(self, offset: int, bit: int = 0) -> Path:
        """The package with a bit turned."""
        data = bytearray(self.path.read_bytes())
        data[offset] ^= 1 << bit
        path = self.path.with_name("flipped.zip")
        path.write_bytes(data)
        return path

    def place(self, name: str) -> tuple[int, int]:
        """Where the bytes of a file are in the package: from, to."""
        with zipfile.ZipFile(self.path) as archive:
            info = archive.getinfo(name)
        begin = info.header_offset + 30 + len(name)
        return begin, begin + info.file_size


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A call of five seconds: others' entries in the journal before, between and behind its own."""
    folder = tmp_path_factory.mktemp("export")
    alice, bruno = Sender(0), Sender(1, ssrc=8)
    sealed = recorded(
        folder,
        [
            said(ABOUT, 0.0),
            track(0, "+33699999999"),
            track(1, "2201"),
            said(Part("talk", ["+33699999999", "2201"]), 0.5),
            *alice.says(tone(440, 4, 8000), 1.0),
            *bruno.says(tone(1000, 1, 8000), 1.5),
            said(Silent(BEGUN + 2_480_000), 4.5, 1),
        ],
        RECORDING,
    )
    head = list(segments(sealed))[-1].digest.hex()
    path = folder / "package.zip"
    (folder / "work").mkdir()
    with closing(Journal(folder / "journal", NODE)) as journal:
        first = journal.append(1.0, "begun", "other-1", "node", line="secret of others")
        journal.append(2.0, "begun", RECORDING, "node", policy="pompiers")
        journal.append(3.0, "ended", "other-1", "node", head="secret of others")
        journal.append(4.0, "ended", RECORDING, "node", head=head)
        journal.append(5.0, "listened", RECORDING, "2201", why="dossier 12", account="root")
        last = journal.append(6.0, "listened", "other-1", "2202", why="secret of others", account="root")
        authority = TimeAuthority(folder / "authority")
        (folder / "stamps").mkdir()
        for entry in (first, last):
            stamp = authority.stamp(bytes.fromhex(entry.digest))
            (folder / "stamps" / f"{entry.number}.tsr").write_bytes(stamp)
        journal.append(6.5, "stamped", "", "node", entry=last.number, authority=NAME)
        make(
            path,
            folder / "work",
            opened(sealed, KEY),
            Wanted("wav"),
            Node(folder / "journal", NODE.public_key(), authority.file),
            lambda sums: journal.append(7.0, "packaged", RECORDING, "2201", sums=sums, why="juge").number,
            lambda part: None,
        )
        journal.append(8.0, "begun", "other-2", "node")
    return Exported(path, sealed)


def test_package_as_it_was_made_is_intact(exported: Exported):
    checked = check(exported.path)
    assert checked.faults == []
    assert checked.recording == RECORDING
    assert checked.parties == ["+33699999999", "2201"]
    assert (checked.segments, checked.packets) == (5, 250)
    assert [entry.what for entry in checked.entries] == ["begun", "ended", "listened", "stamped", "packaged"]
    assert list(package.lines(checked))[-1] == "INTACT / INTÈGRE"


def test_package_tells_nothing_of_other_recordings(exported: Exported):
    data = exported.path.read_bytes()
    assert b"secret of others" not in data
    assert b"other-1" not in data
    assert b"2202" not in data


def test_stamp_of_an_entry_that_is_not_shown_vouches_for_those_before_it(exported: Exported):
    # RFC 3161 section 2.4.2
    checked = check(exported.path)
    assert {number: stamp.authority for number, stamp in checked.stamps.items()} == {5: NAME}
    assert b"stamp-0.tsr" not in exported.path.read_bytes()


def test_stamp_of_another_authority_is_told(exported: Exported, tmp_path: Path):
    with zipfile.ZipFile(exported.path) as archive:
        archive.extractall(tmp_path / "p")
    other = TimeAuthority(tmp_path / "other")
    (tmp_path / "p" / "stamp-authority.pem").write_bytes(other.file.read_bytes())
    faults = check(tmp_path / "p").faults
    assert [fault.file for fault in faults] == ["stamp-authority.pem", "stamp-5.tsr"]


def test_any_program_opens_it(exported: Exported, tmp_path: Path):
    with zipfile.ZipFile(exported.path) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    assert check(tmp_path).faults == []
    for line in (tmp_path / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_bit_that_turned_in_the_recording_is_told_with_its_segment_and_second(exported: Exported):
    begin, _ = exported.place(exported.sealed.name)
    third = list(segments(exported.sealed))[3]
    checked = check(exported.with_bit(begin + third.offset + 100))
    (fault,) = [one for one in checked.faults if one.segment >= 0]
    assert (fault.file, fault.segment, fault.offset) == (exported.sealed.name, 3, third.offset)
    assert fault.second == pytest.approx(3.0, abs=0.05)
    assert "segment 3, from second 3.0 on" in str(fault)


def test_bit_that_turned_anywhere_is_found_in_its_file(exported: Exported):
    """A sample of all bytes, and every kind of file."""
    chance = random.Random(20261122)
    size = exported.path.stat().st_size
    with zipfile.ZipFile(exported.path) as archive:
        names = archive.namelist()
    places = {name: exported.place(name) for name in names}
    offsets = [chance.randrange(*places[name]) for name in names]  # in each file
    offsets += [places[name][0] - chance.randrange(1, 30) for name in names]  # in what is before it
    offsets += [chance.randrange(size) for _ in range(20)]
    offsets += [size - 1 - chance.randrange(22 + 46 * len(names)) for _ in range(10)]  # in the directory
    for offset in offsets:
        faults = check(exported.with_bit(offset, chance.randrange(8))).faults
        assert faults, f"byte {offset} was changed"
        inside = [name for name, (begin, end) in places.items() if begin <= offset < end]
        if inside:
            assert inside[0] in {fault.file for fault in faults}


def test_file_that_was_put_in_or_taken_out_is_told(exported: Exported, tmp_path: Path):
    with zipfile.ZipFile(exported.path) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "more.txt").write_text("more")
    (tmp_path / "recording.json").unlink()
    assert [(fault.file, fault.what) for fault in check(tmp_path).faults] == [
        ("more.txt", "isn't in SHA256SUMS: it was put in, or its name was changed"),
        ("recording.json", "is missing"),
    ]


def test_other_sound_with_its_sum_is_not_what_the_node_has_signed(exported: Exported, tmp_path: Path):
    with zipfile.ZipFile(exported.path) as archive:
        archive.extractall(tmp_path)
    sound, sums = tmp_path / "sound.wav", tmp_path / "SHA256SUMS"
    before = package.sum_of(sound)
    sound.write_bytes(sound.read_bytes()[:-2] + b"\1\1")
    sums.write_text(sums.read_text().replace(before, package.sum_of(sound)))
    assert [(fault.file, fault.what) for fault in check(tmp_path).faults] == [
        ("SHA256SUMS", "isn't the list that the node has signed")
    ]


def test_journal_without_an_entry_or_its_end_is_told(exported: Exported, tmp_path: Path):
    with zipfile.ZipFile(exported.path) as archive:
        archive.extractall(tmp_path)
    journal = tmp_path / "journal.txt"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 7  # begun, (other), ended, listened, (other), stamped, packaged
    journal.write_bytes(b"".join(lines[:3] + lines[4:]))
    assert [fault.what for fault in check(tmp_path).faults][:1] == ["line 5 doesn't follow the entry before"]
    journal.write_bytes(b"".join(lines[:1] + lines[2:]))
    assert check(tmp_path).faults[0].file == "journal.txt"
    journal.write_bytes(b"".join(lines[:4]))
    faults = check(tmp_path).faults
    assert "doesn't end with the making of this package: its end was cut off" in [one.what for one in faults]


def test_entry_of_another_recording_that_was_changed_breaks_the_chain(exported: Exported, tmp_path: Path):
    with zipfile.ZipFile(exported.path) as archive:
        archive.extractall(tmp_path)
    journal = tmp_path / "journal.txt"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[1] = b"00" * 32 + b"\n"
    journal.write_bytes(b"".join(lines))
    assert check(tmp_path).faults[0].what == "line 3 doesn't follow the entry before"


def test_key_of_another_recording_opens_nothing(exported: Exported, tmp_path: Path):
    with zipfile.ZipFile(exported.path) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "recording.key").write_text("00" * 32 + "\n")
    faults = check(tmp_path).faults
    assert (faults[-1].segment, faults[-1].what) == (0, "was not sealed so with this key")


def test_facts_tell_parties_parts_silences_and_the_clock(exported: Exported):
    with zipfile.ZipFile(exported.path) as archive:
        facts = json.loads(archive.read("recording.json"))
    assert facts["about"]["policy"] == "pompiers"
    assert facts["begun"] == "2026-11-22T09:30:00.000000Z"
    assert facts["sound"]["channels"] == [["+33699999999"], ["2201"]]
    assert facts["parts"] == [{"second": 0.5, "what": "talk", "with": ["+33699999999", "2201"]}]
    assert facts["clock"] == [{"second": 0.0, "source": "ntp", "offset_us": 500, "set_by_us": 0}]
    assert facts["tracks"][1]["certified_silences"] == [[2.48, 4.98]]
    assert facts["tracks"][0]["packets"] == {"PCMA/8000/1": 200}


def test_custody_log_says_who_and_why(exported: Exported):
    with zipfile.ZipFile(exported.path) as archive:
        page = archive.read("custody.txt").decode()
    assert "n° 4  2201  écoute / listened to\n    why: dossier 12\n    account: root\n" in page


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cryptography` and what it is made of, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("bare")
    site = Path(cryptography.__file__).parents[1]
    for path in site.iterdir():
        if path.name in ("cryptography", "cffi") or path.name.startswith("_cffi_backend"):
            (folder / path.name).symlink_to(path)
    return folder


def run_bare(bare: Path, program: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `verify.pyz` without a site, an environment or this repository."""
    start = f"import sys, runpy; sys.path.insert(0, {str(bare)!r}); sys.argv = sys.argv[1:]; "
    start += "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-I", "-S", "-c", start, str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={}, timeout=60)


@pytest.fixture
def unpacked(exported: Exported, tmp_path: Path) -> Path:
    with zipfile.ZipFile(exported.path) as archive:
        archive.extractall(tmp_path / "p")
    return tmp_path / "p"


def test_verifier_of_the_package_runs_with_python_and_cryptography_alone(bare: Path, unpacked: Path):
    ran = run_bare(bare, unpacked / "verify.pyz", cwd=unpacked)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("INTACT / INTÈGRE\n")


def test_verifier_of_the_package_finds_a_bit_that_turned(bare: Path, unpacked: Path, exported: Exported):
    begin, _ = exported.place(exported.sealed.name)
    second = list(segments(exported.sealed))[2]
    flipped = exported.with_bit(begin + second.offset + 70)
    ran = run_bare(bare, unpacked / "verify.pyz", str(flipped), "--json", cwd=unpacked)
    told: dict[str, Any] = json.loads(ran.stdout)
    assert (ran.returncode, told["intact"]) == (1, False)
    assert {fault["segment"] for fault in told["faults"]} == {-1, 2}


def test_verifier_compares_the_key_with_the_one_that_was_published(
    bare: Path, unpacked: Path, exported: Exported
):
    fingerprint = check(exported.path).node
    assert run_bare(bare, unpacked / "verify.pyz", "--node", fingerprint, cwd=unpacked).returncode == 0
    ran = run_bare(bare, unpacked / "verify.pyz", "--node", "0000-1111", cwd=unpacked)
    assert ran.returncode == 1
    assert "node.pem: isn't the key that was published" in ran.stdout


def test_verifier_writes_the_packets_for_programs_that_are_not_ours(
    bare: Path, unpacked: Path, tmp_path: Path
):
    folder = tmp_path / "packets"
    ran = run_bare(bare, unpacked / "verify.pyz", "--packets", str(folder), cwd=unpacked)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert sorted(os.listdir(folder)) == ["track-0.pcap", "track-1.pcap"]
    data = (folder / "track-0.pcap").read_bytes()
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    assert len(data) == 24 + 200 * (16 + 28 + 172)


def test_what_is_no_package_is_told_in_a_sentence(bare: Path, unpacked: Path, tmp_path: Path):
    (tmp_path / "noise").write_bytes(random.Random(1).randbytes(4000))
    ran = run_bare(bare, unpacked / "verify.pyz", str(tmp_path / "noise"), cwd=unpacked)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "FAULT" in ran.stdout
    gone = run_bare(bare, unpacked / "verify.pyz", str(tmp_path / "gone"), cwd=unpacked)
    assert gone.returncode == 2
    assert gone.stderr.startswith("verify: ")


def odd_values(chance: random.Random) -> object:
    """What JSON may hold and no journal of ours does."""
    return chance.choice([None, True, -1, 10**30, 1e308, "", "x" * 50, [], {}, [[[]]], "\x00\ud7ff"])


def test_package_that_somebody_made_up_is_told_and_never_an_exception(unpacked: Path):
    """Its maker has a node's key of their own: they can sign whatever they like."""
    chance = random.Random(7)
    whole = {path.name: path.read_bytes() for path in unpacked.iterdir()}
    lines = whole["journal.txt"].splitlines()
    for _ in range(80):
        name = chance.choice([*whole, "journal.txt", "journal.txt"])
        if name == "journal.txt":
            place = chance.choice([0, 2, 3, 6])
            fields = json.loads(lines[place].partition(b"\t")[0])
            fields[chance.choice([*fields, "more"])] = odd_values(chance)
            text = json.dumps(chance.choice([fields, fields, list(fields), None])).encode()
            signed = text + b"\t" + NODE.sign(text).hex().encode()
            changed = b"\n".join([*lines[:place], signed, *lines[place + 1 :]]) + b"\n"
        else:
            data = bytearray(whole[name])
            place = chance.randrange(len(data))
            data[place : place + chance.randrange(1, 40)] = chance.randbytes(chance.randrange(40))
            changed = bytes(data)
        (unpacked / name).write_bytes(changed)
        checked = check(unpacked)
        assert (changed == whole[name]) or checked.faults, name
        json.dumps(package.printable(checked))
        assert list(package.lines(checked))
        (unpacked / name).write_bytes(whole[name])
