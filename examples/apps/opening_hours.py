"""Says whether the town hall is open, and when it opens next; key 0 leads to the reception."""

from pbx.own_apps import Caller

DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")


async def answer(caller: Caller) -> None:
    schedule, reception = caller.settings["schedule"], caller.settings["reception"]
    if caller.is_open(schedule):
        fr, en = "La mairie est ouverte.", "The town hall is open."
    else:
        opens = caller.next_opening(schedule)
        fr = f"La mairie est fermée. Elle ouvre {DAYS[opens.weekday()]} à {opens:%H heures %M}."
        en = f"The town hall is closed. It opens on {opens:%A} at {opens:%H:%M}."
    key = await caller.ask(1, fr=f"{fr} Pour l'accueil, tapez 0.", en=f"{en} For the reception, press 0.")
    if key == "0":
        await caller.connect(reception)
        await caller.say(fr="Personne ne répond.", en="Nobody answers.")
