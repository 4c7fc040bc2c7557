"""Settings in the journal: what was said last holds, however often the worker folds and processes die."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.journal import Journal, fold_bindings, read_state, recover
from pbx.records import ForwardSetting, OverrideRecord, PersonSettings, Record, SetBy
from tests.pbx.node.test_reserve import full, killed
from tests.pbx.sample_records import bindings

NOW = 1_700_000_000.0

set_by = st.builds(SetBy, st.sampled_from(["1001", "root"]), st.floats(1e9, 2e9))
forwards = st.builds(
    ForwardSetting,
    st.sampled_from(["always", "busy", "no_answer", "unreachable"]),
    st.sampled_from(["", "2020", "+33612345678"]),
    set_by,
    st.integers(0, 300),
    st.lists(st.sampled_from(["inside", "+33", "2301"]), max_size=2).map(tuple),
    st.sampled_from([(), ("mon-fri 12:00-14:00",)]),
)
people = st.builds(
    PersonSettings,
    st.sampled_from(["1001", "1002", "2010"]),
    st.lists(forwards, max_size=3).map(tuple),
    st.none() | set_by,
)
overrides = st.builds(
    OverrideRecord,
    st.sampled_from(["service", "schedule"]),
    st.sampled_from(["standard", "bureau"]),
    st.booleans(),
    st.sampled_from([0.0, NOW + 60, NOW + 86_400]),
    st.sampled_from(["", "2020"]),
    set_by,
)
# None: the process dies and another one begins, which closes a segment; then the worker folds.
steps = st.lists(people | overrides | st.none() | st.just(bindings(1)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_however_it_is_folded_the_last_word_holds(said: list[Record | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "journal"
        journal = Journal(directory)
        last_people: dict[str, PersonSettings] = {}
        last_overrides: dict[tuple[str, str], OverrideRecord] = {}
        for record in said:
            if record is None:
                journal.close()
                fold_bindings(directory, NOW)
                journal = Journal(directory)
                continue
            journal.append(record)
            journal.flush()
            if isinstance(record, PersonSettings):
                last_people[record.extension] = record
            elif isinstance(record, OverrideRecord):
                last_overrides[record.kind, record.name] = record
        journal.close()
        for recovered in (read_state(directory), recover(directory)):
            assert recovered.settings == {key: one for key, one in last_people.items() if one}
            lasting = {key: one for key, one in last_overrides.items() if one.until > NOW}
            assert {key: one for key, one in recovered.overrides.items() if one.until > NOW} == lasting
            assert recovered.problems == []


def test_folding_leaves_out_what_is_over_and_keeps_the_bindings(tmp_path: Path) -> None:
    who = SetBy("1001", NOW)
    directory = tmp_path / "journal"
    journal = Journal(directory, segment_bytes=1)
    for record in (
        bindings(1),
        PersonSettings("1001", (), who),
        PersonSettings("1001"),
        PersonSettings("2010", (), who),
        OverrideRecord("service", "standard", False, NOW - 1, "", who),
        OverrideRecord("service", "secours", False, NOW + 1, "", who),
        bindings(2),
    ):
        journal.append(record)
        journal.flush()
    journal.close()
    fold_bindings(directory, NOW)
    recovered = recover(directory)
    assert list(recovered.settings) == ["2010"]
    assert list(recovered.overrides) == [("service", "secours")]
    assert len(recovered.bindings) == 2


def test_reading_beside_a_node_changes_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    journal = Journal(directory)
    journal.append(PersonSettings("1001", (), SetBy("1001", NOW)))
    journal.flush()
    (segment,) = directory.glob("bindings-*.seg")
    with segment.open("ab") as file:
        file.write(b"half a fra")  # as the node is writing it
    size = segment.stat().st_size
    assert list(read_state(directory).settings) == ["1001"]
    assert segment.stat().st_size == size
    journal.close()


def test_what_was_set_on_a_full_disk_outlives_a_kill(tmp_path: Path) -> None:
    who = SetBy("1001", NOW)
    closed = OverrideRecord("service", "standard", False, NOW + 60, "2020", who)
    journal, _ = full(tmp_path / "j", PersonSettings("1001", (), who), closed)
    killed(journal)
    recovered = recover(tmp_path / "j")
    assert recovered.settings == {"1001": PersonSettings("1001", (), who)}
    assert recovered.overrides == {("service", "standard"): closed}


def test_a_journal_without_settings_reads_as_none(tmp_path: Path) -> None:
    assert read_state(tmp_path / "nowhere").settings == {}


def test_a_field_that_a_later_version_adds_is_passed_over() -> None:
    kept = PersonSettings("1001", (), SetBy("1001", NOW))
    later = msgspec.msgpack.encode([*msgspec.to_builtins(kept), "something new"])
    assert msgspec.msgpack.decode(later, type=PersonSettings) == kept


def test_what_an_older_version_wrote_is_read() -> None:
    older = msgspec.msgpack.encode(["settings", "1001", [], ["1001", NOW]])
    assert msgspec.msgpack.decode(older, type=PersonSettings) == PersonSettings(
        "1001", (), SetBy("1001", NOW)
    )


@pytest.mark.parametrize("empty", [PersonSettings("1001"), PersonSettings("1001", ())])
def test_settings_that_say_nothing_are_false(empty: PersonSettings) -> None:
    assert not empty
