"""Records that an older version wrote are read as they are."""

from __future__ import annotations

import msgspec

from pbx.ongoing import OngoingCall, OngoingLeg
from pbx.records import CallRecord, LegRecord, printable

LEG = ["1001", "192.0.2.1:5060", "udp", "PCMA", 1.0, 2.0, 9.0, "hung up"]
CALL = ["call", "0001", 1.0, 2.0, 9.0, "internal", "1001", "Alice Martin", "1002", "1002", "completed", "v1"]


def test_a_call_of_before_there_were_intervals_is_read_without_any():
    read = msgspec.msgpack.decode(msgspec.msgpack.encode([*CALL, [LEG]]), type=CallRecord)
    assert (read.intervals, read.parents, read.plan_lines) == ((), (), ())
    (leg,) = read.legs
    assert leg == LegRecord("1001", "192.0.2.1:5060", "udp", "PCMA", 1.0, 2.0, 9.0, "hung up")
    assert printable(read)["intervals"] == []


def test_a_call_in_progress_of_before_is_read_too():
    leg = ["a", "1001", "UDP", ["192.0.2.1", 5060], False, 1.0, 2.0, None, "", "PCMA", None]
    call = ["1", 1.0, "internal", "1001", "Alice", "1002", "1002", "", "", "v1", 70, None, None, None, [leg]]
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(call), type=OngoingCall)
    assert (read.intervals, read.held, read.muted) == ((), (), ())
    (kept,) = read.legs
    assert isinstance(kept, OngoingLeg)
    assert (kept.reached, kept.via) == ("", "")
