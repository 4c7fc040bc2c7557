"""Who writes beside the files: everything, in order, whatever the disk does."""

from collections.abc import Callable, Iterator
from errno import ENOSPC
from queue import SimpleQueue

import pytest

from recording.live import clerk
from recording.live.clerk import Clerk


class Office:
    """A clerk, what was done, and what it told."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.told: SimpleQueue[str] = SimpleQueue()
        self.clerk = Clerk(self.told.put)

    def job(self, name: str, refused: int = 0) -> Callable[[], None]:
        """A job that the disk refuses some times."""
        left = [refused]

        def do() -> None:
            if left[0]:
                left[0] -= 1
                raise OSError(ENOSPC, "No space left on device")
            self.done.append(name)

        return do


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr(clerk, "RETRY_SECONDS", 0.0)
    made = Office()
    yield made
    made.clerk.stop(30)


def test_what_a_disk_refuses_is_done_later_and_in_order(office: Office):
    office.clerk.give(office.job("first", refused=3))
    office.clerk.give(office.job("second"))
    assert office.told.get(timeout=30) == "No space left on device"
    assert office.told.get(timeout=30) == ""
    assert office.clerk.stop(30)
    assert office.done == ["first", "second"]
    assert office.told.empty()


def test_fault_of_one_job_keeps_no_other_from_being_done(office: Office, caplog: pytest.LogCaptureFixture):
    def fault() -> None:
        raise ValueError("a fault of ours")

    office.clerk.give(fault)
    office.clerk.give(office.job("second"))
    assert office.clerk.stop(30)
    assert office.done == ["second"]
    assert "a fault of ours" in caplog.text


def test_stop_says_when_a_disk_has_refused_to_the_end(office: Office):
    office.clerk.give(office.job("first", refused=10**9))
    assert office.told.get(timeout=30) == "No space left on device"
    assert not office.clerk.stop(30)
