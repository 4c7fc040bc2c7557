"""From a YAML file to a `Plan`, with every error at once: where, what, and the mend.

Sections are read first, then the names that they use are looked up, then the numbers that must be
unique. What isn't an error of one line (overlaps, loops, tests that fail) is `checking`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

from dialplan.country import known_countries, load_country
from dialplan.document import Node, read_document, read_text
from dialplan.plan import NO_VOICEMAIL, Person, Placed, Plan
from dialplan.queueing import read_pauses, read_skill
from dialplan.sections import (
    LANGUAGES,
    read_alarm,
    read_budget,
    read_class,
    read_emergency,
    read_features,
    read_group,
    read_hot_desk,
    read_person,
    read_ranges,
    read_rate,
    read_recording,
    read_route,
    read_schedule,
    read_screening,
    read_site,
    read_test,
    read_timezone,
    read_voicemail,
)
from dialplan.services import read_service
from dialplan.trunk_section import read_trunk
from dialplan.values import References, read_destination, read_e164, read_members

FORMAT_VERSION = 1
SECTIONS = (
    "plan",
    "organization",
    "country",
    "language",
    "timezone",
    "sites",
    "numbers",
    "classes",
    "trunks",
    "routes",
    "rates",
    "budgets",
    "callers",
    "groups",
    "schedules",
    "services",
    "alarms",
    "recording",
    "features",
    "hot_desk",
    "skills",
    "pauses",
    "voicemail",
    "users",
    "tests",
)
NUMBERS = (
    "outside_prefix",
    "default_site",
    "unassigned",
    "emergency",
    "emergency_notified",
    "emergency_test",
    "direct",
    "internal",
    "local",
)

Part = TypeVar("Part")


def load_plan(path: Path) -> Plan:
    """The plan of a file. Raises PlanError with every error found."""
    return parse_plan(read_text(path), str(path))


def parse_plan(text: str, file: str) -> Plan:
    """The plan of a YAML text. file: its name in findings and in `Plan.path`.

    Raises PlanError with every error found, in the order of the file.
    """
    root = read_document(text, file)
    fields = root.mapping(SECTIONS, required=("plan", "country"))
    references = References()
    people: dict[str, Person] = {}
    for node in _listed(fields, "users"):
        person = read_person(node, references)
        if person.extension in people:
            _twice(root, person, f"extension {person.extension}", people[person.extension].line)
        elif person.extension:
            people[person.extension] = person
    version = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    plan = _read_plan(fields, file, references, people, version)
    references.check(
        {
            "site": plan.sites,
            "class": plan.classes,
            "trunk": plan.trunks,
            "service": plan.services,
            "schedule": plan.schedules,
            "alarm": plan.alarms,
            "recording": plan.recordings,
            "skill": plan.skills,
        }
    )
    _check_unique(root, plan)
    root.findings.raise_errors()
    return plan


def _read_plan(
    fields: Mapping[str, Node], file: str, references: References, people: Mapping[str, Person], version: str
) -> Plan:
    """Every section but `users:`, in the order that they need each other."""
    if "plan" in fields and fields["plan"].integer(1, 1_000_000) != FORMAT_VERSION:
        fields["plan"].error("format_version", "this format of plans isn't read here", "write plan: 1")
    code = fields["country"].choice(known_countries(), "country") if "country" in fields else "FR"
    country = load_country(code)
    language = fields["language"].choice(LANGUAGES, "language") if "language" in fields else LANGUAGES[0]
    zone = read_timezone(fields["timezone"]) if "timezone" in fields else ZoneInfo(country.timezone)
    numbers = fields["numbers"].mapping(NUMBERS) if "numbers" in fields else {}
    sites = _named(fields, "sites", lambda name, node: read_site(name, node, references))
    return Plan(
        version=version,
        path=file,
        organization=fields["organization"].text() if "organization" in fields else "",
        country=country,
        language=language,
        timezone=zone.key,
        sites=sites,
        outside_prefix=_read_prefix(numbers["outside_prefix"]) if "outside_prefix" in numbers else "",
        default_site=references.name("site", numbers["default_site"])
        if "default_site" in numbers
        else next(iter(sites), ""),
        unassigned=read_destination(numbers["unassigned"], references) if "unassigned" in numbers else None,
        emergency=read_emergency(numbers["emergency"], country, language)
        if "emergency" in numbers
        else country.emergency,
        ranges=read_ranges(numbers, references),
        classes=_named(fields, "classes", read_class),
        trunks=_named(fields, "trunks", lambda name, node: read_trunk(name, node, references)),
        budgets=tuple(read_budget(node, references) for node in _listed(fields, "budgets")),
        routes=tuple(read_route(node, references) for node in _listed(fields, "routes")),
        schedules=_named(fields, "schedules", lambda name, node: read_schedule(name, node, zone.key)),
        services=_named(
            fields, "services", lambda name, node: read_service(name, node, references, language)
        ),
        alarms=_named(fields, "alarms", lambda name, node: read_alarm(name, node, references, language)),
        recordings=_named(
            fields, "recording", lambda name, node: read_recording(name, node, references, language)
        ),
        features=read_features(fields["features"]) if "features" in fields else (),
        people=MappingProxyType(people),
        tests=tuple(read_test(node, references, zone) for node in _listed(fields, "tests")),
        rates=tuple(read_rate(node, references) for node in _listed(fields, "rates")),
        groups=_named(fields, "groups", lambda name, node: read_group(name, node, references)),
        screening=read_screening(fields["callers"], references) if "callers" in fields else None,
        emergency_notified=read_members(numbers["emergency_notified"], references)
        if "emergency_notified" in numbers
        else None,
        emergency_test=(read_e164(numbers["emergency_test"]) or "") if "emergency_test" in numbers else "",
        hot_desk_ends=read_hot_desk(fields["hot_desk"]) if "hot_desk" in fields else "",
        skills=_named(fields, "skills", read_skill),
        pauses=read_pauses(fields["pauses"], language) if "pauses" in fields else {},
        voicemail=read_voicemail(fields["voicemail"], of_all=True) if "voicemail" in fields else NO_VOICEMAIL,
    )


def _named(fields: Mapping[str, Node], section: str, read: Callable[[str, Node], Part]) -> Mapping[str, Part]:
    """The parts of a section by name. A part is where its name is written, not where its first key is."""
    parts: dict[str, Part] = {}
    if section in fields:
        for name, node in fields[section].mapping().items():
            node.line, node.column = fields[section].keys[name]
            parts[name] = read(name, node)
    return MappingProxyType(parts)


def _listed(fields: Mapping[str, Node], section: str) -> list[Node]:
    return fields[section].sequence() if section in fields else []


def _read_prefix(node: Node) -> str:
    text = node.text(may_be_empty=True)
    if text and not (text.isascii() and text.isdigit() and len(text) <= 4):
        node.error("bad_number", f'"{text[:60]}" is no outside prefix', 'write 1 to 4 digits, such as "0"')
        return ""
    return text


def _check_unique(root: Node, plan: Plan) -> None:
    """Numbers that two parts of the plan claim."""
    inside: dict[str, tuple[str, int]] = {
        person.extension: (f"user {person.name}", person.line) for person in plan.people.values()
    }
    public: dict[str, tuple[str, int]] = {}
    for service in plan.services.values():
        for number in _service_numbers(plan, service.name):
            if number in inside:
                _twice(root, service, f"number {number}", inside[number][1], inside[number][0])
                break
            inside[number] = (f"service {service.name}", service.line)
        if service.public is not None and service.public in public:
            _twice(root, service, f"public number {service.public}", public[service.public][1])
        elif service.public is not None:
            public[service.public] = (service.name, service.line)
    for alarm in plan.alarms.values():
        for number in alarm.dial:
            if number in inside:
                _twice(root, alarm, f"number {number}", inside[number][1], inside[number][0])
            inside[number] = (f"alarm {alarm.name}", alarm.line)


def _service_numbers(plan: Plan, name: str) -> list[str]:
    numbers = plan.services[name].numbers
    return [numbers.at(position) for position in range(len(numbers))] if numbers is not None else []


def _twice(root: Node, part: Placed, what: str, line: int, holder: str = "") -> None:
    by = f", by {holder}" if holder else ""
    root.findings.add(
        "error",
        "duplicate_number",
        part.line,
        part.column,
        f"{what} is taken already{by}",
        f"see line {line}",
    )
