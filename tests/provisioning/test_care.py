"""What is done with telephones later: waves, firmware, directories."""

import hashlib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from provisioning.directory import WRITERS, Asked, Entry, written
from provisioning.firmware import FirmwareError, Image, Stage, image_for, pin, verified
from provisioning.waves import BACK_SECONDS, Waves
from provisioning.zones import ZoneError, zone

MACS = [f"805ec01234{number:02x}" for number in range(30)]


def test_a_wave_begins_when_the_one_before_is_back():
    waves = Waves(MACS, size=10)
    first = waves.due(0.0, ())
    assert first == MACS[:10]
    assert waves.due(1.0, ()) == []
    for mac in first[:4]:
        waves.back(mac, 1.0)
    assert waves.due(2.0, ()) == MACS[10:14]


def test_a_telephone_in_a_call_waits_for_its_end():
    waves = Waves(MACS[:3], size=2)
    assert waves.due(0.0, {MACS[0]}) == MACS[1:3]
    for mac in MACS[1:3]:
        waves.back(mac, 1.0)
    assert waves.due(1.0, {MACS[0]}) == []
    assert not waves.over
    assert waves.due(2.0, ()) == [MACS[0]]


def test_everything_stops_when_too_many_do_not_come_back():
    waves = Waves(MACS, size=10)
    asked = waves.due(0.0, ())
    for mac in asked[2:]:
        waves.back(mac, 1.0)
    asked_then = waves.due(1.0, ())
    assert waves.due(BACK_SECONDS, ()) == []
    assert waves.stopped == "2 telephones didn't come back"
    over_at_once = waves.over  # the last ones that were asked may come back yet
    for mac in asked_then:
        waves.back(mac, BACK_SECONDS + 1.0)
    assert (over_at_once, waves.over) == (False, True)
    assert list(waves.states.values()).count("waiting") == 12


def test_one_that_is_not_there_is_not_asked_and_holds_nobody_up():
    waves = Waves(MACS[:3], size=1)
    assert waves.due(0.0, (), away={MACS[0]}) == [MACS[1]]
    assert waves.states[MACS[0]] == "away"
    waves.not_told(MACS[1], "waiting", 1.0)  # a call began in between
    assert waves.due(2.0, {MACS[1]}) == [MACS[2]]


def test_what_was_written_down_goes_on_where_it_was():
    waves = Waves(MACS[:4], size=2)
    waves.due(0.0, ())
    waves.back(MACS[0], 1.0)
    after = Waves.restored(waves.members, 2, BACK_SECONDS)
    assert after.due(2.0, ()) == [MACS[2]]
    after.give_up(BACK_SECONDS)
    assert after.states[MACS[1]] == "lost"


def test_one_that_stays_away_stops_nobody():
    waves = Waves(MACS, size=10)
    asked = waves.due(0.0, ())
    for mac in asked[1:]:
        waves.back(mac, 1.0)
    assert len(waves.due(BACK_SECONDS, ())) == 10
    assert waves.stopped == ""


def test_waves_end_when_all_are_back():
    waves = Waves(MACS[:5], size=5)
    for mac in waves.due(0.0, ()):
        waves.back(mac, 1.0)
    assert waves.over
    waves.back("805ec0ffffff", 1.0)  # never asked
    assert set(waves.states) == set(MACS[:5])


def test_waves_of_nobody_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        Waves(MACS, size=0)


def image(tmp_path: Path, content: bytes = b"firmware") -> tuple[Path, Image]:
    path = tmp_path / "T54W-96.86.0.23.rom"
    path.write_bytes(content)
    return path, pin(path, "yealink", ["T54W", "T57W"], "96.86.0.23")


def test_firmware_is_pinned_by_its_hash(tmp_path: Path):
    path, pinned = image(tmp_path)
    assert pinned.sha256 == hashlib.sha256(b"firmware").hexdigest()
    assert verified(path, pinned) == path
    assert pinned.path == f"firmware/{pinned.sha256[:32]}/T54W-96.86.0.23.rom"


def test_a_file_that_changed_is_not_handed_out(tmp_path: Path):
    path, pinned = image(tmp_path)
    path.write_bytes(b"firmwarf")
    with pytest.raises(FirmwareError, match="isn't the file that was pinned"):
        verified(path, pinned)
    path.unlink()
    with pytest.raises(FirmwareError, match="can't be read"):
        verified(path, pinned)


def test_an_empty_file_is_no_firmware(tmp_path: Path):
    with pytest.raises(FirmwareError, match="has 0 bytes"):
        image(tmp_path, b"")


def test_firmware_goes_to_its_models_by_site_and_hour(tmp_path: Path):
    _, pinned = image(tmp_path)
    night = [Stage(pinned.sha256, ("ecole",), (22, 5))]
    assert image_for([pinned], night, "T54W", "ecole", 23) is pinned
    assert image_for([pinned], night, "T54W", "ecole", 4) is pinned
    assert image_for([pinned], night, "T54W", "ecole", 5) is None
    assert image_for([pinned], night, "T54W", "mairie", 23) is None
    assert image_for([pinned], night, "T46U", "ecole", 23) is None
    assert image_for([pinned], [Stage(pinned.sha256)], "T57W", "police", 12) is pinned


ENTRIES = [
    Entry("Élodie <Martin>", ("2010", "0383000110"), "0612345678"),
    Entry("Accueil & standard", ("9",)),
]
ASKED = Asked("https://pbx/s/x/directory.xml", language="fr")


@pytest.mark.parametrize("brand", sorted(WRITERS))
def test_a_directory_has_everybody_with_their_numbers(brand: str):
    root = ElementTree.fromstring(written(brand, "Annuaire", ENTRIES, ASKED))
    words = " ".join(text.strip() for text in root.itertext() if text.strip())
    # Grandstream has the two parts of a name apart.
    assert {"Élodie", "<Martin>", "Accueil", "&", "standard"} <= set(words.split())
    assert {"2010", "0383000110", "0612345678", "9"} <= set(words.split())


@pytest.mark.parametrize("brand", sorted(WRITERS))
def test_a_directory_is_no_longer_than_a_telephone_takes(brand: str):
    most, _ = WRITERS[brand]
    many = [Entry(f"Person{number}", (str(number),)) for number in range(most + 50)]
    text = written(brand, "Annuaire", many, ASKED).decode()
    assert f"Person{most - 1}<" in text and f"Person{most}<" not in text


def test_a_snom_goes_through_pages_and_asks_for_a_name():
    many = [Entry(f"Person{number}", (str(number),)) for number in range(150)]
    first = ElementTree.fromstring(written("snom", "Annuaire", many, ASKED))
    keys = {key.findtext("Name"): key.findtext("URL") for key in first.iter("SoftKeyItem")}
    assert keys == {
        "F1": "https://pbx/s/x/directory.xml?page=search",
        "F2": "https://pbx/s/x/directory.xml?q=&page=1",
    }
    last = written("snom", "Annuaire", many, replace(ASKED, page="1")).decode()
    assert "Person149<" in last and "Person99<" not in last and ">F2<" not in last
    asks = ElementTree.fromstring(written("snom", "Annuaire", many, replace(ASKED, page="search")))
    assert asks.tag == "SnomIPPhoneInput"
    assert asks.findtext("InputItem/QueryStringParam") == "q" and asks.findtext("URL") == ASKED.url


@pytest.mark.parametrize(
    ("name", "minutes", "posix"),
    [
        ("Europe/Paris", 60, "CET-1CEST,M3.5.0,M10.5.0/3"),
        ("America/Cayenne", -180, "<-03>3"),
        ("Indian/Reunion", 240, "<+04>-4"),
        ("Pacific/Noumea", 660, "<+11>-11"),
        ("Pacific/Marquesas", -570, "<-0930>9:30"),
        ("Asia/Kolkata", 330, "IST-5:30"),
    ],
)
def test_a_time_zone_is_its_offset_and_its_rule(name: str, minutes: int, posix: str):
    found = zone(name)
    assert (found.standard_minutes, found.posix) == (minutes, posix)
    assert found.has_summer_time == (name == "Europe/Paris")


def test_a_time_zone_that_is_none_is_refused():
    with pytest.raises(ZoneError, match="no time zone is called"):
        zone("../etc/passwd")
