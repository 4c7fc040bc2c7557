"""What was spent of the plan's budgets: calls and minutes, by budget, by whose count it is, and by window.

A call counts when it begins, on its first trunk; its minutes count while it lasts, and afterwards on the
trunk that carried it. Only the windows of today and yesterday are kept, in `data_dir/spending.json`, so that
a restart forgets nothing. It implements `dialplan.budgets.Spending`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from dialplan.budgets import Budget
from dialplan.country import OutsideNumber
from dialplan.decision import Decision, ToTrunks
from dialplan.plan import Plan
from dialplan.schedule import opening

MOST_COUNTS = 100_000


class KeptSpending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What spending.json holds: calls and minutes by `budget key window`."""

    format: int = 1
    counts: dict[str, tuple[int, float]] = {}


@dataclass(slots=True)
class _Running:
    """A call in progress: its plan's budgets that hold for it, since when it is spoken (Unix seconds)."""

    budgets: tuple[Budget, ...]
    zone: ZoneInfo
    user: str
    trunk: str
    number: str
    began_at: float
    answered_at: Callable[[], float | None]


class Spending:
    """The counts of one node. clock: Unix seconds."""

    def __init__(self, clock: Callable[[], float], kept: KeptSpending | None = None) -> None:
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = dict((kept or KeptSpending()).counts)
        self._running: dict[str, _Running] = {}
        self.changed = False

    # dialplan.budgets.Spending

    def spent(self, budget: Budget, key: str, window: str) -> tuple[int, float]:
        """Calls and minutes that count on a budget in a window, calls in progress included."""
        calls, minutes = self._counts.get(_name(budget, key, window), (0, 0.0))
        now = self._clock()
        for call in self._running.values():
            answered_at = call.answered_at()
            if answered_at is None:
                continue
            for other in call.budgets:
                if (
                    other.name == budget.name
                    and other.key(call.user, call.trunk, call.number) == key
                    and _window(other, call.zone, call.began_at) == window
                ):
                    minutes += (now - answered_at) / 60
        return calls, minutes

    # Calls

    def begin(
        self,
        call_id: str,
        plan: Plan,
        decision: Decision,
        user: str,
        answered_at: Callable[[], float | None],
    ) -> None:
        """An ordinary call outside begins; any other is passed over. user: the caller's extension, or ""."""
        if self._run(call_id, plan, decision, user, self._clock(), answered_at):
            self._add(self._running[call_id], 1, 0.0)

    def resume(
        self,
        call_id: str,
        plan: Plan,
        decision: Decision,
        user: str,
        began_at: float,
        answered_at: Callable[[], float | None],
    ) -> None:
        """Such a call goes on that began at `began_at` in another process: it is counted already."""
        self._run(call_id, plan, decision, user, began_at, answered_at)

    def _run(
        self,
        call_id: str,
        plan: Plan,
        decision: Decision,
        user: str,
        began_at: float,
        answered_at: Callable[[], float | None],
    ) -> bool:
        """Watch the minutes of a call that budgets are for; returns whether it is one."""
        target = decision.target
        if not plan.budgets or not isinstance(target, ToTrunks) or target.emergency:
            return False
        reading = plan.country.read(target.number)
        right = reading.right if isinstance(reading, OutsideNumber) else ""
        instant = datetime.fromtimestamp(began_at, UTC)
        budgets = tuple(
            budget
            for budget in plan.budgets
            if budget.is_for(target.number, right)
            and not (budget.closed and opening(plan.schedules[budget.closed], instant).is_open)
        )
        trunk = target.trunks[0] if target.trunks else ""
        zone = ZoneInfo(plan.timezone)
        self._running[call_id] = _Running(budgets, zone, user, trunk, target.number, began_at, answered_at)
        return True

    def end(self, call_id: str, trunk: str, minutes: float) -> None:
        """A call is over. trunk: the one that carried it, "" for none; minutes: how long it was spoken."""
        call = self._running.pop(call_id, None)
        if call is not None and minutes > 0:
            call.trunk = trunk or call.trunk
            self._add(call, 0, minutes)

    def overdrawn(self) -> dict[str, str]:
        """The calls in progress that have used up a budget's minutes, each with why."""
        found: dict[str, str] = {}
        for call_id, call in self._running.items():
            for budget in call.budgets:
                key = budget.key(call.user, call.trunk, call.number)
                if budget.minutes is None or not key or call.answered_at() is None:
                    continue
                _, minutes = self.spent(budget, key, _window(budget, call.zone, call.began_at))
                if minutes >= budget.minutes:
                    found[call_id] = f"budget {budget.name}: {key} has spoken {minutes:.0f} minutes"
        return found

    def _add(self, call: _Running, calls: int, minutes: float) -> None:
        for budget in call.budgets:
            key = budget.key(call.user, call.trunk, call.number)
            if not key:
                continue
            name = _name(budget, key, _window(budget, call.zone, call.began_at))
            before = self._counts.get(name, (0, 0.0))
            self._counts[name] = (before[0] + calls, before[1] + minutes)
            self.changed = True
        if len(self._counts) > MOST_COUNTS:
            self._forget()

    def kept(self) -> KeptSpending:
        """What is to be written down."""
        self._forget()
        return KeptSpending(counts=dict(self._counts))

    def _forget(self) -> None:
        """Forget the windows before yesterday's; a plan's zone is at most a day away from UTC."""
        today = datetime.fromtimestamp(self._clock(), UTC)
        days = {(today + timedelta(days=days)).strftime("%Y-%m-%d") for days in (-1, 0, 1)}
        self._counts = {
            name: count for name, count in self._counts.items() if name.rpartition(" ")[2][:10] in days
        }

    def __len__(self) -> int:
        return len(self._running)


def _window(budget: Budget, zone: ZoneInfo, unix: float) -> str:
    return budget.window(datetime.fromtimestamp(unix, zone))


def _name(budget: Budget, key: str, window: str) -> str:
    return f"{budget.name} {key} {window}"
