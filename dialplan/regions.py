"""What plans can tell apart: who calls, from where, and what is dialled, each by one example of its kind.

Two callers, places or dialled strings are of one kind when nothing that `route` reads of them differs, in
any of the plans. Numbers inside are told apart by what they are; numbers outside by their right and by the
routes, rates and budgets that are for them, not by their digits. So what holds for the example holds for all.

Numbers abroad are sampled: `phonenumbers` knows a premium number by a pattern, so one of each country's is
tried, and one of each beginning that a plan names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from dialplan.country import OutsideNumber
from dialplan.plan import Person, Plan
from dialplan.tables import Caller
from dialplan.world import calling_code_of, examples


@dataclass(frozen=True, slots=True)
class Callers:
    """People whose calls are routed alike. example: one of them, None for telephones without a person."""

    example: str | None
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device is: its address, or the site that it is configured for; None where nothing is told."""

    address: str | None
    site: str | None
    words: str


@dataclass(frozen=True, slots=True)
class Dialled:
    """What is dialled. words: what it is, for people. inside: whom it calls doesn't depend on who dials."""

    text: str
    words: str
    inside: bool


def callers_of(plans: tuple[Plan, Plan]) -> tuple[Callers, ...]:
    """Every kind of caller inside; the last one is a telephone that belongs to nobody."""
    kinds: dict[object, list[str]] = {}
    before, after = plans
    for extension in dict.fromkeys((*before.people, *after.people)):
        one, other = before.tables.callers.get(extension), after.tables.callers.get(extension)
        direct = one.direct if one is not None else None
        same = direct == (other.direct if other is not None else None)
        own = "" if same else extension
        kinds.setdefault((_read_of(before, one), _read_of(after, other), own), []).append(extension)
    found = [Callers(members[0], tuple(members)) for members in kinds.values()]
    return (*found, Callers(None, ()))


def _read_of(plan: Plan, caller: Caller | None) -> object:
    """All that routing reads of a caller, with a direct number told only by who may show it."""
    if caller is None:
        return None
    numbers = tuple(
        (
            "direct" if number == caller.direct else number,
            tuple(name for name, shown in plan.tables.shown.items() if number in shown),
        )
        for number in caller.numbers
    )
    return (
        caller.rights,
        caller.person.class_name,
        caller.site,
        numbers,
        caller.person.caller_id == "anonymous",
    )


def places_of(plans: tuple[Plan, Plan]) -> tuple[Place, ...]:
    """Every kind of place; the first one is where nothing is told."""
    found: dict[object, Place] = {None: Place(None, None, "")}
    for address in _addresses(plans):
        key = tuple(plan.tables.networks.find(address) for plan in plans)
        if any(key):
            words = f"at {key[0]}" if key[0] == key[1] else f"with an address such as {address}"
            found.setdefault(key, Place(address, None, words))
    for name in dict.fromkeys(name for plan in plans for name in plan.sites):
        key = tuple(name if name in plan.sites else "" for plan in plans)
        found.setdefault(key, Place(None, name, f"at {name}"))
    return tuple(found.values())


def _addresses(plans: tuple[Plan, Plan]) -> Iterator[str]:
    """The ends of every network, and the addresses beside them: one lies in each stretch between two."""
    for plan in plans:
        for site in plan.sites.values():
            for network in site.networks:
                highest = 2**network.max_prefixlen - 1
                first, last = int(network.network_address), int(network.broadcast_address)
                for number in (first, last, max(first - 1, 0), min(last + 1, highest)):
                    yield str(IPv4Address(number) if network.version == 4 else IPv6Address(number))


def dialled_of(plans: tuple[Plan, Plan]) -> tuple[Dialled, ...]:
    """Every kind of string that somebody inside may dial."""
    found: dict[str, Dialled] = {}
    for item in (*_emergency(plans), *_inside(plans), *_codes(plans), *outside_of(plans)):
        found.setdefault(item.text, item)
    for number, words in public_numbers(plans):
        inside = all(number in plan.tables.ours for plan in plans)
        found.setdefault(number, Dialled(number, words, inside))
    return tuple(found.values())


def _emergency(plans: tuple[Plan, Plan]) -> Iterator[Dialled]:
    seen: set[object] = set()
    for form in dict.fromkeys(form for plan in plans for form in plan.tables.emergency):
        numbers = [plan.tables.emergency[form].number for plan in plans if form in plan.tables.emergency]
        key = tuple(form in plan.tables.emergency for plan in plans), *numbers
        if key not in seen:
            seen.add(key)
            yield Dialled(form, f"{form} (emergency)", False)


def _inside(plans: tuple[Plan, Plan]) -> Iterator[Dialled]:
    kinds: dict[object, list[str]] = {}
    numbers = dict.fromkeys(
        number
        for plan in plans
        for number in (*plan.people, *plan.tables.services, *plan.tables.alarms, *_unheld(plans))
    )
    for number in numbers:
        kinds.setdefault(_kind_inside(plans, number), []).append(number)
    for members in kinds.values():
        more = f" (and {len(members) - 1} like it)" if len(members) > 1 else ""
        inside = all(_is_held(plan, members[0]) or plan.tables.extensions.find(members[0]) for plan in plans)
        yield Dialled(members[0], f"{members[0]}{more}", inside)


def _kind_inside(plans: tuple[Plan, Plan], number: str) -> object:
    """What a number inside is in both plans; the number itself where nothing else tells it apart."""
    people = [plan.people.get(number) for plan in plans]
    one, other = people
    if one is not None and other is not None:
        plain = one.name == other.name and one.forwards is None and other.forwards is None
        return "user" if plain else number
    kinds: list[str] = []
    for plan, person in zip(plans, people, strict=True):
        service, alarm = plan.tables.services.get(number), plan.tables.alarms.get(number)
        if person is not None and person.forwards is None:
            kinds.append("user")
        elif person is None and service is not None:
            kinds.append(f"service {service.name}")
        elif person is None and alarm is not None:
            kinds.append(f"alarm {alarm.name}")
        elif person is None and plan.tables.extensions.find(number):
            kinds.append("nobody's")
        else:
            return number
    return tuple(kinds)


def _unheld(plans: tuple[Plan, Plan]) -> Iterator[str]:
    """A number that nobody has, of each stretch of the ranges, and the numbers around each."""
    ends = sorted(
        {
            (len(item.numbers.first), int(end))
            for plan in plans
            for item in plan.ranges
            for end in (item.numbers.first, int(item.numbers.last) + 1)
        }
    )
    for (length, start), (next_length, end) in zip(ends, [*ends[1:], (0, 0)], strict=True):
        stop = end if next_length == length else start + 1
        for value in range(start, stop):
            number = str(value).zfill(length)
            if len(number) == length and not any(_is_held(plan, number) for plan in plans):
                yield number
                break


def _is_held(plan: Plan, number: str) -> bool:
    return number in plan.people or number in plan.tables.services or number in plan.tables.alarms


def _codes(plans: tuple[Plan, Plan]) -> Iterator[Dialled]:
    features = [feature for plan in plans for feature in plan.features]
    for feature in features:
        if not feature.argument:
            yield Dialled(feature.before, str(feature), True)
            continue
        others = [
            other.before[len(feature.before) :].strip("*#")
            for other in features
            if other.before.startswith(feature.before)
        ]
        for argument in ("1", "2010", "0612345678", *others):
            if argument.isdigit():
                arguments = "*".join([argument] * (1 + len(feature.further)))
                text = f"{feature.before}{arguments}{feature.after}"
                yield Dialled(text, str(feature), feature.name not in ("hide_number", "show_number"))


def outside_of(plans: tuple[Plan, Plan]) -> Iterator[Dialled]:
    """A number of each kind outside; in every form where the plans don't read digits alike."""
    alike = plans[0].outside_prefix == plans[1].outside_prefix and plans[0].country == plans[1].country
    kinds: dict[tuple[tuple[object, ...], ...], tuple[str, list[str]]] = {}
    forms: dict[tuple[tuple[object, ...], ...], str] = {}
    for number, beginning in _outside_numbers(plans):
        if not any(number in plan.tables.ours for plan in plans):
            kind = tuple(_read_outside(plan, number) for plan in _different(plans))
            beginnings = kinds.setdefault(kind, (number, []))[1]
            if beginning and beginning not in beginnings:
                beginnings.append(beginning)
            if not alike:
                # What one plan takes for a mobile number may be a number abroad for the other.
                for form in _forms(plans, number):
                    forms.setdefault(tuple(_read_form(plan, form) for plan in plans), form)
    for kind, (number, beginnings) in kinds.items():
        yield Dialled(number, _words(kind, beginnings), False)
    for kind, form in forms.items():
        yield Dialled(form, f"{_words(kind, [])}, as {form}", False)


def _read_form(plan: Plan, form: str) -> tuple[object, ...]:
    """All that routing reads of an outside number as it is dialled; empty where it is none."""
    prefix = plan.outside_prefix
    for plain in (form.removeprefix(prefix), form) if form.startswith(prefix) else (form,):
        reading = plan.country.read(plain)
        if isinstance(reading, OutsideNumber):
            return _read_outside(plan, reading.number)
    return ()


_PLURALS = {
    "toll_free": "toll-free numbers",
    "shared_cost": "shared-cost numbers",
    "": "impossible numbers",
}


def _words(kind: tuple[tuple[object, ...], ...], beginnings: list[str]) -> str:
    right = str(next((reading[0] for reading in kind if reading), ""))
    words = _PLURALS.get(right, f"{right} numbers")
    if beginnings:
        more = ", …" if len(beginnings) > 3 else ""
        words += f" beginning {', '.join(beginnings[:3])}{more}"
    return words


def _read_outside(plan: Plan, number: str) -> tuple[object, ...]:
    """All that routing reads of an outside number: its right, and what is for it."""
    reading = plan.country.read(number)
    if not isinstance(reading, OutsideNumber):
        return ()
    tables, right = plan.tables, reading.right
    routes = tuple(
        (rule.via, rule.schedule, rule.cheapest) for rule in tables.routes_for(right, reading.number)
    )
    rates: tuple[object, ...] = ()
    if plan.rates:
        found = tables.rates_for(right, reading.number)
        rates = tuple((rate.trunk, rate.cents, rate.schedule) for rate in found)
    budgets = tuple(budget.name for budget in plan.budgets if budget.is_for(reading.number, right))
    return (right, routes, rates, budgets)


def _outside_numbers(plans: tuple[Plan, Plan]) -> Iterator[tuple[str, str]]:
    """Numbers outside with the beginning that a plan names, "" where the country's data does."""
    for beginning in dict.fromkeys(beginning for plan in plans for beginning in _named_beginnings(plan)):
        for number in _beginning_with(plans[0], beginning):
            yield number, beginning
    for plan in _different(plans):
        country = plan.country
        for entry in country.national:
            for number in _beginning_with(plan, f"+{country.calling_code}{entry}"):
                yield number, ""
        for numbers in country.short_ranges:
            yield from ((number, "") for number in (numbers.first, numbers.last))
    for number in examples():
        yield number, ""


def _different(plans: tuple[Plan, Plan]) -> tuple[Plan, ...]:
    return plans[:1] if plans[0] is plans[1] else plans


def _named_beginnings(plan: Plan) -> Iterator[str]:
    for to in (
        *(rule.to for rule in plan.routes),
        *(rate.to for rate in plan.rates),
        *(budget.to for budget in plan.budgets),
    ):
        if to.startswith("+"):
            yield to


def _beginning_with(plan: Plan, beginning: str) -> Iterator[str]:
    """Possible numbers that begin so, one for each digit that may follow."""
    for code in calling_code_of(beginning[1:]):
        total = 1 + len(code.code) + max(code.lengths)
        for digit in "0123456789":
            number = (beginning + digit).ljust(total, "2")[:total]
            reading = plan.country.read(number)
            if isinstance(reading, OutsideNumber) and reading.number.startswith(beginning):
                yield reading.number


def _forms(plans: tuple[Plan, Plan], number: str) -> Iterator[str]:
    """How an outside number may be dialled, by the prefixes of both plans."""
    for plan in plans:
        country = plan.country
        plain = [number] if number[0] != "+" else [country.international_prefix + number[1:]]
        own = f"+{country.calling_code}"
        if number.startswith(own):
            plain.append(country.national_prefix + number[len(own) :])
        for form in plain:
            yield form
            yield plan.outside_prefix + form


def public_numbers(plans: tuple[Plan, Plan]) -> tuple[tuple[str, str], ...]:
    """A public number of ours of each kind, with words for it."""
    kinds: dict[object, list[str]] = {}
    for number in dict.fromkeys(_ours(plans)):
        kinds.setdefault(tuple(_kind_public(plan, number, plans) for plan in plans), []).append(number)
    found = []
    for members in kinds.values():
        more = f" (and {len(members) - 1} like it)" if len(members) > 1 else ""
        found.append((members[0], f"{members[0]}{more}"))
    return tuple(found)


def _kind_public(plan: Plan, number: str, plans: tuple[Plan, Plan]) -> object:
    """What a public number leads to in a plan."""
    if number not in plan.tables.ours:
        return ("outside", _read_outside(plan, number))
    service = plan.tables.public.get(number)
    if service is not None:
        return ("service", service.name)
    for block in plan.tables.direct.find(number):
        assert block.public is not None  # only blocks with a public range are in this table
        extension = block.numbers.at(block.public.position(number))
        person = plan.people.get(extension)
        if person is not None:
            return "user" if _is_same_in(plans, person, number) else ("user", extension)
        if extension in plan.tables.services:
            return ("service inside", extension)
        return "nobody's"
    return "unassigned"


def _is_same_in(plans: tuple[Plan, Plan], person: Person, number: str) -> bool:
    """Whether a direct number rings the same person in both plans, and nothing sends the call on."""
    for plan in plans:
        other = plan.people.get(person.extension)
        caller = plan.tables.callers.get(person.extension)
        if other is None or caller is None or other.forwards is not None:
            return False
        if other.name != person.name or caller.direct != number:
            return False
    return True


def _ours(plans: tuple[Plan, Plan]) -> Iterator[str]:
    """Public numbers of every kind: each service's and person's, and one of each stretch of ranges."""
    for plan in plans:
        yield from plan.tables.public
        yield from (caller.direct for caller in plan.tables.callers.values() if caller.direct)
        yield from (site.main_number for site in plan.sites.values() if site.main_number)
        for block in plan.ranges:
            if block.public is None:
                continue
            for number in plan.tables.services:
                if number in block.numbers and block.numbers.position(number) < len(block.public):
                    yield block.public.at(block.numbers.position(number))
    ranges = [item for plan in plans for trunk in plan.trunks.values() for item in trunk.owns]
    ranges += [block.public for plan in plans for block in plan.ranges if block.public is not None]
    ends = sorted(
        {(len(item.first), int(end)) for item in ranges for end in (item.first, int(item.last) + 1)}
    )
    held = {caller.direct for plan in plans for caller in plan.tables.callers.values()}
    held.update(number for plan in plans for number in plan.tables.public)
    held.update(site.main_number for plan in plans for site in plan.sites.values())
    for (length, start), (next_length, end) in zip(ends, [*ends[1:], (0, 0)], strict=True):
        for value in range(start, end if next_length == length else start):
            number = f"+{value}"
            if number in held:
                continue
            if any(number in plan.tables.ours for plan in plans):
                yield number
            break  # the others of this stretch are like it


def grouped(callers: Iterable[Callers], key: Callable[[Callers], object]) -> tuple[Callers, ...]:
    """Kinds of callers as one where a question sees no difference between them."""
    kinds: dict[object, list[Callers]] = {}
    for item in callers:
        kinds.setdefault(key(item), []).append(item)
    return tuple(
        Callers(items[0].example, tuple(member for item in items for member in item.members))
        for items in kinds.values()
    )
