"""The chore that has the journal stamped: asks an authority now and then, and believes nothing unseen."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest

from recording.live.wire import Trouble, TroubleOver
from recording.proof.journal import Journal, entries
from recording.proof.verifier import verify
from recording.safekeeping.stamps import Authority, NoAnswer, Stamps, post
from tests.recording.sealed import NODE
from tests.recording.time_authority import NAME, TimeAuthority

URL = "https://tsa.valmont.example"


class Town(NamedTuple):
    """A journal that an authority stamps every hour. answers: how it does; asked: with what so far."""

    journal: Journal
    authority: TimeAuthority
    stamps: Stamps
    answers: list[Callable[[bytes], bytes]]
    asked: list[bytes]

    @property
    def folder(self) -> Path:
        return self.journal.path.parent / "stamps"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    authority = TimeAuthority(tmp_path / "authority")
    answers, asked = [authority.reply], []

    def ask(url: str, question: bytes) -> bytes:
        asked.append(question)
        return answers[0](question)

    with closing(Journal(tmp_path / "journal", NODE)) as journal:
        stamps = Stamps(journal, Authority(URL, authority.file, 3600.0), ask)
        yield Town(journal, authority, stamps, answers, asked)


def told(town: Town, now: float) -> str:
    """Why the chore is troubled now, "" where it tells nothing."""
    said = town.stamps.turn(now)
    return "".join(one.why for one in said if isinstance(one, Trouble))


def test_head_is_stamped_and_the_journal_says_so(town: Town, tmp_path: Path):
    # RFC 3161 section 2.2
    town.journal.append(1.0, "begun", "r1", "node")
    head = town.journal.append(2.0, "purged", "r1", "node").digest
    assert town.stamps.turn(10.0) == []
    entry = list(entries(town.journal.path, NODE.public_key()))[-1]
    assert (entry.what, entry.at, entry.about["entry"], entry.about["head"]) == ("stamped", 10.0, 1, head)
    assert entry.about["authority"] == NAME
    verified = verify(tmp_path, town.journal.path, NODE.public_key(), [town.authority.root])
    assert (verified.findings, verified.stamps) == ([], 1)


def test_journal_without_news_is_not_stamped(town: Town):
    assert town.stamps.turn(0.0) == []
    assert town.asked == []
    town.journal.append(1.0, "begun", "r1", "node")
    for hour in range(4):
        town.stamps.turn(10.0 + 3600 * hour)
    assert len(town.asked) == 1


def test_news_wait_for_the_hour_and_for_no_clock_that_was_set_back(town: Town):
    for now, asked in ((10.0, 1), (3000.0, 1), (3610.0, 2), (3640.0, 2), (10.0, 3)):
        town.journal.append(now, "begun", f"r{now}", "node")
        town.stamps.turn(now)
        assert len(town.asked) == asked


def test_process_that_starts_again_knows_what_was_stamped(town: Town):
    town.journal.append(1.0, "begun", "r1", "node")
    town.stamps.turn(10.0)
    again = Stamps(town.journal, Authority(URL, town.authority.file, 3600.0), lambda url, question: b"")
    assert again.turn(9000.0) == []


def away(question: bytes) -> bytes:
    raise NoAnswer("nothing came within 20 s")


def test_authority_that_is_away_is_told_once_and_asked_again_less_and_less_often(town: Town):
    town.journal.append(1.0, "begun", "r1", "node")
    town.answers[0] = away
    assert told(town, 10.0) == f"{URL} doesn't stamp the journal: nothing came within 20 s"
    asked_at = []
    for now in range(40, 2000, 30):
        before = len(town.asked)
        assert town.stamps.turn(float(now)) == []
        asked_at += [now] * (len(town.asked) - before)
    assert asked_at == [70, 190, 430, 910, 1870]
    town.answers[0] = town.authority.reply
    assert town.stamps.turn(9000.0) == [TroubleOver("stamps")]
    assert town.journal.entries == 2


def another_hash(town: Town) -> Callable[[bytes], bytes]:
    return lambda question: town.authority.stamp(bytes(32))


def another_nonce(town: Town) -> Callable[[bytes], bytes]:
    return lambda question: town.authority.stamp(bytes.fromhex(town.journal.head))


def another_authority(town: Town) -> Callable[[bytes], bytes]:
    return TimeAuthority(town.journal.path.parent / "other").reply


def half(town: Town) -> Callable[[bytes], bytes]:
    return lambda question: town.authority.reply(question)[:500]


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (another_hash, "its answer is the stamp of something else"),
        (another_nonce, "its answer isn't one to our question: Nonce mismatch"),
        (another_authority, "its answer comes from CN=Horloge de Valmont, for whom nobody trusted vouches"),
        (half, "its answer is no time stamp: an element is longer than what it is in"),
    ],
)
def test_authority_that_lies_is_told_and_nothing_is_kept(
    town: Town, lie: Callable[[Town], Callable[[bytes], bytes]], why: str
):
    # RFC 3161 section 2.4.2: whoever asked compares the hash and the nonce
    town.journal.append(1.0, "begun", "r1", "node")
    town.answers[0] = lie(town)
    assert told(town, 10.0) == f"{URL} doesn't stamp the journal: {why}"
    assert town.journal.entries == 1
    assert not town.folder.exists()


def test_file_of_whom_we_trust_that_is_gone_is_told(town: Town):
    town.journal.append(1.0, "begun", "r1", "node")
    town.authority.file.unlink()
    assert "No such file" in told(town, 10.0)
    assert town.asked == []


class Web(BaseHTTPRequestHandler):
    """Answers what its path says."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        size = {"/much": 100_000}.get(self.path, 0)
        self.send_response(503 if self.path == "/busy" else 200)
        self.end_headers()
        self.wfile.write(bytes(size) or self.headers["Content-Type"].encode() + b" " + body)

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Web)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_question_goes_over_http_and_the_answer_is_bounded():
    # RFC 3161 section 3.4
    with served() as url:
        assert post(f"{url}/", b"question") == b"application/timestamp-query question"
        with pytest.raises(NoAnswer, match="it answers 503"):
            post(f"{url}/busy", b"question")
        with pytest.raises(NoAnswer, match="it answers more than 65536 bytes"):
            post(f"{url}/much", b"question")


def test_authority_that_says_nothing_is_left_in_time():
    with HTTPServer(("127.0.0.1", 0), Web) as silent:  # it listens, and nobody answers
        with pytest.raises(NoAnswer, match=r"nothing came within 0\.05 s"):
            post(f"http://127.0.0.1:{silent.server_port}/", b"question", 0.05)
        port = silent.server_port
    with pytest.raises(NoAnswer, match="ConnectError"):
        post(f"http://127.0.0.1:{port}/", b"question")
