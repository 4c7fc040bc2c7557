"""What is wrong with an installation, and the mend: one examination for each thing that a node depends on.

An examination says what it looked at (`what`), what it found there (`state`), and what is to be mended
(`findings`, none when all is well). Nothing is changed: no file is made, no schema migrated, and a port is
only tried for as long as a bind takes. It runs beside a node as well as before the first start.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dialplan.checking import check
from dialplan.finding import Finding, PlanError, Severity
from dialplan.loading import load_plan
from dialplan.plan import Placed, Plan, SecretRef
from media import wav
from media.engines import native
from media.sdes import SUITES
from media.speech import piper_command
from pbx import control
from pbx.configuration import Configuration
from pbx.journal import BINDINGS, CALLS, End, identity, read_segment, segments
from pbx.media_addresses import browsers_port, media_addresses
from pbx.media_daemons import look
from pbx.media_process import plane_of
from pbx.messages.trouble import messages_findings, messages_state
from pbx.nat import is_private
from pbx.node.browsers import browsers_findings, browsers_state
from pbx.node.secrets import secret_findings
from pbx.people.devices import with_directory
from pbx.people.directory import Directory, DirectoryError, read_directory
from pbx.plans.rota import Rotas, rotas_of
from pbx.settings.media import Media
from pbx.settings.values import Listen
from pbx.voicemail.mail import FAILED, Spool
from sip.net.addresses import is_address
from sip.net.udp import BUFFER_BYTES

DESCRIPTORS_WITHOUT_MEDIA = 512
LEAST_FREE_BYTES = 100_000_000
LITTLE_FREE_BYTES = 1_000_000_000
MUCH_JOURNAL_BYTES = 64 * 1024 * 1024
LONGEST_SOCKET_PATH = 107  # unix(7): sun_path has 108 bytes, the last one for the NUL
FIRST_YEAR = 2026
ROTA_DAYS = 7  # in which somebody should be on call at every hour
_TIME_ERROR = 5  # adjtimex(2): the clock isn't synchronised


@dataclass(frozen=True, slots=True)
class Examination:
    """One thing that was looked at. state: what was found, in a few words."""

    what: str
    state: str
    findings: tuple[Finding, ...] = ()

    @property
    def severity(self) -> Severity | None:
        """The worst of its findings, None when all is well."""
        severities = {finding.severity for finding in self.findings}
        for severity in ("error", "warning", "note"):
            if severity in severities:
                return severity
        return None


def examine(settings: Configuration, environment: Mapping[str, str], now: datetime) -> Iterator[Examination]:
    """Yield every examination of an installation, in the order that a person would mend things.

    environment: the variables that the plan's secrets are looked for in. now: wall time.
    """
    yield Examination("configuration", str(settings.path), settings.notes)
    running = is_running(settings)
    yield from _examine_plan(settings, environment, now, running=running)
    yield _examine_data_dir(settings)
    yield from _examine_database(settings)
    yield _examine_journal(settings)
    yield from _examine_ports(settings, running=running)
    yield _examine_media(settings)
    yield Examination(
        "browsers", browsers_state(settings), tuple(browsers_findings(settings, running=running))
    )
    yield _examine_speech()
    yield from _examine_sounds(settings.media)
    yield _examine_descriptors(settings)
    yield _examine_receive_buffer()
    yield _examine_clock(now)
    yield _examine_recordings(settings, environment, now)
    yield Examination("messages", messages_state(settings), tuple(messages_findings(settings)))
    yield _examine_certificates(settings, now)
    if settings.provisioning.https:
        yield from _examine_phones(settings, now, running=running)
    if settings.web.openid is not None or settings.web.ldap is not None:
        yield _examine_identity(settings, environment)
    if settings.turn is not None:
        yield _examine_relays(settings, environment, now)


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _finding(
    code: str, severity: Severity, file: Path | str, message: str, hint: str = ""
) -> tuple[Finding, ...]:
    """A finding about a file as a whole, alone in a tuple."""
    return (Finding(code, severity, str(file), 0, 0, message, hint),)


# The plan


def _examine_plan(
    settings: Configuration, environment: Mapping[str, str], now: datetime, *, running: bool
) -> Iterator[Examination]:
    try:
        plan = load_plan(settings.plan)
    except PlanError as error:
        message = (
            f"the plan has {_counted(len(error.findings), 'error')}; the first: {error.findings[0].message}"
        )
        yield Examination("plan", "can't be used", _about_plan(settings, "error", message))
        return
    with contextlib.suppress(DirectoryError):  # told below
        plan = with_directory(plan, read_directory(settings.directory_file))
    counts = dict.fromkeys(("error", "warning", "note"), 0)
    for found in check(plan, now):
        counts[found.severity] += 1
    errors, warnings = _counted(counts["error"], "error"), _counted(counts["warning"], "warning")
    state = f"{plan.version}, {_counted(len(plan.people), 'person', 'people')}, {errors}, {warnings}"
    findings: tuple[Finding, ...] = ()
    if counts["error"]:
        findings = _about_plan(settings, "error", f"the plan has {errors}")
    elif counts["warning"]:
        findings = _about_plan(settings, "warning", f"the plan has {warnings}")
    yield Examination("plan", state, findings)
    yield _examine_running(settings, plan, running=running)
    yield from _examine_places(settings)
    yield from _examine_rotas(settings, plan, now)
    yield _examine_external(settings, plan)
    unset = tuple(unset_secrets(plan, environment))
    yield Examination("secrets", "set in the environment" if not unset else f"{len(unset)} not set", unset)
    clear = tuple(keys_in_clear(settings, plan))
    if clear:
        yield Examination("encrypted sound", f"{_counted(len(clear), 'class', 'classes')} in clear", clear)
    if settings.mail is not None or _mailed(plan):
        yield _examine_mail(settings, plan, environment, now)
    if plan.tables.records and settings.media.engine == "passthrough":
        message = "the plan has calls recorded, and with media.engine passthrough no sound comes to us"
        hint = "take `media: {engine: auto}`, or leave `record:` out of the plan"
        unheard = _finding("nothing_recorded", "error", settings.path, message, hint)
        yield Examination("recordings", "no call can be recorded", unheard)


def keys_in_clear(settings: Configuration, plan: Plan) -> Iterator[Finding]:
    """Yield a finding for each class that requires SRTP while its phones may sign in where keys can be read.

    RFC 4568 section 7.
    """
    sip = settings.sip
    secret = bool(sip.tls or sip.wss)
    if secret and not (sip.udp or sip.tcp or sip.ws):
        return
    for known in plan.classes.values():
        if known.srtp == "required":
            message = f"class {known.name} requires SRTP, and its keys travel in clear over UDP and TCP"
            hint = "set its phones to TLS" if secret else "listen on TLS, and set its phones to it"
            severity: Severity = "note" if secret else "warning"
            yield Finding("keys_in_clear", severity, plan.path, known.line, known.column, message, hint)


def _about_plan(settings: Configuration, severity: Severity, message: str) -> tuple[Finding, ...]:
    hint = f"`beffroi plan check -c {settings.path}` shows all"
    return _finding(f"plan_{severity}s", severity, settings.plan, message, hint)


def _examine_running(settings: Configuration, plan: Plan, *, running: bool) -> Examination:
    """Whether a node runs, and whether its plan is the one on the disk."""
    try:
        answer = control.ask(settings.data_dir, control.Status())
    except control.NotRunningError:
        if not running:
            return Examination("node", "isn't running")
        message = f"a node holds {settings.data_dir} and doesn't answer"
        hint = "look at its log; it may be starting, or stopping, or another user's"
        return Examination(
            "node", "doesn't answer", _finding("no_answer", "warning", settings.path, message, hint)
        )
    assert isinstance(answer, control.Counters)
    state = f"running, {answer.counters.get('calls', 0)} calls, plan {answer.plan_version}"
    if answer.plan_version == plan.version:
        return Examination("node", state)
    message = f"the plan in force is {answer.plan_version}; the file has changed since"
    found = _finding("plan_changed", "note", settings.plan, message, "`beffroi plan reload` puts it in force")
    return Examination("node", state, found)


def _examine_places(settings: Configuration) -> Iterator[Examination]:
    """Devices from which help would be sent to an assumed place; nothing where there are none, or no node."""
    wanted: list[str] = []
    with contextlib.suppress(control.NotRunningError):
        wanted = [
            one.device
            for one in control.every_device(settings.data_dir)
            if one.network
            and not any(said.network == one.network and said.confirmed for said in one.addresses)
        ]
    if wanted:
        state = f"{_counted(len(wanted), 'device')} outside of every site, without a confirmed address"
        message = f"help would be sent to an assumed place: {', '.join(wanted[:5])}"
        hint = "`beffroi device address` says where they are; `beffroi device list` names them all"
        found = _finding("address_wanted", "note", settings.plan, message, hint)
        yield Examination("places", state, found)


def _examine_rotas(settings: Configuration, plan: Plan, now: datetime) -> Iterator[Examination]:
    """Each file that says who is on call for a hotline, and whether somebody is for the next days."""
    rotas, instant = Rotas(settings.plan.parent), now.timestamp()
    problems = rotas.refresh(plan, instant)
    for name in rotas_of(plan):
        path = settings.plan.parent / name
        if name in problems:
            found = _finding("bad_rota", "error", path, problems[name], "export it again from your calendar")
            yield Examination(f"rota {name}", "can't be used", found)
            continue
        there = ", ".join(rotas.on_call(name, plan, instant)) or "nobody"
        uncovered = rotas.uncovered(name, plan, instant, ROTA_DAYS)
        findings: tuple[Finding, ...] = ()
        if uncovered is not None:
            at = datetime.fromtimestamp(uncovered, ZoneInfo(plan.timezone))
            message = f"nobody is on call from {at:%Y-%m-%d %H:%M}"
            findings = _finding("rota_gap", "warning", path, message, "the hotline's next step is taken then")
        yield Examination(f"rota {name}", f"on call now: {there}", findings)


def unset_secrets(plan: Plan, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a note for each secret of a plan whose environment variable isn't set, or is empty."""
    for part, what, secret in _secrets(plan):
        if not environment.get(secret.env):
            message = f"the secret of {what} is not set: {secret.env} is not in this environment"
            hint = f"set {secret.env} where Beffroi is started"
            yield Finding("secret_not_set", "note", plan.path, part.line, part.column, message, hint)


def _secrets(plan: Plan) -> Iterator[tuple[Placed, str, SecretRef]]:
    for trunk in plan.trunks.values():
        if trunk.secret is not None:
            yield trunk, f"trunk {trunk.name}", trunk.secret
    for service in plan.services.values():
        for setting in service.settings.values():
            if isinstance(setting, SecretRef):
                yield service, f"service {service.name}", setting


def _examine_external(settings: Configuration, plan: Plan) -> Examination:
    """Whether those outside are told an address that they can reach."""
    name = settings.external_address
    if name is None:
        return _examine_own_address(settings, plan)
    if is_address(name):
        return Examination("outside", f"is told {name}")
    try:
        addresses = sorted({str(answer[4][0]) for answer in socket.getaddrinfo(name, None)})
    except (OSError, UnicodeError) as error:
        message = f"external_address {name} isn't found: {error}"
        hint = "mend the name, or write the address itself; until then those outside are told our own"
        found = _finding("external_address", "error", settings.path, message, hint)
        return Examination("outside", f"{name} isn't found", found)
    state = f"is told {name}, now {', '.join(addresses)}"
    private = [address for address in addresses if is_private(address)]
    if not private:
        return Examination("outside", state)
    message = f"external_address {name} is {private[0]} here, which nobody outside can reach"
    hint = "a name server of ours answers for it: write the public address instead"
    return Examination(
        "outside", state, _finding("external_address", "warning", settings.path, message, hint)
    )


def _examine_own_address(settings: Configuration, plan: Plan) -> Examination:
    """Without an external address: is there somebody outside, and is our own address a private one?"""
    own = [address for address in media_addresses(settings) if is_private(address)]
    outside = [
        f"trunk {trunk.name} ({server.host})"
        for trunk in plan.trunks.values()
        for server in trunk.servers
        if not is_private(server.host.strip("[]"))
    ]
    if is_address(settings.domain) and not is_private(settings.domain):
        outside.append(f"domain {settings.domain}")
    if not own or not outside:
        return Examination("outside", "is told our own addresses")
    message = f"{outside[0]} is outside and is told {own[0]}, which it can't reach"
    hint = "set `external_address:` and forward the ports, unless a line of the operator leads here"
    found = _finding("no_external_address", "warning", settings.path, message, hint)
    return Examination("outside", f"is told {own[0]}", found)


# Files and the database


def _examine_data_dir(settings: Configuration) -> Examination:
    data_dir = settings.data_dir
    existing = data_dir
    while is_missing(existing) and existing != existing.parent:
        existing = existing.parent
    # os.path, not pathlib: whose is_dir raises where a folder on the way may not be entered.
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK | os.X_OK):
        message = f"{existing} can't be written by user {os.geteuid()}, who runs this"
        hint = f"chown it, or set `data_dir:` in {settings.path}"
        return Examination(
            "data", str(data_dir), _finding("data_dir_not_writable", "error", data_dir, message, hint)
        )
    free_bytes = shutil.disk_usage(existing).free
    state = f"{data_dir}, {free_bytes / 1e9:.1f} GB free" + (
        "" if existing == data_dir else ", made at the start"
    )
    findings: tuple[Finding, ...] = ()
    if free_bytes < LITTLE_FREE_BYTES:
        severity: Severity = "error" if free_bytes < LEAST_FREE_BYTES else "warning"
        message = f"only {free_bytes / 1e6:.0f} MB are free on its disk"
        findings += _finding("disk_full", severity, data_dir, message, "free some, or move data_dir")
    if existing == data_dir and data_dir.stat().st_mode & 0o077:
        message = f"others can look into it (mode {data_dir.stat().st_mode & 0o777:o}): it holds credentials"
        findings += _finding("data_dir_open", "warning", data_dir, message, f"chmod 700 {data_dir}")
    if len(os.fsencode(control.control_path(data_dir))) > LONGEST_SOCKET_PATH:
        message = f"the path of {control.control_path(data_dir)} is longer than a socket's may be"
        findings += _finding("data_dir_too_long", "error", data_dir, message, "choose a shorter data_dir")
    return Examination("data", state, (*findings, *_foreign_files(data_dir)))


def is_missing(path: Path) -> bool:
    """Whether a path is certainly not there; one that this user may not look at isn't missing."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _foreign_files(data_dir: Path) -> Iterator[Finding]:
    """Files that this user can't write, left by a command that another user ran."""
    for path in sorted((*data_dir.glob("*"), *data_dir.glob("journal/*"))):
        with contextlib.suppress(FileNotFoundError):  # it was renamed meanwhile
            if not os.access(path, os.W_OK, follow_symlinks=False):
                message = f"user {os.geteuid()} can't write it: it belongs to user {path.lstat().st_uid}"
                yield Finding(
                    "not_writable", "error", str(path), 0, 0, message, f"chown -R it like {data_dir}"
                )
                return  # one tells; there may be thousands


def _examine_database(settings: Configuration) -> Iterator[Examination]:
    # Imported here: SQLAlchemy is a third of a second, and only this needs it.
    import sqlalchemy as sa

    from pbx.store import people, revision
    from pbx.store.database import DatabaseUnavailableError, open_database
    from pbx.store.schema import SCHEMA_REVISION

    file = settings.sqlite_file
    name = str(file) if file is not None else "PostgreSQL"
    if file is not None and is_missing(file):
        yield Examination("database", f"{name}, made at the start")
        return
    try:
        opened = open_database(settings.database)
        try:
            found = opened.read(revision.revision)
            directory = Directory()
            if found == SCHEMA_REVISION:
                directory = opened.read(
                    lambda connection: Directory(
                        revision=people.revision(connection), people=people.list_people(connection)
                    )
                )
        finally:
            opened.close()
    except (DatabaseUnavailableError, sa.exc.DBAPIError, ValueError) as error:
        hint = "calls go on, and their records wait in the journal until it is back"
        message = str(error).partition("\n")[0]
        yield Examination(
            "database", name, _finding("database_unavailable", "error", settings.path, message, hint)
        )
        return
    yield _examine_schema(settings, name, found, SCHEMA_REVISION)
    if found == SCHEMA_REVISION:
        yield _examine_people(settings, directory)


def _examine_schema(settings: Configuration, name: str, found: str, newest: str) -> Examination:
    state = f"{name}, schema {found or 'not made yet'}"
    if found in ("", newest):
        return Examination("database", state)
    message = f"its schema is {found}; this version knows up to {newest}"
    hint = "an older one is migrated at the next start; a newer one needs the newer Beffroi"
    return Examination("database", state, _finding("schema", "warning", settings.path, message, hint))


def _examine_people(settings: Configuration, stored: Directory) -> Examination:
    """The people of the database: exported for signalling, with credentials of this domain."""
    findings: tuple[Finding, ...] = ()
    try:
        exported = read_directory(settings.directory_file)
        if exported.revision != stored.revision and (exported.revision or stored.people):
            message = (
                f"it holds revision {exported.revision} of the people; the database has {stored.revision}"
            )
            hint = "a running node exports them by itself; otherwise any `beffroi user` change does"
            findings += _finding("directory_old", "warning", settings.directory_file, message, hint)
    except DirectoryError as error:
        findings += _finding(
            "directory_unreadable",
            "error",
            settings.directory_file,
            str(error).removeprefix(f"{settings.directory_file}: "),
            "remove it: it is exported again",
        )
    devices = [device for person in stored.people for device in person.devices]
    strangers = [device.sign_in for device in devices if device.realm != settings.domain]
    if strangers:
        message = (
            f"{len(strangers)} devices can't sign in, {strangers[0]} the first: "
            f"their passwords were made for another `domain:` than {settings.domain}"
        )
        hint = "set the former domain again, or give new ones with `beffroi user password`"
        findings += _finding("other_domain", "error", settings.path, message, hint)
    state = f"{_counted(len(stored.people), 'person', 'people')} and {_counted(len(devices), 'device')}"
    return Examination("people", f"{state} in the database", findings)


def _examine_journal(settings: Configuration) -> Examination:
    directory = settings.journal_dir
    if is_missing(directory):
        return Examination("journal", "none yet")
    findings: list[Finding] = []
    total_bytes = 0
    try:
        for chain in (CALLS, BINDINGS):
            for segment in segments(directory, chain):
                with contextlib.suppress(FileNotFoundError):  # the worker is done with it
                    total_bytes += segment.path.stat().st_size
                    findings += _examine_segment(segment.path)
        for path in sorted(directory.glob("*.damaged")):
            message = "this segment was damaged: what could be read of it is in the database"
            hint = "look for a failing disk; remove the file when you have looked at it"
            findings += _finding("journal_damaged", "warning", path, message, hint)
    except OSError as error:
        message = f"the journal can't be read: {error.strerror or error}"
        return Examination(
            "journal", "unreadable", _finding("journal_unreadable", "error", directory, message)
        )
    if total_bytes > MUCH_JOURNAL_BYTES:
        message = f"{total_bytes / 1e6:.0f} MB wait to be imported into the database"
        findings += _finding(
            "journal_long", "warning", directory, message, "see the database above, and the log"
        )
    return Examination("journal", f"{total_bytes / 1e6:.1f} MB", tuple(findings))


def _examine_segment(path: Path) -> tuple[Finding, ...]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        whole = bool(identity(descriptor))
    finally:
        os.close(descriptor)
    offset, end = 0, End.WHOLE
    for chunk in read_segment(path):
        offset, end = chunk.offset, chunk.end
    if end is End.DAMAGED or (not whole and end is not End.TORN):
        message = f"damaged at byte {offset}: what comes after it is lost"
        return _finding(
            "journal_damaged", "error", path, message, "look for a failing disk; restore a backup"
        )
    return ()


# The network


def is_running(settings: Configuration) -> bool:
    """Whether a node holds this data directory."""
    try:
        with (settings.data_dir / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _examine_ports(settings: Configuration, *, running: bool) -> Iterator[Examination]:
    kinds = [("udp", settings.sip.udp, socket.SOCK_DGRAM)]
    kinds += [(name.lower(), listens, socket.SOCK_STREAM) for name, listens in settings.sip.streams]
    if not any(listens for _, listens, _ in kinds):
        message = "nothing under `sip:` names an address: no telephone can reach this node"
        yield Examination(
            "port", "none", _finding("no_port", "error", settings.path, message, "add one under sip:")
        )
    for name, listens, kind in kinds:
        for listen in listens:
            yield _examine_port(settings, f"SIP {name} {listen}", listen, kind, running=running)
    for listen in settings.web.listen:
        yield _examine_port(settings, f"pages {listen}", listen, socket.SOCK_STREAM, running=running)
    for listen in browsers_port(settings):
        yield _examine_port(settings, f"browsers {listen}", listen, socket.SOCK_DGRAM, running=running)


def _examine_port(
    settings: Configuration, name: str, listen: Listen, kind: socket.SocketKind, *, running: bool
) -> Examination:
    number = _try_to_bind(listen, kind)
    if number == 0:
        return Examination("port", f"{name} is free" if listen.port else f"{name}: any free one")
    if number == errno.EADDRINUSE and running:
        return Examination("port", f"{name} is taken, and a node of ours runs")
    if number == errno.EADDRINUSE:
        message = f"{name} is taken by {holder_of(listen, kind)}"
        hint = "stop it, or choose another port in the configuration"
    elif number == errno.EADDRNOTAVAIL:
        message, hint = (
            f"{name}: this machine has no address {listen.host}",
            "choose one that `ip address` shows",
        )
    elif number == errno.EACCES:
        message, hint = (
            f"{name}: only root may listen below port 1024",
            "choose another port, or run it as root",
        )
    else:
        message, hint = f"{name}: {os.strerror(number)}", "choose another address"
    return Examination("port", name, _finding("port", "error", settings.path, message, hint))


def _try_to_bind(listen: Listen, kind: socket.SocketKind) -> int:
    """Bind as the supervisor does and let go again; 0, or the error's number."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        with socket.socket(family, kind) as tried:
            if family is socket.AF_INET6:
                tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind is socket.SOCK_STREAM:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((listen.host, listen.port))
            if kind is socket.SOCK_STREAM:
                tried.listen(1)  # Linux tells only here that somebody else listens
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def holder_of(listen: Listen, kind: socket.SocketKind) -> str:
    """Who has a port, `kamailio (pid 123)`, or "another program" where this user may not know. proc(5)."""
    table = "udp" if kind is socket.SOCK_DGRAM else "tcp"
    inodes: set[str] = set()
    for path in (Path("/proc/net") / table, Path("/proc/net") / f"{table}6"):
        for line in _lines(path)[1:]:
            fields = line.split()
            # local_address is HEX:PORT; state 07 is an unconnected UDP socket, 0A a listening TCP one.
            if (
                len(fields) > 9
                and int(fields[1].rpartition(":")[2], 16) == listen.port
                and fields[3] in ("07", "0A")
            ):
                inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) in inodes:
                    return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return "another program"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _examine_certificates(settings: Configuration, now: datetime) -> Examination:
    from pbx.node.certificates import certificate_files, certificate_findings, needs_certificate

    if not needs_certificate(settings):
        message = "neither `tls:` nor `wss:` names an address: telephones speak in clear"
        hint = "keep them on a network of their own"
        return Examination("certificates", "none needed", _finding("no_tls", "note", "", message, hint))
    files = certificate_files(settings)
    if not settings.sip.certificates and all(is_missing(path) for path in files[0]):
        return Examination("certificates", f"{files[0][0]}, made at the start", ())
    state = ", ".join(str(path) for path, _ in files)
    return Examination("certificates", state, tuple(certificate_findings(settings, now)))


def _examine_phones(settings: Configuration, now: datetime, *, running: bool) -> Iterator[Examination]:
    from pbx.phones.doctor import phones_findings, phones_state
    from pbx.phones.trouble import care_findings

    with contextlib.suppress(PlanError):  # told above
        findings = tuple(phones_findings(settings, load_plan(settings.plan), now, running=running))
        yield Examination("desk phones", phones_state(settings), (*findings, *care_findings(settings, now)))


# Mail


def _mailed(plan: Plan) -> bool:
    """Whether voice messages are to be sent to somebody."""
    services = (one for one in plan.services.values() if one.type == "voicemail")
    return any(one.settings.get("email") for one in services) or any(
        plan.voicemail_of(extension).email for extension in plan.people
    )


def _examine_mail(
    settings: Configuration, plan: Plan, environment: Mapping[str, str], now: datetime
) -> Examination:
    mail = settings.mail
    if mail is None:
        message = "the plan has addresses for voice messages, and no `mail:` server sends them"
        hint = "add `mail: {host: …, from: …}`; until then they are heard by telephone alone"
        return Examination(
            "mail", "not configured", _finding("no_mail", "note", settings.path, message, hint)
        )
    findings: list[Finding] = []
    whose, until = "the password of the mail server", "letters wait"
    findings += secret_findings(settings, whose, mail.password, environment, until)
    failed = settings.mail_dir / FAILED
    if given_up := sum(1 for _ in failed.glob("*.json")):
        message = f"{_counted(given_up, 'letter')} will not be sent: no server takes them"
        findings += _finding(
            "letters_failed", "warning", failed, message, "the log says why; then delete them"
        )
    letters = [letter for letter in Spool(settings.mail_dir).letters() if letter.tries]
    if letters:
        since = min(letter.at for letter in letters)
        hours = (now.timestamp() - since) / 3600
        message = f"{_counted(len(letters), 'letter')} couldn't be sent yet, the oldest for {hours:.0f} h"
        hint = f"is {mail.host}:{mail.port} reachable from here? the log says more"
        findings += _finding("letters_wait", "warning", settings.mail_dir, message, hint)
    return Examination("mail", f"{mail.host}:{mail.port}", tuple(findings))


# Sound


def _examine_media(settings: Configuration) -> Examination:
    media = settings.media
    ports = f"ports {media.first_port} to {media.last_port}"
    if media.engine == "passthrough":
        message = "media.engine is passthrough: telephones send each other their sound directly"
        return Examination(
            "media", "passthrough", _finding("passthrough", "note", settings.path, message, "auto relays it")
        )
    if media.engine == "rtpengine":
        return _examine_daemons(settings)
    addresses = " and ".join(media_addresses(settings))
    plane = plane_of(media)
    findings: tuple[Finding, ...] = ()
    if plane == "python" and media.engine != "python" and native.is_of_another_version():
        findings = _finding(
            "other_native_engine",
            "warning",
            settings.path,
            "the native media engine is compiled for another version: python relays sound, at more cost",
            "install Beffroi again, and restart it",
        )
    elif plane == "python" and media.engine != "python":
        findings = _finding(
            "no_native_engine",
            "warning" if media.engine == "native" else "note",
            settings.path,
            "the native media engine isn't compiled here: python relays sound, at more cost",
            "install gcc, libc6-dev and python3-dev, then install Beffroi again",
        )
    elif plane == "native" and native.suites() != frozenset(SUITES):
        findings = _finding(
            "no_native_srtp",
            "note",
            settings.path,
            "the native media engine is compiled without SRTP: python encrypts sound, at more cost",
            "install libssl-dev, then install Beffroi again",
        )
    return Examination("media", f"{plane}, {ports} of {addresses}", findings)


def _examine_daemons(settings: Configuration) -> Examination:
    """The rtpengine daemons, asked now: one that is away is a warning, all of them an error."""
    daemons = look(settings.media)
    away = [daemon.name for daemon in daemons if not daemon.up]
    state = f"rtpengine, {_counted(len(daemons) - len(away), 'daemon')} of {len(daemons)}"
    if not away:
        addresses = dict.fromkeys(address for daemon in daemons for address in daemon.addresses)
        return Examination("media", f"{state}, sound goes to {' and '.join(addresses)}")
    message = f"no rtpengine answers at {' and '.join(away)}"
    hint = "start it with `listen-ng = ADDRESS:PORT` and an `interface`, and let this machine reach that port"
    severity: Severity = "error" if len(away) == len(daemons) else "warning"
    return Examination("media", state, _finding("no_rtpengine", severity, settings.path, message, hint))


def _examine_speech() -> Examination:
    command = shutil.which("espeak-ng")
    if command is not None:
        return Examination("speech", command)
    message = "espeak-ng isn't installed: callers hear a tone instead of an announcement"
    return Examination(
        "speech", "none", _finding("no_speech", "warning", "", message, "apt-get install espeak-ng")
    )


def _examine_sounds(media: Media) -> Iterator[Examination]:
    """Music and voices that the configuration names: whoever can't have them hears our own instead."""
    findings: list[Finding] = []
    if media.music is not None:
        try:
            wav.read_as_is(wav.bytes_of(media.music))
        except wav.WavError as error:
            message = f"music on hold is our own melody: {error}"
            hint = "`media.music`: a WAV of 16-bit PCM, at most 5 minutes"
            findings += _finding("no_music", "warning", media.music, message, hint)
    for language, path in media.voices:
        for file in (path, path.with_name(path.name + ".json")):
            if not file.is_file():
                message = f"the voice for {language!r} isn't there: espeak-ng speaks instead"
                hint = "`media.voices`: a voice file of piper's, with its .json beside it"
                findings += _finding("no_voice", "warning", file, message, hint)
    if media.voices and shutil.which(piper_command()) is None:
        message = "piper isn't installed: espeak-ng speaks instead"
        findings += _finding("no_piper", "warning", "", message, "pip install piper-tts")
    if media.music is not None or media.voices:
        names = [f"music {media.music}"] * (media.music is not None)
        names += [f"voice {language} {path}" for language, path in media.voices]
        yield Examination("sounds", ", ".join(names), tuple(findings))


# The machine


def _examine_descriptors(settings: Configuration) -> Examination:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A relayed call holds RTP and RTCP of two legs: at most one descriptor for each port of each address.
    ports = settings.media.last_port - settings.media.first_port + 1
    wanted = ports * len(media_addresses(settings)) + DESCRIPTORS_WITHOUT_MEDIA
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return Examination("open files", f"{'unlimited' if hard == resource.RLIM_INFINITY else hard} allowed")
    calls = max(0, hard - DESCRIPTORS_WITHOUT_MEDIA) // 4
    message = f"{hard} open files are allowed, {wanted} needed for all media ports: {calls} calls at once"
    hint = f"LimitNOFILE={wanted} in the service's unit, or `ulimit -Hn {wanted}`"
    return Examination("open files", f"{hard} allowed", _finding("open_files", "warning", "", message, hint))


def _examine_receive_buffer() -> Examination:
    file = Path("/proc/sys/net/core/rmem_max")
    text = "".join(_lines(file)[:1])
    if not text.isdecimal():
        return Examination("receive buffer", "the system doesn't say")
    if int(text) >= BUFFER_BYTES:
        return Examination("receive buffer", f"{int(text) // 1024} kB allowed")
    message = f"a receive buffer is at most {int(text) // 1024} kB: a burst of SIP or RTP may be lost"
    hint = f"sysctl -w net.core.rmem_max={BUFFER_BYTES}"
    return Examination(
        "receive buffer",
        f"{int(text) // 1024} kB allowed",
        _finding("rmem_max", "warning", file, message, hint),
    )


def _examine_identity(settings: Configuration, environment: Mapping[str, str]) -> Examination:
    from pbx.node.identity import identity_findings, identity_state

    return Examination("sign-in", identity_state(settings), tuple(identity_findings(settings, environment)))


def _examine_relays(settings: Configuration, environment: Mapping[str, str], now: datetime) -> Examination:
    from pbx.node.relays import relay_findings

    state = ", ".join(relay.url for relay in settings.turn.relays) if settings.turn is not None else ""
    return Examination("relays", state, tuple(relay_findings(settings, environment, now)))


def _examine_recordings(
    settings: Configuration, environment: Mapping[str, str], now: datetime
) -> Examination:
    from pbx.node.recordings import recordings_findings, recordings_state

    at = now.timestamp()
    findings = tuple(recordings_findings(settings, environment, at))
    return Examination("recordings", recordings_state(settings, at), findings)


def _examine_clock(now: datetime) -> Examination:
    findings: tuple[Finding, ...] = ()
    if now.year < FIRST_YEAR:
        message = f"the clock says {now:%Y-%m-%d}: records and schedules would be wrong"
        findings += _finding("clock", "error", "", message, "set it; install systemd-timesyncd or chrony")
    elif not is_synchronised():
        message = "no time service keeps the clock: records and schedules drift"
        findings += _finding("clock", "warning", "", message, "install systemd-timesyncd or chrony")
    try:
        ZoneInfo("Europe/Paris")
    except (ZoneInfoNotFoundError, OSError):
        message = "there is no time zone data: schedules can't be followed"
        findings += _finding("no_timezones", "error", "", message, "apt-get install tzdata")
    return Examination("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC", findings)


def is_synchronised() -> bool:
    """Whether a time service keeps the kernel's clock; True where the system can't tell. adjtimex(2)."""
    if not sys.platform.startswith("linux"):
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    state = ctypes.create_string_buffer(512)  # struct timex, longer than any kernel's; modes 0 only reads
    returned: int = libc.adjtimex(state)
    return returned != _TIME_ERROR


def all_findings(examinations: Iterable[Examination]) -> list[Finding]:
    """The findings of all examinations, in their order."""
    return [finding for examination in examinations for finding in examination.findings]
