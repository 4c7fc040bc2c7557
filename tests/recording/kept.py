"""A node's recordings and who answers for them, without a recorder's process: on its folder and socket."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from pbx.configuration import Configuration
from pbx.node.keys import node_key, private_of, recording_key
from recording.archive.archive import Archive
from recording.archive.catalogue import Catalogue
from recording.archive.clock import ClockWatch
from recording.archive.purge import path_of
from recording.archive.requests import FILE_NAME, answer_line, read_request
from recording.keys import KeyStore, fingerprint, wrap
from recording.live.wire import Facts, Policy
from recording.proof.entries import About, Part
from recording.proof.journal import Journal
from recording.proof.sealed_file import segments
from recording.retention import ClockSeen
from tests.recording.archive.archived import START
from tests.recording.calls import Sender, recorded, said, tone, track
from tests.recording.sealed import KEY

R1 = "20261122-093000-a1"
GOING = "20261122-094000-b2"
FIRE = Policy("pompiers", "Délibération 2026-014", 60, ("2201", "2202"), "two_persons", register="n° 7")


class Kept:
    """See the module. now: Unix seconds; over_pages: whether who asks is taken for a process of the node."""

    def __init__(self, settings: Configuration, *policies: Policy, over_pages: bool = False) -> None:
        self.over_pages = over_pages
        self.now = START
        self.directory = settings.recordings.directory
        self.directory.mkdir(parents=True)
        self.public = recording_key(settings.recordings.key_file)
        self.private_file = private_of(settings.recordings.key_file)
        self.journal = Journal(settings.recordings_journal, node_key(settings.node_key_file))
        self.keys = KeyStore(settings.recording_keys_dir)
        self.catalogue = Catalogue(self.directory / "catalogue.sqlite")
        self.archive = Archive(
            self.directory,
            self.keys,
            self.journal,
            self.catalogue,
            ClockWatch(self.directory),
            lambda: ClockSeen(self.now, self.now, "boot", synchronised=True),
        )
        self.archive.use(policies or [FIRE])
        self.archive.start()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(settings.data_dir / FILE_NAME))
        self.socket.listen()
        self.answering = threading.Thread(target=self._answer)
        self.answering.start()

    def record(self, name: str, *, ended: bool = True, policy: str = "pompiers") -> Path:
        """A call of 3 s: a tone of 440 Hz from the caller, one of 1000 Hz from who answered."""
        folder = path_of(self.directory, name).parent
        folder.mkdir(exist_ok=True)
        facts = Facts(policy, f"call-{name}", "8200", caller="+33699999999", called="8200")
        self.keys.put(name, wrap(KEY, name, self.public))
        self.journal.append(self.now, "begun", name, "node", policy=policy, line="8200", call=facts.call)
        self.archive.begun(name, int(self.now * 1e6), facts)
        path = recorded(
            folder,
            [
                said(About(policy, facts.call, "8200", "", "+33699999999", "8200", "in", "", ""), 0.0),
                track(0, "+33699999999"),
                track(1, "2201"),
                said(Part("talk", ["+33699999999", "2201"]), 1.0),
                *Sender(0).says(tone(440, 3, 8000), 0.0),
                *Sender(1, ssrc=8).says(tone(1000, 2, 8000), 1.0),
            ],
            name,
            wrapped_for=fingerprint(self.public),
        )
        if ended:
            head = list(segments(path))[-1].digest.hex()
            self.now += 3
            self.journal.append(self.now, "ended", name, "node", head=head, packets=250, bytes=9)
        return path

    def heard(self) -> list[tuple[str, str]]:
        """What the journal has of who did what."""
        self.archive.catch_up()
        history = self.catalogue.said(0, 1e12)
        return [(one.what, one.by) for one in history if one.what != "policy"]

    def _answer(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                request = read_request(lines.readline())
                answer = self.archive.answer(request, "root", over_pages=self.over_pages)
                connection.sendall(answer_line(answer))

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.answering.join()
        self.journal.close()
        self.catalogue.close()
