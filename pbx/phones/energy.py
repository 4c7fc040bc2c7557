"""What telephones do when nobody uses them: `energy:` of `provisioning:`, for all and by site.

energy:
  screen_off_minutes: 10
  office_hours: [8, 18]
  office_days: [monday, tuesday, wednesday, thursday, friday]
  sites:
    police: {screen_off_minutes: 0}

Outside of office hours the screen goes off after a minute, where the maker has that. What a site doesn't say
is as for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dialplan.document import Node
from provisioning.telephone import Energy

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MINUTES: Final = ("0", "1", "2", "5", "10", "30")
"""That every maker's telephones can be told; 0 keeps the screen on."""

_KEYS: Final = ("screen_off_minutes", "office_hours", "office_days")


@dataclass(frozen=True, slots=True)
class EnergyProfile:
    """Of all telephones, and of those of some sites."""

    usual: Energy = field(default_factory=Energy)
    sites: Mapping[str, Energy] = field(default_factory=dict)

    def at(self, site: str) -> Energy:
        """What holds at a site."""
        return self.sites.get(site, self.usual)


def read_energy(node: Node) -> EnergyProfile:
    """Return what `energy:` says. Errors are the node's."""
    section = node.mapping((*_KEYS, "sites"))
    usual = _energy(section, Energy())
    sites = section["sites"].mapping() if "sites" in section else {}
    return EnergyProfile(usual, {name: _energy(given.mapping(_KEYS), usual) for name, given in sites.items()})


def _energy(section: Mapping[str, Node], usual: Energy) -> Energy:
    seconds = usual.screen_off_seconds
    if "screen_off_minutes" in section:
        said = section["screen_off_minutes"].choice(MINUTES, "number of minutes")
        seconds = int(said) * 60 if said in MINUTES else seconds
    hours = next((day for day in usual.office_hours if day is not None), (8, 18))
    days = {day for day, open_hours in zip(DAYS, usual.office_hours, strict=True) if open_hours is not None}
    if "office_hours" in section:
        hours = _hours(section["office_hours"])
    if "office_days" in section:
        days = {day.choice(DAYS, "day") for day in section["office_days"].sequence()}
    return Energy(seconds, tuple(hours if day in days else None for day in DAYS))


def _hours(node: Node) -> tuple[int, int]:
    said = [one.integer(0, 24) for one in node.sequence()]
    if len(said) != 2 or said[0] >= said[1]:
        node.error("wrong_hours", "office hours are two hours of the day", "such as [8, 18]")
        return (8, 18)
    return (said[0], said[1])
