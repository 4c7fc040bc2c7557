"""The codes that say how one's telephones ring: with the mobile, before it, or without it."""

from __future__ import annotations

from collections.abc import Mapping

from dialplan.ringing import DEVICES, IN_TURN, TOGETHER
from pbx.apps.confirmation import confirm
from pbx.calls.call import Call

_SET = {
    TOGETHER: {
        "fr": "Vos téléphones et votre mobile sonnent ensemble.",
        "en": "Your telephones and your mobile ring together.",
    },
    IN_TURN: {
        "fr": "Vos téléphones sonnent d'abord, puis votre mobile.",
        "en": "Your telephones ring first, and then your mobile.",
    },
    DEVICES: {
        "fr": "Votre mobile ne sonne plus.",
        "en": "Your mobile does not ring any more.",
    },
}


async def set_ring(call: Call, argument: str, *, way: str) -> None:
    """Let the caller's telephones ring in one of `dialplan.ringing.WAYS`."""

    def act(extension: str) -> Mapping[str, str]:
        call.exchange.settings.ring(extension, way, extension)
        return _SET[way]

    await confirm(call, act)
