"""Valmont in the virtual world: the exchange with the sample plan, its phones, its operators, its journal.

    1001, 1002, …  ──┐
                     ├── Beffroi 10.54.0.10 (exchange, driver, FakeEngine, journal in memory)
    operateur-a, b ──┘

Every scenario ends with the two looks of tests.sim.quiescence. Bindings outlive calls, so the timers of
their expiry are left out of the first look: one for each device that is registered, and no more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from dialplan.loading import parse_plan
from dialplan.plan import Plan
from media.engines.fake import FakeEngine
from pbx.exchange import Exchange
from pbx.node.sealing import Sealing
from pbx.ongoing import OngoingCall
from pbx.people.browser_passwords import BrowserPasswords
from pbx.people.devices import with_directory
from pbx.people.directory import Directory, Person, device_credentials
from pbx.records import (
    BindingsRecord,
    CallRecord,
    OverrideRecord,
    Personal,
    PersonSettings,
    Record,
    TextOverRecord,
    TextRecord,
)
from pbx.voicemail import mail
from pbx.voicemail import mailboxes as voicemail
from pbx.voicemail.mail import Spool
from pbx.voicemail.mailboxes import Voicemail
from sip.core.flow import Flow
from sip.net.addresses import ExternalAddress
from sip.net.resolver import Kind, Records
from sip.net.tls import PeerIdentity
from tests.pbx.recordings.recorder import FakeRecorder
from tests.sim.ladder import describe, split
from tests.sim.network import Address, Host, Passage
from tests.sim.node import Node
from tests.sim.phone import Phone
from tests.sim.wire import Message
from tests.sim.world import World

Result = TypeVar("Result")

DOMAIN = "valmont.example"
BEFFROI: Address = ("10.54.0.10", 5060)
PAGES_PORT = 443
SAMPLE = (Path(__file__).parents[2] / "examples" / "valmont.yaml").read_text(encoding="utf-8")
# TLS comes with a later milestone: operateur-a is reached over UDP here.
PLAN_TEXT = SAMPLE.replace("transport: tls", "transport: udp")

ADDRESSES = {
    "1001": "192.0.2.1",  # at home: on no network of the town's
    "1002": "192.0.2.2",
    "1001-app": "198.51.100.7",
    "2010": "10.54.1.10",
    "2020": "10.54.1.20",
    "2201": "10.54.2.1",
    "2202": "10.54.2.2",
    "2301": "10.54.3.1",
    "2302": "10.54.3.2",
    "2401": "10.54.4.1",
}
OPERATORS = {
    "sip.operateur-a.example": ("operateur-a", "203.0.113.1"),
    "sip.operateur-b.example": ("operateur-b", "203.0.113.2"),
}
SECRETS = {"OPERATEUR_A_SECRET": "secret-a", "OPERATEUR_B_SECRET": "secret-b"}

PASSWORDS = BrowserPasswords(Sealing(b"the key of the node"), DOMAIN)

# Alice has a second device, which the database knows.
APP = Directory(
    revision=1,
    people=[
        Person(
            extension="1001",
            name="Alice Martin",
            class_name="national",
            devices=[device_credentials("1001-app", DOMAIN, "pw1001-app")],
        )
    ],
)


@dataclass
class Journal:
    """A journal in memory: what was appended, what of it was written, and what was sent meanwhile.

    timeline: `write …` and `send …` lines in their order.
    """

    pending: list[Record | OngoingCall] = field(default_factory=list)
    written: list[Record | OngoingCall] = field(default_factory=list)
    timeline: list[str] = field(default_factory=list)
    exhausted: bool = False

    def append(self, record: Record | OngoingCall) -> None:
        self.pending.append(record)

    def flush(self) -> None:
        for record in self.pending:
            self.written.append(record)
            self.timeline.append(f"write {name_of(record)}")
        self.pending.clear()

    def sent(self, passage: Passage) -> None:
        if passage.sender == "Beffroi":
            for message in split(passage.data):
                self.timeline.append(f"send {describe(message)} to {passage.receiver}")

    def between(self, first: str, second: str) -> list[str]:
        """The timeline from one line to the next `second` after it; ValueError when one is missing."""
        start = self.timeline.index(first)
        return self.timeline[start : self.timeline.index(second, start) + 1]


def name_of(record: Record | OngoingCall) -> str:
    """A record in few words: `call completed`, `bindings of 1001: 1`, `settings of 1001`, `ongoing call`."""
    if isinstance(record, OngoingCall):
        return "ongoing call"
    if isinstance(record, CallRecord):
        return f"call {record.cause}"
    if isinstance(record, PersonSettings):
        return f"settings of {record.extension}"
    if isinstance(record, OverrideRecord):
        return f"override of {record.name}"
    if isinstance(record, Personal):
        return " of ".join(record.key[:2])
    if isinstance(record, TextRecord):
        return f"text to {record.to}"
    if isinstance(record, TextOverRecord):
        return "text over"
    return f"bindings of {record.aor}: {len(record.bindings)}"


class TownPhone(Phone):
    """A phone of the virtual world that challenges don't confuse.

    headers: put into every request in place of its own, or beside them; uri: the Request-URI of its INVITEs,
    where it isn't empty. last_invite: the last one it sent.
    """

    def __init__(self, host: Host, **options: Any) -> None:
        super().__init__(host, **options)
        self.headers: dict[str, str] = {}
        self.uri = ""
        self.last_invite = Message("", ())

    def _send(self, message: Message, flow: Flow) -> Message:
        if self.headers and not message.status:
            kept = tuple(line for line in message.headers if line[0] not in self.headers)
            extra = tuple(self.headers.items())
            message = Message(message.first_line, kept + extra, message.body)
        if self.uri and message.method == "INVITE":
            message = Message(f"INVITE {self.uri} SIP/2.0", message.headers, message.body)
        sent = super()._send(message, flow)
        if sent.first_line.startswith("INVITE"):
            self.last_invite = sent
        return sent

    def _learn(self, message: Message, flow: Flow) -> None:
        if message.status < 300:  # 12.1: the tag of a refusal makes no dialog
            super()._learn(message, flow)


class Town:
    """The exchange on its machine; `phone` and `operator` put others on the network."""

    def __init__(
        self,
        world: World,
        plan_text: str = PLAN_TEXT,
        directory: Directory = APP,
        *,
        secret: bytes = b"town",
        keep_alive_seconds: float = 0.0,
        external: ExternalAddress | None = None,
        media_addresses: tuple[str, ...] = (BEFFROI[0],),
        engine: FakeEngine | None = None,
        data_dir: Path | None = None,
    ) -> None:
        """data_dir: where messages and letters are kept; None for a town without mailboxes."""
        self.world = world
        self.data_dir = data_dir
        self.ladder = world.ladder
        self.directory = directory
        self.journal = Journal()
        self.engine = engine or FakeEngine(BEFFROI[0])
        self.recorder = FakeRecorder(lambda: self.world.wall().timestamp())
        self.keep_alive_seconds = keep_alive_seconds
        self.external = external
        self.media_addresses = media_addresses
        self.processes = 1
        self.name_server_seconds = 0.0
        self.names = {name: address for name, (_, address) in OPERATORS.items()}
        self.records: dict[tuple[str, Kind], Records] = {}
        self.certificates: dict[str, tuple[str, ...]] = {}  # the names that a TLS server proves, by address
        self.host = world.host("Beffroi", BEFFROI[0])
        self.exchange, self.node = self._open(plan_of(plan_text, directory), secret)
        self.errors = _Errors()
        world.network.watchers.append(self.journal.sent)
        world.watch("Beffroi", self)
        world.watch("engine", self.engine)
        world.watch("recorder", self.recorder)
        world.closing.callback(self.close)

    def _open(self, plan: Plan, secret: bytes) -> tuple[Exchange, Node]:
        exchange = Exchange(
            domain=DOMAIN,
            plan=plan,
            directory=self.directory,
            engine=self.engine,
            journal=self.journal,
            clock=lambda: self.world.wall().timestamp(),
            flow=self._flow,
            secret=secret,
            names=self,
            external=self.external,
            media_addresses=self.media_addresses,
            keep_alive_seconds=self.keep_alive_seconds,
            voicemail=self._mailboxes(),
            recorder=self.recorder,
            passwords=PASSWORDS,
        )
        node = Node(self.host, exchange.driver)
        node.listen(PAGES_PORT, "WSS")
        return exchange, node

    def _mailboxes(self) -> Voicemail | None:
        """The mailboxes as a process finds them that starts."""
        if self.data_dir is None:
            return None
        spool = Spool(self.data_dir / mail.FOLDER)
        made = Voicemail(self.data_dir / voicemail.FOLDER, apart=_at_once, spool=spool)
        made.open()
        return made

    async def restart(self) -> int:
        """Be killed and come back with what was written; returns how many bindings hold.

        The streams of before are the media process's to close, where no call that goes on has them.
        """
        self.node.close()
        self.journal.pending.clear()
        self.exchange.journal = Journal()  # what the dead process does from here on is never seen
        self.exchange.recordings.recorder = FakeRecorder(lambda: 0.0)
        self.recorder.lose_signalling()
        await self.exchange.trunks.stop()
        await self.exchange.drain(0)
        self.engine = type(self.engine)(BEFFROI[0])
        self.world.watch("engine", self.engine)
        self.processes += 1  # each with a secret of its own, or it would say what another one said
        self.exchange, self.node = self._open(self.exchange.plan, b"process %d" % self.processes)
        recovered = {record.aor: record.bindings for record in self.bindings}
        people = {kept.extension: kept for kept in self.journal.written if isinstance(kept, PersonSettings)}
        overrides = {one.name: one for one in self.journal.written if isinstance(one, OverrideRecord)}
        self.exchange.settings.restore(people.values(), overrides.values())
        personal = {one.key: one for one in self.journal.written if isinstance(one, Personal)}
        self.exchange.restore_personal(personal.values())
        held = self.exchange.registrations.restore(recovered, self.exchange.driver.now)
        self.exchange.restore(self.ongoing)
        self.exchange.messages.boxes.restore(self.texts, self.exchange.driver.now)
        self.exchange.subscriptions.restore(personal.values(), self.exchange.driver.now)
        return held

    def reload(self, plan_text: str, directory: Directory | None = None) -> None:
        """Put another plan in force."""
        self.directory = self.directory if directory is None else directory
        self.exchange.reload(plan_of(plan_text, self.directory), self.directory)

    def close(self) -> None:
        """Stop, as a process does that is killed."""
        self.node.close()
        self.errors.close()

    def inventory(self) -> dict[str, int]:
        """What is left: the exchange's own counts, the bindings' timers apart, and what went wrong."""
        counts = self.exchange.inventory()
        registered = sum(1 for device in self.exchange.devices if device.bindings)
        return {
            **counts,
            "timers": counts["timers"] - registered,
            "records not written": len(self.journal.pending),
            **self.errors.inventory(),
        }

    # Who else is in the world

    def phone(self, user: str, *, password: str = "", address: str = "") -> TownPhone:
        """A device of the town at its address; its password is right unless another is given."""
        password = password or f"pw{user}"
        return self._machine(user, address or ADDRESSES[user], user=user, domain=DOMAIN, password=password)

    async def phones(self, *users: str) -> list[TownPhone]:
        """Devices that have registered; the ladder begins after that."""
        phones = [self.phone(user) for user in users]
        for phone in phones:
            await phone.register()
        self.ladder.clear()
        return phones

    def operator(self, name: str) -> TownPhone:
        """An operator's side of a trunk, which answers what it is sent and calls from no number of ours."""
        for host, (operator, address) in OPERATORS.items():
            if operator == name:
                return self._machine(name, address, user="+33699999999", domain=host)
        raise ValueError(name)

    def _machine(self, name: str, address: str, *, user: str, domain: str, password: str = "") -> TownPhone:
        host = self.world.host(name, address)
        phone = TownPhone(host, user=user, password=password, server=BEFFROI, domain=domain)
        self.world.watch(name, phone)
        self.world.closing.push_async_callback(phone.close)
        return phone

    # What people do

    async def talk(self, caller: Phone, callee: Phone) -> None:
        """The caller calls the callee's number and is answered at once; 0.1 s pass."""
        await caller.call(callee.user)
        callee.answer(await callee.expect("INVITE"))
        await callee.expect("ACK")
        caller.ack(await caller.expect(200))
        await self.world.sleep(0.1)

    async def talk_outside(self, caller: Phone, number: str, operator: Phone) -> None:
        """The caller calls a number over an operator's trunk and is answered at once; 0.1 s pass."""
        await caller.call(number)
        operator.answer(await operator.expect("INVITE"))
        await operator.expect("ACK")
        caller.ack(await caller.expect(200))
        await self.world.sleep(0.1)

    async def hang_up(self, one: Phone, *others: Phone) -> None:
        """One hangs up; every other party hears so."""
        one.bye()
        for other in others:
            other.reply(await other.expect("BYE"), 200)
        await one.expect("200 BYE")

    async def call_with(self, phone: TownPhone, number: str, headers: dict[str, str]) -> None:
        """Call with these headers in place of the phone's own, or beside them, the challenge answered."""
        phone.headers.update(headers)
        await phone.call(number)

    def read_in_batches(self, seconds: float) -> None:
        """From now on datagrams are read together every so many seconds, as a busy socket's are."""
        endpoint = self.host.datagrams[BEFFROI[1]]
        batch: list[tuple[bytes, Flow]] = []

        def read() -> None:
            driver = self.exchange.driver
            for data, flow in batch:
                driver.receive(data, flow, driver.now)
            batch.clear()
            driver.flush()

        def keep(data: bytes, flow: Flow) -> None:
            if not batch:
                self.world.loop.call_later(seconds, read)
            batch.append((data, flow))

        endpoint.receive = keep

    # What is heard

    def spoken(self) -> list[str]:
        """What was said to anybody, in order."""
        played = [asked.detail for asked in self.engine.asked if asked.verb == "play"]
        return [text.partition("text=")[2][1:].partition(", language=")[0][:-1] for text in played]

    def finish_playing(self) -> None:
        """What is playing ends; AssertionError when nothing is."""
        assert self.engine.playing
        for call, leg in list(self.engine.playing):
            self.engine.finish(call, leg)

    async def refused(self, caller: Phone, status: int, **options: Any) -> Message:
        """The caller hears why nobody takes its call, before any answer, and is refused; the refusal."""
        await caller.expect(183, **options)
        self.finish_playing()
        return await caller.expect(status)

    def press(self, digits: str) -> None:
        """The caller of the only call presses keys."""
        (call,) = {asked.call for asked in self.engine.asked}
        self.engine.press(call, "a", digits)

    # What was written

    @property
    def calls(self) -> list[CallRecord]:
        """The call records that were written."""
        return [record for record in self.journal.written if isinstance(record, CallRecord)]

    @property
    def bindings(self) -> list[BindingsRecord]:
        """The bindings that were written, in order."""
        return [record for record in self.journal.written if isinstance(record, BindingsRecord)]

    @property
    def ongoing(self) -> list[OngoingCall]:
        """The calls in progress, as they were written down last."""
        calls: dict[str, OngoingCall] = {}
        for record in self.journal.written:
            if isinstance(record, OngoingCall):
                calls[record.id] = record
            elif isinstance(record, CallRecord):
                calls.pop(record.id, None)
        return list(calls.values())

    @property
    def texts(self) -> list[TextRecord]:
        """The texts that wait, as they were written down."""
        texts: dict[int, TextRecord] = {}
        for record in self.journal.written:
            if isinstance(record, TextRecord):
                texts[record.number] = record
            elif isinstance(record, TextOverRecord):
                texts.pop(record.number)
        return list(texts.values())

    async def record(self) -> str:
        """The only call's record, as `tell` writes it; AssertionError when there isn't exactly one."""
        await self.world.sleep(0.1)
        (call,) = self.calls
        return tell(call)

    def asked(self) -> list[str]:
        """What the media engine was asked, in order: `offer a b1`."""
        return [
            f"{asked.verb} {asked.leg} {asked.detail if asked.verb in ('offer', 'answer') else ''}".strip()
            for asked in self.engine.asked
        ]

    def _flow(
        self, transport: str, remote: Address, local: Address | None, identity: PeerIdentity | None = None
    ) -> Flow:
        if transport == "TLS":
            proven = self.certificates.get(remote[0], ())
            assert identity is not None, "a TLS server's name is to be verified"
            refused = identity.verified and identity.name not in proven
            return self.node.flow_later(transport, remote, refused=refused)
        if transport != "UDP":
            raise OSError(f"no {transport} socket here")
        return self.node.flow(remote)

    async def ask(self, name: str, kind: Kind) -> Records:
        """The world's DNS: `records`, and the addresses of `names`, which hold for a minute."""
        await self.world.sleep(self.name_server_seconds)
        if kind == "A" and name in self.names:
            return Records((self.names[name],), 60)
        return self.records.get((name, kind), Records((), 60))


async def _at_once(work: Callable[[], Result], /) -> Result:
    """A disk that takes no time, in a world without threads."""
    return work()


async def start(world: World, plan_text: str = PLAN_TEXT, directory: Directory = APP) -> Town:
    """The town, with its operators' names looked up."""
    town = Town(world, plan_text, directory)
    await town.exchange.trunks.resolve()
    return town


def plan_of(text: str, directory: Directory = APP) -> Plan:
    """A plan with the people of the directory."""
    return _usual_plan(text) if directory is APP else with_directory(_parsed(text), directory)


@lru_cache(maxsize=4)
def _usual_plan(text: str) -> Plan:
    """A plan, which never changes: most scenarios are played with the same one."""
    return with_directory(_parsed(text), APP)


@lru_cache(maxsize=4)
def _parsed(text: str) -> Plan:
    return parse_plan(text, "valmont.yaml")


def tell(call: CallRecord) -> str:
    """A call record as text: one line for the call and one for each leg, seconds since its start.

    started/answered/ended are told as `0.0 1.2 9.0`, with `-` for what didn't happen.
    """

    def seconds(*instants: float | None) -> str:
        return " ".join("-" if instant is None else f"{instant - call.started:.1f}" for instant in instants)

    name = f" ({call.from_name})" if call.from_name else ""
    way = f"{call.direction} {call.from_}{name} dialled {call.dialled} to {call.to or '-'}"
    lines = [f"{way}: {call.cause}, {seconds(call.answered, call.ended)}"]
    lines += [
        f"  {leg.device} {leg.address} {leg.transport} {leg.codec or '-'}: "
        f"{leg.cause}, {seconds(leg.started, leg.answered, leg.ended)}"
        for leg in call.legs
    ]
    return "\n".join(lines)


def reason_of(message: Message) -> str:
    """A message's Reason header; empty without one."""
    values = message.all("Reason")
    return values[0] if values else ""


class _Errors(logging.Handler):
    """Counts what the exchange and the core log as errors: a scenario must not cause any."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._counts: dict[str, int] = {}
        for name in ("pbx", "sip"):
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        text = f"error {record.getMessage()} {error!r}"
        self._counts[text] = self._counts.get(text, 0) + 1

    def expect(self, *starts: str) -> None:
        """These errors, one of each, belong to the scenario; AssertionError when one didn't come."""
        for start in starts:
            found = [text for text in self._counts if start in text]
            assert found, f"no error says {start}: {list(self._counts)}"
            for text in found:
                del self._counts[text]

    def inventory(self) -> dict[str, int]:
        return dict(self._counts)

    def close(self) -> None:
        for name in ("pbx", "sip"):
            logging.getLogger(name).removeHandler(self)
        super().close()
