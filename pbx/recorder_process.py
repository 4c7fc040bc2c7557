"""The recorder's process: what it is made of on this node. What it does is in `recording.live.process`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import time
from functools import partial

from media.engines.reel import Reel
from media.engines.tape import Tape
from pbx.configuration import Configuration
from pbx.node.keys import node_key, recording_key
from pbx.settings import recordings as settings
from pbx.settings.values import SecretMissing
from recording.archive.archive import Archive
from recording.archive.catalogue import FILE_NAME as CATALOGUE
from recording.archive.catalogue import Catalogue
from recording.archive.clock import ClockWatch, look
from recording.archive.housekeeping import CatalogueChore, ClockChore, PurgeChore
from recording.keys import KeyStore
from recording.live.chores import Chore
from recording.live.process import Process, account_name
from recording.live.set_aside import open_journal
from recording.live.writer import Writer
from recording.proof.journal import Journal
from recording.safekeeping.copies import Bucket, Copies, CopyError, Store, open_store
from recording.safekeeping.disk import Disk, room_of
from recording.safekeeping.stamps import Authority, Stamps, post

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

    Raises KeyUnusable, CatalogueUnusable or OSError where it can't begin.
    """
    clocks = _Clocks()
    reel.sending.close()
    directory = configuration.recordings.directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = KeyStore(configuration.recording_keys_dir)
    now = clocks.wall_us() / 1e6
    key = node_key(configuration.node_key_file)
    journal, troubles = open_journal(configuration.recordings_journal, key, now)
    public = recording_key(configuration.recordings.key_file)
    watch = ClockWatch(directory)
    administrators = {"root", account_name(os.getuid())}
    catalogue = Catalogue(directory / CATALOGUE)
    copies = copies_of(configuration, journal)
    archive = Archive(directory, keys, journal, catalogue, watch, look, copies, administrators)
    chores = chores_of(configuration, journal, archive, watch, copies)
    writer = Writer(directory, keys, public, time.monotonic, lambda: None)  # noqa: TID251
    process = Process(Tape(reel), directory, writer, journal, archive, chores, clocks, troubles)
    gc.collect()
    gc.freeze()
    asyncio.run(process.run(listening, asked))
    journal.close()


def copies_of(configuration: Configuration, journal: Journal) -> Copies | None:
    """Return what copies recordings to a second destination; None where there is none."""
    wanted = configuration.recordings.copy_to
    if wanted is None:
        return None

    def open_it() -> Store:
        return open_store(_with_secret(wanted) if isinstance(wanted, settings.Bucket) else wanted)

    return Copies(configuration.recordings.directory, journal, str(wanted), open_it, time.time)  # noqa: TID251


def _with_secret(bucket: settings.Bucket) -> Bucket:
    """Return a bucket with its secret key, read anew each time. Raises CopyError."""
    try:
        secret = bucket.secret.read(os.environ) if bucket.secret is not None else ""
    except SecretMissing as error:
        raise CopyError(f"the secret key can't be read: {error}") from None
    return Bucket(bucket.name, bucket.prefix, bucket.endpoint, bucket.region, bucket.access_key, secret)


def chores_of(
    configuration: Configuration,
    journal: Journal,
    archive: Archive,
    watch: ClockWatch,
    copies: Copies | None,
) -> list[Chore]:
    """What is done by itself, now and then."""
    settings = configuration.recordings
    make_room = archive.make_room if settings.when_full == "oldest_first" else None
    room = partial(room_of, settings.directory)
    chores: list[Chore] = [
        ClockChore(watch, look, archive),
        PurgeChore(archive),
        CatalogueChore(archive),
        Disk(settings.directory, settings.warn_days, room, make_room),
    ]
    if copies is not None:
        chores.append(copies)
    if settings.timestamp is not None:
        authority = Authority(
            settings.timestamp.url, settings.timestamp.ca_file, settings.timestamp.every_seconds
        )
        chores.append(Stamps(journal, authority, post))
    return chores
