"""What becomes of desk telephones: waves, inventory, firmware, a lost one; with the engine on the same
database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from pbx import control
from pbx.control import DevicesTold, PhonesNow
from pbx.people.credentials import kept_password
from pbx.phones.book import book_of
from pbx.phones.caretaker import Caretaker
from pbx.phones.counter import Counter, Wanted
from pbx.phones.images import Images
from pbx.phones.trouble import care_findings
from provisioning.brand import load_brands
from provisioning.waves import BACK_SECONDS, FIRMWARE_SECONDS
from tests.web.office import NOW, Office
from tests.web.test_phones import ADMINISTRATOR, claire, node

__all__ = ["claire", "node"]

MACS = [f"805ec01234{number:02x}" for number in range(4)]


class Town:
    """Four telephones that fetch when they are told, unless they are broken; and what looks after them."""

    def __init__(self, node: Office, client: TestClient) -> None:
        self.node, self.client = node, client
        self.told: list[str] = []
        self.busy: set[str] = set()
        self.away: set[str] = set()
        self.broken: set[str] = set()
        self.version = "96.86.0.20"
        self.entered: list[tuple[str, Mapping[str, str | int]]] = []
        self.events: list[control.TellWaveStopped] = []
        node.answers[control.AskPhones] = self._now
        node.answers[control.TellWaveStopped] = self._happened
        node.answers[control.NotifyDevices] = self._notified
        self.images = Images(None, node.clock, lambda: node.plan().timezone, node.configuration.data_dir)
        self.counter = Counter(
            node.configuration,
            load_brands(),
            node._store,
            node.sealing,
            self.images,
            node.plan,
            lambda: False,
            node.clock,
            lambda: book_of(node.plan(), node.configuration.domain),
        )
        self.begin()

    def begin(self) -> None:
        """The process starts."""
        self.caretaker = Caretaker(
            load_brands(),
            self.node._store,
            self.images,
            self.node.plan,
            self.counter.digest,
            self.node.ask,
            self._enter,
            self.node.clock,
        )

    def add(self, number: int) -> None:
        person = {"extension": f"20{50 + number}", "name": f"Agent {number}"}
        assert self.client.post("/api/v1/people", json=person, headers=ADMINISTRATOR).status_code == 201
        asked = {
            "mac": MACS[number],
            "brand": "yealink",
            "model": "T54W",
            "extensions": [person["extension"]],
        }
        assert self.client.post("/api/v1/phones", json=asked, headers=ADMINISTRATOR).status_code == 201
        self.fetch(MACS[number])

    def fetch(self, mac: str) -> bytes:
        """A telephone fetches with its maker's certificate."""
        agent = f"Yealink SIP-T54W {self.version} {':'.join(mac[at : at + 2] for at in range(0, 12, 2))}"

        async def work() -> bytes:
            wanted = Wanted("https", f"{mac}.cfg", "10.54.1.20", agent, certificate_mac=mac)
            answer = await self.counter.hand_out(wanted)
            await self.counter.write_journal()
            return answer.content

        return asyncio.run(work())

    def look(self, seconds: float = 5.0) -> list[str]:
        """Some time later: who was told then. Those that aren't broken fetch at once."""
        self.node.now += seconds
        self.told.clear()
        self.images.look()
        asyncio.run(self.caretaker.look())
        asyncio.run(self.caretaker.look())  # what was begun by itself is carried out at the next look
        told = list(self.told)
        self.node.now += 1.0
        for mac in told:
            if mac not in self.broken:
                self.fetch(mac)
        return told

    def get(self, path: str) -> dict[str, Any]:
        answer = self.client.get(f"/api/v1/phones/{path}", headers=ADMINISTRATOR)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def post(self, path: str, status: int = 201, **asked: Any) -> dict[str, Any]:
        answer = self.client.post(f"/api/v1/phones/{path}", json=asked, headers=ADMINISTRATOR)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def progress(self) -> dict[str, int]:
        """Of the last wave; only the states that somebody is in."""
        newest = self.get("waves")["items"][0]
        return {state: count for state, count in newest["progress"].items() if count}

    def _now(self, question: control.AskPhones) -> PhonesNow:
        there = {line: "boot" for line in question.devices if _mac(line) not in self.away}
        return PhonesNow(there, [line for line in there if _mac(line) in self.busy])

    def _notified(self, question: control.NotifyDevices) -> DevicesTold:
        self.told += [_mac(line) for line in question.devices]
        return DevicesTold(question.devices)

    def _happened(self, question: control.TellWaveStopped) -> control.EventTold:
        self.events.append(question)
        return control.EventTold()

    async def _enter(self, what: str, about: Mapping[str, str | int]) -> None:
        self.entered.append((what, about))


def _mac(line: str) -> str:
    return next(mac for mac in MACS if mac.endswith(line.rpartition("-")[2]))


@pytest.fixture
def town(node: Office, client: TestClient) -> Town:
    made = Town(node, client)
    for number in range(len(MACS)):
        made.add(number)
    assert made.look() == []  # they have what they are to have
    return made


def test_a_wave_tells_telephones_a_few_at_a_time_and_none_in_a_call(town: Town):
    town.busy = {MACS[0]}
    town.away = {MACS[3]}
    town.post("waves", action="resync", size=1)
    assert town.look() == [MACS[1]]
    assert town.look() == [MACS[2]]
    assert town.look() == []
    assert town.progress() == {"waiting": 1, "back": 2, "away": 1}
    town.busy = set()
    assert town.look() == [MACS[0]]
    town.look()
    assert town.progress() == {"back": 3, "away": 1}
    assert town.get("waves")["items"][0]["over_at"] > NOW


def test_a_wave_goes_on_after_a_restart_and_asks_nobody_twice(town: Town):
    town.broken = {MACS[0]}
    town.post("waves", action="resync", size=2)
    assert town.look() == MACS[:2]
    town.begin()
    assert town.look() == [MACS[2]]


def test_a_wave_that_harms_telephones_stops_and_says_so(town: Town):
    town.broken = set(MACS)
    town.post("waves", action="restart", size=2)
    assert town.look() == MACS[:2]
    town.look(BACK_SECONDS)
    town.look(BACK_SECONDS)
    assert town.get("waves")["items"][0]["stopped"] == "2 telephones didn't come back"
    assert ("phone.wave_stopped", {"wave": 1, "why": "2 telephones didn't come back"}) in town.entered
    assert town.events == [control.TellWaveStopped(1, "restart", "2 telephones didn't come back")]
    assert town.progress() == {"waiting": 2, "lost": 2}
    (found,) = care_findings(town.node.configuration, datetime.fromtimestamp(town.node.now, UTC))
    assert found.message == "wave 1 of telephones (restart) stopped: 2 telephones didn't come back"


def test_a_wave_waits_for_its_hours_in_the_towns_time(town: Town):
    hour = town.images.hour()
    town.post("waves", action="resync", hours=[(hour + 1) % 24, (hour + 3) % 24])
    assert town.look() == []
    assert town.look(3600.0) == MACS


def test_a_change_of_a_person_is_told_to_their_telephone_alone(town: Town):
    change = {"name": "Nadia Belkacem"}
    assert town.client.patch("/api/v1/people/2051", json=change, headers=ADMINISTRATOR).status_code == 200
    town.away = {MACS[1]}
    assert town.look() == []
    shown = {one["name"]: one["settings"] for one in town.get("inventory")["items"]}
    assert shown == {MACS[0]: "up_to_date", MACS[1]: "to_come", MACS[2]: "up_to_date", MACS[3]: "up_to_date"}
    town.away = set()
    assert town.look() == [MACS[1]]
    assert town.get("inventory")["counts"]["to_come"] == 0
    assert town.get("waves")["items"][0]["cause"] == "settings"


def test_a_new_password_is_in_force_when_its_telephone_has_fetched_it(town: Town, node: Office):
    line = town.get("inventory")["items"][0]["lines"][0]

    def password() -> str:
        return asyncio.run(node.read(lambda c: kept_password(c, node.sealing, line)))

    before = password()
    town.post(f"{MACS[0]}/passwords", status=200)
    town.broken = {MACS[0]}
    assert town.look() == [MACS[0]]  # it was told, and hasn't come yet
    assert password() == before
    assert password().encode() in town.fetch(MACS[0]) or password() != before
    assert password() != before and password().encode() in town.fetch(MACS[0])


def upload(town: Town, content: bytes = b"firmware") -> str:
    path = "/api/v1/phones/firmware?name=T54W-96.86.0.23.rom&brand=yealink&models=T54W&version=96.86.0.23"
    answer = town.client.post(path, content=content, headers=ADMINISTRATOR)
    assert answer.status_code == 201, answer.text
    digest: str = answer.json()["items"][0]["sha256"]
    return digest


def test_firmware_goes_out_by_itself_at_its_stage_and_counts_when_it_runs(town: Town):
    digest = upload(town)
    assert town.look() == []  # given to nobody yet
    stage = town.client.put(f"/api/v1/phones/firmware/{digest}/stage", json={}, headers=ADMINISTRATOR)
    assert stage.json()["items"][0]["to_come"] == 4
    assert town.look() == MACS
    assert town.progress() == {"asked": 4}  # they fetched their settings, with the version before
    town.version = "96.86.0.23"
    for mac in MACS:
        town.fetch(mac)
    town.look()
    assert town.progress() == {"back": 4}
    assert town.get("firmware")["items"][0]["running"] == 4


def test_a_stage_whose_telephones_do_not_come_back_is_stopped_until_it_is_given_anew(town: Town):
    digest = upload(town)
    town.client.put(f"/api/v1/phones/firmware/{digest}/stage", json={}, headers=ADMINISTRATOR)
    town.broken = set(MACS)
    town.look()
    town.look(FIRMWARE_SECONDS)
    assert town.get("firmware")["items"][0]["stopped"] == "4 telephones didn't come back"
    assert town.look() == []
    town.client.put(f"/api/v1/phones/firmware/{digest}/stage", json={}, headers=ADMINISTRATOR)
    assert town.look() == MACS


def test_firmware_that_telephones_are_given_cannot_be_removed(town: Town):
    digest = upload(town)
    town.client.put(f"/api/v1/phones/firmware/{digest}/stage", json={}, headers=ADMINISTRATOR)
    answer = town.client.delete(f"/api/v1/phones/firmware/{digest}", headers=ADMINISTRATOR)
    assert (answer.status_code, answer.json()["code"]) == (409, "image_in_use")
    town.client.delete(f"/api/v1/phones/firmware/{digest}/stage", headers=ADMINISTRATOR)
    answer = town.client.delete(f"/api/v1/phones/firmware/{digest}", headers=ADMINISTRATOR)
    assert answer.json()["items"] == []
    assert not list((town.node.configuration.data_dir / "firmware").glob("*/*.rom"))


def test_the_inventory_is_filtered_and_written_as_csv_that_no_spreadsheet_runs(town: Town):
    town.away = {MACS[2]}
    change = {"label": "=HYPERLINK(1)", "site": "mairie"}
    town.client.patch(f"/api/v1/phones/{MACS[0]}", json=change, headers=ADMINISTRATOR)
    assert [one["name"] for one in town.get("inventory?registered=false")["items"]] == [MACS[2]]
    assert [one["name"] for one in town.get("inventory?text=hyperlink")["items"]] == [MACS[0]]
    text = town.client.get("/api/v1/phones/inventory.csv", headers=ADMINISTRATOR).content.decode("utf-8-sig")
    assert text.startswith("mac;brand;model;firmware;") and "'=HYPERLINK(1)" in text
    assert len(text.splitlines()) == 5
