"""What the recorder's process does by itself is what the node's configuration says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pbx.configuration import Configuration, parse_configuration
from pbx.recorder_process import chores_of, copies_of
from recording.archive.archive import Archive
from recording.archive.catalogue import Catalogue
from recording.archive.clock import ClockWatch
from recording.archive.purge import path_of
from recording.keys import KeyStore
from recording.live.wire import Trouble
from recording.proof.journal import Journal
from recording.retention import ClockSeen
from recording.safekeeping.copies import Copies
from tests.recording.sealed import NODE, ended, plains, sealed
from tests.recording.tiny_s3 import served

BUCKET = "copy_to: 's3://calls/valmont', s3: {{endpoint: '{url}', access_key: town, secret_key: {secret}}}"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal", NODE)) as made:
        yield made


def configured(folder: Path, recordings: str) -> Configuration:
    return parse_configuration(f"data_dir: .\nrecordings: {{{recordings}}}\n", folder / "beffroi.yaml")


def recorded(configuration: Configuration, journal: Journal) -> Path:
    """A recording that has ended; returns its file."""
    path = path_of(configuration.recordings.directory, "202611-1")
    path.parent.mkdir(parents=True)
    ended(journal, sealed(path.parent, "202611-1", plains(2)))
    return path


def copying(configuration: Configuration, journal: Journal) -> Copies:
    made = copies_of(configuration, journal)
    assert made is not None
    return made


@pytest.mark.parametrize("secret", ["{file: s3.secret}", "{env: S3_SECRET_KEY}"])
def test_copies_go_to_the_bucket_with_the_secret_key_that_is_elsewhere(
    secret: str, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with served() as s3:
        configuration = configured(tmp_path, BUCKET.format(url=s3.url, secret=secret))
        path = recorded(configuration, journal)
        with closing(copying(configuration, journal)) as copies:
            (told,) = copies.turn(0.0)
            assert isinstance(told, Trouble)
            assert "the secret key" in told.why
            (tmp_path / "s3.secret").write_text("hushhush\n")
            monkeypatch.setenv("S3_SECRET_KEY", "hushhush")
            copies.turn(1000.0)
        assert s3.objects["/calls/valmont/202611/202611-1.sealed"] == path.read_bytes()


def test_copies_go_to_a_folder(journal: Journal, tmp_path: Path):
    (tmp_path / "nas").mkdir()
    configuration = configured(tmp_path, "copy_to: nas")
    path = recorded(configuration, journal)
    with closing(copying(configuration, journal)) as copies:
        assert copies.turn(0.0) == []
    assert (tmp_path / "nas" / "202611" / "202611-1.sealed").read_bytes() == path.read_bytes()


def test_chores_are_those_that_the_configuration_asks_for(journal: Journal, tmp_path: Path):
    def names(recordings: str) -> list[str]:
        configuration = configured(tmp_path, recordings)
        watch, catalogue = ClockWatch(tmp_path), Catalogue(tmp_path / "catalogue.sqlite")
        with closing(catalogue):
            seen = ClockSeen(0.0, 0.0, "boot", synchronised=True)
            keys = KeyStore(tmp_path / "keys")
            archive = Archive(tmp_path, keys, journal, catalogue, watch, lambda: seen)
            copies = copies_of(configuration, journal)
            return [chore.name for chore in chores_of(configuration, journal, archive, watch, copies)]

    always = names("")
    assert {"clock", "purge", "disk"} < set(always)
    stamped = names("copy_to: nas, timestamp: {url: 'https://tsa.example', ca_file: tsa.pem}")
    assert stamped == [*always, "copies", "stamps"]
