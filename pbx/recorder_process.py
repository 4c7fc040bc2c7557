"""The recorder's process: what it is made of on this node. What it does is in `recording.process`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import time

from media.engines.reel import Reel
from media.engines.tape import Tape
from pbx.configuration import Configuration
from pbx.node.keys import node_key, recording_key
from recording.archive import Archive
from recording.catalogue import FILE_NAME as CATALOGUE
from recording.catalogue import Catalogue
from recording.chores import Chore
from recording.clock import ClockWatch, look
from recording.housekeeping import CatalogueChore, ClockChore, PurgeChore
from recording.keys import KeyStore
from recording.process import Process, account_name
from recording.proof.journal import Journal
from recording.writer import Writer

log = logging.getLogger(__name__)


class _Clocks:
    """The machine's clocks: this is where they are read for all that is recorded."""

    def wall_us(self) -> int:
        return time.time_ns() // 1000  # noqa: TID251

    def steady_us(self) -> int:
        return time.monotonic_ns() // 1000  # noqa: TID251


def run_recorder(
    configuration: Configuration, listening: socket.socket, asked: socket.socket, reel: Reel
) -> None:
    """Record until SIGTERM. listening: where signalling comes; asked: where requests come.

    Raises KeyUnusable, JournalDamage, CatalogueUnusable or OSError where it can't begin.
    """
    reel.sending.close()
    directory = configuration.recordings.directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = KeyStore(configuration.recording_keys_dir)
    journal = Journal(configuration.recordings_journal, node_key(configuration.node_key_file))
    public = recording_key(configuration.recordings.key_file)
    watch = ClockWatch(directory)
    administrators = {"root", account_name(os.getuid())}
    catalogue = Catalogue(directory / CATALOGUE)
    archive = Archive(directory, keys, journal, catalogue, watch, look, administrators=administrators)
    writer = Writer(directory, keys, public, time.monotonic, lambda: None)  # noqa: TID251
    process = Process(Tape(reel), directory, writer, journal, archive, _chores(archive, watch), _Clocks())
    gc.collect()
    gc.freeze()
    asyncio.run(process.run(listening, asked))
    journal.close()


def _chores(archive: Archive, watch: ClockWatch) -> list[Chore]:
    """What is done by itself, now and then."""
    return [ClockChore(watch, look, archive), PurgeChore(archive), CatalogueChore(archive)]
