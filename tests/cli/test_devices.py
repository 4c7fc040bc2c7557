"""`beffroi device` and `beffroi user pin`, on a real node that is killed in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx import control
from pbx.control import DeviceStatus
from pbx.records import AddressRecord, SetBy
from tests.cli.conftest import Town, serving
from tests.cli.test_settings import kill_now

WHO = SetBy("rh", 1_700_000_000.0)


def test_devices_are_used_placed_and_listed_and_a_kill_forgets_none_of_it(town: Town) -> None:
    with serving(town.configuration_file) as log_until:
        told = town.run("user", "pin", "1001")
        assert told.status == 0, told.err
        assert "1001 has the PIN" in told.out
        assert town.run("user", "pin", "1003").err == "beffroi: nobody has 1003\n"
        assert town.run("device", "login", "2020", "1001", "--by", "root").status == 0
        where = ("--street", "5 rue des Lilas", "--city", "Nancy", "--network", "192.0.2.9")
        assert town.run("device", "address", "1001", *where).status == 0
        assert town.run("device", "address", "1001", "--network", "192.0.2.9", "--confirm").status == 0
        assert town.run("settings", "set", "2301", "ring", "in-turn").status == 0
        no_mobile = town.run("settings", "set", "1001", "ring", "together")
        assert no_mobile.err == "beffroi: 1001 has no mobile number\n"
        assert town.run("settings", "set", "2301", "ring", "loudly").status == 2
        kill_now(town)
        log_until("ready plan=")
        listed = {one["device"]: one for one in town.run("device", "list", "--json").json}
        assert (listed["2020"]["owner"], listed["2020"]["user"]) == ("2020", "1001")
        (address,) = listed["1001"]["addresses"]
        assert address["network"] == "192.0.2.0/24"
        assert address["address"] == {"street": "5 rue des Lilas", "city": "Nancy"}
        assert address["confirmed"] is not None
        table = town.run("device", "list").out
        assert "5 rue des Lilas, Nancy (192.0.2.0/24, confirmed)" in table
        (kept,) = town.run("settings", "list", "2301", "--json").json
        assert kept["ring"]["way"] == "in_turn"
        assert town.run("settings", "clear", "2301", "ring").out == "nothing is set by hand\n"
        assert town.run("device", "logout", "2020").status == 0
        assert town.run("device", "logout", "2020").err == "beffroi: nobody uses 2020 but its own person\n"
        forgotten = town.run("device", "address", "1001", "--forget", "--network", "192.0.2.9", "--json").json
        assert forgotten[0]["addresses"] == []
        assert town.run("user", "pin", "1001", "--clear").out == "1001 has no PIN\n"
        assert town.run("user", "pin", "1001", "--clear").status == 1


def test_an_address_is_said_or_forgotten_and_not_both(town: Town) -> None:
    both = town.run("device", "address", "1001", "--forget", "--confirm")
    assert both.status == 2
    assert both.err == "beffroi: --forget: an address is forgotten, or said, and not both\n"
    assert town.run("device", "address", "1001").status == 2


def test_without_a_node_devices_are_not_known(town: Town) -> None:
    told = town.run("device", "list")
    assert told.status == 1
    assert "devices are asked about in a running node" in told.err


def test_the_doctor_names_devices_whose_place_is_assumed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    said = AddressRecord("1001", "192.0.2.0/24", {"street": "5 rue des Lilas", "city": "Nancy"}, WHO)
    confirmed = AddressRecord("1002", said.network, said.address, WHO, WHO)

    def every_device(data_dir: Path) -> list[DeviceStatus]:
        return [
            DeviceStatus("1001", "1001", "1001", 0.0, [], said.network, [said]),
            DeviceStatus("1002", "1002", "1002", 0.0, [], said.network, [confirmed]),
            DeviceStatus("2010", "2010", "2010", 0.0, [], "", []),
        ]

    assert "places" not in town.run("doctor").out
    monkeypatch.setattr(control, "every_device", every_device)
    assert "1 device outside of every site, without a confirmed address" in town.run("doctor").out
    (found,) = [one for one in town.run("doctor", "--json").json if one["code"] == "address_wanted"]
    assert found["message"] == "help would be sent to an assumed place: 1001"
