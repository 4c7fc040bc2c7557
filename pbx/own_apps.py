"""Apps of one's own: a file beside the plan answers a service's calls.

    plan.yaml                                     apps/opening_hours.py
      services:                                     from pbx.own_apps import Caller
        horaires:
          number: "8500"                            async def answer(caller: Caller) -> None:
          type: app                                     await caller.say(fr="Bonjour.", en="Hello.")
          file: opening_hours.py                        await caller.connect("1001")

`answer` is one coroutine that does one thing after the other; `Caller` is all that it needs. When the caller
hangs up, or somebody takes the call, the coroutine ends where it is (its `finally` blocks run).

What an app does wrong never becomes a dead end. Where it raises, runs out of the time that the plan gives it
(`seconds:`), or ends without having answered, the caller is told so and goes where the plan sends it
(`otherwise:`). It runs in the process that carries all calls, so what waits (a disk, a web server) belongs
into `in_background`; an app that holds up the others is named in the log.

Who can write these files can do whatever Beffroi can: they are taken only where they belong to root or to
Beffroi's own user, and nobody else may write to them or to their folder.
"""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn, TypeVar
from zoneinfo import ZoneInfo

from dialplan.finding import Finding
from dialplan.plan import Destination, Plan, Service
from dialplan.schedule import changes_of_day, opening
from pbx.calls.happenings import LegEnded
from sip.core.session import NORMAL_CLEARING

if TYPE_CHECKING:
    from pbx.calls.attendant import Attendant

FOLDER = "apps"  # beside the plan
ENTRY = "answer"
MOST_BYTES = 256 * 1024
BACKGROUND_SECONDS = 10.0
_DAYS_AHEAD = 366

Result = TypeVar("Result")


class Gone(BaseException):
    """The caller has hung up, or is with somebody else: the app ends, whatever errors it catches."""

    def __init__(self, ended: LegEnded) -> None:
        super().__init__(str(ended))
        self.ended = ended


class Caller:
    """Whoever calls an app, and what can be done with them.

    Verbs that are awaited end the app where the caller has gone. Texts are given by language, and spoken in
    the caller's own; a text in one language alone is spoken in that.
    """

    __slots__ = ("_attendant", "_service")

    def __init__(self, attendant: Attendant, service: Service) -> None:
        self._attendant = attendant
        self._service = service

    # Who it is

    @property
    def number(self) -> str:
        """The caller's extension, or its number outside (E.164); "" where it isn't shown."""
        call = self._attendant.call
        return "" if call.hidden else call.from_number

    @property
    def name(self) -> str:
        """The caller's name, "" where nobody knows it."""
        call = self._attendant.call
        return "" if call.hidden else call.from_name

    @property
    def is_colleague(self) -> bool:
        """Whether the caller is one of ours, at a telephone that has proved so."""
        return self._attendant.call.direction == "internal"

    @property
    def dialled(self) -> str:
        """What the caller dialled."""
        return self._attendant.call.decision.dialled

    @property
    def settings(self) -> Mapping[str, str]:
        """What the plan says beside the app (`settings:`)."""
        return {
            name: value
            for name, value in _mapping(self._service.settings.get("settings")).items()
            if isinstance(value, str)
        }

    @property
    def now(self) -> datetime:
        """The present instant, in the plan's time zone."""
        call = self._attendant.call
        return datetime.fromtimestamp(call.exchange.clock(), ZoneInfo(call.plan.timezone))

    # What is done with it

    async def answer(self) -> None:
        """Take the call; the verbs that speak do it by themselves."""
        with self._there():
            await self._attendant.answer()

    async def say(self, *, fr: str = "", en: str = "", until: str = "") -> str:
        """Speak, to the end or until one of the keys `until` is pressed: returns that key, "" without."""
        texts = {language: text for language, text in (("fr", fr), ("en", en)) if text}
        with self._there():
            await self._attendant.answer()
            return await self._attendant.say(texts, until=until) if texts else ""

    async def ask(self, most: int, *, fr: str = "", en: str = "", seconds: float = 5.0) -> str:
        """Speak, and return the keys pressed: at most so many, those before #, or those before the caller
        stopped. seconds: for the first key after the text. "" when none came."""
        first = await self.say(fr=fr, en=en, until="0123456789*#")
        if first == "#" or (first and most == 1):
            return first.strip("#")
        with self._there():
            return first + await self._attendant.gather(most - len(first), seconds=seconds)

    async def record(self, path: Path, *, seconds: float = 120.0, silence_seconds: float = 5.0) -> float:
        """Write what the caller says into a WAV file, for so long, until it is silent, presses # or hangs up.

        path: absolute; its folder must be there. Returns the seconds of sound.
        """
        with self._there():
            await self._attendant.answer()
            recorded = await self._attendant.record(
                path, seconds=seconds, silence_seconds=silence_seconds, until="#"
            )
        return recorded.seconds

    async def connect(self, to: str) -> str:
        """Let the caller go on to a service's name, an extension, or a number outside (+33…); whoever takes
        it ends the app. Returns why nobody did."""
        with self._there():
            await self._attendant.answer()
            return await self._attendant.connect(_destination(to, self._service), f"app {self._service.name}")

    def hang_up(self, cause: str = "completed") -> NoReturn:
        """End the call, and the app with it. cause: a few words for its record."""
        self._attendant.hang_up(cause)
        raise Gone(LegEnded(self._attendant.call.caller, NORMAL_CLEARING))

    # What it may want to know

    def is_open(self, schedule: str) -> bool:
        """Whether one of the plan's schedules is open now, by itself or by hand. Raises KeyError."""
        call = self._attendant.call
        now = self.now
        override = call.exchange.conditions.at(call.exchange.clock()).schedules.get(schedule)
        if override is not None and now < override.until:
            return override.is_open
        return opening(call.plan.schedules[schedule], now).is_open

    def next_opening(self, schedule: str) -> datetime:
        """When a schedule opens next by the plan, in its time zone; now where it is open. Raises KeyError,
        and LookupError for one that doesn't open within a year."""
        found, now = self._attendant.call.plan.schedules[schedule], self.now
        if opening(found, now).is_open:
            return now
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for days in range(_DAYS_AHEAD):
            for instant in sorted(changes_of_day(found, midnight + timedelta(days=days))):
                if instant > now and opening(found, instant).is_open:
                    return instant.astimezone(now.tzinfo)
        raise LookupError(f"{schedule} doesn't open within a year")

    async def in_background(
        self, work: Callable[..., Result], *arguments: object, seconds: float = BACKGROUND_SECONDS
    ) -> Result:
        """Return what `work(*arguments)` does, without any call waiting for it: files, web servers.

        Raises what it raises, and TimeoutError after `seconds` (it may then go on, unheard).
        """
        import asyncio

        async with asyncio.timeout(seconds):
            return await self._attendant.call.exchange.apart(lambda: work(*arguments))

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Raises Gone where the caller isn't there, or leaves meanwhile."""
        caller = self._attendant.call.caller
        if caller.ended_at is not None:
            raise Gone(LegEnded(caller, NORMAL_CLEARING))
        try:
            yield
        except LegEnded as ended:
            raise Gone(ended) from None


Program = Callable[[Caller], Coroutine[object, object, None]]


def folder_of(plan: Path) -> Path:
    """Where the apps of a plan's file are."""
    return plan.parent / FOLDER


def _mapping(setting: object) -> Mapping[str, object]:
    return setting if isinstance(setting, Mapping) else {}


def _destination(to: str, service: Service) -> Destination:
    if to.startswith("+"):
        return Destination("outside", to, service.line, service.column)
    is_number = to.isascii() and to.isdigit()
    return Destination("inside" if is_number else "service", to, service.line, service.column)


# Files


class ProgramRefused(Exception):
    """A file isn't taken. The message says why, hint how to mend it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def check_apps(plan: Plan, folder: Path, owners: frozenset[int] = frozenset()) -> list[Finding]:
    """What is wrong with the files that a plan names, found without running them.

    owners: users whose files are taken beside root's and one's own.
    """
    findings = []
    for service in _own(plan):
        try:
            _read(folder / _file(service), owners)
        except ProgramRefused as refused:
            findings.append(_finding(plan, service, refused))
    return findings


def load_apps(plan: Plan, folder: Path) -> tuple[dict[str, Program], list[Finding]]:
    """Run the files that a plan names; returns what answers, by file, and what is wrong with the others."""
    programs: dict[str, Program] = {}
    findings = []
    for service in _own(plan):
        file = _file(service)
        try:
            if file not in programs:
                programs[file] = _program(folder / file)
        except ProgramRefused as refused:
            findings.append(_finding(plan, service, refused))
    return programs, findings


def _own(plan: Plan) -> list[Service]:
    return [service for service in plan.services.values() if service.type == "app"]


def _file(service: Service) -> str:
    file = service.settings["file"]
    assert isinstance(file, str)
    return file


def _finding(plan: Plan, service: Service, refused: ProgramRefused) -> Finding:
    message = f"service {service.name}: {refused}"
    return Finding("own_app", "error", plan.path, service.line, service.column, message, refused.hint)


def _program(path: Path) -> Program:
    source = _read(path, frozenset())
    module = ModuleType(f"own_app_{path.stem}")
    module.__file__ = str(path)
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 (its owner is the installation's)
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {error}"[:200]
        raise ProgramRefused(f"{path.name} ends at its first lines: {why}", "mend it there") from error
    program: Program = getattr(module, ENTRY)
    return program


def _read(path: Path, owners: frozenset[int]) -> bytes:
    """The text of a file that may be trusted, and that has what answers. Raises ProgramRefused."""
    try:
        _check_owner(os.stat(path.parent), f"the folder {path.parent}", owners)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ProgramRefused(f"{path}: {error.strerror}", f"put {path.name} there") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            raise ProgramRefused(f"{path} is no file of at most {MOST_BYTES} bytes", "write a Python file")
        _check_owner(status, str(path), owners)
        source = os.read(descriptor, MOST_BYTES)
    finally:
        os.close(descriptor)
    try:
        parsed = ast.parse(source, str(path))
    except (SyntaxError, ValueError, RecursionError) as error:
        where = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise ProgramRefused(f"{path.name}{where} isn't Python: {error}"[:300], "mend it there") from None
    if not any(isinstance(part, ast.AsyncFunctionDef) and part.name == ENTRY for part in parsed.body):
        hint = f"write `async def {ENTRY}(caller: Caller) -> None:`"
        raise ProgramRefused(f"{path.name} has no coroutine `{ENTRY}`", hint)
    return source


def _check_owner(status: os.stat_result, what: str, owners: frozenset[int]) -> None:
    if status.st_uid not in owners | {0, os.geteuid()}:
        hint = "let it belong to root, or to the user that Beffroi runs as"
        raise ProgramRefused(f"{what} belongs to somebody else (user {status.st_uid})", hint)
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ProgramRefused(f"{what} may be written by others", "take that from them: chmod go-w")
