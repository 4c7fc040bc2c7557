"""Texts in the journal: those that wait are there, however often the worker folds and processes die."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.journal import Journal, fold_bindings, read_state, recover
from pbx.records import TextOverRecord, TextRecord
from tests.pbx.node.test_reserve import full, killed
from tests.pbx.sample_records import bindings

NOW = 1_700_000_000.0


def text(number: int, body: bytes = "Réunion à 11 h".encode()) -> TextRecord:
    return TextRecord(
        number, "1002", "1001-app", "1001", "Alice", "text/plain;charset=UTF-8", body, NOW, NOW + 60
    )


# True: written, False: over, None: the process dies and another one begins; then the worker folds.
steps = st.lists(st.tuples(st.integers(1, 5), st.booleans()) | st.none(), max_size=40)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_however_it_is_folded_those_that_wait_are_there(done: list[tuple[int, bool] | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "journal"
        journal = Journal(directory)
        wait: dict[int, TextRecord] = {}
        for step in done:
            if step is None:
                journal.close()
                fold_bindings(directory, NOW + 3600)
                journal = Journal(directory)
                continue
            number, written = step
            journal.append(text(number) if written else TextOverRecord(number))
            journal.append(bindings(1))
            journal.flush()
            if written:
                wait[number] = text(number)
            else:
                wait.pop(number, None)
        journal.close()
        assert read_state(directory).texts == recover(directory).texts == wait


def test_a_text_that_was_acknowledged_on_a_full_disk_outlives_a_kill(tmp_path: Path) -> None:
    odd = text(2, b"\xff\x00 \r\n")
    journal, _ = full(tmp_path / "j", text(1), odd)
    killed(journal)
    assert recover(tmp_path / "j").texts == {1: text(1), 2: odd}
