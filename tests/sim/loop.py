"""The virtual world's event loop: asyncio whose time jumps to the next timer.

Nothing here waits. When callbacks are ready they run at the present instant; when none is, the clock jumps to
the next timer; when there is no timer either, nothing can ever happen again and the loop says so:

    ready callbacks ──> run them                    (time stands still)
    none, a timer   ──> time = when the timer is due
    none, no timer  ──> Deadlock, with what every task waits for

asyncio.sleep, timeout, TaskGroup, Queue and Event work as they are. Sockets, threads, signals and processes
don't exist here: asking for one raises RealInputOutput.
"""

from __future__ import annotations

import asyncio
import heapq
import linecache
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextvars import Context
from types import FrameType
from typing import Any, NoReturn, TypeVarTuple

Ts = TypeVarTuple("Ts")

START_SECONDS = 1_000.0
"""The first instant: not zero, so that code that takes 0.0 for "no time" is found out."""

MAX_ROUNDS = 1_000_000
MAX_ROUNDS_AT_ONE_INSTANT = 20_000


class Deadlock(Exception):
    """Nothing is ready and no timer is set: what is awaited can never happen."""


class Livelock(Exception):
    """Callbacks go on and on: time stands still, or the scenario never ends."""


class LostError(Exception):
    """A callback or a task raised and nobody looked; the cause is the exception itself."""


class RealInputOutput(Exception):
    """Something asked the virtual loop for a socket, a thread, a process or a signal."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop that never waits.

    time(): virtual seconds, START_SECONDS at first.
    Out of run_until_complete come, besides what the coroutine raises: Deadlock, Livelock when max_rounds
    turns were not enough (or 20,000 at one instant), and LostError as soon as a callback has raised or a
    failed task was forgotten.
    """

    # Declared here because typeshed knows only the public face of BaseEventLoop; the names have been the
    # same since Python 3.4.
    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float
    _check_closed: Callable[[], None]

    def __init__(self, *, max_rounds: int = MAX_ROUNDS) -> None:
        super().__init__()
        self._seconds = START_SECONDS
        self._clock_resolution = 1e-9
        self._selector = _Jump(self, max_rounds)
        self._timers_set = 0
        self._thread = threading.get_ident()
        self.lost: list[LostError] = []
        self._tasks: weakref.WeakSet[asyncio.Future[Any]] = weakref.WeakSet()
        self.set_exception_handler(_keep_lost)
        self.set_task_factory(_remembering_task)

    def time(self) -> float:
        return self._seconds

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's, but timers for one instant run in the order in which they were set."""
        self._check_closed()
        timer = _Timer(when, callback, args, self, context)
        timer.number = self._timers_set = self._timers_set + 1
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def timers(self) -> list[asyncio.TimerHandle]:
        """The timers that are set and not cancelled, the next one first."""
        return sorted(handle for handle in self._scheduled if not handle.cancelled())

    def jump(self) -> None:
        """Move the clock to the next timer. Raises Deadlock when there is none."""
        timers = self._scheduled
        if not timers:
            raise Deadlock(f"nothing can happen any more at {self._seconds:.6f} s\n{self.waiting()}")
        # The timer's own instant, and not now + delay, which can fall short by a rounding error.
        self._seconds = max(self._seconds, timers[0].when())

    def waiting(self) -> str:
        """One line for every task that isn't done: its name, where it waits and for what."""
        tasks = sorted(asyncio.all_tasks(self), key=lambda task: task.get_name())
        return "\n".join(f"  {task.get_name()}: {_where(task)}" for task in tasks) or "  no task is left"

    def remember(self, task: asyncio.Future[Any]) -> None:
        """Look at this task's end in check_lost()."""
        self._tasks.add(task)

    def check_lost(self) -> None:
        """Raise LostError if a callback, or a task whose result nobody asked for, has failed.

        asyncio tells of such a task only when it is collected, which may be long after the scenario.
        """
        for task in self._tasks:
            if task.done() and not task.cancelled() and getattr(task, "_log_traceback", False):
                error = task.exception()
                raise LostError(f"nobody asked for the result of {task!r}") from error
        if self.lost:
            raise self.lost.pop(0)

    def finish(self) -> None:
        """Cancel what is left, let it end, and close. Raises Livelock for tasks that refuse to end."""
        self.lost.clear()
        self._selector = _Jump(self, 10_000)  # turns of its own: a livelock may have used up the others
        for _ in range(100):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in tasks:
                task.cancel("the virtual world ends")
            for _ in range(10):
                # stop() before run_forever: exactly one turn, and a turn that is stopping never jumps.
                self.stop()
                self.run_forever()
                self.lost.clear()
        else:
            raise Livelock(f"these tasks refuse to be cancelled\n{self.waiting()}")
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()

    # What BaseEventLoop asks of its subclasses.

    def _process_events(self, event_list: list[object]) -> None:
        assert not event_list, "the virtual selector reports nothing"

    def _write_to_self(self) -> None:
        """call_soon_threadsafe wakes the selector through this; ours never sleeps."""
        if threading.get_ident() != self._thread:
            _refuse("thread (call_soon_threadsafe from one)")


class _Timer(asyncio.TimerHandle):
    """asyncio's heap leaves the order of equal instants open; a world that can be replayed doesn't."""

    _scheduled: bool
    number = 0

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        return (self.when(), self.number) < (other.when(), other.number)


class _Jump:
    """Stands where the selector stands: asked to wait, it moves the clock instead."""

    def __init__(self, loop: VirtualLoop, max_rounds: int) -> None:
        self._loop = loop
        self._rounds_left = max_rounds
        self._rounds_at_this_instant = 0

    def select(self, timeout: float | None) -> list[object]:
        """Take the loop's turn; timeout is 0 when something is ready and None when no timer is set."""
        if self._loop.lost:
            raise self._loop.lost.pop(0)
        self._rounds_left -= 1
        self._rounds_at_this_instant += 1
        if timeout != 0:
            self._loop.jump()
            self._rounds_at_this_instant = 0
        if self._rounds_left < 0:
            raise Livelock(f"the scenario doesn't end\n{self._loop.waiting()}")
        if self._rounds_at_this_instant > MAX_ROUNDS_AT_ONE_INSTANT:
            raise Livelock(f"time stands still at {self._loop.time():.6f} s\n{self._loop.waiting()}")
        return []


def _keep_lost(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    assert isinstance(loop, VirtualLoop)
    cause = context.get("exception")
    source = context.get("handle") or context.get("task") or context.get("future") or ""
    lost = LostError(f"{context.get('message')}: {cause!r} {source}")
    lost.__cause__ = cause
    loop.lost.append(lost)


def _remembering_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,
) -> asyncio.Future[Any]:
    assert isinstance(loop, VirtualLoop)
    task = asyncio.Task(coroutine, loop=loop, **options)
    loop.remember(task)
    return task


def _refuse(what: str) -> NoReturn:
    raise RealInputOutput(f"the virtual world has no {what}; tests.sim.network has hosts and links")


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        _refuse(f"{_REAL[name]} ({name})")

    return refuse


_REAL = {
    "run_in_executor": "thread",  # also to_thread, getaddrinfo and getnameinfo
    "add_reader": "file descriptor",
    "add_writer": "file descriptor",
    "remove_reader": "file descriptor",
    "remove_writer": "file descriptor",
    "connect_read_pipe": "pipe",
    "connect_write_pipe": "pipe",
    "add_signal_handler": "signal",
    "create_connection": "socket",
    "create_datagram_endpoint": "socket",
    "create_server": "socket",
    "create_unix_connection": "socket",
    "create_unix_server": "socket",
    "connect_accepted_socket": "socket",
    "sock_accept": "socket",
    "sock_connect": "socket",
    "sock_recv": "socket",
    "sock_recv_into": "socket",
    "sock_recvfrom": "socket",
    "sock_recvfrom_into": "socket",
    "sock_sendall": "socket",
    "sock_sendto": "socket",
    "sock_sendfile": "socket",
    "subprocess_exec": "process",
    "subprocess_shell": "process",
}
for _name in _REAL:
    setattr(VirtualLoop, _name, _refusal(_name))


def _where(task: asyncio.Task[Any]) -> str:
    """The deepest line of the task's own code that waits, as `function (file:line) source`."""
    place = "hasn't started, or is about to go on"
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame: FrameType | None = getattr(waiting, "cr_frame", None)
        if frame is not None and "/asyncio/" not in frame.f_code.co_filename:
            path, number = frame.f_code.co_filename, frame.f_lineno
            name = "/".join(path.rsplit("/", 3)[1:])
            place = f"in {frame.f_code.co_name} ({name}:{number}) {linecache.getline(path, number).strip()}"
        waiting = getattr(waiting, "cr_await", None)
    return place
