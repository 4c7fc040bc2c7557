"""What routing is asked and what it answers: the facts of a call, where it goes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from dialplan.budgets import NOTHING_SPENT, Spending
from dialplan.schedule import WeeklyInterval

if TYPE_CHECKING:
    from dialplan.plan import Members


@dataclass(frozen=True, slots=True)
class Origin:
    """Who set something by hand, and when (aware). by: an extension, or the name of who typed a command."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ForwardRule:
    """A forward that somebody set by hand, for all of their callers at any hour or for some.

    when: `always`, `busy`, `no_answer` or `unreachable`. to: as in `Forwards`; "" cancels the plan's.
    seconds: how long their devices ring before a `no_answer`, 0 for the usual.
    callers: extensions, how E.164 numbers begin, `inside`, `outside`, `anonymous`; empty for everybody.
    hours: of the week, in the plan's time zone; empty for any.
    """

    when: str
    to: str
    seconds: int = 0
    callers: tuple[str, ...] = ()
    hours: tuple[WeeklyInterval, ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Forwards:
    """Where a person sends calls on: numbers as they would dial them, "" for nowhere.

    no_answer_seconds: how long their devices ring before `no_answer`. unreachable: where no device of theirs
    can be reached, "" for where `no_answer` leads. rules: set by hand, before the others; the first that is
    for a call decides. origin: of do_not_disturb, where it was set by hand.
    rejects_anonymous: calls without a number are refused. call_waiting: whether a call rings while they are
    in one. ring: how their telephones ring (dialplan.ringing), "" as the plan says.
    """

    always: str = ""
    busy: str = ""
    no_answer: str = ""
    no_answer_seconds: int = 20
    do_not_disturb: bool = False
    unreachable: str = ""
    rules: tuple[ForwardRule, ...] = ()
    origin: Origin | None = None
    rejects_anonymous: bool = False
    call_waiting: bool = True
    ring: str = ""

    @property
    def destinations(self) -> tuple[str, ...]:
        """Where the plan's own forwards lead, each once."""
        leads = (self.always, self.busy, self.no_answer, self.unreachable)
        return tuple(to for to in dict.fromkeys(leads) if to)


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody opened or closed a service or a schedule by hand; it ends by itself at `until` (aware).

    to: where a closed service's calls go meanwhile, as in a plan; "" for its own `when_closed:`.
    """

    is_open: bool
    until: datetime
    to: str = ""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """An emergency call was made: for an hour, calls to the number that it showed ring its device too.

    device: the sign-in of the device. at: when the call was made, aware.
    """

    device: str
    extension: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is unusual at a node now. Calls share one value; nothing is looked up while it is NORMAL.

    sites_down: sites that our own network doesn't reach. forwards: by extension; they replace the plan's.
    services, schedules: overrides by name. callbacks: by the public number that was shown.
    """

    trunks_down: frozenset[str] = frozenset()
    sites_down: frozenset[str] = frozenset()
    forwards: Mapping[str, Forwards] = field(default_factory=dict)
    services: Mapping[str, Override] = field(default_factory=dict)
    schedules: Mapping[str, Override] = field(default_factory=dict)
    callbacks: Mapping[str, Callback] = field(default_factory=dict)


NORMAL = Conditions()
NEXT_TRUNK_SECONDS = 3


class Diversion(NamedTuple):
    """Somebody or something that sent the call on. who: an extension or a service's name.

    number: what is told of it outside: E.164 where it has such a number. reason: a word of RFC 5806
    section 4 (unconditional, user-busy, no-answer, unavailable, do-not-disturb, time-of-day).
    """

    who: str
    number: str
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a call that begins.

    caller: the extension of the person whose device calls, None when it isn't one of ours.
    trunk: the trunk that the call arrives on, None for a device of ours.
    caller_number: what the trunk says of the caller, E.164 or raw.
    anonymous: the caller's number must not be shown.
    address: the device's source IP address, which gives its site by the sites' networks.
    site: the site that the device is configured for; used where the address tells none.
    spending: what was spent of the plan's budgets.
    conditions: what is unusual at the node.
    diversions: who sent this call on already, first to last.
    shown: the number of theirs that the caller wants to show, E.164; None for the usual one.
    automated: a machine calls by itself.
    confirmed_address: where a teleworker says that the device is, by the keys of a site's `address:`.
    owner: the extension whose device it is, where the caller only uses it for a while; None otherwise.
    """

    dialled: str
    caller: str | None = None
    trunk: str | None = None
    caller_number: str | None = None
    anonymous: bool = False
    address: str | None = None
    site: str | None = None
    spending: Spending = NOTHING_SPENT
    conditions: Conditions = NORMAL
    diversions: tuple[Diversion, ...] = ()
    shown: str | None = None
    automated: bool = False
    confirmed_address: Mapping[str, str] | None = None
    owner: str | None = None


class Step(NamedTuple):
    """One rule that was looked at: its plan line (0 for none), its name and what came of it."""

    line: int
    rule: str
    outcome: str


@dataclass(frozen=True, slots=True)
class ToPerson:
    """The devices of a person. in_turns: they ring, with the mobile, as the person has it (`ring:`)."""

    extension: str
    name: str
    in_turns: bool = False


@dataclass(frozen=True, slots=True)
class ToService:
    """A service. number: the number inside that was dialled, which tells the places of a parking apart;
    "" when the service was reached otherwise."""

    name: str
    type: str
    number: str = ""


@dataclass(frozen=True, slots=True)
class ToFeature:
    """A feature code with its argument ("" without one). The name `alarm` raises the alarm `argument`, and
    `mailbox` takes a message for the extension `argument`."""

    name: str
    argument: str


@dataclass(frozen=True, slots=True)
class ToTrunks:
    """A call outside. number: E.164, or an emergency or short number as it is. trunks: in order of trial."""

    number: str
    trunks: tuple[str, ...]
    emergency: bool


@dataclass(frozen=True, slots=True)
class Reject:
    """A refusal: one of `plan.REJECT_REASONS`, the SIP status, and what to tell the caller by language."""

    reason: str
    status: int
    text: Mapping[str, str]


Target = ToPerson | ToService | ToFeature | ToTrunks | Reject


@dataclass(frozen=True, slots=True)
class Location:
    """Where a device is. source: how that is known; `assumed` must be told as such to those who come to help.

    address: civic parts as the plan writes them. point: latitude and longitude (degrees, WGS 84), if known.
    """

    site: str
    source: Literal["network", "configuration", "confirmed", "assumed"]
    address: Mapping[str, str]
    point: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class EmergencyCall:
    """What an emergency call needs besides its trunks.

    preempts: it may end an ordinary call when every channel is taken.
    shown: the number to show by each of the decision's trunks, in their order; None where there is none.
    notified: who of ours is told, None for nobody. next_trunk_seconds: how long a trunk may only say 100.
    callback_seconds: how long calls to the number shown ring the device (`Callback`).
    """

    number: str
    names: Mapping[str, str]
    preempts: bool
    location: Location
    shown: tuple[str | None, ...]
    notified: Members | None
    next_trunk_seconds: int = NEXT_TRUNK_SECONDS
    callback_seconds: int = 3600


class Decision(NamedTuple):
    """Where a call goes and what is shown.

    dialled: the plain form of what was dialled. site: the device's site ("" when the plan has none); for a
    call from a trunk, the default site.
    caller_id: an extension inside, E.164 outside, None when there is nothing to show.
    anonymous: what is shown must be hidden from the one who is called (RFC 3323).
    diversions: who sent the call on, first to last, for Diversion (RFC 5806) and History-Info (RFC 7044).
    original_caller: who called, where a call that was sent on shows a number of ours instead.
    emergency: for an emergency call. callback: the device that rings too, after an emergency call.
    recorded_lines: the services that it came through whose calls are recorded, in this order.
    """

    target: Target
    dialled: str
    site: str
    caller_id: str | None
    caller_name: str | None
    trace: tuple[Step, ...]
    anonymous: bool = False
    diversions: tuple[Diversion, ...] = ()
    original_caller: str | None = None
    emergency: EmergencyCall | None = None
    callback: Callback | None = None
    recorded_lines: tuple[str, ...] = ()

    @property
    def schedules(self) -> list[str]:
        """The names of the schedules that were looked at: all that the decision knows of the time."""
        return [
            step.rule.removeprefix("schedule ") for step in self.trace if step.rule.startswith("schedule ")
        ]


def _reject(reason: str, status: int, fr: str, en: str) -> Reject:
    return Reject(reason, status, MappingProxyType({"fr": fr, "en": en}))


# RFC 3261 section 21.4: 403 for what a caller may not do, 404 for no such number, 480 for nobody there now.
NOT_ALLOWED = _reject(
    "class", 403, "Vous n'êtes pas autorisé à appeler ce numéro.", "You are not allowed to call this number."
)
UNKNOWN = _reject("unknown", 404, "Ce numéro n'existe pas.", "This number does not exist.")
NO_CODE = _reject(
    "unknown",
    404,
    "Ce code n'existe pas, ou il lui manque des chiffres.",
    "This code does not exist, or some of its digits are missing.",
)
CLOSED = _reject("closed", 480, "Ce service est fermé.", "This service is closed.")
LOOP = _reject("loop", 480, "Ce service n'est pas joignable.", "This service cannot be reached.")
NO_CALLER_ID = _reject(
    "caller_id", 403, "Aucun opérateur ne peut présenter votre numéro.", "No operator can show your number."
)
BUDGET = _reject(
    "budget",
    403,
    "Le plafond des appels extérieurs est atteint.",
    "The limit of outside calls is reached.",
)
NO_TRUNK = _reject(
    "no_trunk", 503, "Aucune ligne extérieure n'est prévue.", "No outside line is provided for this call."
)
# RFC 5079 section 4: anonymity disallowed. RFC 3261 section 21.6.2: the callee wants no such call at all.
ANONYMOUS = _reject(
    "anonymous",
    433,
    "Les appels anonymes ne sont pas acceptés. Rappelez en montrant votre numéro.",
    "Anonymous calls are not accepted. Please call again showing your number.",
)
REFUSED_CALLER = _reject(
    "caller", 603, "Vos appels ne sont pas acceptés.", "Your calls are not accepted here."
)
DO_NOT_DISTURB = _reject(
    "do_not_disturb", 486, "Votre correspondant ne souhaite pas être dérangé.", "Please do not disturb."
)
NO_FORWARD = _reject(
    "no_forward", 480, "Votre correspondant n'est pas joignable.", "The person you called cannot be reached."
)
