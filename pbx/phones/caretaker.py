"""What looks after desk telephones: carries waves out, and begins those that nobody has to ask for.

    look ──> survey: what is each telephone to have, where anything has changed since
         ├─> a wave of those that have fetched something else since, unless that is done by hand
         ├─> a wave of those that a stage's hour has come for
         └─> waves: who is back? whom to ask now? ── NOTIFY, by signalling

All that is to be remembered is in the database: another process goes on where this one was.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import sqlalchemy as sa

from dialplan.plan import Plan
from pbx import control
from pbx.phones import shelf, waves
from pbx.phones.freshness import Freshness, all_freshness, want
from pbx.phones.images import Images
from pbx.phones.inventory import settings_state, site_of
from pbx.phones.shelf import Phone
from pbx.phones.waves import BY_ITSELF, Action, Wave
from pbx.store.database import Result, Work
from pbx.store.people import revision
from pbx.store.schema import phone_keys, phone_lines, phone_passwords, phones
from provisioning.brand import Brand
from provisioning.firmware import is_within
from provisioning.waves import Member, Waves

log = logging.getLogger(__name__)

SURVEYED_AT_ONCE: Final = 25
"""Between two looks: rendering them takes about a tenth of a second."""


class Records(Protocol):
    """The database, as `pbx.web.store.Store` has it."""

    async def read(self, work: Work[Result]) -> Result: ...
    async def write(self, work: Work[Result]) -> Result: ...


Ask = Callable[[control.Question], Awaitable[control.Answer]]
Enter = Callable[[str, Mapping[str, str | int]], Awaitable[None]]


@dataclass(frozen=True)
class _Now:
    """How everything is at one look. fleet: telephones that are enrolled; registered, busy: by sign-in."""

    at: float
    hour: int
    fleet: Mapping[str, Phone]
    fresh: Mapping[str, Freshness]
    registered: Mapping[str, str]
    busy: frozenset[str]

    def line(self, phone: Phone) -> str:
        """The line that a telephone is told by, "" where none is registered."""
        return next((line for line in phone.lines if line in self.registered), "")

    def is_busy(self, phone: Phone) -> bool:
        """Whether any of its lines is in a call."""
        return any(line in self.busy for line in phone.lines)


class Caretaker:
    """Of one node. ask: signalling, which raises NotRunningError; enter: into the audit journal, before it is
    done; digest: of what a telephone is to have; by_itself: whether changes are told without being asked.
    """

    def __init__(
        self,
        brands: Mapping[str, Brand],
        records: Records,
        images: Images,
        plan: Callable[[], Plan],
        digest: Callable[[str], Awaitable[str]],
        ask: Ask,
        enter: Enter,
        clock: Callable[[], float],
        *,
        by_itself: bool = True,
    ) -> None:
        self._brands = brands
        self._records = records
        self._images = images
        self._plan = plan
        self._digest = digest
        self._ask = ask
        self._enter = enter
        self._clock = clock
        self._by_itself = by_itself
        self._surveyed: tuple[Plan, int] | None = None
        self._to_survey: list[str] = []
        self._told: dict[str, str] | None = None  # what each was to have when it was asked by itself
        self._call_ids: dict[str, str] = {}

    async def look(self) -> None:
        """Do what is due. Raises DatabaseUnavailableError; NotRunningError while signalling is away."""
        await self._survey()
        going = await self._records.read(waves.running)
        wanted = self._by_itself or bool(self._images.stages)
        if not going and (not wanted or self._to_survey):
            return
        now = await self._now()
        if not now.fleet:
            return
        asked_already = {name for _, members in going for name in members}
        if not self._to_survey:
            await self._begin(now, asked_already)
        for wave, members in going:
            await self._carry_on(wave, members, now)

    # What telephones are to have

    async def _survey(self) -> None:
        plan = self._plan()
        stamp = await self._records.read(_stamp)
        if self._surveyed is None or self._surveyed[0] is not plan or self._surveyed[1] != stamp:
            self._surveyed = (plan, stamp)
            found = await self._records.read(shelf.list_phones)
            self._to_survey = [phone.name for phone in found if phone.stage == "enrolled"]
        now, self._to_survey = self._to_survey[:SURVEYED_AT_ONCE], self._to_survey[SURVEYED_AT_ONCE:]
        if now:
            digests = {name: await self._digest(name) for name in now}
            await self._records.write(lambda connection: want(connection, digests))

    @property
    def is_surveying(self) -> bool:
        """Whether there is more to survey: the next look is soon."""
        return bool(self._to_survey)

    async def _now(self) -> _Now:
        found, fresh = await self._records.read(lambda c: (shelf.list_phones(c), all_freshness(c)))
        fleet = {one.name: one for one in found if one.stage == "enrolled" and one.brand in self._brands}
        lines = [line for phone in fleet.values() for line in phone.lines]
        answer = await self._ask(control.AskPhones(lines))
        assert isinstance(answer, control.PhonesNow)
        busy = frozenset(answer.busy)
        return _Now(self._clock(), self._images.hour(), fleet, fresh, answer.registered, busy)

    # Waves that nobody asks for

    async def _begin(self, now: _Now, asked_already: set[str]) -> None:
        there = [
            phone
            for name, phone in now.fleet.items()
            if name not in asked_already and now.line(phone) and self._brands[phone.brand].told
        ]
        if self._by_itself:
            await self._begin_settings(now, there)
        stopped = await self._records.read(waves.stopped_causes)
        for stage in self._images.stages:
            cause = f"firmware:{stage.sha256}"
            if stopped.get(cause) or not is_within(now.hour, stage.hours):
                continue
            lost = await self._records.read(partial(waves.lost_of, cause=cause))
            meant = [one.name for one in there if one.name not in lost and self._is_due(one, stage.sha256)]
            if meant:
                await self._plan_wave(now.at, "firmware", cause, meant, stage.hours)

    async def _begin_settings(self, now: _Now, there: list[Phone]) -> None:
        """Each telephone once for each thing that it is to have: one that doesn't fetch is left in peace."""
        behind = {phone.name: self._state(phone, now) for phone in there if self._is_behind(phone, now)}
        if self._told is None:
            stopped = (await self._records.read(waves.stopped_causes)).get(BY_ITSELF)
            self._told = dict(behind) if stopped else {}
        told = self._told
        meant = [name for name, state in behind.items() if told.get(name) != state]
        if meant:
            told.update({name: behind[name] for name in meant})
            await self._plan_wave(now.at, "resync", BY_ITSELF, meant, (0, 24))

    async def _plan_wave(
        self, at: float, action: Action, cause: str, names: list[str], hours: tuple[int, int]
    ) -> None:
        await self._enter("phone.wave", {"action": action, "cause": cause[:30], "phones": len(names)})
        wave = Wave(begun_at=at, action=action, cause=cause, hours=hours)
        made = await self._records.write(lambda connection: waves.plan_wave(connection, wave, names))
        log.info("wave=%d action=%s cause=%s phones=%d", made.id, action, cause, len(names))

    def _is_behind(self, phone: Phone, now: _Now) -> bool:
        return settings_state(phone, now.fresh.get(phone.name, Freshness())) == "to_come"

    def _state(self, phone: Phone, now: _Now) -> str:
        return f"{now.fresh[phone.name].wanted} {'rotates' if phone.rotates else ''}"

    def _is_due(self, phone: Phone, sha256: str) -> bool:
        """Whether a telephone is to load this image now."""
        image = self._images.wanted(phone, site_of(phone, self._plan()))
        return image is not None and image.sha256 == sha256 and image.version != phone.version

    # Waves that go on

    async def _carry_on(self, wave: Wave, members: dict[str, Member], now: _Now) -> None:
        known = {name: member for name, member in members.items() if name in now.fleet}
        course = Waves.restored(known, wave.size, wave.back_seconds)
        course.stopped = wave.stopped
        for name, member in known.items():
            if member.state == "asked" and self._is_back(wave, now.fleet[name], member, now):
                course.back(name, now.at)
        due = []
        if is_within(now.hour, wave.hours):
            busy = {name for name in known if self._must_wait(wave, now.fleet[name], now)}
            away = {name for name in known if self._is_away(now.fleet[name], now)}
            due = course.due(now.at, busy, away)
        else:
            course.give_up(now.at)
        # Written down before anybody is told: whoever is killed in between tells nobody twice.
        over_at = now.at if course.over else 0.0
        changed = {name: member for name, member in course.members.items() if known[name] != member}
        await self._records.write(
            lambda connection: waves.keep_wave(
                connection, wave, changed, stopped=course.stopped, over_at=over_at
            )
        )
        if course.stopped and not wave.stopped:
            log.error("wave=%d stopped: %s", wave.id, course.stopped)
            await self._enter("phone.wave_stopped", {"wave": wave.id, "why": course.stopped})
            await self._ask(control.TellWaveStopped(wave.id, wave.action, course.stopped))
        for name in due:
            await self._tell(wave, now.fleet[name], course, now)
        untold = {name: course.members[name] for name in due if course.members[name].state != "asked"}
        if untold:
            await self._records.write(
                lambda connection: waves.keep_wave(connection, wave, untold, stopped="", over_at=0.0)
            )

    async def _tell(self, wave: Wave, phone: Phone, course: Waves, now: _Now) -> None:
        brand, line = self._brands[phone.brand], now.line(phone)
        self._call_ids[phone.name] = now.registered[line]
        how = brand.restart if wave.action == "restart" else brand.resync
        answer = await self._ask(control.NotifyDevices([line], how.event, how.content_type, how.body))
        assert isinstance(answer, control.DevicesTold)
        if not answer.told:
            course.not_told(phone.name, "waiting" if answer.busy else "away", now.at)

    def _is_back(self, wave: Wave, phone: Phone, member: Member, now: _Now) -> bool:
        if wave.action == "firmware":
            image = self._images.wanted(phone, site_of(phone, self._plan()))
            return image is None or image.version == phone.version
        if now.fresh.get(phone.name, Freshness()).fetched_at > member.asked_at:
            return True
        # RFC 3261 section 10.2.4: another Call-ID is that of a telephone that has started anew.
        before, after = self._call_ids.get(phone.name, ""), now.registered.get(now.line(phone), "")
        return wave.action == "restart" and bool(before and after) and before != after

    def _must_wait(self, wave: Wave, phone: Phone, now: _Now) -> bool:
        if now.is_busy(phone):
            return True
        if wave.action != "firmware":
            return False
        site = site_of(phone, self._plan())
        is_wanted = self._images.wanted(phone, site) is not None
        return is_wanted and self._images.for_phone(phone, site, "") is None  # its stage's hour hasn't come

    def _is_away(self, phone: Phone, now: _Now) -> bool:
        return not now.line(phone) or not self._brands[phone.brand].told


def _stamp(connection: sa.Connection) -> int:
    """Return what changes with anything of the database that telephones' files are made of."""
    columns = phones.c
    made_of: list[sa.Column[Any]] = [
        *(columns.name, columns.brand, columns.model, columns.stage, columns.site, columns.old_tls),
        *(columns.own_settings, columns["keys"], columns.rotates),
    ]
    everything: list[sa.Select[Any]] = [
        sa.select(*made_of).order_by(columns.name),
        sa.select(phone_lines).order_by(phone_lines.c.phone, phone_lines.c.position),
        sa.select(phone_keys).order_by(phone_keys.c.extension),
        sa.select(phone_passwords.c.sign_in, phone_passwords.c.made_at).order_by(phone_passwords.c.sign_in),
    ]
    rows = [tuple(tuple(row) for row in connection.execute(one)) for one in everything]
    return hash((revision(connection), *rows))
