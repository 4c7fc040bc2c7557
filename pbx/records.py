"""What is written down: call records, bindings and what people set, as the journal, the database and the
command line know them.

Times are Unix seconds (float). They are values given by the caller: nothing here reads a clock.
The structs are written as arrays, in the order of their fields, so a field may only be added at the end and
with a default: a journal written by an older version is then still read after an upgrade.
"""

from datetime import UTC, datetime
from typing import Any, TypeAlias

from msgspec import Struct, field, structs

from media.engine import LegQuality

Address: TypeAlias = tuple[str, int]
"""IP address as text, without brackets, and port."""


PICK_UP = "pick-up"
CONFERENCE = "conference"
CAME = frozenset({"calls", PICK_UP})
"""How those came into a call who called us (LegRecord.reached)."""


class LegRecord(Struct, array_like=True, frozen=True, gc=False):
    """One party of a call: where its device was, what it spoke, and how it ended.

    address: "192.0.2.1:5060" or "[2001:db8::1]:5060"; cause: the word or SIP status that ended the leg.
    quality: how it was heard; None where that wasn't measured, as in a call of a few seconds.
    media: `relayed`, or `direct` where its sound went to the other telephone and not to us; None without.
    name: what intervals call it, `a` for the caller. number: the party's extension, or its number outside.
    reached: how the party came into the call: `calls`, `dialled`, `forwarded`, `transfer`, `pick-up`, `park`,
    `replaces`, `conference`, `originated`, `overflow` (a queue sent the caller there), `call-back` (from a
    queue), or the type of the service that called it; via: the extension or service that did that, "" for the
    caller itself. All four are "" in records that were made before there were intervals. call_id: of its SIP
    dialog, by which its messages are found (pbx.messages); "" where it had none, and in older records.
    """

    device: str
    address: str
    transport: str
    codec: str | None
    started: float
    answered: float | None
    ended: float | None
    cause: str
    quality: LegQuality | None = None
    media: str | None = None
    name: str = ""
    number: str = ""
    reached: str = ""
    via: str = ""
    call_id: str = ""

    @property
    def direction(self) -> str:
        """`in` for who called us, `out` for whom we called; "" where it isn't known."""
        return self.reached and ("in" if self.reached in CAME else "out")

    @property
    def trunk(self) -> str:
        """The trunk's name; "" for a device of ours, whose sign-in begins with the digits of an extension."""
        return "" if self.device[:1].isdecimal() else self.device


class Interval(Struct, array_like=True, frozen=True, gc=False):
    """Who heard whom, or what, from when to when.

    kind: `talk` (these legs hear each other), `held` (these wait for the other one), `transfer` (these wait
    for somebody else), `announcement`, `code`, or the type of a service (`room`, `queue`, `park`, `menu`, …).
    ended: None while it goes on. legs: by name. where: which service, room or code; "" between parties.
    """

    kind: str
    started: float
    ended: float | None
    legs: tuple[str, ...]
    where: str = ""


class CallRecord(Struct, array_like=True, frozen=True, gc=False, tag="call"):
    """One attempt at a conversation, after its end. `direction` is internal, inbound or outbound.

    intervals: in the order of time. parents: the calls that it was made for, or that its parties came from.
    plan_lines: the lines of the plan that were looked at, in the order of the decisions; 0 for a rule that
    isn't written in it. hidden: the caller didn't want to be shown to who was called. recorded: some of it.
    """

    id: str
    started: float
    answered: float | None
    ended: float
    direction: str
    from_: str = field(name="from")
    from_name: str
    dialled: str
    to: str
    cause: str
    plan_version: str
    legs: list[LegRecord]
    intervals: tuple[Interval, ...] = ()
    parents: tuple[str, ...] = ()
    plan_lines: tuple[int, ...] = ()
    hidden: bool = False
    recorded: bool = False


class Binding(Struct, array_like=True, frozen=True, gc=False):
    """Where one device of an address of record can be reached until `expires_at`. RFC 3261 section 10.3.

    transport, local and remote name the flow that the REGISTER came on; path: RFC 3327 section 5.3, first hop
    first. instance, reg_id: RFC 5626 section 4; instance "" and reg_id 0 for a phone without. username: of
    its digest, "" where that is the device.
    """

    contact_uri: str
    call_id: str
    cseq: int
    q: float
    expires_at: float
    path: list[str]
    transport: str
    local: Address
    remote: Address
    user_agent: str
    device: str
    behind_nat: bool = False
    instance: str = ""
    reg_id: int = 0
    username: str = ""


class BindingsRecord(Struct, array_like=True, frozen=True, gc=False, tag="bindings"):
    """All the bindings that an AOR has from now on: its last record is the one that holds."""

    aor: str
    bindings: list[Binding]


class SetBy(Struct, array_like=True, frozen=True, gc=False):
    """Who set something by hand (an extension, or the name of who typed a command), and when."""

    by: str
    at: float


class ForwardSetting(Struct, array_like=True, frozen=True, gc=False):
    """One forward that somebody set: `when` is one of dialplan.forwarding.WHENS; to "" cancels the plan's.

    seconds: before `no_answer`, 0 for the usual. callers, hours: as in dialplan.decision.ForwardRule, hours
    as a plan writes them (`mon-fri 12:00-14:00`). until: Unix seconds, when it ends by itself; 0 for never.
    """

    when: str
    to: str
    set_by: SetBy
    seconds: int = 0
    callers: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()
    until: float = 0.0


class Switch(Struct, array_like=True, frozen=True, gc=False):
    """Something that somebody switched on or off, whatever the plan says of it."""

    on: bool
    set_by: SetBy


class PauseSetting(Struct, array_like=True, frozen=True, gc=False):
    """Somebody takes no calls of a queue or a group for a while; service "": of none.

    reason: digits of the plan's `pauses:`, `no-answer` where it was the service that set it, "" for none.
    """

    service: str
    reason: str
    set_by: SetBy


class RingSetting(Struct, array_like=True, frozen=True, gc=False):
    """How somebody's telephones ring: one of dialplan.ringing.WAYS."""

    way: str
    set_by: SetBy


class PersonSettings(Struct, array_like=True, frozen=True, gc=False, tag="settings"):
    """All that a person has set from now on: the last record of an extension is the one that holds.

    forwards: the first that holds for a call decides. do_not_disturb: None for not set.
    anonymous_rejection, call_waiting: None for what the plan says. pauses: one for each service at most.
    ring: how their telephones ring, None for what the plan says. do_not_disturb_until: when that ends by
    itself, in Unix seconds; 0 for never.
    """

    extension: str
    forwards: tuple[ForwardSetting, ...] = ()
    do_not_disturb: SetBy | None = None
    anonymous_rejection: Switch | None = None
    call_waiting: Switch | None = None
    pauses: tuple[PauseSetting, ...] = ()
    ring: RingSetting | None = None
    do_not_disturb_until: float = 0.0

    def __bool__(self) -> bool:
        switches = (self.do_not_disturb, self.anonymous_rejection, self.call_waiting, self.ring)
        return bool(self.forwards or self.pauses) or any(switch is not None for switch in switches)


class OverrideRecord(Struct, array_like=True, frozen=True, gc=False, tag="override"):
    """A service or a schedule is open or closed by hand until an instant; one that is past ends it.

    kind: `service` or `schedule`. to: where a closed service's calls go, "" for its own `when_closed:`.
    """

    kind: str
    name: str
    is_open: bool
    until: float
    to: str
    set_by: SetBy


class PinRecord(Struct, array_like=True, frozen=True, gc=False, tag="pin"):
    """The PIN of a person, as a hash (pbx.people.pins); an empty one for none."""

    extension: str
    salt: bytes
    hash: bytes
    set_by: SetBy

    @property
    def key(self) -> tuple[str, ...]:
        """What the last record with the same key says of holds."""
        return "pin", self.extension

    def lasts(self, now: float) -> bool:
        """Whether there is anything to remember of it at an instant."""
        return bool(self.hash)


class TriesRecord(Struct, array_like=True, frozen=True, gc=False, tag="tries"):
    """When wrong PINs were entered lately, by what they count under (people.pins); none: all is forgiven."""

    name: str
    wrong_at: tuple[float, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """See PinRecord.key."""
        return "tries", self.name

    def lasts(self, now: float) -> bool:
        """See PinRecord.lasts."""
        return any(at > now - 3600.0 for at in self.wrong_at)


class SeatRecord(Struct, array_like=True, frozen=True, gc=False, tag="seat"):
    """A person uses a device until an instant, 0 for no end (people.seats); extension "": its own does."""

    device: str
    extension: str
    until: float
    set_by: SetBy

    @property
    def key(self) -> tuple[str, ...]:
        """See PinRecord.key."""
        return "seat", self.device

    def lasts(self, now: float) -> bool:
        """See PinRecord.lasts."""
        return bool(self.extension) and (not self.until or self.until > now)


class AddressRecord(Struct, array_like=True, frozen=True, gc=False, tag="address"):
    """Where a device is while it calls from one network outside of every site (pbx.people.addresses).

    address: by the keys of a site's `address:`; empty for forgotten. confirmed: None while nobody has said
    that it is right.
    """

    device: str
    network: str
    address: dict[str, str]
    set_by: SetBy
    confirmed: SetBy | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """See PinRecord.key."""
        return "address", self.device, self.network

    def lasts(self, now: float) -> bool:
        """See PinRecord.lasts."""
        return bool(self.address)


class CompletionRecord(Struct, array_like=True, frozen=True, gc=False, tag="completion"):
    """Somebody wants to speak with whom a call of theirs failed to reach (pbx.completions), until an instant.

    why: `busy`, `no_answer` or `unreachable`. used: the other has used a telephone since. hidden: the caller
    doesn't want to be shown.
    """

    asker: str
    wanted: str
    why: str
    asked_at: float
    until: float
    used: bool = False
    hidden: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """See PinRecord.key."""
        return "completion", self.asker, self.wanted

    def lasts(self, now: float) -> bool:
        """See PinRecord.lasts."""
        return self.until > now


class SubscriptionRecord(Struct, array_like=True, frozen=True, gc=False, tag="subscription"):
    """What a device watches, with the dialog that it is told in (RFC 6665); expires_at 0 when it is over.

    event: the Event value that NOTIFYs repeat. transport, local and remote name the flow. Times of the wall.
    """

    local_tag: str
    expires_at: float
    subscriber: str = ""
    resource: str = ""
    event: str = ""
    interval_seconds: float = 0.0
    call_id: str = ""
    local_address: str = ""
    remote_address: str = ""
    remote_tag: str = ""
    remote_target: str = ""
    route_set: tuple[str, ...] = ()
    local_sequence: int = 0
    remote_sequence: int = 0
    transport: str = ""
    local: Address = ("", 0)
    remote: Address = ("", 0)

    @property
    def key(self) -> tuple[str, ...]:
        """See PinRecord.key."""
        return "subscription", self.local_tag

    def lasts(self, now: float) -> bool:
        """See PinRecord.lasts."""
        return self.expires_at > now


class TraceRecord(Struct, array_like=True, frozen=True, gc=False, tag="trace"):
    """A call that somebody reported as malicious: where it came from, also what wasn't to be shown.

    by: who reported it, `at`. number: the caller's extension, or what the operator told; "" where it told
    none. hidden: who was called wasn't shown it. device: the sign-in, or the trunk. address: where the call
    was signalled from. call_id: of the SIP dialog. said: the lines by which an operator tells who calls.
    """

    by: str
    call: str
    at: float
    started: float
    direction: str
    number: str
    name: str
    hidden: bool
    device: str
    address: str
    call_id: str
    said: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """See PinRecord.key."""
        return "trace", self.by, self.call

    def lasts(self, now: float) -> bool:
        """See PinRecord.lasts. Nobody takes it back; a year is the time for a complaint."""
        return self.at > now - 366 * 86_400.0


class CallBackRecord(Struct, array_like=True, frozen=True, gc=False, tag="call-back"):
    """Somebody hung up and keeps a place in a queue until called back, or `over` (pbx.queues.call_backs).

    call: in which that was asked. since, turn: see pbx.queues.place.Place.
    """

    call: str
    queue: str
    number: str
    since: float
    turn: float
    over: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """See PinRecord.key."""
        return "call-back", self.call

    def lasts(self, now: float) -> bool:
        """See PinRecord.lasts."""
        return not self.over


class PublicationRecord(Struct, array_like=True, frozen=True, gc=False, tag="publication"):
    """What a device says of its person until `expires_at` (RFC 3903), 0 for no more; as Presence has it."""

    entity_tag: str
    expires_at: float
    extension: str = ""
    open: bool = False
    note: str = ""
    activities: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """See PinRecord.key."""
        return "publication", self.entity_tag

    def lasts(self, now: float) -> bool:
        """See PinRecord.lasts."""
        return self.expires_at > now


Personal: TypeAlias = (
    PinRecord
    | TriesRecord
    | SeatRecord
    | AddressRecord
    | CompletionRecord
    | TraceRecord
    | SubscriptionRecord
    | CallBackRecord
    | PublicationRecord
)
"""What a person or a device has beside settings: the last record with a key is the one that holds."""


class TextRecord(Struct, array_like=True, frozen=True, gc=False, tag="text"):
    """A short text that waits for its person, until it is delivered or `expires_at`.

    number: grows from text to text. to: the person's extension. sender: the device's sign-in, whose person is
    `from_` and `from_name`. content_type: with its parameters, as received.
    """

    number: int
    to: str
    sender: str
    from_: str
    from_name: str
    content_type: str
    body: bytes
    written_at: float
    expires_at: float


class TextOverRecord(Struct, array_like=True, frozen=True, gc=False, tag="text over"):
    """A text that waited waits no more: it was delivered, refused or too old."""

    number: int


Record: TypeAlias = (
    CallRecord | BindingsRecord | PersonSettings | OverrideRecord | Personal | TextRecord | TextOverRecord
)


def rfc3339(seconds: float | None) -> str | None:
    """Return the instant as RFC 3339 section 5.6 text in UTC with milliseconds; None (it didn't happen)
    stays None.
    """
    if seconds is None:
        return None
    # Rounded first: isoformat cuts, and 12.3 kept as a binary fraction would print as 12.299.
    instant = datetime.fromtimestamp(round(seconds, 3), UTC)
    milliseconds = (instant.microsecond + 500) // 1000
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def printable(call: CallRecord) -> dict[str, Any]:
    """Return the call as `beffroi call list --json` prints it, times as RFC 3339 text."""
    return {
        "id": call.id,
        "started": rfc3339(call.started),
        "answered": rfc3339(call.answered),
        "ended": rfc3339(call.ended),
        "direction": call.direction,
        "from": call.from_,
        "from_name": call.from_name,
        "dialled": call.dialled,
        "to": call.to,
        "cause": call.cause,
        "plan_version": call.plan_version,
        "legs": [
            {
                "device": leg.device,
                "address": leg.address,
                "transport": leg.transport,
                "codec": leg.codec,
                "started": rfc3339(leg.started),
                "answered": rfc3339(leg.answered),
                "ended": rfc3339(leg.ended),
                "cause": leg.cause,
                "quality": structs.asdict(leg.quality) if leg.quality is not None else None,
                "media": leg.media,
                "name": leg.name,
                "number": leg.number,
                "direction": leg.direction,
                "reached": leg.reached,
                "via": leg.via,
                "call_id": leg.call_id,
            }
            for leg in call.legs
        ],
        "intervals": [
            {
                "kind": interval.kind,
                "started": rfc3339(interval.started),
                "ended": rfc3339(interval.ended),
                "legs": list(interval.legs),
                "where": interval.where,
            }
            for interval in call.intervals
        ],
        "parents": list(call.parents),
        "plan_lines": [line for line in call.plan_lines if line],
        "hidden": call.hidden,
        "recorded": call.recorded,
    }
