"""The model of a plan: sites, numbers, rights, trunks, services, people. Values only; routing reads them.

Every part keeps the line and column where it is written, so that a trace and a finding can name them.
A `Plan` compiles its own lookup tables when it is made, and never changes: a new plan is a new value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, Protocol

from dialplan.budgets import Budget
from dialplan.country import Country, EmergencyNumber
from dialplan.decision import Forwards
from dialplan.dialled import read_dialled
from dialplan.finding import Finding
from dialplan.ranges import NumberRange
from dialplan.schedule import Schedule
from dialplan.tables import Tables, coded, compile_tables

# Why a call is refused: a right that the class lacks, no such number, the plan goes in a circle, closed with
# nowhere to go, no number of ours that a trunk may show, no trunk, a budget that is spent; a caller without a
# number or that the plan refuses; a callee who wants no call, or sends it nowhere.
REJECT_REASONS = (
    "class",
    "unknown",
    "loop",
    "closed",
    "caller_id",
    "no_trunk",
    "budget",
    "anonymous",
    "caller",
    "do_not_disturb",
    "no_forward",
)


class Placed(Protocol):
    """A part of a plan that knows where it is written (line and column count from 1, 0 for nowhere)."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is: the name of an environment variable. A plan never holds the secret."""

    env: str


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call goes on: a service's name, a number inside, or an E.164 number outside."""

    kind: Literal["service", "inside", "outside"]
    value: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Members:
    """Who rings: everybody of a group, everybody of a site, or these numbers (extensions or E.164)."""

    groups: tuple[str, ...]
    sites: tuple[str, ...]
    numbers: tuple[str, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class RingStep:
    """A hotline rings these members, all at once, for some seconds; `confirm`: they must press a key."""

    members: Members
    seconds: int
    confirm: bool
    line: int


@dataclass(frozen=True, slots=True)
class RotaStep:
    """A hotline rings whoever is on call now, as an iCalendar file beside the plan says."""

    file: str
    seconds: int
    confirm: bool
    line: int


@dataclass(frozen=True, slots=True)
class AlarmStep:
    """A hotline raises an alarm, and goes on at once."""

    alarm: str
    line: int


@dataclass(frozen=True, slots=True)
class ToStep:
    """A hotline hands the call over. Always the last step."""

    to: Destination
    line: int


@dataclass(frozen=True, slots=True)
class Overflow:
    """Where a queue sends a call that waited this long, or that finds so many before it (0: any number)."""

    after_seconds: int
    to: Destination
    callers: int = 0


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a queue tells those who wait, and how often. wait: how long it may still take."""

    position: bool
    every_seconds: int
    wait: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """Who may use a service: people of these classes, and of these groups."""

    classes: tuple[str, ...]
    groups: tuple[str, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class NameKey:
    """The key of a menu that finds people by name, and who is found; None for everybody of the plan."""

    key: str
    people: Members | None


@dataclass(frozen=True, slots=True)
class Priority:
    """Who comes before whom in a queue: a level is worth so many seconds of waiting, so all have their turn.

    level: of its callers as a rule. callers: by extension, by how a number begins, or by `inside`, `outside`,
    `anonymous`; numbers: by what was dialled. The highest that fits counts.
    """

    level: int = 0
    level_seconds: int = 60
    callers: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallBack:
    """A caller that waited so long may press a key, hang up, and be called when its turn comes."""

    key: str
    after_seconds: int


Step = RingStep | RotaStep | AlarmStep | ToStep
Srtp = Literal["required", "preferred", "off", ""]  # "": as the transport says
SRTP: tuple[Srtp, ...] = ("required", "preferred", "off")
Setting = (
    str
    | int
    | bool
    | Mapping[str, str]
    | Mapping[str, Destination]
    | Destination
    | Members
    | SecretRef
    | Overflow
    | Announcement
    | Allowed
    | NameKey
    | tuple[str, ...]
    | Priority
    | CallBack
    | Mapping[str, int]
    | tuple[Step, ...]
    | tuple[Mapping[str, str], ...]
)


@dataclass(frozen=True, slots=True)
class Site:
    """A place. `name` is the plan's word for it, `title` what people read."""

    name: str
    title: str
    address: Mapping[str, str]
    location: tuple[float, float] | None  # latitude and longitude, degrees, WGS 84
    networks: tuple[IPv4Network | IPv6Network, ...]
    trunks: tuple[str, ...]
    main_number: str | None
    line: int
    column: int
    notified: Members | None = None  # who is told of an emergency call from here
    direct_media: bool = False  # whether two of its telephones send each other their sound


@dataclass(frozen=True, slots=True)
class Server:
    """A server by name or literal address; port 0 where none is given (RFC 3263 decides then)."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Trunk:
    """An operator's line. It may show the numbers that it owns or presents, and no other.

    host: the operator's domain, which our URIs name; proxies: its servers where they aren't the domain's.
    port 0 and transport `auto`: as the domain's DNS says. account: our user part at the operator.
    sources and certificates: who else may call as this trunk. The rest is as trunk_section reads it.
    """

    name: str
    host: str
    port: int
    transport: str
    username: str | None
    secret: SecretRef | None
    owns: tuple[NumberRange, ...]
    presents: tuple[NumberRange, ...]
    channels: int
    emergency_channels: int
    line: int
    column: int
    proxies: tuple[Server, ...] = ()
    account: str = ""
    registers: bool = False
    register_seconds: int = 600
    sources: tuple[IPv4Network | IPv6Network, ...] = ()
    certificates: tuple[str, ...] = ()
    numbers_in: str = "auto"
    numbers_out: str = "e164"
    caller_id_in: str = "asserted"
    caller_id_out: str = "asserted"
    supervise_seconds: int = 60
    supervise_misses: int = 3
    options: frozenset[str] = frozenset()
    srtp: Srtp = ""
    record: str | None = None

    @property
    def servers(self) -> tuple[Server, ...]:
        """Where its calls go, in the order to try."""
        return self.proxies or (Server(self.host, self.port),)

    def may_show(self, number: str) -> bool:
        return any(number in numbers for numbers in self.owns + self.presents)


@dataclass(frozen=True, slots=True)
class Service:
    """Something that answers calls. `settings` holds what its type reads, already checked.

    number is as written (`8000`, or `700..709`), numbers the same as a range.
    """

    name: str
    number: str | None
    numbers: NumberRange | None
    public: str | None
    type: str
    schedule: str | None
    when_closed: Destination | None
    record: str | None
    settings: Mapping[str, Setting]
    line: int
    column: int

    def texts(self, name: str) -> Mapping[str, str]:
        """A setting of its type that is to be spoken, by language; empty where the plan doesn't say it."""
        said = self.settings.get(name, {})
        assert isinstance(said, Mapping)
        return {language: text for language, text in said.items() if isinstance(text, str)}

    @property
    def needs(self) -> Mapping[str, int]:
        """The skills that the callers of a queue need, with their levels; its language is one of them."""
        named, language = self.settings.get("needs", {}), self.settings.get("language")
        assert isinstance(named, Mapping)
        needs = {skill: level for skill, level in named.items() if isinstance(level, int)}
        return needs if not isinstance(language, str) else {language: 1, **needs}


@dataclass(frozen=True, slots=True)
class RingTurn:
    """Some of a person's telephones ring together, for a while, once the call has waited `after_seconds`.

    devices: sign-ins, `all` or `mobile` (dialplan.ringing).
    """

    devices: tuple[str, ...]
    after_seconds: int
    seconds: int
    line: int


@dataclass(frozen=True, slots=True)
class Voicemail:
    """Whether somebody's calls go to their mailbox when nobody takes them, and after how long.

    email: who is sent each message, "" for nobody.
    """

    on: bool
    after_seconds: int = 25
    email: str = ""


NO_VOICEMAIL = Voicemail(False)


@dataclass(frozen=True, slots=True)
class Person:
    """A person, or a place that has a telephone. class_name None: calls inside and emergency only.

    caller_id: what their calls outside show, E.164 or `anonymous`; "" for the usual.
    turns: how their telephones ring; empty where all devices ring together, and the mobile doesn't.
    language: what they are spoken to in, "" for the plan's. voicemail: None for what the plan says of all.
    record: the policy by which all of their calls are recorded, None where the plan says nothing of it.
    """

    extension: str
    name: str
    site: str | None = None
    class_name: str | None = None
    groups: tuple[str, ...] = ()
    mobile: str | None = None
    password: str | None = field(default=None, repr=False)
    line: int = 0
    column: int = 0
    caller_id: str = ""
    forwards: Forwards | None = None
    language: str = ""
    turns: tuple[RingTurn, ...] = ()
    voicemail: Voicemail | None = None
    record: str | None = None


@dataclass(frozen=True, slots=True)
class ClassOfRights:
    """What those of a class may call, besides emergency numbers, and whether their sound is encrypted.

    rights: `override` among them allows no call, but to close and open services.
    """

    name: str
    rights: frozenset[str]
    line: int
    column: int
    srtp: Srtp = ""


@dataclass(frozen=True, slots=True)
class ExtensionRange:
    """Extensions of a site ("" for none), and the public numbers that reach them one to one, if any."""

    site: str
    numbers: NumberRange
    public: NumberRange | None
    line: int
    column: int

    def direct_number(self, extension: str) -> str | None:
        """The public number of an extension of this range, None when it has none."""
        if self.public is None or self.numbers.position(extension) >= len(self.public):
            return None
        return self.public.at(self.numbers.position(extension))


@dataclass(frozen=True, slots=True)
class Route:
    """Trunks for some outside calls: `to` is a right (mobile) or how an E.164 number begins (+44).

    schedule: it only holds while this is open, "" for always. cheapest: all trunks with a rate for the
    number, the cheapest first; then via is empty.
    """

    to: str
    via: tuple[str, ...]
    line: int
    column: int
    schedule: str = ""
    cheapest: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """What a minute costs by a trunk, in cents. to and schedule: as in a Route."""

    trunk: str
    to: str
    cents: float
    schedule: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Group:
    """What the plan says of a group of people; who is in it, people say. caller_id: E.164, "" for none.

    record: the policy by which the calls of its people are recorded, where they have none of their own.
    """

    name: str
    caller_id: str
    line: int
    column: int
    record: str | None = None


@dataclass(frozen=True, slots=True)
class Skill:
    """Something that agents can do: levels, 1 to 9, by extension."""

    name: str
    levels: Mapping[str, int]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Screening:
    """Callers from outside who aren't let in. rejected: how their numbers begin.

    anonymous: `accept`, `reject`, or where calls without a number go.
    """

    rejected: tuple[str, ...]
    anonymous: str | Destination
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Feature:
    """A code that users dial: `before` and `after` are fixed, the argument ("" for none) is between them.

    further: the arguments after the first one, each behind a `*`.
    """

    name: str
    before: str
    argument: str
    after: str
    line: int
    column: int
    further: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.argument:
            return self.before
        arguments = "*".join(f"{{{argument}}}" for argument in (self.argument, *self.further))
        return f"{self.before}{arguments}{self.after}"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that calls many people until enough of them acknowledge."""

    name: str
    dial: tuple[str, ...]
    webhook: bool
    mqtt: tuple[str, ...]
    call: Members
    message: Mapping[str, str]
    acknowledge_digit: str
    acknowledge_needed: int
    within_seconds: int
    retry: int
    escalate: Destination | None
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class RecordingPolicy:
    """Why, from when and how long calls are recorded, and who may listen.

    start: "ringing", "answer", or "asked": nothing is recorded before the person asks for it.
    announce: what whoever speaks is told once it is recorded, by language; empty for nothing.
    beep_seconds: how often they hear a short tone, 0 for never. may_stop: whether whoever of ours speaks may
    stop it by a code. alarm: what is raised when a recording fails, "" for nothing. register: where it stands
    in the register of processing, "" for nowhere; least_days: nobody may have one erased before.
    """

    name: str
    legal_basis: str
    keep_days: int
    start: str
    on_failure: str
    listeners: Members | None
    export: str
    line: int
    column: int
    export_written: bool = True  # False where `export` is the default
    announce: Mapping[str, str] = field(default_factory=dict)
    beep_seconds: int = 0
    may_stop: bool = False
    alarm: str = ""
    register: str = ""
    least_days: int = 0


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a test of the plan expects; None where it says nothing. recorded: a policy, `nothing` for none."""

    emergency: bool | None = None
    trunk: str | None = None
    caller_id: str | None = None
    to: str | None = None
    user: str | None = None
    service: str | None = None
    feature: str | None = None
    reject: str | None = None
    recorded: str | None = None


@dataclass(frozen=True, slots=True)
class PlanTest:
    """A call that the plan must route as expected. at None: at every hour, otherwise at that instant.

    from_trunk: `caller` is an outside number (E.164) and the call arrives on a trunk.
    at_site: the site where the caller's device is, None for its usual one.
    """

    caller: str
    from_trunk: bool
    dial: str
    at: datetime | None
    at_site: str | None
    expect: Expectation
    line: int
    column: int
    trunk_down: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan, checked as far as loading does. `findings` are warnings and notes met so far, and
    the errors that `with_people` met.

    version: a short hash of the plan's text; people of the database don't change it.
    emergency: the country's numbers and the town's, by number.
    emergency_notified: who is told of emergency calls, where their site says nothing.
    emergency_test: the number of a simulated answering point that the daily self-test calls, "" for none.
    hot_desk_ends: the hour, such as 20:00, at which every device is its own person's again; "" for never.
    pauses: why agents pause, by the digits of a code.
    voicemail: of people of whom nothing else is said.
    """

    version: str
    path: str
    organization: str
    country: Country
    language: str
    timezone: str
    sites: Mapping[str, Site]
    outside_prefix: str
    default_site: str
    unassigned: Destination | None
    emergency: Mapping[str, EmergencyNumber]
    ranges: tuple[ExtensionRange, ...]
    classes: Mapping[str, ClassOfRights]
    trunks: Mapping[str, Trunk]
    routes: tuple[Route, ...]
    schedules: Mapping[str, Schedule]
    services: Mapping[str, Service]
    alarms: Mapping[str, Alarm]
    recordings: Mapping[str, RecordingPolicy]
    features: tuple[Feature, ...]
    people: Mapping[str, Person]
    tests: tuple[PlanTest, ...]
    findings: tuple[Finding, ...] = ()
    budgets: tuple[Budget, ...] = ()
    rates: tuple[Rate, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    screening: Screening | None = None
    emergency_notified: Members | None = None
    emergency_test: str = ""
    hot_desk_ends: str = ""
    skills: Mapping[str, Skill] = field(default_factory=dict)
    pauses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    voicemail: Voicemail = NO_VOICEMAIL
    tables: Tables = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", compile_tables(self))

    def is_emergency(self, dialled: str) -> bool:
        """Whether what was dialled is an emergency number, in any accepted form, also after `hide_number`."""
        plain = read_dialled(dialled, self.country)
        if plain in self.tables.emergency:
            return True
        return any(number in self.tables.emergency for _, number in coded(self.tables.number_codes, plain))

    def voicemail_of(self, extension: str) -> Voicemail:
        """What becomes of calls to somebody that nobody takes; NO_VOICEMAIL for an unknown extension."""
        person = self.people.get(extension)
        if person is None:
            return NO_VOICEMAIL
        return person.voicemail if person.voicemail is not None else self.voicemail

    def with_people(self, people: Iterable[Person]) -> Plan:
        """A plan with these people besides its own `users:`.

        Never raises: somebody whose extension is taken is left out, an unknown class or site is read as
        none (calls inside and emergency still work), and each is an error in the new plan's `findings`,
        which `check` gives too.
        """
        merged = dict(self.people)
        findings: list[Finding] = []
        for person in people:
            taken = self.tables.holder_of(person.extension)
            if person.extension in merged:
                taken = f"user {merged[person.extension].name}"
            if not person.extension.isascii() or not person.extension.isdigit():
                taken = "no telephone: an extension is made of digits"
            if taken:
                findings.append(
                    self._about(
                        person, "duplicate_number", f"extension {person.extension} is already {taken}"
                    )
                )
                continue
            if person.site is not None and person.site not in self.sites:
                findings.append(self._about(person, "unknown_site", f'unknown site "{person.site}"'))
                person = replace(person, site=None)
            if person.class_name is not None and person.class_name not in self.classes:
                findings.append(self._about(person, "unknown_class", f'unknown class "{person.class_name}"'))
                person = replace(person, class_name=None)
            merged[person.extension] = person
        return replace(self, people=merged, findings=self.findings + tuple(findings))

    def _about(self, person: Person, code: str, message: str) -> Finding:
        where = f"user {person.extension[:40]} ({person.name[:60]})"
        return Finding(code, "error", self.path, 0, 0, f"{message} for {where} of the database")
