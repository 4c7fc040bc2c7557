"""The code by which somebody hears where their telephone is thought to be, and says that it is so."""

from __future__ import annotations

from collections.abc import Mapping

from pbx.apps.confirmation import refuse, refuses_transferred, who_dialled
from pbx.calls.attendant import Attendant
from pbx.calls.call import Call
from pbx.people.settings import SettingRefused

_AT_SITE = {
    "fr": "En cas d'urgence, les secours viennent ici : {place}.",
    "en": "In an emergency, help comes here: {place}.",
}
_ASK = {
    "fr": "En cas d'urgence, les secours viennent ici : {place}. Si c'est juste, tapez 1. Sinon, tapez 2.",
    "en": "In an emergency, help comes here: {place}. If that is right, press 1. If not, press 2.",
}
_CONFIRMED = {"fr": "C'est noté, merci.", "en": "Noted, thank you."}
_FORGOTTEN = {
    "fr": "L'adresse est effacée. En cas d'urgence, dites où vous êtes.",
    "en": "The address is erased. In an emergency, say where you are.",
}
_UNKNOWN = {
    "fr": "L'adresse de ce poste n'est pas connue. En cas d'urgence, dites où vous êtes, et donnez votre"
    " adresse au service informatique.",
    "en": "The address of this telephone is not known. In an emergency, say where you are, and give your"
    " address to your IT service.",
}


async def confirm_place(call: Call, argument: str) -> None:
    """Say where the caller's telephone is thought to be; 1 confirms an address, 2 has it forgotten."""
    if refuses_transferred(call):
        return
    exchange, sign_in = call.exchange, call.caller.device
    attendant = Attendant(call)
    await attendant.answer()
    try:
        extension = who_dialled(call)
        plan, host = exchange.plan, call.caller.flow.remote[0]
        site = plan.sites.get(plan.tables.networks.find(host))
        network = exchange.addresses.network_of(sign_in)
        said = [one.address for one in exchange.addresses.of(sign_in) if one.network == network]
        if site is not None:
            await attendant.say(_placed(_AT_SITE, ", ".join([site.title, *_spoken(site.address)])))
        elif not said:
            await attendant.say(_UNKNOWN)
        else:
            match await attendant.say(_placed(_ASK, ", ".join(_spoken(said[0]))), until="12") or (
                await attendant.gather(1)
            ):
                case "1":
                    exchange.addresses.say(sign_in, {}, extension, confirm=True)
                    await attendant.say(_CONFIRMED)
                case "2":
                    exchange.addresses.forget(sign_in, extension)
                    await attendant.say(_FORGOTTEN)
    except SettingRefused as error:
        await refuse(attendant, error)


def _placed(texts: dict[str, str], place: str) -> dict[str, str]:
    return {language: text.format(place=place) for language, text in texts.items()}


def _spoken(address: Mapping[str, str]) -> list[str]:
    """The parts of an address that a voice says."""
    city = " ".join(address[key] for key in ("postcode", "city") if address.get(key))
    return [address[key] for key in ("street", "building", "floor") if address.get(key)] + (
        [city] if city else []
    )
