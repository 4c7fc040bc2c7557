"""What a menu does beside its choices: languages, names, extensions, and the web step."""

from __future__ import annotations

import asyncio

import pytest

from pbx.apps.web_service import Answer, NoAnswer, Question
from tests.scenarios.offers import party
from tests.scenarios.test_menus import PROMPT, records
from tests.scenarios.town import PLAN_TEXT, Town, TownPhone, start
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

CHOICES = 'choices: {"1": "2010", "2": "2020", "0": standard}'
RETRIES = "    retries: 2\n    otherwise: {to: standard}\n  repondeur"


def menu(settings: str, choices: str = 'choices: {"1": "2010", "2": "2020", "0": "1002"}') -> str:
    """The sample plan, whose menu 8000 has these settings, and 1002 in place of the switchboard."""
    assert CHOICES in PLAN_TEXT
    assert RETRIES in PLAN_TEXT
    plan = PLAN_TEXT.replace(CHOICES, f"{choices}\n    {settings}")
    return plan.replace(RETRIES, '    retries: 2\n    otherwise: {to: "1002"}\n  repondeur')


LANGUAGES = menu('languages: {"8": en}')
NAMES = menu('names: "*"')
EXTENSIONS = menu("extensions: true")


async def in_menu(world: World, plan: str, *others: str) -> tuple[Town, list[TownPhone]]:
    """1001 has called the menu, which speaks."""
    town = await start(world, plan)
    phones = await town.phones("1001", *others)
    await phones[0].call("8000")
    phones[0].ack(await phones[0].expect(200))
    await world.sleep(0.1)
    return town, phones


async def presses(town: Town, digits: str) -> None:
    town.press(digits)
    await town.world.sleep(0.1)


async def is_connected(town: Town, caller: TownPhone, callee: TownPhone) -> None:
    callee.answer(await callee.expect("INVITE"))
    await callee.expect("ACK")
    await town.hang_up(caller, callee)


def languages(town: Town) -> list[str]:
    """In which language everything was said."""
    said = [asked.detail for asked in town.engine.asked if asked.verb == "play"]
    return [text.partition("language='")[2][:2] for text in said if "language='" in text]


# Languages


@scenario()
async def test_a_key_chooses_the_language_of_all_that_follows(world: World) -> None:
    plan = LANGUAGES.replace(
        "tapez 2. Pour l'accueil, tapez 0.\"}", 'tapez 2.", en: "For the registry, press 1."}'
    )
    town, (alice, office) = await in_menu(world, plan, "2010")
    town.finish_playing()
    await world.sleep(0.1)
    assert town.spoken()[-1] == "For English, press 8."
    await presses(town, "8")
    assert town.spoken()[-1] == "For the registry, press 1."
    await presses(town, "7")
    assert town.spoken()[-1] == "There is no such choice."
    await presses(town, "1")
    town.finish_playing()
    await world.sleep(0.1)
    office.reply(await office.expect("INVITE"), 486)
    await office.expect("ACK")
    await world.sleep(0.1)
    assert town.spoken()[-1] == "Nobody answers."
    assert languages(town) == ["fr", "en", "en", "en", "en"]
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_who_changes_languages_for_ever_goes_where_such_calls_go(world: World) -> None:
    town, (alice, bruno) = await in_menu(world, LANGUAGES, "1002")
    for _ in range(12):
        await presses(town, "8")
    await is_connected(town, alice, bruno)


# Names


@scenario()
async def test_a_name_is_spelt_and_its_extension_told(world: World) -> None:
    """Bruno Petit by his surname: 7 3 8 4 8."""
    town, (alice, bruno) = await in_menu(world, NAMES, "1002")
    await presses(town, "*")
    assert town.spoken()[-1] == "Épelez le nom avec les touches, puis dièse."
    await presses(town, "73848#")
    assert town.spoken()[-1] == "Bruno Petit, poste 10 02 : tapez 1."
    await presses(town, "1")
    town.ladder.media("1001", "Beffroi", "a name, by keys")
    await is_connected(town, alice, bruno)
    assert_golden("menu-by-name", town.ladder)
    assert "dialled 8000 to 1002: completed" in await records(town)


@scenario()
async def test_of_several_one_is_chosen_by_its_key(world: World) -> None:
    """Garde 1 and Garde 2 have the same first keys."""
    town, (alice, garde) = await in_menu(world, NAMES, "2202")
    await presses(town, "*")
    await presses(town, "427#")
    assert town.spoken()[-1] == "Garde 1, poste 22 01 : tapez 1. Garde 2, poste 22 02 : tapez 2."
    await presses(town, "2")
    await is_connected(town, alice, garde)


@scenario()
async def test_a_name_that_nobody_has_is_told_and_asked_again(world: World) -> None:
    town, (alice, bruno) = await in_menu(world, NAMES, "1002")
    await presses(town, "*")
    for _ in range(3):
        await presses(town, "9999#")
        assert town.spoken()[-1] == "Personne ne porte ce nom."
        town.finish_playing()
        await world.sleep(0.1)
    assert town.spoken()[-1] == PROMPT
    await presses(town, "0")
    await is_connected(town, alice, bruno)


@scenario()
async def test_only_those_whom_the_plan_lists_are_found(world: World) -> None:
    town, (alice,) = await in_menu(world, menu('names: {key: "*", people: {group: garde}}'))
    await presses(town, "*")
    await presses(town, "73848#")
    assert town.spoken()[-1] == "Personne ne porte ce nom."
    alice.bye()
    await alice.expect("200 BYE")


# Extensions


@scenario()
async def test_an_extension_is_dialled_in_the_menu(world: World) -> None:
    town, (alice, garde) = await in_menu(world, EXTENSIONS, "2201")
    await presses(town, "2201")
    await is_connected(town, alice, garde)


@scenario()
async def test_a_choice_that_begins_an_extension_is_taken_when_nothing_follows(world: World) -> None:
    town, (alice, office) = await in_menu(world, EXTENSIONS, "2020")
    await presses(town, "2")
    await world.sleep(2)
    await is_connected(town, alice, office)


@pytest.mark.parametrize("digits", ["2999", "112#", "8301"])
@scenario()
async def test_nothing_but_a_person_is_reached_by_digits(world: World, digits: str) -> None:
    town, (alice,) = await in_menu(world, EXTENSIONS)
    await presses(town, digits)
    assert "Ce choix n'existe pas." in town.spoken()
    alice.bye()
    await alice.expect("200 BYE")


# Never a dead end


@scenario()
async def test_a_menu_that_leads_to_itself_ends(world: World) -> None:
    """RFC 3261 section 8.1.1.6: each turn takes one from Max-Forwards."""
    plan = menu("retries: 0", 'choices: {"1": accueil-vocal}').replace(
        '    retries: 2\n    otherwise: {to: "1002"}\n', ""
    )
    town = await start(world, plan)
    alice = await party(town, "1001")
    alice.headers["Max-Forwards"] = "4"
    talk = alice.dial("8000")
    for _ in range(40):
        await world.sleep(0.5)
        for call, leg in list(town.engine.playing):
            town.engine.press(call, leg, "1")
            town.engine.finish(call, leg)
    assert talk.over
    assert town.spoken().count(PROMPT) == 3
    assert town.spoken()[-1] == "Nous ne pouvons pas prendre votre appel. Au revoir."


# The web step


class Files:
    """A web service of the town, which answers after a while."""

    def __init__(self, answer: Answer | NoAnswer, after_seconds: float = 1.0) -> None:
        self.asked: list[tuple[str, str, str, Question]] = []
        self._answer = answer
        self._after_seconds = after_seconds

    async def ask(self, url: str, method: str, secret: str, question: Question, seconds: float) -> Answer:
        """See pbx.apps.web_service.Asker."""
        self.asked.append((url, method, secret, question))
        try:
            async with asyncio.timeout(seconds):
                await asyncio.sleep(self._after_seconds)
        except TimeoutError:
            raise NoAnswer("late") from None
        if isinstance(self._answer, NoAnswer):
            raise self._answer
        return self._answer


WEB = PLAN_TEXT.replace(
    "  accueil-vocal:",
    """  dossiers:
    number: "8010"
    type: web
    url: https://dossiers.valmont.example/appel
    secret: {env: FILES_SECRET}
    prompt: {fr: "Tapez le numéro de votre dossier, puis dièse."}
    otherwise: {to: "1002"}
  accueil-vocal:""",
)


async def asking(world: World, files: Files, *others: str) -> tuple[Town, list[TownPhone]]:
    """1001 has called the web step and given a number."""
    town = await start(world, WEB)
    town.exchange.web = files
    phones = await town.phones("1001", *others)
    await phones[0].call("8010")
    phones[0].ack(await phones[0].expect(200))
    await world.sleep(0.1)
    assert town.spoken() == ["Tapez le numéro de votre dossier, puis dièse."]
    await presses(town, "4711#")
    assert town.spoken()[-1] == "Un instant, s'il vous plaît."
    town.finish_playing()
    return town, phones


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILES_SECRET", "token")


@scenario()
async def test_the_answer_says_something_and_names_who_takes_the_call(world: World) -> None:
    files = Files(Answer({"fr": "Votre dossier est prêt."}, "2010"))
    town, (alice, office) = await asking(world, files, "2010")
    await world.sleep(1)
    assert town.spoken()[-1] == "Votre dossier est prêt."
    town.finish_playing()
    town.ladder.media("1001", "Beffroi", "an answer of the web")
    await is_connected(town, alice, office)
    assert_golden("menu-web-step", town.ladder)
    ((url, method, token, question),) = files.asked
    assert (url, method, token) == ("https://dossiers.valmont.example/appel", "POST", "token")
    assert (question.caller, question.called, question.digits, question.language) == (
        "1001",
        "8010",
        "4711",
        "fr",
    )


@scenario()
async def test_an_answer_that_only_says_something_ends_the_call(world: World) -> None:
    town, (alice,) = await asking(world, Files(Answer("Rappelez demain.")))
    await world.sleep(1)
    assert town.spoken()[-1] == "Rappelez demain."
    town.finish_playing()
    alice.reply(await alice.expect("BYE"), 200)
    assert "dossiers: completed" in await records(town)


@pytest.mark.parametrize(
    "files",
    [
        Files(NoAnswer("it answered 500")),
        Files(Answer(), after_seconds=60),
        Files(Answer("", "+33612345678")),
        Files(Answer("", "112")),
        Files(Answer("", "*21*0612345678")),
        Files(Answer()),
    ],
    ids=["error", "too late", "a number outside", "an emergency number", "a code", "nothing"],
)
@scenario()
async def test_without_a_usable_answer_the_call_goes_where_the_plan_sends_it(
    world: World, files: Files
) -> None:
    town, (alice, bruno) = await asking(world, files, "1002")
    bruno.answer(await bruno.expect("INVITE", within_seconds=6))
    await bruno.expect("ACK")
    await town.hang_up(alice, bruno)


@scenario()
async def test_a_caller_who_hangs_up_meanwhile_leaves_nothing_behind(world: World) -> None:
    _, (alice,) = await asking(world, Files(Answer("Trop tard."), after_seconds=3))
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_a_secret_that_the_node_was_not_given_asks_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FILES_SECRET")
    files = Files(Answer("Bonjour."))
    town = await start(world, WEB)
    town.exchange.web = files
    alice, bruno = await town.phones("1001", "1002")
    await alice.call("8010")
    alice.ack(await alice.expect(200))
    await world.sleep(0.1)
    await presses(town, "4711#")
    await is_connected(town, alice, bruno)
    assert files.asked == []
