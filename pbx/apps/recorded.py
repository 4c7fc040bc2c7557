"""What callers and people of ours meet of recordings: a call refused without one, codes that stop it.

    record_stop     dialled during a call, from a second line or telephone: it isn't recorded any more
    record_again    and is again; or is from now on, where that is for the person to say (`start: asked`)

The others only where the plan's policy says `stop: allowed`. What was said before, or meanwhile, is nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from pbx.apps.announce import announce
from pbx.apps.confirmation import confirm
from pbx.calls.call import Call
from pbx.people.settings import SettingRefused
from sip.core.reason import Reason

UNRECORDED: Final = {
    "fr": "Cette ligne doit être enregistrée et ne peut pas l'être en ce moment. Rappelez plus tard.",
    "en": "This line has to be recorded and can't be at the moment. Please call again later.",
}
UNRECORDED_REASON: Final = Reason("Q.850", 41, "Temporary failure")
_STOPPED: Final = {"fr": "Votre appel n'est plus enregistré.", "en": "Your call is no longer recorded."}
_RECORDED: Final = {"fr": "Votre appel est enregistré.", "en": "Your call is recorded."}
_NONE: Final = {
    "fr": "Vous n'avez pas d'appel enregistré.",
    "en": "You have no call that is recorded.",
}
_NONE_TO_RECORD: Final = {
    "fr": "Aucun de vos appels n'est à enregistrer.",
    "en": "You have no call to record.",
}
_NEVER: Final = {
    "fr": "L'enregistrement de cet appel ne peut pas être arrêté.",
    "en": "The recording of this call can't be stopped.",
}
_FAILED: Final = {
    "fr": "Votre appel ne peut pas être enregistré en ce moment.",
    "en": "Your call can't be recorded at the moment.",
}


async def refuse_unrecorded(call: Call) -> None:
    """Tell the caller that its call can't be recorded, and refuse it (`on_failure: refuse`)."""
    call.to = call.to or "".join(call.decision.recorded_lines[-1:])
    await announce(call, UNRECORDED, status=503, cause="not recorded", reason=UNRECORDED_REASON)


async def record_stop(call: Call, argument: str) -> None:
    """Let the call that the caller is in be recorded no more."""
    await confirm(call, partial(_ask, call, on=False))


async def record_again(call: Call, argument: str) -> None:
    """Let it be recorded again, or from now on."""
    await confirm(call, partial(_ask, call, on=True))


def _ask(call: Call, extension: str, *, on: bool) -> Mapping[str, str]:
    """What is said of it. Raises SettingRefused where nothing came of it."""
    match call.exchange.recordings.ask(extension, call, on=on):
        case "done":
            return _RECORDED if on else _STOPPED
        case "failed":
            raise SettingRefused("failed", _FAILED, "it can't be recorded at the moment")
        case "never":
            raise SettingRefused("never", _NEVER, "the plan doesn't let recordings be stopped")
        case "none":
            text = _NONE_TO_RECORD if on else _NONE
            raise SettingRefused("nothing", text, "no call is recorded")
