"""The configuration of one node: where it listens and where it keeps things. The plan says what it does.

Every key has a default that works, so an empty file is a configuration too. Paths are relative to the file,
those of recordings to data_dir. An unknown key or a value that can't be is an error with its place; what is
read but does nothing yet is a note.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dialplan.document import Node, read_document, read_text
from dialplan.finding import Finding, PlanError
from pbx.click_to_call import Button, read_click_to_call
from pbx.defence.bans import FILE_NAME as BANS_FILE_NAME
from pbx.defence.gate import Settings
from pbx.phones.settings import Provisioning, read_provisioning
from pbx.settings.log import Log, read_log
from pbx.settings.mail import Mail, read_mail
from pbx.settings.media import Media, read_media
from pbx.settings.messages import Messages, read_messages
from pbx.settings.recordings import Recordings, read_recordings
from pbx.settings.sip import Sip, read_sip
from pbx.settings.values import (
    DOMAIN,
    PRIVATE_NETWORKS,
    IPNetwork,
    networks_of,
    parsed,
    path_of,
    reachable,
    scheme_of,
    section_of,
)
from pbx.settings.web import Web, read_web
from pbx.turn import Turn, read_turn

FILE_NAME = "beffroi.yaml"
SPENDING_FILE_NAME = "spending.json"
SYSTEM_FILE = Path("/etc/beffroi") / FILE_NAME


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole configuration with every default filled in. `path` is its file; notes are worth showing
    once. external_address: literal, or a name that is looked up again and again.
    """

    path: Path
    data_dir: Path
    domain: str
    plan: Path
    database: str = field(repr=False)  # may hold a password
    sip: Sip
    web: Web
    external_address: str | None
    local_networks: tuple[IPNetwork, ...]
    media: Media
    recordings: Recordings
    log: Log
    defence: Settings = field(default_factory=Settings)
    mail: Mail | None = None
    messages: Messages = field(default_factory=Messages)
    turn: Turn | None = None
    click_to_call: tuple[Button, ...] = ()
    provisioning: Provisioning = field(default_factory=Provisioning)
    notes: tuple[Finding, ...] = ()

    @property
    def voicemail_dir(self) -> Path:
        """Where messages and greetings are."""
        return self.data_dir / "voicemail"

    @property
    def messages_dir(self) -> Path:
        """Where the SIP messages of calls are (pbx.messages)."""
        return self.data_dir / "messages"

    @property
    def mail_dir(self) -> Path:
        """Where letters wait to be sent."""
        return self.data_dir / "mail"

    @property
    def journal_dir(self) -> Path:
        """Where the journal's segments are."""
        return self.data_dir / "journal"

    @property
    def recorder_socket(self) -> Path:
        """Where the recorder's process hears signalling."""
        return self.data_dir / "recorder.sock"

    @property
    def recordings_socket(self) -> Path:
        """Where the recorder's process is asked for recordings (recording.archive.requests)."""
        return self.data_dir / "recordings.sock"

    @property
    def pages_socket(self) -> Path:
        """Where signalling hears the SIP of pages, which the web process hands on (sip.net.relayed)."""
        return self.data_dir / "pages.sock"

    @property
    def recordings_journal(self) -> Path:
        """What was begun, ended, heard, held and purged (recording.proof.journal)."""
        return self.recordings.directory / "journal"

    @property
    def recording_keys_dir(self) -> Path:
        """The store of the recordings' keys, which is in no copy and no backup of the node."""
        return self.data_dir / "recording-keys"

    @property
    def audit_journal(self) -> Path:
        """Who did what to the node (pbx.audit.journal)."""
        return self.data_dir / "audit" / "journal"

    @property
    def node_key_file(self) -> Path:
        """What the node signs with (Ed25519, PEM); the public half is beside it, as .pub."""
        return self.data_dir / "node.key"

    @property
    def directory_file(self) -> Path:
        """The people of the database, exported for signalling."""
        return self.data_dir / "directory.json"

    @property
    def spending_file(self) -> Path:
        """What was spent of the plan's budgets."""
        return self.data_dir / SPENDING_FILE_NAME

    @property
    def callbacks_file(self) -> Path:
        """Who may be called back after an emergency call, which a restart keeps."""
        return self.data_dir / "callbacks.json"

    @property
    def bans_file(self) -> Path:
        """The bans in force, which a restart keeps."""
        return self.data_dir / BANS_FILE_NAME

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file; None when the database is a server."""
        scheme, _, path = self.database.partition(":///")
        return Path(path) if scheme.startswith("sqlite") else None


def find_configuration(given: Path | None, here: Path | None = None) -> Path:
    """Return the configuration's file: the one given, else beffroi.yaml here, else the system's.

    Raises PlanError when there is none, or when this user may not look; a file that was given must exist.
    """
    if given is not None:
        if _is_file(given):
            return given
        raise PlanError([Finding("no_configuration", "error", str(given), 0, 0, "there is no such file")])
    candidates = ((here or Path()) / FILE_NAME, SYSTEM_FILE)
    for candidate in candidates:
        if _is_file(candidate):
            return candidate
    message = f"no configuration: neither ./{FILE_NAME} nor {SYSTEM_FILE} is there"
    hint = "name one with -c FILE, or write one with `beffroi init`"
    raise PlanError([Finding("no_configuration", "error", FILE_NAME, 0, 0, message, hint)])


def _is_file(path: Path) -> bool:
    """Whether the file is there. Raises PlanError for a name too long, or a folder that can't be entered."""
    try:
        return path.is_file()
    except OSError as error:
        message = f"can't be read: {error.strerror}"
        raise PlanError([Finding("unreadable", "error", str(path), 0, 0, message)]) from None


def load_configuration(path: Path) -> Configuration:
    """Read a configuration file. Raises PlanError with every error found, each with its place."""
    return parse_configuration(read_text(path), path)


def parse_configuration(text: str, path: Path) -> Configuration:
    """Read a configuration's text; relative paths start from the folder of `path`. Raises PlanError."""
    root = read_document(text, str(path))
    keys = root.mapping(
        {
            "data_dir",
            "domain",
            "plan",
            "database",
            "sip",
            "web",
            "external_address",
            "local_networks",
            "media",
            "recordings",
            "log",
            "defence",
            "mail",
            "messages",
            "turn",
            "click_to_call",
            "provisioning",
        }
    )
    folder = path.absolute().parent
    data_dir = path_of(keys, "data_dir", folder, "data")
    sip, media = read_sip(keys, folder), read_media(keys, folder)
    configuration = Configuration(
        path=path.absolute(),
        data_dir=data_dir,
        domain=_domain(keys["domain"]) if "domain" in keys else "beffroi",
        plan=path_of(keys, "plan", folder, "plan.yaml"),
        database=_database(keys, folder, data_dir),
        sip=sip,
        web=read_web(keys, folder),
        external_address=_external_address(keys),
        local_networks=_networks(keys),
        media=media,
        recordings=read_recordings(keys, data_dir),
        log=read_log(keys),
        defence=_defence(keys),
        mail=read_mail(keys, folder),
        messages=read_messages(keys),
        turn=read_turn(keys["turn"], folder) if "turn" in keys else None,
        click_to_call=read_click_to_call(keys["click_to_call"]) if "click_to_call" in keys else (),
        provisioning=read_provisioning(keys["provisioning"], folder)
        if "provisioning" in keys
        else Provisioning(),
        notes=(*_notes(root.findings.file, keys), *_soundless(root.findings.file, keys, sip, media)),
    )
    root.findings.raise_errors()
    return configuration


def _domain(node: Node) -> str:
    text = node.text().lower()
    if (
        (not text and not node.quoted)
        or DOMAIN.fullmatch(text)
        or parsed(ipaddress.ip_address, text.strip("[]"))
    ):
        return text
    node.error("wrong_domain", f'"{text[:60]}" is no domain', "such as pbx.valmont.example")
    return text


def _database(keys: Mapping[str, Node], folder: Path, data_dir: Path) -> str:
    default = f"sqlite:///{data_dir / 'beffroi.sqlite3'}"
    if "database" not in keys:
        return default
    node = keys["database"]
    text = node.text()
    scheme = "".join(parsed(scheme_of, text))
    if scheme in ("sqlite", "sqlite+aiosqlite"):
        _, _, file = text.partition(":///")
        if file and "\0" not in file:
            return f"sqlite:///{folder / file}"
        node.error("wrong_database", "this names no SQLite file", "such as sqlite:///data/beffroi.sqlite3")
    elif scheme not in ("postgresql", "postgresql+asyncpg") and text:
        # The value isn't repeated: a URL may hold a password.
        hint = "postgresql+asyncpg://beffroi@/beffroi, or leave it out for SQLite"
        node.error("wrong_database", "this is no database that Beffroi knows", hint)
    return text


def _external_address(keys: Mapping[str, Node]) -> str | None:
    """A literal address, or a name whose address may change."""
    if "external_address" not in keys:
        return None
    node = keys["external_address"]
    text = node.text().strip("[]").lower()
    if parsed(ipaddress.ip_address, text):
        address = reachable(node)
        return str(address) if address is not None else None
    if not DOMAIN.fullmatch(text) or text.rpartition(".")[2].isdecimal():
        hint = "such as 203.0.113.7 or pbx.valmont.example"
        node.error("wrong_address", "this is neither an address nor a name", hint)
    return text


def _networks(keys: Mapping[str, Node]) -> tuple[IPNetwork, ...]:
    if "local_networks" not in keys:
        return tuple(ipaddress.ip_network(network) for network in PRIVATE_NETWORKS)
    return networks_of(keys["local_networks"])


def _defence(keys: Mapping[str, Node]) -> Settings:
    limits = ("messages_per_second", "registrations_per_minute", "calls_per_minute", "texts_per_minute")
    section = section_of(keys, "defence", ("ban_loopback", "never_ban", *limits))
    default = Settings()
    return Settings(
        ban_loopback=section["ban_loopback"].boolean() if "ban_loopback" in section else False,
        never_ban=networks_of(section["never_ban"]) if "never_ban" in section else (),
        **{
            name: section[name].integer(1, 100_000) if name in section else getattr(default, name)
            for name in limits
        },
    )


def _notes(file: str, keys: Mapping[str, Node]) -> Iterable[Finding]:
    """What is written but does nothing in this version, or gives something away: said once, so that nobody
    counts on it.
    """
    yield from _handed_out(file, keys)
    media = keys["media"].value if "media" in keys and keys["media"].is_mapping else {}
    assert isinstance(media, dict)
    elsewhere = "engine" in media and media["engine"].value == "rtpengine"
    idle = ("address", "ports", "threads") if elsewhere else ("rtpengine", "rtpengine_digits")
    for name in idle:
        if name in media:
            node = media[name]
            message = f"`{name}:` does nothing with this media engine"
            hint = "rtpengine's own configuration says it" if elsewhere else "write `engine: rtpengine`"
            yield Finding("idle_key", "note", file, node.line, node.column, message, hint)


def _handed_out(file: str, keys: Mapping[str, Node]) -> Iterable[Finding]:
    """The password of another directory, which goes into the settings of every telephone."""
    said = keys["provisioning"].value if "provisioning" in keys and keys["provisioning"].is_mapping else {}
    assert isinstance(said, dict)
    found = said["directory"].value if "directory" in said and said["directory"].is_mapping else {}
    assert isinstance(found, dict)
    if "password" in found:
        node = found["password"]
        message = "each telephone holds this password from now on"
        hint = "take an account that reads the directory and nothing else; `ldaps:` gives each its own"
        yield Finding("password_in_telephones", "note", file, node.line, node.column, message, hint)


def _soundless(file: str, keys: Mapping[str, Node], sip: Sip, media: Media) -> Iterable[Finding]:
    """Telephones that can sign in and not be heard: `media.address` leaves out their IP version."""
    if not media.addresses or not media.has_process:
        return
    versions = {address.version for address in media.addresses}
    for listen in (*sip.udp, *sip.tcp):
        version = ipaddress.ip_address(listen.host).version
        if version not in versions:
            node = keys["media"]
            message = f"telephones on IPv{version} ({listen}) can't be heard: sound has no such address"
            hint = f"add one of IPv{version} to `media.address`, or leave the key out"
            yield Finding("no_sound", "warning", file, node.line, node.column, message, hint)
            return
