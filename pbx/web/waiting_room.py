"""Visitors before their call: from which site each comes, whose turn it is, how often one may call.

    the town's site ──Origin──> a pass, for some minutes ──> a password for one call, or a place in the line
                                                                                        (it asks again)

A pass says for which button and site it was made, and is signed: nothing is kept of who only looks. What is
kept is counted by address for an hour, in memory, and forgotten with it.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from pbx.click_to_call import Button
from pbx.node.sealing import Sealing

PASS_SECONDS: Final = 600
CALLS_OF_PASS: Final = 3  # where the first attempt found every line busy, or no microphone
WAIT_SECONDS: Final = 15.0  # who doesn't ask again for so long has left the line
ON_THE_WAY_SECONDS: Final = 6.0  # from a password to its INVITE
HOUR: Final = 3600.0
MOST_WAITING: Final = 200
MOST_ADDRESSES: Final = 20_000

_PASS = re.compile(r"([a-z0-9-]{1,40})\.([0-9a-f]{24})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


class PassRefused(Exception):
    """A pass isn't ours, is for another button, is over or used up."""


class TooMany(Exception):
    """An address, or everybody together, calls too often. seconds: when to try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many calls")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Pass:
    """A page of a declared site has opened a panel. ends_at: Unix seconds."""

    button: str
    nonce: str
    ends_at: float


class WaitingRoom:
    """The visitors of one node. Times are Unix seconds."""

    def __init__(self, sealing: Sealing) -> None:
        self._key = sealing.key("passes of visitors")
        self._lines: dict[str, OrderedDict[str, float]] = {}  # by button: who waits, and when they asked last
        self._spent: dict[str, tuple[int, float]] = {}  # how many calls each pass has had, and its end
        self._given: dict[str, list[float]] = {}  # by button: when passwords were given, lately
        self._by_address: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def admit(self, button: Button, now: float) -> str:
        """Return a pass for a page of one of the button's sites."""
        text = f"{button.name}.{secrets.token_hex(12)}.{int(now) + PASS_SECONDS}"
        return f"{text}.{self._signature(text)}"

    def read(self, button: Button, given: str, now: float) -> Pass:
        """Return what a pass says. Raises PassRefused."""
        found = _PASS.fullmatch(given)
        if found is None or not hmac.compare_digest(found[4], self._signature(given.rpartition(".")[0])):
            raise PassRefused("this is no pass of ours")
        read = Pass(found[1], found[2], float(found[3]))
        if read.button != button.name or read.ends_at <= now:
            raise PassRefused("this pass is over")
        if self._spent.get(read.nonce, (0, 0.0))[0] >= CALLS_OF_PASS:
            raise PassRefused("this pass is used up")
        return read

    def place(self, button: Button, shown: Pass, in_progress: int, now: float) -> int:
        """Return how many go before a visitor; 0 where it is their turn, and a line is free.

        in_progress: how many visitors call there now.
        """
        line = self._lines.setdefault(button.name, OrderedDict())
        for nonce, asked_at in list(line.items()):
            if now - asked_at > WAIT_SECONDS:
                del line[nonce]
        if shown.nonce not in line and len(line) >= MOST_WAITING:
            raise TooMany(WAIT_SECONDS)
        line[shown.nonce] = now
        given = self._given.setdefault(button.name, [])
        given[:] = [at for at in given if now - at < ON_THE_WAY_SECONDS]
        free = max(button.most_calls - in_progress - len(given), 0)
        before = list(line).index(shown.nonce)
        return 0 if before < free else before - free + 1

    def leave(self, button: Button, shown: Pass) -> None:
        """A visitor waits no more."""
        self._lines.get(button.name, OrderedDict()).pop(shown.nonce, None)

    def count(self, button: Button, shown: Pass, address: str, now: float) -> None:
        """Count a call, or a number that is left, before it is granted. Raises TooMany.

        address: as pbx.web.client.network_of counts it.
        """
        times = self._by_address.setdefault((button.name, address), [])
        times[:] = [at for at in times if now - at < HOUR]
        if len(times) >= button.most_calls_per_visitor:
            raise TooMany(times[0] + HOUR - now)
        times.append(now)
        self._by_address.move_to_end((button.name, address))
        while len(self._by_address) > MOST_ADDRESSES:
            self._by_address.popitem(last=False)
        self._spent = {nonce: kept for nonce, kept in self._spent.items() if kept[1] > now}
        self._spent[shown.nonce] = (self._spent.get(shown.nonce, (0, 0.0))[0] + 1, shown.ends_at)

    def given(self, button: Button, shown: Pass, now: float) -> None:
        """A visitor has a password: a line is theirs."""
        self.leave(button, shown)
        self._given.setdefault(button.name, []).append(now)

    def _signature(self, text: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode().rstrip("=")
