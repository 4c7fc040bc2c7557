"""Opens a door for colleagues who know its code: the relay beside the door has an address on our network."""

import os
from hmac import compare_digest
from urllib.request import Request, urlopen

from pbx.own_apps import Caller


def open_door(address: str) -> None:
    with urlopen(Request(address, method="POST"), timeout=5):  # noqa: S310 (the plan's address)
        pass


async def answer(caller: Caller) -> None:
    wanted = os.environ[caller.settings["code_env"]]
    for _ in range(3 if caller.is_colleague else 0):
        code = await caller.ask(8, fr="Tapez le code, puis dièse.", en="Enter the code, then hash.")
        if compare_digest(code, wanted):
            await caller.in_background(open_door, caller.settings["relay"])
            await caller.say(fr="La porte est ouverte.", en="The door is open.")
            return
        await caller.say(fr="Ce code n'est pas le bon.", en="That code isn't right.")
    caller.hang_up("door stays closed")
