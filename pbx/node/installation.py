"""A first installation: a configuration and a plan, written from a few answers.

What is written is small and whole: it checks without an error and serves at once. Answers are judged by the
same checks as any plan, so that nothing is accepted here that would be refused later.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dialplan.checking import check
from dialplan.country import OutsideNumber, known_countries, load_country
from dialplan.document import shortened
from dialplan.finding import Finding, PlanError
from dialplan.loading import parse_plan
from pbx.configuration import FILE_NAME, parse_configuration

PLAN_NAME = "plan.yaml"
ECHO_NUMBER = "9196"
SIP_PORT = 5060
LONGEST_ANSWER = 100
LANGUAGES = {"FR": "fr"}
_PUNCTUATION = re.compile(r"[ .()\u00a0-]+")
_RANGE = re.compile(r"([0-9]{1,15})\s*(?:\.\.|-|–)\s*([0-9]{1,15})")


class InstallationError(Exception):
    """An answer can't be taken, or a file can't be written; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a first installation asks. Every one has a default.

    internal: extensions, `2000..2199`. main_number: E.164, "" for none yet. listen: address and port of SIP.
    operator: the host of the operator's SIP server, "" for none yet. domain: the digest realm. street,
    postcode, city: of the site, "" for none. web: address and port of the pages, "" for the usual ones.
    """

    organization: str = "My organisation"
    country: str = "FR"
    site: str = "Main site"
    internal: str = "2000..2199"
    main_number: str = ""
    outside_prefix: str = "0"
    operator: str = ""
    listen: str = "0.0.0.0:5060"
    domain: str = "beffroi"
    first_extension: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    web: str = ""

    @property
    def first(self) -> str:
        """The extension that answers what nobody else does."""
        return self.first_extension or self.internal.partition("..")[0]


def read_answer(name: str, text: str, country: str) -> str:
    """Return one answer as it is written down: `2000-2199` as `2000..2199`, `03 83 00 01 00` as E.164.

    name: a field of Answers. country: a code of the answers so far. Raises InstallationError.
    """
    text = text.strip()
    if len(text) > LONGEST_ANSWER or not text.isprintable():
        raise InstallationError(f"an answer is at most {LONGEST_ANSWER} characters that can be printed")
    match name:
        case "organization" | "site" | "domain" if not text:
            raise InstallationError("this can't be empty")
        case "country":
            if text.upper() not in known_countries():
                known = ", ".join(known_countries())
                raise InstallationError(f'the numbering of "{shortened(text)}" isn\'t known; known: {known}')
            return text.upper()
        case "internal":
            found = _RANGE.fullmatch(text)
            return f"{found[1]}..{found[2]}" if found is not None else text
        case "main_number" if text:
            return _e164(text, country)
        case "listen":
            return _with_port(text)
        case "web" if text and ":" not in text.rpartition("]")[2]:
            raise InstallationError("the address of the pages has its port: 127.0.0.1:8080")
        case _:
            return text


def _with_port(text: str) -> str:
    """`192.0.2.1:5060` for 192.0.2.1, `[::1]:5060` for ::1; what has a port stays as it is."""
    if text.count(":") > 1 and not text.startswith("["):
        return f"[{text}]:{SIP_PORT}"
    return text if ":" in text.rpartition("]")[2] else f"{text}:{SIP_PORT}"


def _e164(text: str, country: str) -> str:
    reading = load_country(country).read(_PUNCTUATION.sub("", text))
    if not isinstance(reading, OutsideNumber) or not reading.number.startswith("+"):
        raise InstallationError(f'"{shortened(text)}" is no public number; write it like +33383000100')
    return reading.number


def objections(answers: Answers, now: datetime) -> list[Finding]:
    """What the checks say against these answers: errors, and warnings but for a trunk that is to come."""
    try:
        parse_configuration(configuration_text(answers), Path(FILE_NAME))
        plan = parse_plan(plan_text(answers), PLAN_NAME)
    except PlanError as error:
        return list(error.findings)
    return [
        finding for finding in check(plan, now) if finding.severity != "note" and finding.code != "no_trunk"
    ]


def write(directory: Path, answers: Answers) -> tuple[Path, Path]:
    """Write the configuration and the plan, and return their paths. Never overwrites.

    Raises InstallationError, with nothing written.
    """
    configuration, plan = directory / FILE_NAME, directory / PLAN_NAME
    for path in (configuration, plan):
        if os.path.lexists(path):
            raise InstallationError(
                f"{path} is there already, and init never overwrites; choose another folder with --directory"
            )
    written: list[Path] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in ((plan, plan_text(answers)), (configuration, configuration_text(answers))):
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink()
        raise InstallationError(f"{directory}: can't be written: {error.strerror}") from None
    return configuration, plan


def configuration_text(answers: Answers) -> str:
    """The configuration, with what is likely to change first."""
    web = f"web: {_quoted(answers.web)}\n" if answers.web else ""
    return f"""\
# Configuration of one node of Beffroi: where it listens, where it keeps things. The plan says what it does.
data_dir: ./data                # relative to this file
domain: {_quoted(answers.domain)}  # part of every device's password: once there are devices, it stays
plan: {PLAN_NAME}
sip:
  udp: {_quoted(answers.listen)}
  tcp: {_quoted(answers.listen)}
  tls: {_quoted(_tls_listen(answers.listen))}   # with a certificate of its own, until you set these
  # certificate: /etc/ssl/pbx.crt   # PEM, with its chain
  # key: /etc/ssl/pbx.key
  ws: []                        # WebSocket: `wss:` is the secure one, for browsers
{web}# external_address: 203.0.113.7 # what peers outside local_networks are told, behind a router
# media:
#   ports: 20000-29999          # UDP ports of the sound: open them in the firewall
"""


def _tls_listen(listen: str) -> str:
    """The port after that of SIP in clear, 5061 where it is 5060 (RFC 3261 section 19.1.2)."""
    host, _, port = listen.rpartition(":")
    return f"{host}:{int(port) + 1 if int(port) < 65535 else 5061}"


def plan_text(answers: Answers) -> str:
    """The plan: a site and its numbers, three classes of rights, an echo test, the operator if any."""
    site = site_word(answers.site)
    trunks = "trunks: [operator]" if answers.operator else "# trunks: [operator]"
    main_number = (
        f"main_number: {_quoted(answers.main_number)}"
        if answers.main_number
        else '# main_number: "+33383000100"   # shown for calls outside'
    )
    prefix = f"outside_prefix: {_quoted(answers.outside_prefix)}\n  " if answers.outside_prefix else ""
    unassigned = (
        f"\n  unassigned: {{to: {_quoted(answers.first)}}}   # public numbers that nobody holds"
        if answers.main_number
        else ""
    )
    return f"""\
# Numbering plan. Check it with `beffroi plan check`, put a change in force with `beffroi plan reload`.
# People are in the database: `beffroi user add`, `beffroi user list`.
plan: 1                         # format version
organization: {_quoted(answers.organization)}
country: {answers.country}
language: {LANGUAGES.get(answers.country, "en")}

sites:
  {site}:
    name: {_quoted(answers.site)}
    {_address_text(answers)}
    # networks: [192.168.1.0/24]  # a telephone that calls from here is at this site
    {trunks}
    {main_number}

numbers:
  {prefix}default_site: {site}{unassigned}
  internal:
    - {{site: {site}, range: {_quoted(answers.internal)}}}

classes:                        # rights to call; emergency is always allowed
  internal:      [internal]
  national:      [internal, national, mobile, toll_free, shared_cost, short]
  international: [internal, national, mobile, toll_free, shared_cost, short, international]

{_trunks_text(answers)}
features:                       # codes that people dial
  forward_always: "*21*{{number}}"
  forward_busy: "*67*{{number}}"
  forward_no_answer: "*61*{{number}}*{{seconds}}"
  forward_unreachable: "*62*{{number}}"
  forward_off: "#21#"
  forward_status: "*#21#"       # says what is set
  do_not_disturb: "*78"
  do_not_disturb_off: "#78#"
  callback_on_busy: "*37"       # after a call that found busy, or no answer
  callback_off: "#37#"
  redial: "*66"
  last_caller: "*69"
  anonymous_reject: "*77"
  anonymous_accept: "#77#"
  call_waiting: "*43"
  call_waiting_off: "#43#"
  malicious_call: "*39"
  login: "*20*{{extension}}"      # this phone is somebody's until they log out; their PIN is asked
  logout: "#20#"
  pin: "*23"                    # choose one's own PIN
  address: "*24"                # where this phone is, for help to come; who works at home confirms it

services:
  echo: {{number: "{ECHO_NUMBER}", type: echo}}   # repeats what it hears: the first call to try
  # reception: {{number: "9", type: group, members: ["{answers.first}"], seconds: 30}}

# tests:                        # `beffroi plan check` runs them
#   - {{from: "{answers.first}", dial: "18", expect: {{emergency: true, trunk: operator}}}}
"""


def _address_text(answers: Answers) -> str:
    """The site's address, or how to write one: it is told to operators that take it, with an emergency."""
    if not answers.street and not answers.city:
        return '# address: {street: "1 place de la Mairie", postcode: "54999", city: Valmont}'
    parts = {"street": answers.street, "postcode": answers.postcode, "city": answers.city}
    written = ", ".join(f"{name}: {_quoted(text)}" for name, text in parts.items() if text)
    return f"address: {{{written}}}"


def _trunks_text(answers: Answers) -> str:
    """The operator's line; without one, how to write it, and what is missing until then."""
    owned = f'["{answers.main_number}"]' if answers.main_number else "[]"
    lines = f"""\
trunks:
  operator:
    host: {answers.operator or "sip.operator.example"}
    transport: udp
    # username: "0383000100"
    # secret: {{env: OPERATOR_SECRET}}    # secrets are never written in a plan
    owns: {owned}
    channels: 10
    emergency_channels: 2       # kept free for emergency calls
"""
    if answers.operator:
        return lines
    missing = (
        "# Without a trunk no call leaves, and NO EMERGENCY CALL either: mend this with your operator first."
    )
    return missing + "\n" + "".join(f"# {line}\n" for line in lines.splitlines())


def site_word(name: str) -> str:
    """The plan's word for a site: `hotel-de-ville` for `Hôtel de ville`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    # YAML reads a plain null as nothing.
    return word if word[:1].isalpha() and word != "null" else f"site-{word}".strip("-")


def _quoted(text: str) -> str:
    # JSON's strings are YAML's too; what YAML can't hold was refused by `read_answer`.
    return json.dumps(text, ensure_ascii=False)
