"""The codes for do not disturb. Emergency calls back, and calls of one's own, aren't concerned."""

from __future__ import annotations

from collections.abc import Mapping

from pbx.apps.confirmation import confirm
from pbx.calls.call import Call

_SET = {
    True: {
        "fr": "Ne pas déranger est activé : votre téléphone ne sonne plus.",
        "en": "Do not disturb is on: your telephone does not ring.",
    },
    False: {
        "fr": "Ne pas déranger est désactivé.",
        "en": "Do not disturb is off.",
    },
}


async def do_not_disturb(call: Call, argument: str, *, on: bool) -> None:
    """Let the caller's devices ring, or not."""

    def act(extension: str) -> Mapping[str, str]:
        call.exchange.settings.do_not_disturb(extension, on, extension)
        return _SET[on]

    await confirm(call, act)
