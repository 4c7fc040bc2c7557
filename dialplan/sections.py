"""The sections of a plan, from nodes to parts of the model. Errors are collected in the nodes' findings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo, available_timezones

from dialplan.budgets import EACH, PERIODS, Budget
from dialplan.country import OVERRIDE, RIGHTS, Country, EmergencyNumber
from dialplan.decision import Forwards
from dialplan.document import Node, did_you_mean, shortened
from dialplan.plan import (
    REJECT_REASONS,
    Alarm,
    ClassOfRights,
    Destination,
    Expectation,
    ExtensionRange,
    Feature,
    Group,
    Members,
    Person,
    PlanTest,
    Rate,
    RecordingPolicy,
    RingTurn,
    Route,
    Screening,
    Site,
    Srtp,
    Voicemail,
)
from dialplan.ringing import ALL_DEVICES, FIRST_TURN_SECONDS, IN_TURN, MOBILE, TOGETHER, turns_by
from dialplan.schedule import (
    DatedInterval,
    Schedule,
    WeeklyInterval,
    holiday_dates,
    parse_closing,
    parse_opening_date,
    parse_weekly,
)
from dialplan.values import (
    References,
    read_destination,
    read_digits,
    read_e164,
    read_members,
    read_name,
    read_network,
    read_range,
    read_record,
    read_srtp,
    read_texts,
)

LANGUAGES = ("fr", "en")
_ARGUMENT = r"\{(extension|number|service|time|seconds|reason)\}"
_FEATURE = re.compile(rf"([0-9*#]{{0,15}})(?:{_ARGUMENT}((?:\*{_ARGUMENT})*)([0-9*#]{{0,15}}))?")
_DURATION = re.compile(r"([1-9][0-9]{0,4}) (day|week|month|year)s?")
_LOCAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_DAYS_OF = {"day": 1, "week": 7, "month": 30, "year": 365}

SITE = (
    "name",
    "address",
    "location",
    "networks",
    "trunks",
    "main_number",
    "notified",
    "direct_media",
)
MOST_RING_SECONDS = 300
_OF_SEVERAL_ARGUMENTS = (
    "forward_no_answer",
    "service_close",
    "service_send",
    "service_open",
    "pause_service",
)
FEATURE_NAMES = (
    "pickup_group",
    "pickup",
    "forward_always",
    "forward_busy",
    "forward_no_answer",
    "forward_unreachable",
    "forward_off",
    "forward_always_off",
    "forward_busy_off",
    "forward_no_answer_off",
    "forward_unreachable_off",
    "forward_status",
    "service_close",
    "service_send",
    "service_open",
    "service_as_planned",
    "do_not_disturb",
    "do_not_disturb_off",
    "anonymous_reject",
    "anonymous_accept",
    "call_waiting",
    "call_waiting_off",
    "redial",
    "last_caller",
    "voicemail",
    "callback_on_busy",
    "callback_off",
    "login",
    "logout",
    "pin",
    "address",
    "take_call",
    "to_mobile",
    "ring_together",
    "ring_in_turn",
    "ring_devices",
    "malicious_call",
    "conference",
    "intercom",
    "hide_number",
    "show_number",
    "pause",
    "pause_reason",
    "pause_service",
    "resume",
    "resume_service",
    "record_stop",
    "record_again",
)


def read_site(name: str, node: Node, references: References) -> Site:
    fields = node.mapping(SITE)
    address = fields["address"].mapping() if "address" in fields else {}
    location: tuple[float, float] | None = None
    if "location" in fields:
        place = fields["location"].mapping({"lat", "lon"}, required=("lat", "lon"))
        if "lat" in place and "lon" in place:
            location = (place["lat"].decimal(-90, 90), place["lon"].decimal(-180, 180))
    networks = [read_network(item) for item in fields["networks"].sequence()] if "networks" in fields else []
    trunks = fields["trunks"].sequence() if "trunks" in fields else []
    return Site(
        name=read_name(name, node),
        title=fields["name"].text() if "name" in fields else name,
        address=MappingProxyType({key: value.text() for key, value in address.items()}),
        location=location,
        networks=tuple(network for network in networks if network is not None),
        trunks=tuple(references.name("trunk", item, f"site {name}") for item in trunks),
        main_number=read_e164(fields["main_number"]) if "main_number" in fields else None,
        line=node.line,
        column=node.column,
        notified=read_members(fields["notified"], references) if "notified" in fields else None,
        direct_media=fields["direct_media"].boolean() if "direct_media" in fields else False,
    )


def read_class(name: str, node: Node) -> ClassOfRights:
    """A list of rights, or `{rights: [...], srtp: required}`."""
    fields = node.mapping({"rights", "srtp"}, required=("rights",)) if node.is_mapping else {"rights": node}
    rights: set[str] = set()
    for item in fields["rights"].sequence() if "rights" in fields else []:
        if item.value == "emergency":
            item.error("emergency_right", "emergency calls are always allowed", "remove it from the class")
        else:
            rights.add(item.choice((*RIGHTS, OVERRIDE), "right"))
    srtp: Srtp = read_srtp(fields["srtp"]) if "srtp" in fields else ""
    return ClassOfRights(read_name(name, node), frozenset(rights), node.line, node.column, srtp)


def read_route(node: Node, references: References) -> Route:
    fields = node.mapping({"to", "via", "schedule"}, required=("to", "via"))
    to = _read_outside_numbers(fields["to"]) if "to" in fields else ""
    cheapest = "via" in fields and fields["via"].value == "cheapest"
    via = fields["via"].sequence() if "via" in fields and not cheapest else []
    if "via" in fields and not via and not cheapest:
        fields["via"].error(
            "missing_key", "this route names no trunk", "list at least one, or write cheapest"
        )
    names = tuple(references.name("trunk", item, f"calls to {to}") for item in via)
    return Route(
        to or "national", names, node.line, node.column, _read_schedule_name(fields, references), cheapest
    )


def _read_schedule_name(fields: Mapping[str, Node], references: References) -> str:
    return references.name("schedule", fields["schedule"]) if "schedule" in fields else ""


def read_rate(node: Node, references: References) -> Rate:
    fields = node.mapping({"trunk", "to", "cents", "schedule"}, required=("trunk", "to", "cents"))
    return Rate(
        trunk=references.name("trunk", fields["trunk"], "a rate") if "trunk" in fields else "",
        to=_read_outside_numbers(fields["to"]) if "to" in fields else "",
        cents=fields["cents"].decimal(0, 100_000) if "cents" in fields else 0.0,
        schedule=_read_schedule_name(fields, references),
        line=node.line,
        column=node.column,
    )


def read_group(name: str, node: Node, references: References) -> Group:
    fields = node.mapping({"caller_id", "record"})
    caller_id = (read_e164(fields["caller_id"]) or "") if "caller_id" in fields else ""
    record = read_record(fields, references, f"group {name}")
    return Group(read_name(name, node), caller_id, node.line, node.column, record)


def read_screening(node: Node, references: References) -> Screening:
    """The `callers:` section: who from outside isn't let in."""
    fields = node.mapping({"rejected", "anonymous"})
    rejected: list[str] = []
    for item in fields["rejected"].sequence() if "rejected" in fields else []:
        text = item.text()
        if re.fullmatch(r"\+[1-9][0-9]{0,14}", text):
            rejected.append(text)
        elif text:
            item.error("bad_number", f'"{shortened(text)}" is no beginning of a number', "write +33899")
    anonymous: str | Destination = "accept"
    if "anonymous" in fields:
        to = fields["anonymous"]
        anonymous = (
            read_destination(to, references)
            if to.is_mapping
            else to.choice(("accept", "reject"), "rule for anonymous callers")
        )
    return Screening(tuple(rejected), anonymous, node.line, node.column)


def _read_outside_numbers(node: Node) -> str:
    """A right, or how E.164 numbers begin; what is neither is returned with an error."""
    to = node.text()
    if to.startswith("+"):
        if not re.fullmatch(r"\+[1-9][0-9]{0,14}", to):
            node.error("bad_number", f'"{shortened(to)}" is no beginning of a number', "write +44")
    elif to and (to not in RIGHTS or to == "internal"):
        node.error("unknown_right", f'unknown right "{shortened(to)}"', did_you_mean(to, RIGHTS[1:]))
    return to


def read_budget(node: Node, references: References) -> Budget:
    fields = node.mapping({"each", "to", "calls", "minutes", "per", "when_closed"}, required=("each", "per"))
    if fields and not fields.keys() & {"calls", "minutes"}:
        node.error("missing_key", "this budget limits nothing", "write `calls: 20`, `minutes: 60` or both")
    each = fields["each"].choice(EACH, "owner of a budget") if "each" in fields else "all"
    per = fields["per"].choice(PERIODS, "period") if "per" in fields else "hour"
    return Budget(
        each=each,  # type: ignore[arg-type]  # `choice` gives one of EACH
        to=_read_outside_numbers(fields["to"]) if "to" in fields else "",
        calls=fields["calls"].integer(0, 1_000_000) if "calls" in fields else None,
        minutes=fields["minutes"].integer(0, 1_000_000) if "minutes" in fields else None,
        per=per,  # type: ignore[arg-type]  # and of PERIODS
        closed=references.name("schedule", fields["when_closed"], "a budget")
        if "when_closed" in fields
        else "",
        line=node.line,
        column=node.column,
    )


def read_schedule(name: str, node: Node, timezone: str) -> Schedule:
    fields = node.mapping({"timezone", "open", "closed", "holidays"}, required=("open",))
    weekly: list[WeeklyInterval] = []
    dated: list[DatedInterval] = []
    closed: list[DatedInterval] = []
    for item in fields["open"].sequence() if "open" in fields else []:
        text = item.text()
        try:
            if text[:1].isdigit():
                dated.append(parse_opening_date(text, item.line, item.column))
            else:
                weekly.append(parse_weekly(text, item.line, item.column))
        except ValueError as error:
            item.error("bad_interval", str(error))
    for item in fields["closed"].sequence() if "closed" in fields else []:
        try:
            closed.append(parse_closing(item.text(), item.line, item.column))
        except ValueError as error:
            item.error("bad_interval", str(error))
    holidays = read_holidays(fields["holidays"]) if "holidays" in fields else ""
    return Schedule(
        name=read_name(name, node),
        zone=read_timezone(fields["timezone"]) if "timezone" in fields else ZoneInfo(timezone),
        weekly=tuple(weekly),
        dated=tuple(dated),
        closed=tuple(closed),
        holidays=holidays,
        holidays_line=fields["holidays"].line if "holidays" in fields else 0,
        line=node.line,
        column=node.column,
    )


def read_holidays(node: Node) -> str:
    """A calendar of public holidays; "" with an error when none is known by that code."""
    code = node.text()
    try:
        if not re.fullmatch(r"[A-Z]{2}(-[A-Za-z0-9]{1,10})?", code):
            raise LookupError(code)
        holiday_dates(code, 2026)
    except LookupError:
        node.error(
            "unknown_holidays", f'no public holidays are known for "{shortened(code)}"', "write FR or FR-57"
        )
        return ""
    return code


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def read_timezone(node: Node) -> ZoneInfo:
    """A time zone of the IANA database; UTC with an error otherwise."""
    name = node.text()
    if name in _timezones():
        return ZoneInfo(name)
    node.error("unknown_timezone", f'unknown time zone "{shortened(name)}"', did_you_mean(name, _timezones()))
    return ZoneInfo("UTC")


def read_ranges(fields: Mapping[str, Node], references: References) -> tuple[ExtensionRange, ...]:
    """The extensions of `direct:`, `internal:` and `local:`."""
    ranges: list[ExtensionRange] = []
    for node in fields["direct"].sequence() if "direct" in fields else []:
        block = node.mapping({"site", "public", "internal"}, required=("site", "public", "internal"))
        if not block.keys() >= {"site", "public", "internal"}:
            continue
        site = references.name("site", block["site"])
        public = read_range(block["public"], public=True)
        internal = read_range(block["internal"], public=False)
        if public is not None and internal is not None:
            ranges.append(ExtensionRange(site, internal, public, node.line, node.column))
    for node in fields["internal"].sequence() if "internal" in fields else []:
        item = node.mapping({"site", "range"}, required=("site", "range"))
        if item.keys() >= {"site", "range"}:
            site = references.name("site", item["site"])
            numbers = read_range(item["range"], public=False)
            if numbers is not None:
                ranges.append(ExtensionRange(site, numbers, None, node.line, node.column))
    if "local" in fields:
        local = fields["local"]
        for node in local.sequence() if local.is_sequence else [local]:
            numbers = read_range(node, public=False)
            if numbers is not None:
                ranges.append(ExtensionRange("", numbers, None, node.line, node.column))
    return tuple(ranges)


def read_emergency(node: Node, country: Country, language: str) -> Mapping[str, EmergencyNumber]:
    """The country's emergency numbers and those that the town adds."""
    numbers = dict(country.emergency)
    for number, item in node.mapping().items():
        fields = item.mapping({"name", "urgent"}, required=("name",))
        if not re.fullmatch(r"[0-9]{2,6}", number):
            item.error("bad_number", f'"{shortened(number)}" is no emergency number', "write 2 to 6 digits")
            continue
        names = read_texts(fields["name"], language) if "name" in fields else {}
        urgent = fields["urgent"].boolean() if "urgent" in fields else False
        if urgent and number in country.never_urgent:
            hint = "remove `urgent:`: it is always reached all the same"
            fields["urgent"].error("never_urgent", f"{number} never displaces another call", hint)
        if number not in country.emergency:
            numbers[number] = EmergencyNumber(number, names, urgent, *node.keys[number])
    return MappingProxyType(numbers)


def read_alarm(name: str, node: Node, references: References, language: str) -> Alarm:
    fields = node.mapping({"triggers", "call", "message", "acknowledge", "escalate"}, required=("call",))
    dial: list[str] = []
    mqtt: list[str] = []
    webhook = False
    for item in fields["triggers"].sequence() if "triggers" in fields else []:
        trigger = item.mapping({"dial", "webhook", "mqtt"})
        if "dial" in trigger:
            dial.append(read_digits(trigger["dial"]))
        if "mqtt" in trigger:
            mqtt.append(trigger["mqtt"].text())
        webhook = webhook or ("webhook" in trigger and trigger["webhook"].boolean())
    acknowledge = (
        fields["acknowledge"].mapping({"digit", "needed", "within_seconds", "retry"})
        if "acknowledge" in fields
        else {}
    )
    return Alarm(
        name=read_name(name, node),
        dial=tuple(number for number in dial if number),
        webhook=webhook,
        mqtt=tuple(mqtt),
        call=read_members(fields["call"], references)
        if "call" in fields
        else Members((), (), (), node.line, node.column),
        message=read_texts(fields["message"], language) if "message" in fields else MappingProxyType({}),
        acknowledge_digit=acknowledge["digit"].choice(tuple("123456789"), "key")
        if "digit" in acknowledge
        else "1",
        acknowledge_needed=acknowledge["needed"].integer(1, 1000) if "needed" in acknowledge else 1,
        within_seconds=acknowledge["within_seconds"].integer(5, 3600)
        if "within_seconds" in acknowledge
        else 60,
        retry=acknowledge["retry"].integer(0, 100) if "retry" in acknowledge else 3,
        escalate=read_destination(fields["escalate"], references) if "escalate" in fields else None,
        line=node.line,
        column=node.column,
    )


def read_recording(name: str, node: Node, references: References, language: str) -> RecordingPolicy:
    fields = node.mapping(
        {
            "legal_basis",
            "keep",
            "start",
            "on_failure",
            "listeners",
            "export",
            "announce",
            "beep_seconds",
            "stop",
            "alarm",
            "register",
            "keep_at_least",
        },
        required=("legal_basis", "keep"),
    )
    start = fields["start"].choice(("answer", "ringing", "asked"), "start") if "start" in fields else "answer"
    # Whoever has a call recorded ends that as well, unless the plan says otherwise.
    stop = "allowed" if start == "asked" else "never"
    if "stop" in fields:
        stop = fields["stop"].choice(("never", "allowed"), "rule for stopping")
    on_failure = "connect_and_alarm"
    if "on_failure" in fields:
        on_failure = fields["on_failure"].choice(("connect_and_alarm", "refuse"), "failure rule")
        if (start, on_failure) == ("asked", "refuse"):
            fields["on_failure"].error(
                "bad_on_failure", "nothing is recorded before somebody asks: no call can be refused for it"
            )
    return RecordingPolicy(
        name=read_name(name, node),
        legal_basis=fields["legal_basis"].text() if "legal_basis" in fields else "",
        keep_days=_read_days(fields["keep"]) if "keep" in fields else 1,
        start=start,
        on_failure=on_failure,
        listeners=read_members(fields["listeners"], references) if "listeners" in fields else None,
        export=fields["export"].choice(("two_persons", "one_person", "never"), "export rule")
        if "export" in fields
        else "two_persons",
        line=node.line,
        column=node.column,
        export_written="export" in fields,
        announce=read_texts(fields["announce"], language) if "announce" in fields else MappingProxyType({}),
        beep_seconds=fields["beep_seconds"].integer(5, 3600) if "beep_seconds" in fields else 0,
        may_stop=stop == "allowed",
        alarm=references.name("alarm", fields["alarm"], f"recording {name}") if "alarm" in fields else "",
        register=fields["register"].text() if "register" in fields else "",
        least_days=_read_least_days(fields),
    )


def _read_least_days(fields: Mapping[str, Node]) -> int:
    """For how long nobody may have a recording erased: not longer than it is kept."""
    if "keep_at_least" not in fields:
        return 0
    node = fields["keep_at_least"]
    days = _read_days(node)
    if "keep" in fields and days > _read_days(fields["keep"]):
        node.error("kept_too_short", "it would have to be kept for longer than it is kept", "at most `keep:`")
    return days


def _read_days(node: Node) -> int:
    match = _DURATION.fullmatch(node.text())
    if match is None:
        node.error(
            "bad_duration", f'"{shortened(node.text())}" is no duration with its unit', "write 60 days"
        )
        return 1
    return int(match[1]) * _DAYS_OF[match[2]]


def read_features(node: Node) -> tuple[Feature, ...]:
    features: list[Feature] = []
    for name, item in node.mapping(FEATURE_NAMES).items():
        text = item.text().replace("%23", "#")
        match = _FEATURE.fullmatch(text)
        if match is None or not match[1]:
            if text:
                hint = 'write "*21#" or "*21*{number}"'
                item.error("bad_feature", f'"{shortened(text)}" is no code', hint)
            continue
        further = tuple(re.findall(r"\w+", match[3] or ""))
        if further and name not in _OF_SEVERAL_ARGUMENTS:
            item.error("bad_feature", f"{name} has one argument at the most", 'write "*21*{number}"')
        after = match[5] or ""
        features.append(Feature(name, match[1], match[2] or "", after, item.line, item.column, further))
    return tuple(features)


def read_hot_desk(node: Node) -> str:
    """The hour at which whoever uses somebody else's device is logged out; "" with an error for none."""
    ends = node.mapping({"ends"}, required=("ends",)).get("ends")
    text = ends.text() if ends is not None else ""
    if ends is not None and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        ends.error("bad_time", f'"{shortened(text)}" is no hour of the day', 'write ends: "20:00"')
        return ""
    return text


def read_person(node: Node, references: References) -> Person:
    fields = node.mapping(
        {
            "extension",
            "name",
            "password",
            "site",
            "class",
            "groups",
            "mobile",
            "caller_id",
            "forward",
            "anonymous",
            "call_waiting",
            "language",
            "ring",
            "voicemail",
            "record",
        },
        required=("extension", "name"),
    )
    extension = read_digits(fields["extension"]) if "extension" in fields else ""
    if "ring" in fields and "mobile" not in fields and _names_mobile(fields["ring"]):
        message = f"user {extension} has no mobile number that could ring"
        fields["ring"].error("no_mobile", message, 'add `mobile: "+33…"`, or list the devices alone')
    by = f"user {extension}"
    groups = tuple(item.text() for item in fields["groups"].sequence()) if "groups" in fields else ()
    return Person(
        extension=extension,
        name=fields["name"].text() if "name" in fields else "",
        site=references.name("site", fields["site"], by) if "site" in fields else None,
        class_name=references.name("class", fields["class"], by) if "class" in fields else None,
        groups=groups,
        mobile=read_e164(fields["mobile"]) if "mobile" in fields else None,
        password=fields["password"].text() if "password" in fields else None,
        line=node.line,
        column=node.column,
        caller_id=_read_caller_id(fields["caller_id"]) if "caller_id" in fields else "",
        forwards=_read_calls_in(fields),
        language=fields["language"].choice(LANGUAGES, "language") if "language" in fields else "",
        turns=_read_turns(fields["ring"], extension) if "ring" in fields else (),
        voicemail=read_voicemail(fields["voicemail"], of_all=False) if "voicemail" in fields else None,
        record=read_record(fields, references, by),
    )


def read_voicemail(node: Node, *, of_all: bool) -> Voicemail:
    """`true`, `false`, or `{after_seconds: 30}`; for one person also where messages are sent to."""
    if not node.is_mapping:
        return Voicemail(node.boolean())
    fields = node.mapping({"after_seconds"} if of_all else {"after_seconds", "email"})
    return Voicemail(
        True,
        fields["after_seconds"].integer(1, 300)
        if "after_seconds" in fields
        else Voicemail(True).after_seconds,
        fields["email"].email() if "email" in fields else "",
    )


def _names_mobile(node: Node) -> bool:
    """Whether a `ring:` is to ring the mobile number."""
    if not node.is_sequence:
        return node.value in (TOGETHER, IN_TURN)
    listed = [item.value.get("devices") for item in node.sequence() if isinstance(item.value, dict)]
    return any(
        isinstance(devices, Node) and any(one.value == MOBILE for one in devices.sequence())
        for devices in listed
    )


def _read_turns(node: Node, extension: str) -> tuple[RingTurn, ...]:
    """How somebody's telephones ring: `together`, `in_turn`, or a list of turns.

    A turn without `after` begins when the one before it ends.
    """
    if not node.is_sequence:
        return turns_by(node.choice((TOGETHER, IN_TURN), "way to ring"), node.line)
    turns: list[RingTurn] = []
    ends = 0
    for item in node.sequence():
        fields = item.mapping({"devices", "after", "seconds"}, required=("devices",))
        listed = fields["devices"].sequence() if "devices" in fields else []
        names = [_read_device(one, extension) for one in listed]
        after = fields["after"].integer(0, MOST_RING_SECONDS) if "after" in fields else ends
        seconds = (
            fields["seconds"].integer(1, MOST_RING_SECONDS) if "seconds" in fields else FIRST_TURN_SECONDS
        )
        ends = after + seconds
        if ends > MOST_RING_SECONDS:
            hint = "shorten `after` or `seconds`"
            item.error("too_long", f"telephones ring for {MOST_RING_SECONDS} s at the most", hint)
        turns.append(RingTurn(tuple(names), after, seconds, item.line))
    if not turns:
        node.error(
            "missing_key", "nothing of this person would ring", "write `ring: together`, or list turns"
        )
    return tuple(turns)


def _read_device(node: Node, extension: str) -> str:
    """A sign-in of a person's, `all` or `mobile`."""
    name = node.text()
    if name not in (ALL_DEVICES, MOBILE, extension) and not name.startswith(f"{extension}-"):
        hint = f"write {ALL_DEVICES}, {MOBILE}, {extension} or {extension}-app"
        node.error("unknown_device", f'"{shortened(name)}" is no device of {extension}', hint)
    return name


def _read_caller_id(node: Node) -> str:
    """What somebody's calls outside show: a public number or `anonymous`."""
    return "anonymous" if node.value == "anonymous" else read_e164(node) or ""


def _read_calls_in(fields: Mapping[str, Node]) -> Forwards | None:
    """What becomes of somebody's calls; None where the plan says nothing of it."""
    if not fields.keys() & {"forward", "anonymous", "call_waiting"}:
        return None
    forwards = _read_forwards(fields["forward"]) if "forward" in fields else Forwards()
    if "anonymous" in fields:
        rejects = fields["anonymous"].choice(("accept", "reject"), "rule for calls without a number")
        forwards = replace(forwards, rejects_anonymous=rejects == "reject")
    if "call_waiting" in fields:
        forwards = replace(forwards, call_waiting=fields["call_waiting"].boolean())
    return forwards


def _read_forwards(node: Node) -> Forwards:
    """Where somebody's calls go on: numbers inside, or public ones whole with +."""
    fields = node.mapping({"always", "busy", "no_answer", "unreachable", "after_seconds"})

    def number(key: str) -> str:
        if key not in fields:
            return ""
        outside = isinstance(fields[key].value, str) and fields[key].text().startswith("+")
        return (read_e164(fields[key]) or "") if outside else read_digits(fields[key])

    seconds = fields["after_seconds"].integer(1, 3600) if "after_seconds" in fields else 20
    return Forwards(
        number("always"), number("busy"), number("no_answer"), seconds, unreachable=number("unreachable")
    )


def read_test(node: Node, references: References, zone: ZoneInfo) -> PlanTest:
    fields = node.mapping(
        {"from", "dial", "at", "at_site", "trunk_down", "expect"}, required=("from", "dial", "expect")
    )
    caller = fields["from"].text() if "from" in fields else ""
    return PlanTest(
        caller=caller,
        from_trunk=caller.startswith("+"),
        dial=fields["dial"].text() if "dial" in fields else "",
        at=_read_instant(fields["at"], zone) if "at" in fields else None,
        at_site=references.name("site", fields["at_site"]) if "at_site" in fields else None,
        expect=_read_expectation(fields["expect"], references) if "expect" in fields else Expectation(),
        line=node.line,
        column=node.column,
        trunk_down=references.name("trunk", fields["trunk_down"]) if "trunk_down" in fields else "",
    )


def _read_instant(node: Node, zone: ZoneInfo) -> datetime | None:
    text = node.text()
    try:
        if not _LOCAL_TIME.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        node.error("bad_time", f'"{shortened(text)}" is no instant', 'write "2026-11-23 10:00"')
        return None


def _read_expectation(node: Node, references: References) -> Expectation:
    fields = node.mapping(
        {"emergency", "trunk", "caller_id", "to", "user", "service", "feature", "reject", "recorded"}
    )
    if not fields:
        node.error(
            "missing_key", "this test expects nothing", 'write {user: "2010"}, {trunk: …}, {reject: class} …'
        )

    def text(key: str) -> str | None:
        return fields[key].text() if key in fields else None

    return Expectation(
        emergency=fields["emergency"].boolean() if "emergency" in fields else None,
        trunk=references.name("trunk", fields["trunk"]) if "trunk" in fields else None,
        caller_id=text("caller_id"),
        to=text("to"),
        user=text("user"),
        service=references.name("service", fields["service"]) if "service" in fields else None,
        feature=text("feature"),
        reject=fields["reject"].choice(REJECT_REASONS, "reason") if "reject" in fields else None,
        recorded=_read_recorded(fields["recorded"], references) if "recorded" in fields else None,
    )


def _read_recorded(node: Node, references: References) -> str:
    """The policy that a call is expected to be recorded by, or `nothing`."""
    return "nothing" if node.value == "nothing" else references.name("recording", node, "a test")
