"""What routing is asked and what it answers: the facts of a call, where it goes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from dialplan.budgets import NOTHING_SPENT, Spending


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a call that begins.

    caller: the extension of the person whose device calls, None when it isn't one of ours.
    trunk: the trunk that the call arrives on, None for a device of ours.
    caller_number: what the trunk says of the caller, E.164 or raw. anonymous: it must not be shown.
    address: the device's source IP address, which gives its site by the sites' networks.
    site: the site that the device is configured for; used where the address tells none.
    spending: what was spent of the plan's budgets.
    """

    dialled: str
    caller: str | None = None
    trunk: str | None = None
    caller_number: str | None = None
    anonymous: bool = False
    address: str | None = None
    site: str | None = None
    spending: Spending = NOTHING_SPENT


class Step(NamedTuple):
    """One rule that was looked at: its plan line (0 for none), its name and what came of it."""

    line: int
    rule: str
    outcome: str


@dataclass(frozen=True, slots=True)
class ToPerson:
    """The devices of a person."""

    extension: str
    name: str


@dataclass(frozen=True, slots=True)
class ToService:
    """A service. number: the number inside that was dialled, which tells the places of a parking apart;
    "" when the service was reached otherwise."""

    name: str
    type: str
    number: str = ""


@dataclass(frozen=True, slots=True)
class ToFeature:
    """A feature code with its argument ("" without one). The name `alarm` raises the alarm `argument`."""

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
class Decision:
    """Where a call goes and what is shown.

    dialled: the plain form of what was dialled. site: the device's site ("" when the plan has none); for a
    call from a trunk, the default site.
    caller_id: an extension inside, E.164 outside, None when there is nothing to show.
    """

    target: Target
    dialled: str
    site: str
    caller_id: str | None
    caller_name: str | None
    trace: tuple[Step, ...]

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
