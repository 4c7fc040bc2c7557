"""A menu: the caller hears what there is and presses the key of what it wants.

A key that means nothing is answered with the choices again, as often as the plan says (`retries`); then, or
when nobody takes the call, it goes where the plan sends such calls (`otherwise`). A menu that has nowhere to
send a caller says so and ends: it is never left in silence.
"""

from __future__ import annotations

from collections.abc import Mapping

from dialplan.plan import Destination, Service
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call

RETRIES = 2
_WRONG = {"fr": "Ce choix n'existe pas.", "en": "There is no such choice."}
_NOBODY = {"fr": "Personne ne répond.", "en": "Nobody answers."}
_GOODBYE = {
    "fr": "Nous ne pouvons pas prendre votre appel. Au revoir.",
    "en": "We can't take your call. Goodbye.",
}


async def menu(call: Call, service: Service) -> None:
    """Answer, and send the caller on by the key that it presses."""
    choices = service.settings["choices"]
    assert isinstance(choices, Mapping)
    attendant = Attendant(call)
    await attendant.answer()
    key = await _chosen(attendant, service, choices)
    if key:
        choice = choices[key]
        assert isinstance(choice, Destination)
        await attendant.connect(choice, f"menu {service.name}, key {key}")
        await attendant.say(_NOBODY)
    otherwise = service.settings.get("otherwise")
    if isinstance(otherwise, Destination):
        await attendant.connect(otherwise, f"menu {service.name}, otherwise")
    await attendant.say(_GOODBYE)
    attendant.hang_up("no choice" if not key else "nobody answered")


async def _chosen(attendant: Attendant, service: Service, choices: Mapping[str, object]) -> str:
    """The key of a choice, "" when the caller found none."""
    prompt = service.texts("prompt")
    retries = service.settings.get("retries", RETRIES)
    assert isinstance(retries, int)
    for _ in range(1 + retries):
        key = await attendant.say(prompt, until="0123456789*#") or await attendant.gather(1, end="")
        if key in choices:
            return key
        if key:
            await attendant.say(_WRONG)
    return ""
