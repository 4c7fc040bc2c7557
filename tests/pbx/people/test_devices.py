"""The devices of the plan and of the database, and their bindings."""

from __future__ import annotations

import dataclasses

from dialplan.loading import parse_plan
from pbx.people.devices import Device, Devices, with_directory
from pbx.people.directory import Directory, Person, device_credentials
from sip.core.digest import Algorithm, Credentials
from sip.core.flow import Flow
from sip.core.registrar import Binding
from tests.scenarios.town import DOMAIN, PLAN_TEXT

FLOW = Flow("UDP", ("10.54.0.10", 5060), ("192.0.2.1", 5060))
PLAN = parse_plan(PLAN_TEXT, "valmont.yaml")


def binding(device: str, q: float = 1.0) -> Binding:
    return Binding(f"sip:{device}@192.0.2.1", "call", 1, 100.0, FLOW, device, q)


def directory(*sign_ins: str, realm: str = DOMAIN, extension: str = "1001") -> Directory:
    devices = [device_credentials(sign_in, realm, "secret") for sign_in in sign_ins]
    person = Person(extension=extension, name="Alice", class_name="national", devices=devices)
    return Directory(revision=1, people=[person])


def loaded(people: Directory | None = None) -> Devices:
    devices = Devices(DOMAIN)
    devices.load(PLAN, people or Directory())
    return devices


def device(devices: Devices, sign_in: str) -> Device:
    found = devices.find(sign_in)
    assert found is not None
    return found


def test_a_person_of_the_plan_has_a_device_with_its_password() -> None:
    assert loaded().credentials("1001") == Credentials.of("1001", DOMAIN, "pw1001")


def test_a_person_without_a_password_has_no_device_of_the_plan() -> None:
    plan = parse_plan(PLAN_TEXT.replace("password: pw1001, ", ""), "valmont.yaml")
    devices = Devices(DOMAIN)
    devices.load(plan, Directory())
    assert devices.find("1001") is None


def test_a_persons_devices_of_plan_and_database_ring_together() -> None:
    devices = loaded(directory("1001-app"))
    device(devices, "1001").bindings = (binding("1001"),)
    device(devices, "1001-app").bindings = (binding("1001-app"),)
    assert [bound.device for bound in devices.bindings_of("1001")] == ["1001", "1001-app"]


def test_bindings_are_told_best_first() -> None:
    """RFC 3261 section 10.2.1.2."""
    devices = loaded(directory("1001-app"))
    device(devices, "1001").bindings = (binding("low", 0.3), binding("high", 0.9))
    device(devices, "1001-app").bindings = (binding("middle", 0.5),)
    assert [bound.device for bound in devices.bindings_of("1001")] == ["high", "middle", "low"]


def test_nobody_has_no_bindings() -> None:
    assert loaded().bindings_of("4444") == []


def test_a_sign_in_of_both_is_the_plans() -> None:
    assert loaded(directory("1001")).credentials("1001") == Credentials.of("1001", DOMAIN, "pw1001")


def test_a_device_whose_hashes_are_for_another_realm_is_left_out() -> None:
    """Its password could never be right here."""
    assert loaded(directory("1001-app", realm="elsewhere.example")).find("1001-app") is None


def test_a_stranger_has_no_credentials() -> None:
    assert loaded().credentials("7777") is None


def test_a_device_that_is_set_so_is_offered_md5_alone() -> None:
    plain = device(loaded(), "1001")
    assert plain.algorithms == (Algorithm.SHA256, Algorithm.MD5)
    assert dataclasses.replace(plain, md5_only=True).algorithms == (Algorithm.MD5,)


def test_bindings_stay_with_their_device_when_the_plan_is_loaded_again() -> None:
    devices = loaded()
    device(devices, "1001").bindings = (binding("1001"),)
    assert devices.load(PLAN, Directory()) == []
    assert devices.count_bindings() == 1


def test_a_password_that_changed_in_the_plan_holds_from_the_next_load_on() -> None:
    devices = loaded()
    changed = PLAN_TEXT.replace("pw1001", "another")
    assert changed != PLAN_TEXT
    devices.load(parse_plan(changed, "valmont.yaml"), Directory())
    assert devices.credentials("1001") == Credentials.of("1001", DOMAIN, "another")
    assert devices.credentials("1002") == Credentials.of("1002", DOMAIN, "pw1002")


def test_a_device_that_is_gone_with_bindings_is_told() -> None:
    devices = loaded(directory("1001-app", "1001-desk"))
    device(devices, "1001-app").bindings = (binding("1001-app"),)
    assert devices.load(PLAN, Directory()) == ["1001-app"]


def test_hashes_are_never_printed() -> None:
    shown = device(loaded(), "1001")
    assert shown.credentials.md5 not in repr(shown)


def test_people_of_the_database_join_the_plan() -> None:
    joined = with_directory(PLAN, directory("3001", extension="3001"))
    assert joined.people["3001"].name == "Alice"


# --- Ways to a person's telephones -------------------------------------------------------------------------


def flow_of(reg_id: int, instance: str = "urn:uuid:1", sign_in: str = "1001") -> Binding:
    return dataclasses.replace(binding(sign_in), contact=f"sip:{reg_id}@h", instance=instance, reg_id=reg_id)


def everything(_: Binding) -> bool:
    return True


def ways(devices: Devices, gone: tuple[Binding, ...] = (), instance: str = "") -> list[list[str]]:
    found = devices.ways_to("1001", lambda binding: binding not in gone, instance)
    return [[binding.contact for binding in flows] for flows in found]


def test_the_flows_of_one_telephone_are_one_way_each_and_the_newest_first() -> None:
    """RFC 5626 section 5.3."""
    devices = loaded(directory("1001-app"))
    device(devices, "1001").bindings = (flow_of(1), flow_of(2), flow_of(9, "urn:uuid:2"))
    device(devices, "1001-app").bindings = (flow_of(1, sign_in="1001-app"), binding("1001-app"))
    assert ways(devices) == [["sip:2@h", "sip:1@h"], ["sip:9@h"], ["sip:1@h"], ["sip:1001-app@192.0.2.1"]]


def test_a_flow_that_seems_gone_comes_after_those_that_work_and_so_does_its_telephone() -> None:
    """RFC 5626 section 5.3."""
    devices = loaded(directory("1001-app"))
    one, two, other = flow_of(1), flow_of(2), binding("1001-app")
    device(devices, "1001").bindings = (one, two)
    device(devices, "1001-app").bindings = (other,)
    assert ways(devices, (two,)) == [["sip:1@h", "sip:2@h"], ["sip:1001-app@192.0.2.1"]]
    assert ways(devices, (one, two)) == [["sip:1001-app@192.0.2.1"], ["sip:2@h", "sip:1@h"]]


def test_a_gruu_leads_to_its_telephone_alone() -> None:
    """RFC 5627 section 6.1."""
    devices = loaded(directory("1001-app"))
    device(devices, "1001").bindings = (flow_of(1), flow_of(2))
    device(devices, "1001-app").bindings = (binding("1001-app"),)
    assert ways(devices, instance="urn:uuid:1") == [["sip:2@h", "sip:1@h"]]
    assert ways(devices, instance="urn:uuid:none") == []
    assert devices.ways_to("2222", everything) == []
