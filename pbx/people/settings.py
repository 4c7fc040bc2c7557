"""What people and operators set by hand, without changing the plan: forwards, do not disturb, pauses,
overrides.

Memory is the authority. Each change is a record in the journal before whoever asked for it is answered; the
next process begins with what was written. The plan's decisions see it through the node's conditions. What was
set by a person whom the plan doesn't have any more is kept, and does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec import structs

from dialplan.decision import ForwardRule, Forwards, Origin, Override
from dialplan.document import did_you_mean, shortened
from dialplan.forwarding import CALLERS, WHENS
from dialplan.plan import Person, Plan
from dialplan.ringing import DEVICES, WAYS
from dialplan.schedule import parse_weekly
from dialplan.targets import TargetRefused, check_forward, check_override
from pbx.events import OverrideChanged, SettingsChanged
from pbx.people.temporary import LONGEST_SECONDS, next_end, without_what_is_over
from pbx.records import (
    ForwardSetting,
    OverrideRecord,
    PauseSetting,
    PersonSettings,
    RingSetting,
    SetBy,
    Switch,
)

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

NEVER = float("inf")
AGAIN_SECONDS = 1.0
LONGEST_RING_SECONDS = 300
LONGEST_OVERRIDE_SECONDS = 366 * 86_400.0
MOST_FORWARDS = 32  # of one person
MOST_WORDS = 16  # of one forward's callers, or hours
MOST_CHARACTERS = 64
SWITCHES = ("anonymous_rejection", "call_waiting")
MOST_PAUSES = 64  # of one person
NO_ANSWER = "no-answer"  # why a service pauses whoever lets it ring
PAUSED_FROM = ("queue", "group")
RING = "ring"
_NO_FORWARDS = Forwards()

_NO_PERSON = {
    "fr": "Ce numéro n'appartient à personne.",
    "en": "Nobody has this number.",
}
_NOT_UNDERSTOOD = {
    "fr": "Ce code n'est pas complet ou n'est pas possible.",
    "en": "This code is not complete, or not possible.",
}
_NO_SERVICE = {
    "fr": "Ce service n'existe pas.",
    "en": "This service does not exist.",
}
_NO_REASON = {
    "fr": "Ce motif de pause n'existe pas.",
    "en": "This reason for a pause does not exist.",
}
_NOT_PAUSED = {
    "fr": "Vous n'étiez pas en pause.",
    "en": "You were not paused.",
}
_NO_MOBILE = {
    "fr": "Votre numéro de mobile n'est pas connu.",
    "en": "Your mobile number is not known.",
}
_NOT_NOW = {
    "fr": "Le réglage n'a pas pu être enregistré.",
    "en": "This could not be saved.",
}


class SettingRefused(Exception):
    """Something can't be set. reason: a word; text: what to say, by language; the message is in English."""

    def __init__(self, reason: str, text: Mapping[str, str], why: str) -> None:
        super().__init__(why)
        self.reason = reason
        self.text = text


class NodeSettings:
    """The settings of one node."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._people: dict[str, PersonSettings] = {}
        self._overrides: dict[tuple[str, str], OverrideRecord] = {}
        self._plan: Plan | None = None  # that the forwards were made for
        self._forwards: dict[str, Forwards] = {}
        self.deadline: float | None = None  # of what ends next by itself
        self.armed: float | None = None

    def restore(self, people: Iterable[PersonSettings], overrides: Iterable[OverrideRecord]) -> int:
        """Take what a process before has written; returns how many people and overrides there are."""
        latest = self._now + LONGEST_OVERRIDE_SECONDS
        now = self._now
        lasting = (without_what_is_over(kept, now) for kept in people if _is_possible(kept))
        self._people = {kept.extension: kept for kept in lasting if kept}
        self._overrides = {(one.kind, one.name): one for one in overrides if self._now < one.until <= latest}
        self._plan = None
        self._exchange.conditions.refresh()
        self._watch()
        return len(self._people) + len(self._overrides)

    # What there is

    def of(self, extension: str) -> PersonSettings:
        """What a person has set."""
        return self._people.get(extension) or PersonSettings(extension)

    def everybody(self) -> list[PersonSettings]:
        """Who has set something, by extension."""
        return sorted(self._people.values(), key=lambda kept: kept.extension)

    def overrides(self) -> list[OverrideRecord]:
        """What is open or closed by hand now, the first to end first."""
        return sorted(
            (one for one in self._overrides.values() if one.until > self._now), key=lambda one: one.until
        )

    def forwards(self) -> dict[str, Forwards]:
        """The forwards in force of those who have set something, by extension."""
        plan = self._exchange.plan
        if plan is not self._plan:
            self._plan = plan
            self._forwards = {
                kept.extension: forwards_in_force(plan, plan.people[kept.extension], kept)
                for kept in self._people.values()
                if kept.extension in plan.people
            }
        return dict(self._forwards)

    def in_force(self, kind: str) -> dict[str, Override]:
        """The overrides of a kind, `service` or `schedule`, by name."""
        plan = self._exchange.plan
        return {one.name: override_of(plan, one) for one in self.overrides() if one.kind == kind}

    @property
    def expires(self) -> float:
        """When the next override ends by itself, in Unix seconds; NEVER where there is none."""
        return min((one.until for one in self._overrides.values() if one.until > self._now), default=NEVER)

    # What people set

    def forward(
        self,
        extension: str,
        when: str,
        to: str,
        by: str,
        *,
        seconds: int = 0,
        callers: tuple[str, ...] = (),
        hours: tuple[str, ...] = (),
        until: float = 0.0,
    ) -> ForwardSetting:
        """Send a person's calls on, in place of what the same `when`, callers and hours said before.

        to: as that person would dial it; the one kept is returned. by: who asks. until: when it ends by
        itself, in Unix seconds, 0 for never. Raises SettingRefused.
        """
        plan = self._exchange.plan
        self._check_person(extension)
        _check_words(when, seconds, callers, hours)
        self._check_until(until)
        try:
            number = check_forward(
                plan, self.forwards(), extension, to, datetime.fromtimestamp(self._now, UTC)
            )
        except TargetRefused as refused:
            raise SettingRefused(refused.reason, refused.text, str(refused)) from None
        setting = ForwardSetting(when, number, self._set_by(by), seconds, callers, hours, until)
        kept = self.of(extension)
        same = (when, callers, hours)
        others = tuple(one for one in kept.forwards if (one.when, one.callers, one.hours) != same)
        if len(others) >= MOST_FORWARDS:
            raise SettingRefused(
                "many", _NOT_NOW, f"{extension} has {MOST_FORWARDS} forwards: clear some first"
            )
        # The narrowest first: the first that holds for a call decides.
        forwards = sorted((setting, *others), key=lambda one: (not one.callers, not one.hours))
        self._keep_person(structs.replace(kept, forwards=tuple(forwards)), by)
        return setting

    def stop_forwarding(self, extension: str, by: str, when: str = "") -> None:
        """Send a person's calls on no more, whatever the plan says. when: "" for all.

        Raises SettingRefused.
        """
        person = self._check_person(extension)
        if when and when not in WHENS:
            raise SettingRefused(
                "when", _NOT_UNDERSTOOD, f'"{shortened(when)}" is none of {", ".join(WHENS)}'
            )
        kept = self.of(extension)
        plans = person.forwards or _NO_FORWARDS
        left = tuple(one for one in kept.forwards if when and one.when != when)
        cancelled = tuple(
            ForwardSetting(each, "", self._set_by(by))
            for each in WHENS
            if when in ("", each) and getattr(plans, each)
        )
        self._keep_person(structs.replace(kept, forwards=left + cancelled), by)

    def do_not_disturb(self, extension: str, on: bool, by: str, until: float = 0.0) -> None:
        """Let a person's devices ring, or not; until Unix seconds, 0 for ever. Raises SettingRefused."""
        self._check_person(extension)
        self._check_until(until)
        set_by = self._set_by(by) if on else None
        ends = until if on else 0.0
        kept = structs.replace(self.of(extension), do_not_disturb=set_by, do_not_disturb_until=ends)
        self._keep_person(kept, by)

    def switch(self, extension: str, what: str, on: bool, by: str) -> None:
        """Switch one of SWITCHES on or off for a person, whatever the plan says. Raises SettingRefused."""
        self._check_person(extension)
        if what not in SWITCHES:
            raise SettingRefused(
                "what", _NOT_UNDERSTOOD, f'"{shortened(what)}" is none of {", ".join(SWITCHES)}'
            )
        switched = Switch(on, self._set_by(by))
        self._keep_person(structs.replace(self.of(extension), **{what: switched}), by)

    def ring(self, extension: str, way: str, by: str) -> None:
        """Let a person's telephones ring in one of `dialplan.ringing.WAYS`, whatever the plan says.

        Raises SettingRefused, for who has no mobile too.
        """
        person = self._check_person(extension)
        if way not in WAYS:
            raise SettingRefused("words", _NOT_UNDERSTOOD, f'"{shortened(way)}" is none of {", ".join(WAYS)}')
        if person.mobile is None and way != DEVICES:
            raise SettingRefused("mobile", _NO_MOBILE, f"{extension} has no mobile number")
        ring = RingSetting(way, self._set_by(by))
        self._keep_person(structs.replace(self.of(extension), ring=ring), by)

    def pause(self, extension: str, by: str, service: str = "", reason: str = "") -> None:
        """Give somebody no calls of a queue or a group until `resume`. service: "" for all of them.

        reason: digits of the plan's `pauses:`, NO_ANSWER, or "". Raises SettingRefused.
        """
        self._check_person(extension)
        plan = self._exchange.plan
        if service and (service not in plan.services or plan.services[service].type not in PAUSED_FROM):
            raise SettingRefused("service", _NO_SERVICE, f"{shortened(service)} is no queue and no group")
        if reason not in ("", NO_ANSWER) and reason not in plan.pauses:
            hint = did_you_mean(reason, plan.pauses)
            raise SettingRefused("reason", _NO_REASON, f'no pause is "{shortened(reason)}"; {hint}')
        kept = self.of(extension)
        others = tuple(one for one in kept.pauses if one.service != service)
        if len(others) >= MOST_PAUSES:
            raise SettingRefused("many", _NOT_NOW, f"{extension} has {MOST_PAUSES} pauses: end some first")
        pauses = (*others, PauseSetting(service, reason, self._set_by(by)))
        self._keep_person(structs.replace(kept, pauses=pauses), by)

    def resume(self, extension: str, by: str, service: str = "") -> None:
        """End somebody's pauses: of one service, or all. Raises SettingRefused where there was none."""
        kept = self.of(extension)
        left = tuple(one for one in kept.pauses if service and one.service != service)
        if left == kept.pauses:
            raise SettingRefused("nothing", _NOT_PAUSED, f"{shortened(extension)} isn't paused there")
        self._keep_person(structs.replace(kept, pauses=left), by)

    def paused(self, extension: str, service: str) -> PauseSetting | None:
        """Why somebody takes no calls of a service now; None where they take them."""
        kept = self._people.get(extension)
        for one in kept.pauses if kept is not None else ():
            if one.service in ("", service):
                return one
        return None

    def clear(self, extension: str, by: str, when: str = "") -> None:
        """Forget what a person has set: what the plan says holds again. Raises SettingRefused.

        when: only their forwards of this kind, one of SWITCHES, or RING, "" for everything.
        """
        kept = self.of(extension)
        if when in (*SWITCHES, RING):
            left = structs.replace(kept, **{when: None})
        elif when:
            forwards = tuple(one for one in kept.forwards if one.when != when)
            left = structs.replace(kept, forwards=forwards)
        else:
            left = PersonSettings(extension)
        if left == kept:
            what = f" for {when}" if when else ""
            raise SettingRefused("nothing", _NO_PERSON, f"{shortened(extension)} has set nothing{what}")
        self._keep_person(left, by)

    # What operators set

    def override(
        self, name: str, by: str, *, is_open: bool, until: float, to: str = "", setter: str = ""
    ) -> OverrideRecord:
        """Open or close a service or a schedule by hand, until an instant in Unix seconds.

        to: where a closed service's calls go; as `setter`, an extension, would dial it where one is given.
        Raises SettingRefused.
        """
        plan, now = self._exchange.plan, self._now
        kind = self._kind_of(name)
        if not now < until <= now + LONGEST_OVERRIDE_SECONDS:
            raise SettingRefused("until", _NOT_UNDERSTOOD, "an override ends in the future, within a year")
        if to and (is_open or kind == "schedule"):
            raise SettingRefused(
                "to", _NOT_UNDERSTOOD, "only the calls of a closed service are sent elsewhere"
            )
        if to:
            try:
                to = check_override(plan, name, to, datetime.fromtimestamp(now, UTC), setter)
            except TargetRefused as refused:
                raise SettingRefused(refused.reason, refused.text, str(refused)) from None
        record = OverrideRecord(kind, name, is_open, until, to, self._set_by(by))
        self._keep_override(record)
        return record

    def end_override(self, name: str, by: str) -> None:
        """A service or a schedule is again as planned. Raises SettingRefused where nothing was set."""
        for kind in ("service", "schedule"):
            found = self._overrides.get((kind, name))
            if found is not None and found.until > self._now:
                self._keep_override(OverrideRecord(kind, name, found.is_open, 0.0, "", self._set_by(by)))
                return
        raise SettingRefused("nothing", _NO_SERVICE, f"{shortened(name)} is as planned already")

    # Ending by itself

    def fire(self, now: float) -> None:
        """Something has come to its end (sip.core.timers)."""
        unix_now = self._now + 0.5
        for kept in self.everybody():
            left = without_what_is_over(kept, unix_now)
            if left != kept:
                with suppress(SettingRefused):  # the disk is full: it is tried again
                    self._keep_person(left, kept.extension)
        self._watch()

    def _watch(self) -> None:
        exchange = self._exchange
        end = next_end(self._people.values())
        offset = exchange.clock() - exchange.driver.now
        self.deadline = None if end is None else max(end - offset, exchange.driver.now + AGAIN_SECONDS)
        exchange.core.stack.timers.arm(self)
        exchange.driver.wake()

    def _check_until(self, until: float) -> None:
        if until and not self._now < until <= self._now + LONGEST_SECONDS:
            raise SettingRefused("until", _NOT_UNDERSTOOD, "it ends in the future, within a year")

    # Keeping

    @property
    def _now(self) -> float:
        return self._exchange.clock()

    def _set_by(self, by: str) -> SetBy:
        return SetBy(by[:MOST_CHARACTERS], self._now)

    def _check_person(self, extension: str) -> Person:
        people = self._exchange.plan.people
        person = people.get(extension)
        if person is None:
            hint = did_you_mean(extension, people)
            raise SettingRefused("person", _NO_PERSON, f"nobody has {shortened(extension)}; {hint}")
        return person

    def _kind_of(self, name: str) -> str:
        plan = self._exchange.plan
        if name in plan.services:
            return "service"
        if name in plan.schedules:
            return "schedule"
        hint = did_you_mean(name, [*plan.services, *plan.schedules])
        raise SettingRefused("service", _NO_SERVICE, f"no service or schedule is {shortened(name)}; {hint}")

    def _keep_person(self, kept: PersonSettings, by: str) -> None:
        self._write(kept)
        extension = kept.extension
        person = self._exchange.plan.people.get(extension)
        self.forwards()  # for the plan of now
        if kept:
            self._people[extension] = kept
        else:
            self._people.pop(extension, None)
        if kept and person is not None:
            self._forwards[extension] = forwards_in_force(self._exchange.plan, person, kept)
        else:
            self._forwards.pop(extension, None)
        self._exchange.conditions.refresh()
        self._watch()
        self._exchange.events.publish(SettingsChanged, extension, by)

    def _keep_override(self, record: OverrideRecord) -> None:
        self._write(record)
        self._overrides = {key: one for key, one in self._overrides.items() if one.until > self._now}
        self._overrides[record.kind, record.name] = record
        self._exchange.conditions.refresh()
        state = "as planned" if record.until <= self._now else "open" if record.is_open else "closed"
        self._exchange.events.publish(
            OverrideChanged, record.kind, record.name, state, record.until, record.to, record.set_by.by
        )

    def _write(self, record: PersonSettings | OverrideRecord) -> None:
        """Write a change down before it holds and before anybody is told. Raises SettingRefused."""
        exchange = self._exchange
        if exchange.journal.exhausted:
            raise SettingRefused("disk", _NOT_NOW, "the disk is full: nothing more can be kept")
        exchange.journal.append(record)
        exchange.journal.flush()


def forwards_in_force(plan: Plan, person: Person, kept: PersonSettings) -> Forwards:
    """What the plan says of a person's forwards, with what they set before it."""
    plans = person.forwards or _NO_FORWARDS
    zone = ZoneInfo(plan.timezone)
    set_by = kept.do_not_disturb
    rejection, waiting = kept.anonymous_rejection, kept.call_waiting
    return replace(
        plans,
        do_not_disturb=set_by is not None,
        rules=tuple(_rule(one, zone) for one in kept.forwards),
        origin=_origin(set_by, zone) if set_by is not None else None,
        rejects_anonymous=rejection.on if rejection is not None else plans.rejects_anonymous,
        call_waiting=waiting.on if waiting is not None else plans.call_waiting,
        ring=kept.ring.way if kept.ring is not None else "",
    )


def override_of(plan: Plan, record: OverrideRecord) -> Override:
    """An override as the plan's decisions see it."""
    zone = ZoneInfo(plan.timezone)
    until = datetime.fromtimestamp(record.until, zone)
    return Override(record.is_open, until, record.to, _origin(record.set_by, zone))


def _rule(setting: ForwardSetting, zone: ZoneInfo) -> ForwardRule:
    return ForwardRule(
        setting.when,
        setting.to,
        setting.seconds,
        setting.callers,
        tuple(parse_weekly(text, 0, 0) for text in setting.hours),
        _origin(setting.set_by, zone),
    )


def _origin(set_by: SetBy, zone: ZoneInfo) -> Origin:
    return Origin(set_by.by, datetime.fromtimestamp(set_by.at, zone))


def _is_possible(kept: PersonSettings) -> bool:
    """Whether settings that a journal tells of can have been written by a program that thinks as this one."""
    try:
        for one in kept.forwards:
            _check_words(one.when, one.seconds, one.callers, one.hours)
    except SettingRefused as refused:
        log.error("user=%s settings can't be used: %s", kept.extension, refused)
        return False
    return True


def _check_words(when: str, seconds: int, callers: tuple[str, ...], hours: tuple[str, ...]) -> None:
    """Raises SettingRefused for what no forward can say."""
    why = ""
    if when not in WHENS:
        why = f'"{shortened(when)}" is none of {", ".join(WHENS)}'
    elif not 0 <= seconds <= LONGEST_RING_SECONDS:
        why = f"devices ring for 1 to {LONGEST_RING_SECONDS} s"
    elif seconds and when != "no_answer":
        why = "only a forward on no answer waits for seconds"
    elif max(len(callers), len(hours)) > MOST_WORDS:
        why = f"at most {MOST_WORDS} callers and as many hours"
    for caller in callers:
        digits = caller.removeprefix("+")
        if caller not in CALLERS and not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
            why = f'"{shortened(caller)}" is no extension, no +33… and none of {", ".join(CALLERS)}'
    for text in hours:
        try:
            parse_weekly(text, 0, 0)
        except ValueError as error:
            why = str(error)
    if why:
        raise SettingRefused("words", _NOT_UNDERSTOOD, why)
