"""Apps of one's own: the three of `examples/`, and what becomes of callers when an app fails."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar, TypeVar

import pytest

from pbx.own_apps import Caller, load_apps
from tests.scenarios.offers import assert_speak, operator_party, party
from tests.scenarios.party import Party
from tests.scenarios.town import APP, Town, plan_of
from tests.sim.ladder import assert_golden
from tests.sim.world import World, scenario

EXAMPLES = Path(__file__).parents[2] / "examples"
PLAN = (EXAMPLES / "apps.yaml").read_text(encoding="utf-8")
FAILS = "Ce service ne fonctionne pas pour le moment."

Result = TypeVar("Result")


async def at_once(work: Callable[[], Result]) -> Result:
    """The virtual world has no threads: what is done in the background is done here and now."""
    return work()


async def town_with(world: World, tmp_path: Path, plan: str = PLAN) -> Town:
    """A town whose plan names the apps of the examples, in a folder that nobody else writes to."""
    folder = tmp_path / "apps"
    if not folder.exists():
        shutil.copytree(EXAMPLES / "apps", folder, ignore=shutil.ignore_patterns("__pycache__"))
    folder.chmod(0o700)
    for file in folder.iterdir():
        file.chmod(0o600)
    town = Town(world, plan, APP)
    programs, findings = load_apps(plan_of(plan), folder)
    assert findings == []
    town.exchange.own_apps = programs
    town.exchange.apart = at_once
    await town.exchange.trunks.resolve()
    return town


def app_named(tmp_path: Path, text: str) -> None:
    """A file of the folder in place of the example: what it answers with."""
    folder = tmp_path / "apps"
    folder.mkdir()
    for name in ("opening_hours.py", "callback_list.py", "door_opener.py"):
        (folder / name).write_text(f"from pbx.own_apps import Caller\nimport asyncio\n{text}\n")


async def hears_out(town: Town, times: int = 1) -> None:
    """What is playing ends, and what follows it."""
    for _ in range(times):
        await town.world.sleep(0.2)
        town.finish_playing()
    await town.world.sleep(0.2)


async def leaves(town: Town, *parties: Party) -> None:
    for one in parties:
        for talk in one.talking:
            one.leave(talk)
        await town.world.sleep(0.3)


# The examples


@scenario()
async def test_the_opening_hours_are_spoken_and_key_0_leads_to_the_reception(
    world: World, tmp_path: Path
) -> None:
    town = await town_with(world, tmp_path)
    caller, reception = [await party(town, user) for user in ("2020", "2010")]
    town.ladder.clear()
    caller.dial("8500")
    await world.sleep(0.5)
    assert town.spoken() == ["La mairie est ouverte. Pour l'accueil, tapez 0."]
    town.press("0")
    await world.sleep(1)
    assert_speak(town, caller, reception)
    await leaves(town, caller)
    assert_golden("own-app", town.ladder)
    first, call = town.calls
    assert [(one.kind, one.where) for one in first.intervals] == [("app", "horaires")]
    assert (call.parents, call.legs[1].reached, call.legs[1].via) == ((first.id,), "app", "horaires")


@scenario()
async def test_a_closed_town_hall_says_when_it_opens(world: World, tmp_path: Path) -> None:
    town = await town_with(world, tmp_path)
    town.exchange.clock = (world.wall() + timedelta(days=5)).timestamp  # Saturday
    caller, outside = await party(town, "2020"), operator_party(town, "operateur-a")
    outside.dial("+33383000100")
    await world.sleep(0.5)
    (said,) = town.spoken()
    assert said.startswith("La mairie est fermée. Elle ouvre lundi à 08 heures 30.")
    await hears_out(town)
    await world.sleep(6)
    assert outside.talking == caller.talking == []
    assert town.calls[0].cause == "completed"


@scenario()
async def test_the_number_of_whoever_wants_to_be_called_is_listed(world: World, tmp_path: Path) -> None:
    listed = tmp_path / "rappels.csv"
    town = await town_with(world, tmp_path, PLAN.replace("/var/lib/beffroi/rappels.csv", str(listed)))
    caller = await party(town, "2020")
    caller.dial("8501")
    await world.sleep(0.5)
    town.press("1")
    await hears_out(town)
    assert town.spoken() == ["Pour être rappelé, tapez 1.", "C'est noté. Nous vous rappelons."]
    assert listed.read_text(encoding="utf-8").endswith(";2020\n")
    assert caller.talking == []


@scenario()
async def test_another_number_is_asked_for(world: World, tmp_path: Path) -> None:
    listed = tmp_path / "rappels.csv"
    town = await town_with(world, tmp_path, PLAN.replace("/var/lib/beffroi/rappels.csv", str(listed)))
    caller = await party(town, "2020")
    caller.dial("8501")
    await world.sleep(0.5)
    town.press("2")
    await world.sleep(0.2)
    town.press("0612345678#")
    await hears_out(town)
    assert listed.read_text(encoding="utf-8").endswith(";0612345678\n")
    assert caller.talking == []


@scenario()
async def test_a_list_that_cannot_be_written_sends_the_caller_on(world: World, tmp_path: Path) -> None:
    town = await town_with(world, tmp_path, PLAN.replace("/var/lib/beffroi", str(tmp_path / "gone")))
    caller, reception = [await party(town, user) for user in ("2020", "2010")]
    caller.dial("8501")
    await world.sleep(0.5)
    town.press("1")
    await hears_out(town)
    await world.sleep(1)
    assert FAILS in town.spoken()
    assert_speak(town, caller, reception)
    await leaves(town, caller)
    town.errors.expect("app failed: callback_list.py raised", "service=rappel")


class Relay(BaseHTTPRequestHandler):
    """The relay beside a door."""

    opened: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.opened.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@scenario()
async def test_the_door_opens_for_a_colleague_who_knows_the_code(world: World, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as environment, HTTPServer(("127.0.0.1", 0), Relay) as relay:
        environment.setenv("DOOR_CODE", "4711")
        thread = Thread(target=relay.handle_request)
        thread.start()
        address = f"http://127.0.0.1:{relay.server_port}"
        town = await town_with(world, tmp_path, PLAN.replace("http://10.54.1.250", address))
        caller = await party(town, "2020")
        caller.dial("8502")
        await world.sleep(0.5)
        town.press("1234#")
        await hears_out(town)
        town.press("4711#")
        await hears_out(town)
        thread.join(5)
    assert Relay.opened == ["/open"]
    said = town.spoken()
    assert (said[1], said[3]) == ("Ce code n'est pas le bon.", "La porte est ouverte.")
    assert caller.talking == []


@scenario()
async def test_the_door_stays_closed_for_whoever_calls_from_outside(world: World, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DOOR_CODE", "4711")
        plan = PLAN.replace('    public: "+33383000100"\n', "").replace(
            "unassigned: {to: horaires}", "unassigned: {to: porte}"
        )
        town = await town_with(world, tmp_path, plan)
        outside = operator_party(town, "operateur-a")
        outside.dial("+33383000100")
        await world.sleep(1)
    assert town.calls[0].cause == "door stays closed"
    assert town.spoken() == []


# What goes wrong


@scenario()
async def test_an_app_that_raises_never_is_a_dead_end(world: World, tmp_path: Path) -> None:
    app_named(tmp_path, "async def answer(caller: Caller) -> None:\n    raise ValueError('sample')")
    town = await town_with(world, tmp_path)
    caller, reception = [await party(town, user) for user in ("2020", "2010")]
    caller.dial("8500")
    await hears_out(town)
    await world.sleep(1)
    assert town.spoken()[0] == FAILS
    assert_speak(town, caller, reception)
    await leaves(town, caller)
    town.errors.expect("app failed: opening_hours.py raised", "service=horaires ValueError")


@scenario()
async def test_an_app_has_the_time_that_the_plan_gives_it(world: World, tmp_path: Path) -> None:
    app_named(
        tmp_path,
        "async def answer(caller: Caller) -> None:\n    await caller.answer()\n    await asyncio.sleep(999)",
    )
    town = await town_with(world, tmp_path)
    caller, reception = [await party(town, user) for user in ("2020", "2010")]
    caller.dial("8501")
    await world.sleep(119)
    assert town.spoken() == []
    await world.sleep(2)
    await hears_out(town)
    await world.sleep(1)
    assert_speak(town, caller, reception)
    await leaves(town, caller)
    town.errors.expect("it took longer than 120 s")


@scenario()
async def test_an_app_that_ends_without_an_answer_is_one_that_failed(world: World, tmp_path: Path) -> None:
    app_named(tmp_path, "async def answer(caller: Caller) -> None:\n    pass")
    town = await town_with(world, tmp_path)
    caller = await party(town, "2020")
    caller.dial("8502")
    await hears_out(town)
    await world.sleep(0.5)
    assert town.spoken() == [FAILS]
    assert caller.talking == []
    assert town.calls[0].cause == "app failed"
    town.errors.expect("door_opener.py ended without an answer")


@scenario()
async def test_an_app_that_is_not_there_is_one_that_failed(world: World, tmp_path: Path) -> None:
    town = await town_with(world, tmp_path)
    town.exchange.own_apps = {}
    caller = await party(town, "2020")
    caller.dial("8502")
    await hears_out(town)
    await world.sleep(0.5)
    assert town.spoken() == [FAILS]
    assert caller.talking == []
    town.errors.expect("door_opener.py isn't loaded")


@scenario()
async def test_a_caller_that_hangs_up_ends_the_app_and_its_finally_runs(world: World, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    app_named(
        tmp_path,
        "async def answer(caller: Caller) -> None:\n    try:\n        await caller.say(en='hello')\n"
        f"    finally:\n        open({str(ended)!r}, 'w').close()",
    )
    town = await town_with(world, tmp_path)
    caller = await party(town, "2020")
    talk = caller.dial("8500")
    await world.sleep(1)
    caller.leave(talk)
    await world.sleep(1)
    assert ended.exists()
    assert town.calls[0].cause == "completed"


@scenario()
async def test_an_app_that_catches_every_error_ends_with_its_caller_all_the_same(
    world: World, tmp_path: Path
) -> None:
    app_named(
        tmp_path,
        "async def answer(caller: Caller) -> None:\n    while True:\n        try:\n"
        "            await caller.say(en='hello')\n        except Exception:\n            pass",
    )
    town = await town_with(world, tmp_path)
    caller = await party(town, "2020")
    talk = caller.dial("8500")
    await world.sleep(1)
    caller.leave(talk)
    await world.sleep(1)
    assert town.calls[0].cause == "completed"


@scenario()
async def test_an_app_records_what_the_caller_says(world: World, tmp_path: Path) -> None:
    file = tmp_path / "said.wav"
    app_named(
        tmp_path,
        "from pathlib import Path\nasync def answer(caller: Caller) -> None:\n"
        f"    await caller.record(Path({str(file)!r}), seconds=20)\n    await caller.say(en='thanks')",
    )
    town = await town_with(world, tmp_path)
    caller = await party(town, "2020")
    caller.dial("8500")
    await world.sleep(1)
    (call,) = {asked.call for asked in town.engine.asked}
    await town.engine.stop_recording(call, "a")
    await hears_out(town)
    assert file.read_bytes()[:4] == b"RIFF"
    assert town.spoken() == ["thanks"]
    assert caller.talking == []


@scenario()
async def test_nothing_of_an_app_runs_after_it_has_hung_up(world: World, tmp_path: Path) -> None:
    app_named(
        tmp_path,
        "async def answer(caller: Caller) -> None:\n    await caller.answer()\n"
        "    caller.hang_up('enough')\n    await caller.say(en='still there')",
    )
    town = await town_with(world, tmp_path)
    caller = await party(town, "2020")
    caller.dial("8500")
    await world.sleep(1)
    assert town.spoken() == []
    assert town.calls[0].cause == "enough"


@scenario()
async def test_an_app_that_holds_up_all_calls_is_named_in_the_log(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    town = await town_with(world, tmp_path)

    async def busy(caller: Caller) -> None:
        await caller.answer()
        world.loop._seconds += 0.5

    town.exchange.own_apps["door_opener.py"] = busy
    caller = await party(town, "2020")
    with caplog.at_level(logging.WARNING):
        caller.dial("8502")
        await world.sleep(2)
    assert "service=porte app held up all calls for 0.50 s" in caplog.text
    assert caller.talking == []


@scenario()
async def test_shutting_down_ends_an_app_that_waits(world: World, tmp_path: Path) -> None:
    app_named(
        tmp_path,
        "async def answer(caller: Caller) -> None:\n    await caller.answer()\n    await asyncio.sleep(500)",
    )
    town = await town_with(world, tmp_path)
    caller = await party(town, "2020")
    caller.dial("8500")
    await world.sleep(1)
    await town.exchange.drain(1)
    await world.sleep(1)
    assert caller.talking == []
    assert town.calls[0].cause == "shutdown"
