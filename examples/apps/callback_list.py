"""Takes the number of whoever wants to be called back, and writes it on a list that the office reads."""

from pathlib import Path

from pbx.own_apps import Caller


def add(file: str, line: str) -> None:
    with Path(file).open("a", encoding="utf-8") as listed:
        listed.write(line + "\n")


async def answer(caller: Caller) -> None:
    number = caller.number
    if (
        not number
        or await caller.ask(1, fr="Pour être rappelé, tapez 1.", en="To be called, press 1.") != "1"
    ):
        number = await caller.ask(
            15, fr="Tapez votre numéro, puis dièse.", en="Enter your number, then hash."
        )
    if len(number) < 4:
        await caller.say(fr="Aucun numéro. Au revoir.", en="No number. Goodbye.")
        return
    await caller.in_background(add, caller.settings["file"], f"{caller.now:%Y-%m-%d %H:%M};{number}")
    await caller.say(fr="C'est noté. Nous vous rappelons.", en="Noted. We will call you back.")
