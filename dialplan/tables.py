"""What `route` looks up, compiled once for each plan: one dictionary or one bisection for each question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from dialplan.decision import Step
from dialplan.ranges import NumberRange, RangeMap, RangeSet
from dialplan.recorded import Recorded, recorded_people

if TYPE_CHECKING:
    from dialplan.country import EmergencyNumber
    from dialplan.plan import Alarm, ExtensionRange, Feature, Person, Plan, Rate, Route, Service, Srtp

Value = TypeVar("Value")

NUMBER_CODES = ("hide_number", "show_number")
_KNOWN_BY: tuple[tuple[str, Literal["network", "configuration", "assumed"], str], ...] = (
    ("network", "network", "by the device's address"),
    ("configuration", "configuration", "by the device's configuration"),
    ("person", "assumed", "assumed from the person's site"),
    ("default", "assumed", "assumed: nothing tells another"),
)
INTERNAL_ONLY = frozenset({"internal"})


@dataclass(frozen=True, slots=True)
class Caller:
    """A person with what a call needs to know. site "" when the person has none.

    numbers: what their calls outside may show, best first: their own choice, their groups', their direct
    number, their site's main number.
    """

    person: Person
    site: str
    direct: str | None
    rights: frozenset[str]
    numbers: tuple[str, ...]


class Place(NamedTuple):
    """A device's site ("" when the plan has none), how that is known, and the step that tells it."""

    site: str
    source: Literal["network", "configuration", "assumed"]
    step: Step


class NetworkMap:
    """The site of an address: the longest network that holds it."""

    __slots__ = ("_masks",)

    def __init__(self, networks: list[tuple[IPv4Network | IPv6Network, str]]) -> None:
        by_mask: dict[tuple[int, int], dict[int, str]] = {}
        for network, site in networks:
            mask = (network.version, int(network.netmask))
            by_mask.setdefault(mask, {}).setdefault(int(network.network_address), site)
        self._masks = sorted(by_mask.items(), reverse=True)

    def find(self, address: str) -> str:
        """The site's name, or "" when the address is in no network (or is no address)."""
        version, number = _address_number(address)
        for (mask_version, mask), sites in self._masks:
            if version == mask_version and number & mask in sites:
                return sites[number & mask]
        return ""


@lru_cache(maxsize=4096)
def _address_number(address: str) -> tuple[int, int]:
    """The version and the number of an address; version 0 when it isn't one."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return 0, 0
    # RFC 4291 section 2.5.5.2: an IPv4 peer of a dual-stack socket.
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.version, int(parsed)


@dataclass(frozen=True, slots=True)
class Tables:
    """The lookups of one plan.

    emergency: every accepted form of each emergency number.
    callers: by extension. services, alarms: by internal number.
    public: services by public number. ours: every public range of ours.
    emergency_trunks: by site, its own trunks and then all others.
    places: by how a site is known and its name.
    codes: features without an argument; patterns: those with one. code_beginnings: their first keys.
    number_codes: those that only say whether the number that follows them sees the caller's.
    routes: by right or beginning of a number, with their place in the plan; route_lengths: of the beginnings.
    srtp: by extension, where the class says it. direct_sites: whose telephones send each other their sound.
    recorded: whose calls are recorded, by extension, and why. records_parties: whether calls of some people
    or trunks are, records: or of any service.
    """

    emergency: Mapping[str, EmergencyNumber]
    callers: Mapping[str, Caller]
    services: Mapping[str, Service]
    alarms: Mapping[str, Alarm]
    codes: Mapping[str, Feature]
    patterns: tuple[Feature, ...]
    code_beginnings: frozenset[str]
    number_codes: tuple[Feature, ...]
    extensions: RangeMap[ExtensionRange]
    direct: RangeMap[ExtensionRange]
    public: Mapping[str, Service]
    ours: RangeSet
    mobiles: Mapping[str, Person]
    networks: NetworkMap
    places: Mapping[tuple[str, str], Place]
    shown: Mapping[str, RangeSet]
    emergency_trunks: Mapping[str, tuple[str, ...]]
    routes: Mapping[str, tuple[tuple[int, Route], ...]]
    route_lengths: tuple[int, ...]
    rates: Mapping[str, tuple[Rate, ...]]
    srtp: Mapping[str, Srtp]
    direct_sites: frozenset[str]
    recorded: Mapping[str, Recorded]
    records_parties: bool
    records: bool

    def routes_for(self, right: str, number: str) -> tuple[Route, ...]:
        """The routes of the plan for an outside number, in its order."""
        routes = self.routes
        matching = routes.get(right, ())
        if number[:1] == "+":
            for length in self.route_lengths:
                matching += routes.get(number[:length], ()) if length <= len(number) else ()
        if len(matching) > 1:
            matching = tuple(sorted(matching, key=itemgetter(0)))
        return tuple([rule for _, rule in matching])

    def rates_for(self, right: str, number: str) -> Iterator[Rate]:
        """The rates for an outside number: those for the longest beginning first, a right's last."""
        for end in range(len(number), 1, -1):
            yield from self.rates.get(number[:end], ())
        yield from self.rates.get(right, ())

    def holder_of(self, number: str) -> str:
        """What has this internal number besides people, in words; "" when nothing does."""
        if number in self.services:
            return f"service {self.services[number].name}"
        if number in self.alarms:
            return f"alarm {self.alarms[number].name}"
        return ""


def coded(codes: tuple[Feature, ...], dialled: str) -> Iterator[tuple[Feature, str]]:
    """The first of these codes that was dialled, with its argument; nothing when none was.

    Several arguments are given as they were dialled, with `*` between them.
    """
    for code in codes:
        if dialled.startswith(code.before) and dialled.endswith(code.after):
            argument = dialled[len(code.before) : len(dialled) - len(code.after)]
            # The # that ends *21*0612345678# on other networks is accepted where the plan has none.
            argument = argument if code.after else argument.removesuffix("#")
            given, names = argument.split("*"), (code.argument, *code.further)
            if len(given) == len(names) and all(map(_is_argument, names, given)):
                yield code, argument
                return


def _is_argument(name: str, given: str) -> bool:
    digits = given.removeprefix("+") if name == "number" else given
    return digits.isascii() and digits.isdigit()


def emergency_forms(number: str, plan: Plan) -> tuple[str, ...]:
    """Every way to dial an emergency number, once separators are removed: 15, 015, +3315, 003315, …"""
    country = plan.country
    prefix = plan.outside_prefix
    international = country.international_prefix + country.calling_code + number
    return (
        number,
        prefix + number,
        f"+{country.calling_code}{number}",
        f"+{country.calling_code}{country.national_prefix}{number}",
        international,
        prefix + international,
        f"{prefix}+{country.calling_code}{number}",
    )


def compile_tables(plan: Plan) -> Tables:
    """The tables of a plan. Where two parts claim one number, the first wins: loading told of it."""
    extensions: RangeMap[ExtensionRange] = RangeMap((item.numbers, item) for item in plan.ranges)
    recorded = recorded_people(plan)
    records_parties = bool(recorded) or any(trunk.record is not None for trunk in plan.trunks.values())
    return Tables(
        emergency={
            form: emergency
            for emergency in plan.emergency.values()
            for form in emergency_forms(emergency.number, plan)
        },
        callers={extension: _caller(plan, person, extensions) for extension, person in plan.people.items()},
        services={number: service for service in plan.services.values() for number in _numbers(service)},
        alarms={number: alarm for alarm in plan.alarms.values() for number in alarm.dial},
        codes={feature.before: feature for feature in plan.features if not feature.argument},
        patterns=tuple(
            feature for feature in plan.features if feature.argument and feature.name not in NUMBER_CODES
        ),
        code_beginnings=frozenset(feature.before[0] for feature in plan.features),
        number_codes=tuple(
            feature for feature in plan.features if feature.argument and feature.name in NUMBER_CODES
        ),
        extensions=extensions,
        direct=RangeMap((item.public, item) for item in plan.ranges if item.public),
        public={service.public: service for service in plan.services.values() if service.public},
        ours=RangeSet(_ours(plan)),
        mobiles={person.mobile: person for person in plan.people.values() if person.mobile},
        networks=NetworkMap(
            [(network, site.name) for site in plan.sites.values() for network in site.networks]
        ),
        places=_places(plan),
        shown={trunk.name: RangeSet(trunk.owns + trunk.presents) for trunk in plan.trunks.values()},
        emergency_trunks={
            name: tuple(dict.fromkeys((*trunks, *plan.trunks)))
            for name, trunks in [("", ()), *((site.name, site.trunks) for site in plan.sites.values())]
        },
        routes=_by_beginning((rule.to, (index, rule)) for index, rule in enumerate(plan.routes)),
        route_lengths=tuple(sorted({len(rule.to) for rule in plan.routes if rule.to[:1] == "+"})),
        rates=_by_beginning((rate.to, rate) for rate in plan.rates),
        srtp=_srtp(plan),
        direct_sites=frozenset(site.name for site in plan.sites.values() if site.direct_media),
        recorded=recorded,
        records_parties=records_parties,
        records=records_parties or any(service.record is not None for service in plan.services.values()),
    )


def _srtp(plan: Plan) -> Mapping[str, Srtp]:
    said = {name: known.srtp for name, known in plan.classes.items() if known.srtp}
    if not said:
        return {}
    return {
        extension: said[person.class_name]
        for extension, person in plan.people.items()
        if person.class_name in said
    }


def _places(plan: Plan) -> Mapping[tuple[str, str], Place]:
    places = {("default", ""): Place("", "assumed", Step(0, "site", "none: the plan has no site"))}
    for name, site in plan.sites.items():
        for key, source, why in _KNOWN_BY:
            places[key, name] = Place(name, source, Step(site.line, "site", f"{name}, {why}"))
    return places


def _by_beginning(items: Iterable[tuple[str, Value]]) -> Mapping[str, tuple[Value, ...]]:
    found: dict[str, tuple[Value, ...]] = {}
    for key, value in items:
        found[key] = (*found.get(key, ()), value)
    return found


def _caller(plan: Plan, person: Person, extensions: RangeMap[ExtensionRange]) -> Caller:
    site = person.site or ""
    direct: str | None = None
    for item in extensions.find(person.extension):
        site = site or item.site
        direct = item.direct_number(person.extension)
    known = plan.classes.get(person.class_name or "")
    main = plan.sites[site].main_number if site in plan.sites else None
    groups = [plan.groups[name].caller_id for name in person.groups if name in plan.groups]
    own = person.caller_id if person.caller_id != "anonymous" else ""
    numbers = tuple(dict.fromkeys([number for number in (own, *groups, direct, main) if number]))
    return Caller(person, site, direct, known.rights if known else INTERNAL_ONLY, numbers)


def _numbers(service: Service) -> Iterator[str]:
    if service.numbers is not None:
        for position in range(len(service.numbers)):
            yield service.numbers.at(position)


def _ours(plan: Plan) -> Iterator[NumberRange]:
    for trunk in plan.trunks.values():
        yield from trunk.owns
    for item in plan.ranges:
        if item.public:
            yield item.public
    for number in [site.main_number for site in plan.sites.values()] + [
        service.public for service in plan.services.values()
    ]:
        if number:
            yield NumberRange(number, number)
