"""The codes that pick up a call that rings elsewhere, where none does.

Where one rings, the router makes the INVITE a leg of that call (`pbx.calls.router`), and no app is needed.
"""

from __future__ import annotations

from pbx.apps.announce import announce
from pbx.calls.call import Call
from sip.core.reason import Reason

_NOTHING = {
    "fr": "Aucun téléphone que vous pouvez intercepter ne sonne.",
    "en": "No telephone that you may pick up is ringing.",
}
_NOBODY = Reason("Q.850", 20, "Subscriber absent")


async def nothing_to_pick_up(call: Call, argument: str) -> None:
    """Say so. argument: the extension whose telephone was to be picked up, "" for any of the group."""
    await announce(call, _NOTHING, status=480, cause="nothing rings", reason=_NOBODY)
