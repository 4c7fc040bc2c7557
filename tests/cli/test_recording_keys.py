"""`beffroi recording keys`: what a disk took comes back, what was purged doesn't."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pbx.cli.reading import now
from pbx.node.keys import node_key
from recording.keys import KeyStore
from recording.proof.journal import Journal, entries
from tests.cli.conftest import Town

DAY = 86_400.0


@pytest.fixture
def store(town: Town) -> KeyStore:
    """Two recordings that ended a day ago, kept for ninety days."""
    settings = town.settings
    settings.recordings.directory.mkdir(parents=True)
    kept = KeyStore(settings.recording_keys_dir)
    yesterday = now().timestamp() - DAY
    with closing(Journal(settings.recordings_journal, node_key(settings.node_key_file))) as journal:
        journal.append(yesterday, "policy", "", "node", policy="pompiers", keep_days=90)
        for name in ("r1", "r2"):
            kept.put(name, name.encode() * 30)
            journal.append(yesterday, "begun", name, "node", policy="pompiers")
            journal.append(yesterday, "ended", name, "node", head="ab")
    return kept


def test_keys_are_backed_up_and_restored_but_those_that_were_purged(
    town: Town, store: KeyStore, tmp_path: Path
):
    file = tmp_path / "keys.backup"
    made = town.run("recording", "keys", "backup", str(file))
    assert made.status == 0
    first, second = made.out.splitlines()
    assert first == f"{file}: 2 keys"
    assert second.startswith("delete it by 2")
    settings = town.settings
    with closing(Journal(settings.recordings_journal, node_key(settings.node_key_file))) as journal:
        journal.append(now().timestamp(), "purging", "r1", "node")
    for name in ("r1", "r2"):
        store.destroy(name)
    restored = town.run("recording", "keys", "restore", str(file), "--why", "a new disk")
    assert (restored.status, restored.out) == (0, "1 key restored; left out: 1 purged\n")
    assert store.recordings() == {"r2"}
    *_, said = entries(settings.recordings_journal, node_key(settings.node_key_file).public_key())
    assert (said.what, said.about["why"]) == ("keys_restored", "a new disk")


def test_date_by_which_a_backup_must_be_deleted_is_told_to_programs_too(
    town: Town, store: KeyStore, tmp_path: Path
):
    told = town.run("recording", "keys", "backup", str(tmp_path / "keys.backup"), "--json").json
    assert told["keys"] == 2
    assert told["delete_by"] - told["first_over"] == pytest.approx(DAY, abs=600)


def test_mistakes_are_told_in_a_sentence(town: Town, store: KeyStore, tmp_path: Path):
    file = tmp_path / "keys.backup"
    file.write_text("nothing")
    refused = town.run("recording", "keys", "backup", str(file))
    assert "is there already" in refused.err
    refused = town.run("recording", "keys", "restore", str(file), "--why", "a new disk")
    assert "is no whole backup of this node's keys" in refused.err
    refused = town.run("recording", "keys", "restore", str(tmp_path / "nothing"), "--why", "a new disk")
    assert refused.err == f"beffroi: {tmp_path / 'nothing'}: No such file or directory\n"
    refused = town.run("recording", "keys", "restore", str(file), "--why", " ")
    assert "say why" in refused.err
    refused = town.run("recording", "keys", "backup", str(tmp_path / "nowhere" / "file"))
    assert "No such file or directory" in refused.err


def test_node_that_never_recorded_has_no_keys_to_back_up(town: Town, tmp_path: Path):
    refused = town.run("recording", "keys", "backup", str(tmp_path / "keys.backup"))
    assert refused.status == 1
    assert "nothing has been recorded" in refused.err
