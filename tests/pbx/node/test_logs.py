"""The log under a flood."""

from __future__ import annotations

import logging

from pbx.node.logs import MOST_A_SECOND, Bounded


def record(
    created: float, level: int = logging.INFO, text: str = "malformed message from %s"
) -> logging.LogRecord:
    made = logging.LogRecord("sip.core.stack", level, "stack.py", 1, text, ("UDP 192.0.2.1:5060",), None)
    made.created = created
    return made


def written(records: list[logging.LogRecord]) -> list[str]:
    bounded = Bounded()
    return [one.getMessage() for one in records if bounded.filter(one)]


def test_a_flood_of_one_kind_is_bounded_and_counted() -> None:
    lines = written([record(100.0 + number / 1000) for number in range(200)] + [record(107.5), record(108.5)])
    assert lines[:MOST_A_SECOND] == ["malformed message from UDP 192.0.2.1:5060"] * MOST_A_SECOND
    assert lines[MOST_A_SECOND:] == [
        "malformed message from UDP 192.0.2.1:5060 (and 150 more like it before)",
        "malformed message from UDP 192.0.2.1:5060",
    ]


def test_a_flood_hides_no_other_kind() -> None:
    assert written([record(1.0)] * 200 + [record(1.0, text="user=%s wrong credentials")])[-1].startswith(
        "user="
    )


def test_errors_and_what_was_asked_for_are_all_written() -> None:
    for level in (logging.DEBUG, logging.ERROR):
        assert len(written([record(1.0, level)] * 200)) == 200


def test_kinds_without_end_take_no_memory() -> None:
    bounded = Bounded()
    for number in range(5000):
        assert bounded.filter(record(1.0, text=f"kind {number} of %s"))
    assert len(bounded._kinds) <= 1000
