"""The control socket: what the command line asks of a running node, one JSON line each way.

Events are the exception: who asks for them is told one line each, as they happen.

It is a Unix socket in the data directory, which only the node's own user can open.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from media.engines.daemons import DaemonStatus
from pbx.api.views import CallView, ColleagueStatus, Done
from pbx.defence.bans import Ban
from pbx.events import KINDS, Event, Events, Feed
from pbx.queues.figures import AgentFigures, QueueFigures
from pbx.records import AddressRecord, OverrideRecord, PersonSettings, rfc3339
from pbx.tasks import Tasks

MAX_LINE_BYTES = 1 << 20
DEVICES_A_PAGE = 200
ANSWER_SECONDS = 30.0


class NotRunningError(Exception):
    """No node answers on this data directory's control socket."""


class Status(msgspec.Struct, frozen=True, tag=True):
    """Ask for the counters."""


class ReloadPlan(msgspec.Struct, frozen=True, tag=True):
    """Ask to put the plan and the directory, as they are on disk now, in force. author: who asks, or ""."""

    author: str = ""


class ListBans(msgspec.Struct, frozen=True, tag=True):
    """Ask which sources are banned."""


class AddBan(msgspec.Struct, frozen=True, tag=True):
    """Ask for a ban of a source (an address, or an IPv6 /64) for some seconds."""

    source: str
    why: str
    seconds: float


class RemoveBan(msgspec.Struct, frozen=True, tag=True):
    """Ask to lift a source's ban."""

    source: str


class ListTrunks(msgspec.Struct, frozen=True, tag=True):
    """Ask how the trunks are."""


class ListDaemons(msgspec.Struct, frozen=True, tag=True):
    """Ask how the rtpengine daemons are."""


class DrainDaemon(msgspec.Struct, frozen=True, tag=True):
    """Ask to give one daemon no new calls, or again."""

    name: str
    draining: bool


class ListSettings(msgspec.Struct, frozen=True, tag=True):
    """Ask what people and operators have set by hand. extension: of one person, "" for all."""

    extension: str = ""


class SetForward(msgspec.Struct, frozen=True, tag=True):
    """Ask that a person's calls be sent on; as in pbx.records.ForwardSetting. by: who asks."""

    extension: str
    when: str
    to: str
    by: str
    seconds: int = 0
    callers: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()
    until: float = 0.0


class StopForwarding(msgspec.Struct, frozen=True, tag=True):
    """Ask that a person's calls be sent on no more, whatever the plan says. when: "" for all forwards."""

    extension: str
    by: str
    when: str = ""


class SetDoNotDisturb(msgspec.Struct, frozen=True, tag=True):
    """Ask that a person's devices ring, or don't until an instant in Unix seconds, 0 for ever."""

    extension: str
    on: bool
    by: str
    until: float = 0.0


class SetSwitch(msgspec.Struct, frozen=True, tag=True):
    """Ask to switch one of pbx.people.settings.SWITCHES on or off for a person."""

    extension: str
    what: str
    on: bool
    by: str


class SetRing(msgspec.Struct, frozen=True, tag=True):
    """Ask that a person's telephones ring in one of dialplan.ringing.WAYS."""

    extension: str
    way: str
    by: str


class ClearSettings(msgspec.Struct, frozen=True, tag=True):
    """Ask to forget what a person has set.

    when: their forwards of this kind alone, one of pbx.people.settings.SWITCHES, or `ring`, "" for all.
    """

    extension: str
    by: str
    when: str = ""


class AddOverride(msgspec.Struct, frozen=True, tag=True):
    """Ask that a service or a schedule be open or closed until an instant (Unix seconds)."""

    name: str
    is_open: bool
    until: float
    by: str
    to: str = ""


class RemoveOverride(msgspec.Struct, frozen=True, tag=True):
    """Ask that a service or a schedule be as planned again."""

    name: str
    by: str


class ListDevices(msgspec.Struct, frozen=True, tag=True):
    """Ask who uses which device, and where it is, for the DEVICES_A_PAGE that come after a sign-in.

    extension: those alone that are this person's, or that they use; "" for all.
    """

    after: str = ""
    extension: str = ""


class UseDevice(msgspec.Struct, frozen=True, tag=True):
    """Ask that a device be a person's until they log out; extension "": its own person's again."""

    device: str
    extension: str
    by: str


class SayAddress(msgspec.Struct, frozen=True, tag=True):
    """Ask to keep where a device is; as pbx.people.addresses.Addresses.say."""

    device: str
    address: dict[str, str]
    by: str
    confirm: bool
    network: str = ""


class ForgetAddress(msgspec.Struct, frozen=True, tag=True):
    """Ask to forget where a device is on a network, "" for that which it calls from."""

    device: str
    by: str
    network: str = ""


class ListPages(msgspec.Struct, frozen=True, tag=True):
    """Ask which sessions have a page whose telephone is registered."""


class SignOutPages(msgspec.Struct, frozen=True, tag=True):
    """Ask that the telephones of pages sign out whose sessions (their ids) have ended."""

    sessions: list[str]


class SetWakeable(msgspec.Struct, frozen=True, tag=True):
    """Ask that closed pages of these people, and of nobody else, be woken when a call rings them."""

    extensions: list[str]


class NotifyDevices(msgspec.Struct, frozen=True, tag=True):
    """Ask that devices be told to fetch their settings, or to start anew: a NOTIFY to each that isn't in a
    call.

    event: its Event header, as `check-sync;reboot=false`; content_type, body: what it holds, mostly nothing.
    """

    devices: list[str]
    event: str
    content_type: str = ""
    body: str = ""


class DropBindings(msgspec.Struct, frozen=True, tag=True):
    """Ask that devices be reached nowhere any more until they register again.

    lost: their telephone is: their calls end, and the passwords that they have open nothing from now on, even
    before the directory says so.
    """

    devices: list[str]
    lost: bool = False


class AskPhones(msgspec.Struct, frozen=True, tag=True):
    """Ask which devices are registered now, and which of them are in a call."""

    devices: list[str]


class TellWaveStopped(msgspec.Struct, frozen=True, tag=True):
    """Ask that the event `PhoneWaveStopped` be told, whose fields these are."""

    wave: int
    action: str
    why: str


class DeclineCall(msgspec.Struct, frozen=True, tag=True):
    """Ask that a call that rings somebody who can be woken ring them no more."""

    call: str
    extension: str


class AskDoorway(msgspec.Struct, frozen=True, tag=True):
    """Ask how a button of the town's site is now."""

    button: str


class CallVisitorBack(msgspec.Struct, frozen=True, tag=True):
    """Ask that a number be called back that a visitor left at a button."""

    button: str
    number: str


class SetPin(msgspec.Struct, frozen=True, tag=True):
    """Ask that a person have this PIN, and to forgive those that were wrong; digits "": none any more."""

    extension: str
    digits: str
    by: str


class ListCalls(msgspec.Struct, frozen=True, tag=True):
    """Ask which calls are in progress; who: of one party, "" for all."""

    who: str = ""


class ListColleagues(msgspec.Struct, frozen=True, tag=True):
    """Ask what some people are doing: these, and those who use these devices (pbx.services.colleagues)."""

    extensions: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


class Originate(msgspec.Struct, frozen=True, tag=True):
    """Ask to ring a person's telephones, and then a number, as in pbx.api.calls, like all that follow."""

    extension: str
    number: str
    by_itself: bool = False


class Retrieve(msgspec.Struct, frozen=True, tag=True):
    """Ask to connect a person with who is parked at a place."""

    extension: str
    place: str


class PickUp(msgspec.Struct, frozen=True, tag=True):
    """Ask to connect a person with the call that rings elsewhere. of: where, "" for the person's groups."""

    extension: str
    of: str = ""


class SendOn(msgspec.Struct, frozen=True, tag=True):
    """Ask to let a party that waits with a service go on to a number, by the rights of an extension."""

    who: str
    number: str
    by: str
    call: str = ""


class InCall(msgspec.Struct, frozen=True, tag=True):
    """Ask for something in a party's call. call: which of its calls, "" where it has one.

    verb: `answer`, `hold`, `resume`, `mute`, `unmute`, `transfer`, `join`, `merge`, `park`, `hang_up`,
    `recording_stop`, `recording_again` or `digits`. argument: the number to transfer to, the other call to
    join or merge, the place to park at, or the digits.
    """

    verb: str
    who: str
    call: str = ""
    argument: str = ""


class Play(msgspec.Struct, frozen=True, tag=True):
    """Ask to play something to a party, in place of what it hears: a WAV file (its absolute path), a tone of
    media.tones.FRANCE, or `music`. The one of them that isn't "" counts."""

    who: str
    call: str = ""
    path: str = ""
    tone: str = ""


class Say(msgspec.Struct, frozen=True, tag=True):
    """Ask to speak to a party. language: one of media.speech.VOICES."""

    who: str
    text: str
    language: str = "fr"
    call: str = ""


class Gather(msgspec.Struct, frozen=True, tag=True):
    """Ask for the keys that a party presses next: at most so many, before `end`, within `seconds`."""

    who: str
    most: int
    seconds: float
    end: str = "#"
    call: str = ""


class Record(msgspec.Struct, frozen=True, tag=True):
    """Ask to write what a party says into a WAV file (its absolute path), for at most so many seconds."""

    who: str
    path: str
    seconds: float
    call: str = ""


class StopRecording(msgspec.Struct, frozen=True, tag=True):
    """Ask to end what Record began."""

    who: str
    call: str = ""


class MarkHeard(msgspec.Struct, frozen=True, tag=True):
    """Ask that a message count as heard."""

    mailbox: str
    message: str


class KeepGreeting(msgspec.Struct, frozen=True, tag=True):
    """Ask that a sound be a mailbox's greeting. situation: one of pbx.voicemail.mailboxes.SITUATIONS.

    recorded: the name of a WAV without its ending, in the mailboxes' folder of what is passing.
    """

    mailbox: str
    situation: str
    recorded: str


class DropGreeting(msgspec.Struct, frozen=True, tag=True):
    """Ask that a mailbox's voice speak again in a situation."""

    mailbox: str
    situation: str


class DeleteMessage(msgspec.Struct, frozen=True, tag=True):
    """Ask to delete a voice message. message: its id."""

    mailbox: str
    message: str


class ListQueues(msgspec.Struct, frozen=True, tag=True):
    """Ask how the queues are."""


class PauseAgent(msgspec.Struct, frozen=True, tag=True):
    """Ask that somebody gets no calls of a queue or a group; service "": of none. reason: digits, or ""."""

    extension: str
    by: str
    service: str = ""
    reason: str = ""


class ResumeAgent(msgspec.Struct, frozen=True, tag=True):
    """Ask that somebody gets such calls again."""

    extension: str
    by: str
    service: str = ""


class FollowEvents(msgspec.Struct, frozen=True, tag=True):
    """Ask to be told events as they happen, of these kinds or of all, until either side leaves."""

    kinds: list[str] = []


class Counters(msgspec.Struct, frozen=True, tag=True):
    """The answer to Status. recordings: what isn't well with these ("disk", "copies", …), and why."""

    counters: dict[str, int]
    plan_version: str
    recordings: dict[str, str] = {}


class Reloaded(msgspec.Struct, frozen=True, tag=True):
    """The answer to ReloadPlan: the version in force, and what is wrong when it isn't the new one.

    not_kept: why the version in force couldn't be entered in the history, "" when it is there.
    """

    plan_version: str
    problems: list[str]
    not_kept: str = ""


class BanList(msgspec.Struct, frozen=True, tag=True):
    """The bans after what was asked. problem: why it wasn't done, empty when it was."""

    bans: list[Ban]
    problem: str = ""


class TrunkStatus(msgspec.Struct, frozen=True):
    """How one trunk is.

    state: `up`, `unknown`, `unregistered`, `down` or `refusing`. registered_until: Unix seconds, None without
    a binding; registration_status: what the registrar refused us with last, None while all is well.
    options_delay_ms: of the last OPTIONS that was answered. servers: in the order of trial. since: when the
    state was last found to change, Unix seconds, or when the trunk began. refusal: what was refused or missed
    last, in words, "" where nothing was; refused_at: when, Unix seconds.
    """

    name: str
    host: str
    state: str
    registers: bool
    registered_until: float | None
    registration_status: int | None
    channels: int
    emergency_channels: int
    channels_in_use: int
    options_delay_ms: float | None
    servers: list[str]
    since: float = 0.0
    refusal: str = ""
    refused_at: float = 0.0


class TrunkList(msgspec.Struct, frozen=True, tag=True):
    """The answer to ListTrunks, in the plan's order."""

    trunks: list[TrunkStatus]


class DaemonList(msgspec.Struct, frozen=True, tag=True):
    """The rtpengine daemons after what was asked. problem: why it wasn't done, empty when it was."""

    daemons: list[DaemonStatus]
    problem: str = ""


class SettingsInForce(msgspec.Struct, frozen=True, tag=True):
    """What is set by hand after what was asked. problem: why it wasn't done, empty when it was; reason: that
    in a word (pbx.people.settings.SettingRefused)."""

    people: list[PersonSettings]
    overrides: list[OverrideRecord]
    problem: str = ""
    reason: str = ""


class BindingStatus(msgspec.Struct, frozen=True):
    """Where a device can be reached, by which transport, until when (Unix seconds), and what it is.

    answers: False where it seems gone.
    """

    address: str
    transport: str
    user_agent: str
    until: float
    answers: bool


class ColleagueList(msgspec.Struct, frozen=True, tag=True):
    """What those who were asked about are doing, by extension."""

    colleagues: list[ColleagueStatus]


class DeviceStatus(msgspec.Struct, frozen=True):
    """One device. owner: whose it is; user: who uses it now, until an instant (Unix seconds, 0 for no end).

    contacts: where it can be reached now. network: that which it calls from, outside of every site, or "".
    addresses: where it is, by network, as was said.
    """

    device: str
    owner: str
    user: str
    until: float
    contacts: list[str]
    network: str
    addresses: list[AddressRecord]
    bindings: list[BindingStatus] = []


class DeviceList(msgspec.Struct, frozen=True, tag=True):
    """Some devices by sign-in, or the one that was asked about. problem: why nothing was done, or empty."""

    devices: list[DeviceStatus]
    problem: str = ""


class PagesNow(msgspec.Struct, frozen=True, tag=True):
    """The answer to ListPages: whose telephone (the extension) each session has, by the session's id."""

    sessions: dict[str, str]


class PagesSignedOut(msgspec.Struct, frozen=True, tag=True):
    """The answer to SignOutPages: how many were registered."""

    pages: int


class DevicesTold(msgspec.Struct, frozen=True, tag=True):
    """Which devices were told; those in a call, and those that can't be reached now, weren't."""

    told: list[str]
    busy: list[str] = []
    away: list[str] = []


class PhonesNow(msgspec.Struct, frozen=True, tag=True):
    """The answer to AskPhones. registered: each with the Call-ID of its last REGISTER, which stays the same
    until the telephone starts anew (RFC 3261 section 10.2.4).
    """

    registered: dict[str, str]
    busy: list[str]


class EventTold(msgspec.Struct, frozen=True, tag=True):
    """The answer to TellWaveStopped."""


class WakingSet(msgspec.Struct, frozen=True, tag=True):
    """The answer to SetWakeable and DeclineCall. found: whether there was such a call."""

    found: bool = True


class DoorwayNow(msgspec.Struct, frozen=True, tag=True):
    """How a button is, or what became of a number. found: False where there is no such button.

    in_progress, answers, is_open, calls_back: as in pbx.calls.visitors. problem: why a number isn't kept, ""
    when it is.
    """

    found: bool
    in_progress: int = 0
    answers: bool = False
    is_open: bool = False
    calls_back: bool = False
    problem: str = ""


class CallsNow(msgspec.Struct, frozen=True, tag=True):
    """What came of what was asked, and the calls that it is about. problem: why it wasn't done, "" when it
    was; digits: those that Gather asked for; found: whether there is such a call with such a party.
    """

    calls: list[CallView]
    done: Done = Done()
    problem: str = ""
    digits: str = ""
    found: bool = True


class MailboxDone(msgspec.Struct, frozen=True, tag=True):
    """What was asked of a mailbox is done. problem: why it isn't, empty when it is."""

    problem: str = ""


class MessageDeleted(msgspec.Struct, frozen=True, tag=True):
    """The answer to DeleteMessage. problem: why it is still there, empty when it isn't."""

    problem: str = ""


class WaitingCaller(msgspec.Struct, frozen=True):
    """Somebody in a queue. waited_seconds: until now. state: `waiting`, `ringing` or `to be called back`."""

    call: str
    number: str
    waited_seconds: float
    state: str


class AgentStatus(msgspec.Struct, frozen=True):
    """An agent of a queue. state: as in pbx.queues.agents; reason: of a pause."""

    extension: str
    name: str
    state: str
    reason: str
    figures: AgentFigures


class QueueStatus(msgspec.Struct, frozen=True):
    """How one queue is. waiting: the next one first. expected_seconds: for who comes now, None if not known.
    figures: since Unix seconds `since`."""

    name: str
    number: str
    waiting: list[WaitingCaller]
    expected_seconds: float | None
    agents: list[AgentStatus]
    figures: QueueFigures
    since: float


class QueueList(msgspec.Struct, frozen=True, tag=True):
    """The queues after what was asked, in the plan's order. problem: why it wasn't done, "" when it was."""

    queues: list[QueueStatus]
    problem: str = ""


class Following(msgspec.Struct, frozen=True, tag=True):
    """The answer to FollowEvents; events come after it, of these kinds."""

    kinds: list[str]


SettingsQuestion = (
    ListSettings
    | SetForward
    | StopForwarding
    | SetDoNotDisturb
    | SetSwitch
    | SetRing
    | ClearSettings
    | AddOverride
    | RemoveOverride
)
DeviceQuestion = ListDevices | UseDevice | SayAddress | ForgetAddress | SetPin
MailboxQuestion = MarkHeard | KeepGreeting | DropGreeting
QueueQuestion = ListQueues | PauseAgent | ResumeAgent
SoundQuestion = Play | Say | Gather | Record | StopRecording
CallQuestion = ListCalls | Originate | Retrieve | PickUp | SendOn | InCall | SoundQuestion
Question = (
    Status
    | CallQuestion
    | ReloadPlan
    | ListBans
    | AddBan
    | RemoveBan
    | ListTrunks
    | ListDaemons
    | DrainDaemon
    | SettingsQuestion
    | DeviceQuestion
    | ListPages
    | SignOutPages
    | NotifyDevices
    | DropBindings
    | AskPhones
    | TellWaveStopped
    | SetWakeable
    | DeclineCall
    | AskDoorway
    | CallVisitorBack
    | DeleteMessage
    | MailboxQuestion
    | QueueQuestion
    | ListColleagues
)
Answer = (
    Counters
    | Reloaded
    | BanList
    | TrunkList
    | DaemonList
    | SettingsInForce
    | CallsNow
    | DeviceList
    | PagesNow
    | PagesSignedOut
    | WakingSet
    | DevicesTold
    | PhonesNow
    | EventTold
    | DoorwayNow
    | MessageDeleted
    | MailboxDone
    | QueueList
    | ColleagueList
)

READS = (
    *(ListTrunks, ListDaemons, ListSettings, ListDevices, ListCalls, ListQueues, ListBans, Status),
    *(ListColleagues, AskPhones),
)
"""Questions that change nothing."""

_question = msgspec.json.Decoder(Question | FollowEvents)
_answer = msgspec.json.Decoder(Answer | Following)


def control_path(data_dir: Path) -> Path:
    """Where the socket is."""
    return data_dir / "control.sock"


def listen(path: Path) -> socket.socket:
    """A listening control socket, readable by its owner only; one that a dead process left is replaced.

    Raises OSError.
    """
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(16)
    except OSError:
        listening.close()
        raise
    return listening


async def serve(
    listening: socket.socket, answer: Callable[[Question], Awaitable[Answer]], events: Events
) -> asyncio.Server:
    """Answer questions on a listening socket until the server is closed, and tell events until they are."""
    leaving = Tasks()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, msgspec.DecodeError, ValueError, asyncio.IncompleteReadError):
            async with asyncio.timeout(ANSWER_SECONDS):
                question = _question.decode(await reader.readuntil(b"\n"))
                if not isinstance(question, FollowEvents):
                    writer.write(msgspec.json.encode(await answer(question)) + b"\n")
                    await writer.drain()
            if isinstance(question, FollowEvents):
                kinds = [kind for name, kind in KINDS.items() if name in question.kinds or not question.kinds]
                feed = events.feed(*kinds)
                leaving.start(_close_when_gone(reader, feed), "follower")
                writer.write(msgspec.json.encode(Following([kind.__name__ for kind in kinds])) + b"\n")
                await _tell(feed, writer)
        writer.close()

    return await asyncio.start_unix_server(connected, sock=listening, limit=MAX_LINE_BYTES)


async def _close_when_gone(reader: asyncio.StreamReader, feed: Feed[Event]) -> None:
    with contextlib.suppress(OSError):
        await reader.read(1)
    feed.close()


async def _tell(feed: Feed[Event], writer: asyncio.StreamWriter) -> None:
    """Write events as fast as they are read; the feed counts what is too much for a slow reader."""
    lost = 0
    try:
        async for event in feed:
            if feed.lost > lost:
                writer.write(msgspec.json.encode({"event": "EventsLost", "count": feed.lost - lost}) + b"\n")
                lost = feed.lost
            writer.write(event_line(event))
            await writer.drain()
    finally:
        feed.close()


def event_line(event: Event) -> bytes:
    """An event as a line of JSON: its kind, its instant (RFC 3339), its fields."""
    fields = {"event": type(event).__name__, **msgspec.to_builtins(event)}
    for instant in ("at", "until"):
        if instant in fields:
            fields[instant] = rfc3339(fields[instant])
    return msgspec.json.encode(fields) + b"\n"


@contextlib.contextmanager
def follow(data_dir: Path, kinds: Sequence[str] = ()) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a running node, of these kinds or of all, as they happen; they end with the node.

    Raises NotRunningError when nobody answers.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, client.makefile("rb") as lines:
        client.settimeout(ANSWER_SECONDS)
        try:
            client.connect(str(control_path(data_dir)))
            client.sendall(msgspec.json.encode(FollowEvents(list(kinds))) + b"\n")
            _answer.decode(lines.readline(MAX_LINE_BYTES))
        except (OSError, msgspec.DecodeError) as error:
            raise NotRunningError(f"no running node answers in {data_dir}: {error}") from error
        client.settimeout(None)
        yield (msgspec.json.decode(line) for line in lines)


def ask(data_dir: Path, question: Question) -> Answer:
    """Ask a running node. Raises NotRunningError when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(ANSWER_SECONDS)
        try:
            client.connect(str(control_path(data_dir)))
            client.sendall(msgspec.json.encode(question) + b"\n")
            with client.makefile("rb") as lines:
                line = lines.readline(MAX_LINE_BYTES)
            answer: Answer = _answer.decode(line)
            return answer
        except (OSError, msgspec.DecodeError) as error:
            raise NotRunningError(f"no running node answers in {data_dir}: {error}") from error


async def ask_soon(data_dir: Path, question: Question) -> Answer:
    """Ask a running node without keeping the event loop waiting. Raises NotRunningError."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            path = str(control_path(data_dir))
            reader, writer = await asyncio.open_unix_connection(path, limit=MAX_LINE_BYTES)
            try:
                writer.write(msgspec.json.encode(question) + b"\n")
                answer: Answer = _answer.decode(await reader.readline())
                return answer
            finally:
                writer.close()
    except (OSError, ValueError, msgspec.DecodeError) as error:  # a TimeoutError is an OSError
        raise NotRunningError(f"no running node answers in {data_dir}: {error}") from error


def every_device(data_dir: Path) -> list[DeviceStatus]:
    """The devices of a running node, by sign-in. Raises NotRunningError when nobody answers."""
    found: list[DeviceStatus] = []
    while True:
        answer = ask(data_dir, ListDevices(found[-1].device if found else ""))
        assert isinstance(answer, DeviceList)
        found += answer.devices
        if len(answer.devices) < DEVICES_A_PAGE:
            return found
