"""Hot desks: a device that is somebody else's for a while, with their calls, rights, number and lamps.

    1001 dials *20*1001 on the device of 1002, and enters a PIN
    ──> the device rings for 1001, calls as 1001, is 1001's on lamps; it signs in as 1002 all the while
    ──> until #20#, until 1001 takes another device, or until the hour that the plan names (`hot_desk:`)

Where the device is doesn't change: an emergency call from it shows its own site. Each change is in the
journal before anybody is told of it. A device is used by its own person when nothing else is said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pbx.events import HotDeskChanged
from pbx.people.settings import SettingRefused
from pbx.records import Personal, SeatRecord, SetBy

if TYPE_CHECKING:
    from dialplan.plan import Plan
    from pbx.exchange import Exchange
    from pbx.people.devices import Device

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0

_NOBODY = {"fr": "Ce numéro n'appartient à personne.", "en": "Nobody has this number."}
_NO_DEVICE = {"fr": "Ce poste n'est pas connu.", "en": "This telephone is not known."}
_OWN = {"fr": "Ce poste n'est prêté à personne.", "en": "Nobody is logged in on this telephone."}
_NOT_NOW = {"fr": "Le réglage n'a pas pu être enregistré.", "en": "This could not be saved."}


class Seats:
    """Who uses whose device at one node."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._seats: dict[str, SeatRecord] = {}
        self.deadline: float | None = None  # of the next seat that ends by itself
        self.armed: float | None = None

    def restore(self, records: Iterable[Personal]) -> None:
        """Take what a process before has written."""
        now = self._exchange.clock()
        self._seats = {
            one.device: one
            for one in records
            if isinstance(one, SeatRecord) and one.extension and one.lasts(now)
        }
        self.reloaded()

    def of(self, device: str) -> SeatRecord | None:
        """Who uses a device that isn't their own; None where nobody does."""
        return self._seats.get(device)

    def everybody(self) -> list[SeatRecord]:
        """Who is where, by device."""
        return sorted(self._seats.values(), key=lambda seat: seat.device)

    def take(self, sign_in: str, extension: str, by: str) -> None:
        """Let a person use a device, and no other one that isn't their own. Raises SettingRefused."""
        exchange = self._exchange
        device = self._device(sign_in)
        if extension not in exchange.plan.people:
            raise SettingRefused("person", _NOBODY, f"nobody has {extension[:40]}")
        for seat in [seat for seat in self._seats.values() if seat.extension == extension]:
            if seat.device != sign_in:
                self.give_back(seat.device, by)
        if device.owner == extension:
            if sign_in in self._seats:
                self.give_back(sign_in, by)
            return
        until = end_of(exchange.plan, exchange.clock())
        record = SeatRecord(sign_in, extension, until, SetBy(by[:64], exchange.clock()))
        self._write(record)
        self._seats[sign_in] = record
        self._use(device, extension)
        self._told(sign_in, extension, by)

    def give_back(self, sign_in: str, by: str) -> None:
        """A device is its own person's again. Raises SettingRefused where it is already."""
        device = self._exchange.devices.find(sign_in)
        if sign_in not in self._seats:
            raise SettingRefused("nothing", _OWN, f"nobody uses {sign_in[:60]} but its own person")
        self._write(SeatRecord(sign_in, "", 0.0, SetBy(by[:64], self._exchange.clock())))
        del self._seats[sign_in]
        if device is not None:
            self._use(device, device.owner)
        self._told(sign_in, device.owner if device is not None else "", by)

    def reloaded(self) -> None:
        """The devices were loaded anew: who uses which is said again."""
        exchange = self._exchange
        for seat in self._seats.values():
            device = exchange.devices.find(seat.device)
            if device is not None and seat.extension in exchange.plan.people:
                self._use(device, seat.extension)
        self._watch()

    def fire(self, now: float) -> None:
        """The plan's hour has come for some (sip.core.timers)."""
        unix_now = self._exchange.clock()
        for seat in [seat for seat in self._seats.values() if seat.until and seat.until <= unix_now + 0.5]:
            with suppress(SettingRefused):  # the disk is full: it is tried again
                self.give_back(seat.device, "plan")
        self._watch()

    def _use(self, device: Device, extension: str) -> None:
        exchange, before = self._exchange, device.extension
        exchange.devices.use(device, extension)
        for each in {before, extension}:
            exchange.subscriptions.presences.bindings_changed(each)

    def _told(self, sign_in: str, extension: str, by: str) -> None:
        exchange = self._exchange
        self._watch()
        log.info("device=%s user=%s by=%s", sign_in, extension, by)
        exchange.events.publish(HotDeskChanged, sign_in, extension, by)
        exchange.subscriptions.device_changed_hands(sign_in, exchange.driver.now)

    def _watch(self) -> None:
        ends = [seat.until for seat in self._seats.values() if seat.until]
        exchange = self._exchange
        offset = exchange.clock() - exchange.driver.now
        self.deadline = max(min(ends) - offset, exchange.driver.now + AGAIN_SECONDS) if ends else None
        exchange.core.stack.timers.arm(self)
        exchange.driver.wake()

    def _device(self, sign_in: str) -> Device:
        device = self._exchange.devices.find(sign_in)
        if device is None:
            raise SettingRefused("device", _NO_DEVICE, f"no device signs in as {sign_in[:60]}")
        return device

    def _write(self, record: SeatRecord) -> None:
        """Write a change down before it holds. Raises SettingRefused."""
        journal = self._exchange.journal
        if journal.exhausted:
            raise SettingRefused("disk", _NOT_NOW, "the disk is full: nothing more can be kept")
        journal.append(record)
        journal.flush()


def end_of(plan: Plan, unix_now: float) -> float:
    """When a seat that is taken now ends by itself, in Unix seconds: at the plan's hour; 0 for never."""
    if not plan.hot_desk_ends:
        return 0.0
    zone = ZoneInfo(plan.timezone)
    now = datetime.fromtimestamp(unix_now, UTC).astimezone(zone)
    end = datetime.combine(now.date(), time.fromisoformat(plan.hot_desk_ends), zone)
    if end <= now:
        end = datetime.combine(now.date() + timedelta(days=1), end.time(), zone)
    return end.timestamp()
