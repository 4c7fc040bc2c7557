"""A menu: the caller hears what there is and presses the key of what it wants.

    prompt ──┬── a key of `choices` ──────────> whom the plan says
             ├── a key of `languages` ────────> the prompt in that language, which all that follows speaks too
             ├── the key of `names` ──────────> dial by name
             ├── an extension (`extensions`) ─> its person
             └── anything else, or nothing ───> the prompt again, as often as `retries` says

Then, or when nobody takes the call, it goes where the plan sends such calls (`otherwise`). A menu that has
nowhere to send a caller says so and ends: it is never left in silence. A circle of menus is ended by
Max-Forwards (RFC 3261 section 8.1.1.6), which each of them lessens.
"""

from __future__ import annotations

from collections.abc import Mapping

from dialplan.plan import Destination, NameKey, Service
from media.speech import Speech
from pbx.apps.names import by_name
from pbx.calls.attendant import KEY_SECONDS, Attendant
from pbx.calls.call import Call

RETRIES = 2
MOST_TURNS = 12  # of a caller who changes languages again and again
NEXT_DIGIT_SECONDS = 2.0  # after a key that may be a choice or begin an extension
KEYS = "0123456789*#"
_WRONG = {"fr": "Ce choix n'existe pas.", "en": "There is no such choice."}
_IN_LANGUAGE = {"fr": "Pour le français, tapez {key}.", "en": "For English, press {key}."}
NOBODY = {"fr": "Personne ne répond.", "en": "Nobody answers."}
GOODBYE = {
    "fr": "Nous ne pouvons pas prendre votre appel. Au revoir.",
    "en": "We can't take your call. Goodbye.",
}


async def menu(call: Call, service: Service) -> None:
    """Answer, and send the caller on by the key that it presses."""
    attendant = Attendant(call)
    await attendant.answer()
    chosen = await _chosen(attendant, service)
    for to, how in chosen:
        await attendant.connect(to, f"menu {service.name}, {how}")
        await attendant.say(NOBODY)
    otherwise = service.settings.get("otherwise")
    if isinstance(otherwise, Destination):
        await attendant.connect(otherwise, f"menu {service.name}, otherwise")
    await attendant.say(GOODBYE)
    attendant.hang_up("no choice" if not chosen else "nobody answered")


async def _chosen(attendant: Attendant, service: Service) -> tuple[tuple[Destination, str], ...]:
    """Where the caller wants to go and how it said so, as a tuple of one; empty when it didn't."""
    setting, plan = service.settings.get, attendant.call.plan
    choices, languages, names = service.settings["choices"], setting("languages", {}), setting("names")
    retries = setting("retries", RETRIES)
    assert isinstance(choices, Mapping)
    assert isinstance(languages, Mapping)
    assert isinstance(retries, int)
    for turn in range(MOST_TURNS):
        if retries < 0:
            break
        pressed = await _pressed(attendant, service, languages if turn == 0 else {})
        if pressed in languages:
            attendant.call.language = str(languages[pressed])
            continue
        retries -= 1
        choice = choices.get(pressed)
        if isinstance(choice, Destination):
            return ((choice, f"key {pressed}"),)
        if isinstance(names, NameKey) and pressed == names.key:
            extension = await by_name(attendant, names)
            if extension:
                return ((Destination("inside", extension, service.line, service.column), "by name"),)
        elif pressed and setting("extensions") and pressed in plan.people:
            return ((Destination("inside", pressed, service.line, service.column), "extension"),)
        elif pressed:
            await attendant.say(_WRONG)
    return ()


async def _pressed(attendant: Attendant, service: Service, languages: Mapping[str, object]) -> str:
    """What the caller presses: a key, or an extension where the menu takes these; "" for nothing.

    languages: those that are told, each in itself.
    """
    seconds = service.settings.get("seconds", KEY_SECONDS)
    assert isinstance(seconds, int | float)
    key = await attendant.say(service.texts("prompt"), until=KEYS)
    for offered, language in languages.items():
        if not key:
            text = _IN_LANGUAGE[str(language)].format(key=offered)
            key = await attendant.play(Speech(text, str(language)), until=KEYS)
    key = key or await attendant.gather(1, seconds=seconds, end="")
    if not key or not service.settings.get("extensions"):
        return key
    extensions = [extension for extension in attendant.call.plan.people if extension[:1] == key]
    if not extensions:
        return key
    return key + await attendant.gather(max(map(len, extensions)) - 1, seconds=NEXT_DIGIT_SECONDS)
