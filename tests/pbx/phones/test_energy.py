"""`energy:` of the configuration: what screens do at each site."""

from pathlib import Path

from pbx.configuration import load_configuration
from provisioning.telephone import Energy

_CONFIGURATION = """
domain: valmont.example
provisioning:
  https: 127.0.0.1:8443
  energy:
    screen_off_minutes: 5
    office_hours: [7, 19]
    office_days: [monday, saturday]
    sites:
      police: {screen_off_minutes: 0}
"""


def test_a_site_has_its_own_screens_and_the_hours_of_all(tmp_path: Path):
    (tmp_path / "beffroi.yaml").write_text(_CONFIGURATION, "utf-8")
    energy = load_configuration(tmp_path / "beffroi.yaml").provisioning.energy
    hours = ((7, 19), None, None, None, None, (7, 19), None)
    assert energy.at("mairie") == Energy(300, hours)
    assert energy.at("police") == Energy(0, hours)
