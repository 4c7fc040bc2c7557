"""The reserve of the journal: what is acknowledged while the disk is full outlives a kill -9."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from pathlib import Path

from pbx.journal import CALLS, Journal, recover
from pbx.node.reserve import FILE_NAME, MOST_FRAME_BYTES, RESERVE_BYTES, Reserve, read_reserve
from pbx.records import Record
from tests.pbx.sample_records import bindings, call
from tests.pbx.test_journal import Disk, read_all
from tests.scenarios.town import start
from tests.sim.world import World, scenario

SMALL = 2 * 1024 * 1024


def killed(journal: Journal) -> None:
    """What is left of a process after kill -9: its files, and its lock let go."""
    os.close(journal._lock)
    journal._reserve.close()


def full(directory: Path, *records: Record, reserve_bytes: int = SMALL) -> tuple[Journal, Disk]:
    """A journal whose disk fills up before these records are flushed one by one."""
    disk = Disk()
    journal = Journal(directory, reserve_bytes=reserve_bytes, write=disk.write)
    disk.free_bytes = 0
    for record in records:
        journal.append(record)
        journal.flush()
    return journal, disk


def test_the_room_is_taken_when_the_reserve_is_made(tmp_path):
    Reserve(tmp_path).close()
    found = (tmp_path / FILE_NAME).stat()
    assert found.st_blocks * 512 >= RESERVE_BYTES == 64 << 20
    assert found.st_mode & 0o777 == 0o600


def test_registrations_taken_on_a_full_disk_outlive_a_kill(tmp_path):
    journal, _ = full(tmp_path / "j", bindings(1), bindings(2, 2), bindings(1, 3))
    killed(journal)
    assert recover(tmp_path / "j").bindings == {
        "sip:1@valmont.example": bindings(1, 3).bindings,
        "sip:2@valmont.example": bindings(2, 2).bindings,
    }


def test_calls_ended_on_a_full_disk_outlive_a_kill_and_are_written_at_the_next_start(tmp_path):
    journal, _ = full(tmp_path / "j", call(1), call(2))
    killed(journal)
    again = Journal(tmp_path / "j", reserve_bytes=SMALL)
    again.flush()
    again.close()
    assert read_all(tmp_path / "j", CALLS) == [call(1), call(2)]
    assert read_reserve(tmp_path / "j") == []


def test_a_disk_that_took_half_a_frame_before_the_kill_loses_nothing(tmp_path):
    for free_bytes in (1, 20, 40, 100):
        disk = Disk()
        disk.free_bytes = free_bytes
        journal = Journal(tmp_path / f"j{free_bytes}", reserve_bytes=SMALL, write=disk.write)
        journal.append(bindings(1))
        journal.flush()
        killed(journal)
        recovered = recover(tmp_path / f"j{free_bytes}")
        assert recovered.bindings == {"sip:1@valmont.example": bindings(1).bindings}


def test_the_reserve_is_empty_once_the_disk_took_everything(tmp_path):
    journal, disk = full(tmp_path / "j", bindings(1), call(1))
    assert len(read_reserve(tmp_path / "j")) == 2
    disk.free_bytes = None
    journal.flush()
    assert read_reserve(tmp_path / "j") == []
    assert journal.pending_bytes == 0
    journal.close()


def test_what_an_earlier_trouble_left_behind_is_not_read_again(tmp_path):
    journal, disk = full(tmp_path / "j", *[bindings(number) for number in range(20)])
    disk.free_bytes = None
    journal.flush()
    disk.free_bytes = 0
    journal.append(bindings(99))
    journal.flush()
    killed(journal)
    assert len(read_reserve(tmp_path / "j")) == 1


def test_a_journal_without_trouble_is_never_exhausted(tmp_path):
    journal = Journal(tmp_path / "j")
    assert not journal.exhausted
    journal.close()


def test_a_full_reserve_is_told_before_a_record_could_be_lost(tmp_path):
    journal, _ = full(tmp_path / "j", call(0), reserve_bytes=MOST_FRAME_BYTES + 5000)
    taken = 0
    while not journal.exhausted:
        taken += 1
        journal.append(bindings(taken))
        journal.flush()
    killed(journal)
    assert taken > 5
    assert len(recover(tmp_path / "j").bindings) == taken


def test_without_a_reserve_a_full_disk_takes_no_registration(tmp_path):
    journal, _ = full(tmp_path / "j", call(0), reserve_bytes=0)
    assert journal.exhausted
    journal.close()


def test_a_reserve_that_can_not_be_made_is_told_and_the_journal_works(tmp_path, caplog):
    (tmp_path / "j").mkdir(mode=0o700)
    (tmp_path / "j" / FILE_NAME).mkdir()
    journal = Journal(tmp_path / "j", reserve_bytes=SMALL)
    journal.append(call(1))
    journal.flush()
    journal.close()
    assert read_all(tmp_path / "j", CALLS) == [call(1)]
    assert "no room is reserved for a full disk" in caplog.text


def test_a_damaged_reserve_never_raises_and_never_yields_a_wrong_record(tmp_path):
    originals = [bindings(number) for number in range(5)]
    journal, _ = full(tmp_path / "j", *originals)
    killed(journal)
    file = tmp_path / "j" / FILE_NAME
    whole = file.read_bytes()[:4000]
    chance = random.Random(7)
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(1500)] ^= 1 << chance.randrange(8)
        file.write_bytes(data)
        found = recover(tmp_path / "j").bindings
        assert all(held in [one.bindings for one in originals] for held in found.values())


def test_a_really_full_disk_and_a_real_kill_lose_no_registration(tmp_path):
    """A tmpfs of 3 MB in a namespace of its own: 1 MB of reserve, the rest filled by somebody else."""
    program = f"""
import os, signal, sys
from pathlib import Path
from pbx.journal import CALLS, Journal, recover
from tests.pbx.sample_records import bindings
place = Path({str(tmp_path)!r})
child = os.fork()
if not child:
    journal = Journal(place / "j", reserve_bytes=1 << 20)
    journal.append(bindings(1)); journal.flush()
    try:
        with open(place / "somebody", "wb", buffering=0) as other:
            while True:
                other.write(bytes(4096))
    except OSError as error:
        print(error.strerror, flush=True)
    for number in range(2, 200):
        assert not journal.exhausted
        journal.append(bindings(number, number % 3 + 1)); journal.flush()
    assert journal.trouble
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
print(len(recover(place / "j").bindings))
"""
    mounted = f'mount -t tmpfs -o size=3m tmpfs {tmp_path} && exec {sys.executable} -c "$0"'
    outcome = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", mounted, program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    assert outcome.stdout.split("\n")[:2] == [os.strerror(errno.ENOSPC), "199"], outcome.stderr


@scenario()
async def test_a_registration_that_could_be_lost_is_refused_for_a_while(world: World) -> None:
    """Design, promise 5: RFC 3261 section 21.5.4 tells the telephone when to try again."""
    town = await start(world)
    town.journal.exhausted = True
    phone = town.phone("1001")
    phone.send("REGISTER", "sip:valmont.example", headers=[("Contact", phone.contact())])
    phone.authenticate(await phone.expect(401))
    refused = await phone.expect(503)
    assert refused.header("Retry-After") == "60"
    town.journal.exhausted = False
    await phone.register()


@scenario()
async def test_calls_go_on_while_registrations_wait(world: World) -> None:
    town = await start(world)
    alice, bruno = await town.phones("1001", "1002")
    town.journal.exhausted = True
    await town.talk(alice, bruno)
    await town.hang_up(alice, bruno)
