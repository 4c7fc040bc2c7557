"""A journal that can't be gone on with is kept as it is, and calls are recorded all the same."""

from contextlib import closing
from pathlib import Path

from recording.live.set_aside import open_journal
from recording.live.wire import Trouble
from recording.proof.journal import Journal, entries
from tests.recording.sealed import NODE

NOW = 1_795_339_800.0  # 22 November 2026, 09:30:00 UTC
ASIDE = "journal.set-aside-20261122-093000"


def test_journal_whose_last_entry_was_changed_is_kept_and_the_next_one_begins_with_it(tmp_path: Path):
    path = tmp_path / "journal"
    with closing(Journal(path, NODE)) as journal:
        journal.append(1.0, "begun", "r1", "node")
    changed = path.read_bytes().replace(b'"r1"', b'"r2"')
    path.write_bytes(changed)
    journal, (trouble,) = open_journal(path, NODE, NOW)
    journal.close()
    assert (tmp_path / ASIDE).read_bytes() == changed
    (first,) = entries(path, NODE.public_key())
    assert (first.what, first.about["file"]) == ("journal set aside", ASIDE)
    assert isinstance(trouble, Trouble)
    assert trouble.what == "journal"
    assert ASIDE in trouble.why


def test_journal_that_is_whole_is_gone_on_with(tmp_path: Path):
    for number in range(2):
        journal, troubles = open_journal(tmp_path / "journal", NODE, NOW)
        with closing(journal):
            journal.append(1.0, "begun", f"r{number}", "node")
        assert troubles == []
    assert len(list(entries(tmp_path / "journal", NODE.public_key()))) == 2
