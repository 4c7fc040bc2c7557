"""Intercom: the telephone of a colleague answers by itself, and the two speak.

It opens a microphone that nobody touched, so only those of one group may do it to each other, and nobody to
whoever doesn't want to be disturbed. A telephone that doesn't answer by itself rings, and one in a call is
busy.
"""

from __future__ import annotations

from dialplan.decision import ToPerson
from pbx.apps.announce import announce
from pbx.apps.dial import ring
from pbx.apps.page import BY_ITSELF, NO_RIGHT
from pbx.calls.call import Call
from pbx.people.devices import is_near
from sip.core.errors import RemoteProtocolError

_NOT_NEAR = {
    "fr": "Vous ne pouvez appeler ainsi que les collègues de votre groupe.",
    "en": "You can only call colleagues of your group this way.",
}
_NOT_NOW = {
    "fr": "Ce collègue ne peut pas être appelé ainsi pour l'instant.",
    "en": "This colleague can't be called this way at present.",
}


async def intercom(call: Call, argument: str) -> None:
    """Ring a colleague's telephones, which are asked to answer at once (RFC 5373)."""
    caller = call.facts.caller if call.facts is not None else None
    if call.payer or caller is None or caller == argument or not is_near(call.plan, caller, argument):
        await announce(call, _NOT_NEAR, status=403, cause="rejected: class", reason=NO_RIGHT)
        return
    try:
        target = call.exchange.router.decide_for(call.caller, argument).target
    except RemoteProtocolError:
        target = None
    if not isinstance(target, ToPerson) or target.extension != argument:
        await announce(call, _NOT_NOW, status=480, cause="rejected: do_not_disturb", reason=NO_RIGHT)
        return
    await ring(call, argument, headers=BY_ITSELF)
