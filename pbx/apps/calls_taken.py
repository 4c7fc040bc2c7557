"""The codes that say which calls one takes: those of callers who hide, and a second one during a call."""

from __future__ import annotations

from collections.abc import Mapping

from pbx.apps.confirmation import confirm
from pbx.calls.call import Call

_SET = {
    ("anonymous_rejection", True): {
        "fr": "Les appels anonymes sont refusés.",
        "en": "Anonymous calls are refused.",
    },
    ("anonymous_rejection", False): {
        "fr": "Les appels anonymes sont acceptés.",
        "en": "Anonymous calls are accepted.",
    },
    ("call_waiting", True): {
        "fr": "Un deuxième appel sonne pendant que vous parlez.",
        "en": "A second call rings while you are speaking.",
    },
    ("call_waiting", False): {
        "fr": "Pendant que vous parlez, vous êtes occupé pour les autres.",
        "en": "While you are speaking, others find you busy.",
    },
}


async def switch(call: Call, argument: str, *, what: str, on: bool) -> None:
    """Switch one of `pbx.people.settings.SWITCHES` on or off for who dials."""

    def act(extension: str) -> Mapping[str, str]:
        call.exchange.settings.switch(extension, what, on, extension)
        return _SET[what, on]

    await confirm(call, act)
