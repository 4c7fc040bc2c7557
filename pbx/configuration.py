"""The configuration of one node: where it listens and where it keeps things. The plan says what it does.

Every key has a default that works, so an empty file is a configuration too. Paths are relative to the file,
those of recordings to data_dir. An unknown key or a value that can't be is an error with its place; what is
read but does nothing yet is a note.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from dialplan.document import Node, read_document, read_text
from dialplan.finding import Finding, PlanError
from media.speech import VOICES as LANGUAGES
from pbx.accounts.elsewhere import Ldap, OpenId, read_ldap, read_openid
from pbx.click_to_call import Button, read_click_to_call
from pbx.defence.bans import FILE_NAME as BANS_FILE_NAME
from pbx.defence.gate import Settings
from pbx.phones.settings import Provisioning, read_provisioning
from pbx.screen_pop import ScreenPop, read_screen_pops
from pbx.turn import Turn, read_turn

FILE_NAME = "beffroi.yaml"
SPENDING_FILE_NAME = "spending.json"
SYSTEM_FILE = Path("/etc/beffroi") / FILE_NAME
FEWEST_PORTS = 4

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Engine: TypeAlias = Literal["auto", "python", "passthrough", "native", "rtpengine"]
RtcCodec: TypeAlias = Literal["any", "opus"]
LogFormat: TypeAlias = Literal["text", "json", "syslog"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
Encryption: TypeAlias = Literal["starttls", "tls", "none"]
WhenFull: TypeAlias = Literal["stop", "oldest_first"]
WebTls: TypeAlias = Literal["auto", "always", "never"]

ENGINES: dict[str, Engine] = {
    "auto": "auto",
    "python": "python",
    "passthrough": "passthrough",
    "native": "native",
    "rtpengine": "rtpengine",
}
RTC_CODECS: dict[str, RtcCodec] = {"any": "any", "opus": "opus"}
RTC_PORT = 19_999
LOG_FORMATS: dict[str, LogFormat] = {"text": "text", "json": "json", "syslog": "syslog"}
LOG_LEVELS: dict[str, LogLevel] = {
    "info": "info",
    "debug": "debug",
    "warning": "warning",
    "error": "error",
}
ENCRYPTIONS: dict[str, Encryption] = {"starttls": "starttls", "tls": "tls", "none": "none"}
MAIL_PORTS: dict[Encryption, int] = {"starttls": 587, "tls": 465, "none": 25}
WEB_TLS: dict[str, WebTls] = {"auto": "auto", "always": "always", "never": "never"}
WHEN_FULL: dict[str, WhenFull] = {"stop": "stop", "oldest_first": "oldest_first"}
PRIVATE_NETWORKS = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)

Choice = TypeVar("Choice")

_MEDIA_KEYS = (
    "engine",
    "address",
    "ports",
    "threads",
    "rtpengine",
    "rtpengine_digits",
    "music",
    "voices",
    "emergency_pairs",
    "rtc",
    "rtc_codec",
)
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_ORIGIN = re.compile(r"https?://([a-z0-9.-]{1,253}|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_URL = re.compile(rf"https?://({_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?(/[!-~]*)?")
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9._=-]{1,200}){0,8})/?")
_PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Listen:
    """A local address to listen on; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Sip:
    """Where SIP is heard, by transport, and what TLS shows and trusts. All files are PEM.

    keep_alive_seconds: how often a telephone behind a NAT is asked whether it is there; 0 for never.
    certificates: each with its key; the first one is shown to who names none of them; none written is a
    self-signed one. client_ca: who vouches for the certificates of clients, which none needs to have.
    server_ca: who vouches for the servers that we connect to; None for the authorities of the system.
    websocket_origins: of pages that may open a WebSocket besides those of its own host, in lower case.
    """

    udp: tuple[Listen, ...] = (Listen("0.0.0.0", 5060),)  # noqa: S104 a PBX is there to be reached
    tcp: tuple[Listen, ...] = (Listen("0.0.0.0", 5060),)  # noqa: S104
    tls: tuple[Listen, ...] = (Listen("0.0.0.0", 5061),)  # noqa: S104
    ws: tuple[Listen, ...] = (Listen("0.0.0.0", 5062),)  # noqa: S104
    wss: tuple[Listen, ...] = ()
    keep_alive_seconds: int = 30
    certificates: tuple[tuple[Path, Path], ...] = ()
    client_ca: Path | None = None
    server_ca: Path | None = None
    websocket_origins: tuple[str, ...] = ()

    @property
    def streams(self) -> tuple[tuple[str, tuple[Listen, ...]], ...]:
        """Where connections are heard, by transport as in Via."""
        return ("TCP", self.tcp), ("TLS", self.tls), ("WS", self.ws), ("WSS", self.wss)


@dataclass(frozen=True, slots=True)
class Media:
    """How sound is relayed. addresses: put in SDP, at most one of IPv4 and one of IPv6; none written is the
    first of each kind that SIP listens on, or where that is all of them, the one of the default route.

    Ports are first_port to last_port, both included: RTP on even ones, RTCP on the next (RFC 3550 section
    11). threads: that move packets in the native engine; one carries about a thousand calls.
    rtpengine: the ng sockets of the daemons of that engine, which have addresses and ports of their own;
    rtpengine_digits: where they tell the keys that telephones press (their `dtmf-log-dest`).
    music: a WAV for who is on hold, None for our own melody; voices: piper's voice files, by language.
    emergency_pairs: of ports, which emergency calls alone may take, of each kind of address.
    rtc: the one UDP port of all browsers, on an address of each kind; None for RTC_PORT on the media
    addresses where there are pages or SIP over WebSocket, empty for no browsers. rtc_codec: what browsers
    speak: what the other party has, or Opus always, which stands losses best.
    """

    engine: Engine = "auto"
    addresses: tuple[IPAddress, ...] = ()
    first_port: int = 20000
    last_port: int = 29999
    threads: int = 1
    rtpengine: tuple[Listen, ...] = (Listen("127.0.0.1", 2223),)
    rtpengine_digits: Listen = Listen("127.0.0.1", 2224)
    music: Path | None = None
    voices: tuple[tuple[str, Path], ...] = ()
    emergency_pairs: int = 8
    rtc: tuple[Listen, ...] | None = None
    rtc_codec: RtcCodec = "any"

    @property
    def has_process(self) -> bool:
        """Whether sound passes through a process of ours."""
        return self.engine not in ("passthrough", "rtpengine")


@dataclass(frozen=True, slots=True)
class Timestamp:
    """The authority that stamps the journal of recordings (RFC 3161). ca_file: whom we trust for it, PEM."""

    url: str
    ca_file: Path
    every_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place in an S3-compatible store. endpoint: its URL, "" for Amazon's own of the region.

    secret_env, secret_file: where the secret key is; "" and None: where the store's own tools look.
    """

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_env: str = ""
    secret_file: Path | None = None

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Recordings:
    """Where recordings go and the public key that they are encrypted for.

    when_full: whether the oldest that nobody holds go when the disk is full, or recording stops.
    warn_days: how long before the disk is full somebody is told. copy_to: where each is copied as well.
    """

    directory: Path
    key_file: Path
    when_full: WhenFull = "stop"
    warn_days: int = 14
    timestamp: Timestamp | None = None
    copy_to: Path | Bucket | None = None


@dataclass(frozen=True, slots=True)
class Messages:
    """How long the SIP messages of calls are kept, and in how much room; 0 of either keeps none."""

    keep_days: int = 7
    most_mb: int = 1000

    @property
    def are_kept(self) -> bool:
        """Whether any are."""
        return bool(self.keep_days and self.most_mb)


@dataclass(frozen=True, slots=True)
class Mail:
    """The server that letters are given to, and who they are from.

    encryption: `tls` from the beginning, `starttls`, or `none`. password_env, password_file: where the
    password is; "" and None without one.
    """

    host: str
    port: int
    sender: str
    encryption: Encryption = "starttls"
    username: str = ""
    password_env: str = ""
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Web:
    """Where the pages and the HTTP API are heard, and what they show.

    tls: `auto` speaks TLS at every address but loopback's. certificates: of their own; () for those of SIP,
    the self-signed pair where there are none. public_url: an origin (`https://pbx.valmont.example`), where
    browsers find us; "" for each address that is heard. proxies: who may say whom a request comes from.
    openid, ldap: who else may say who somebody is; None where nobody may. screen_pops: pages of other
    programs that open for calls.
    """

    listen: tuple[Listen, ...] = (Listen("0.0.0.0", 8080),)  # noqa: S104
    tls: WebTls = "auto"
    certificates: tuple[tuple[Path, Path], ...] = ()
    public_url: str = ""
    proxies: tuple[IPNetwork, ...] = ()
    openid: OpenId | None = None
    ldap: Ldap | None = None
    screen_pops: tuple[ScreenPop, ...] = ()

    def is_tls(self, listen: Listen) -> bool:
        """Whether TLS is spoken at an address."""
        return self.tls == "always" or (
            self.tls == "auto" and not ipaddress.ip_address(listen.host).is_loopback
        )


@dataclass(frozen=True, slots=True)
class Log:
    """How much is said, how, and to whom. sip_trace: raw SIP messages too, on the logger `sip.trace`.

    syslog: of `format: syslog`: `/dev/log`, or an address with `udp://` (that of none) or `tcp://` before it.
    """

    level: LogLevel = "info"
    sip_trace: bool = False
    format: LogFormat = "text"
    syslog: str = "/dev/log"

    @property
    def syslog_transport(self) -> Literal["udp", "tcp", "unix"]:
        """How the log server is reached."""
        if self.syslog.startswith("/"):
            return "unix"
        return "tcp" if self.syslog.startswith("tcp://") else "udp"

    @property
    def syslog_address(self) -> tuple[str, int] | str:
        """Where, for a socket."""
        if self.syslog.startswith("/"):
            return self.syslog
        listen = _parse_listen(self.syslog.rpartition("/")[2])
        return listen.host, listen.port


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
    messages: Messages = Messages()
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
    data_dir = _path(keys, "data_dir", folder, "data")
    sip, media = _sip(keys, folder), _media(keys, folder)
    configuration = Configuration(
        path=path.absolute(),
        data_dir=data_dir,
        domain=_domain(keys["domain"]) if "domain" in keys else "beffroi",
        plan=_path(keys, "plan", folder, "plan.yaml"),
        database=_database(keys, folder, data_dir),
        sip=sip,
        web=_web(keys, folder),
        external_address=_external_address(keys),
        local_networks=_networks(keys),
        media=media,
        recordings=_recordings(keys, data_dir),
        log=_log(keys),
        defence=_defence(keys),
        mail=_mail(keys, folder),
        messages=_messages(keys),
        turn=read_turn(keys["turn"], folder) if "turn" in keys else None,
        click_to_call=read_click_to_call(keys["click_to_call"]) if "click_to_call" in keys else (),
        provisioning=_provisioning(keys, folder),
        notes=(*_notes(root.findings.file, keys), *_soundless(root.findings.file, keys, sip, media)),
    )
    root.findings.raise_errors()
    return configuration


def _section(keys: Mapping[str, Node], name: str, known: Iterable[str]) -> Mapping[str, Node]:
    return keys[name].mapping(set(known)) if name in keys else {}


def _path(keys: Mapping[str, Node], name: str, folder: Path, default: str) -> Path:
    if name not in keys:
        return folder / default
    text = keys[name].text()
    if "\0" in text or (not text.strip() and not keys[name].is_null):
        keys[name].error("wrong_path", "this can't be a path")
    return folder / text


def _domain(node: Node) -> str:
    text = node.text().lower()
    if (
        (not text and not node.quoted)
        or _DOMAIN.fullmatch(text)
        or _parsed(ipaddress.ip_address, text.strip("[]"))
    ):
        return text
    node.error("wrong_domain", f'"{text[:60]}" is no domain', "such as pbx.valmont.example")
    return text


def _parsed(parse: Callable[[str], Choice], text: str) -> tuple[Choice, ...]:
    """The value alone in a tuple, or an empty one when the text isn't one."""
    try:
        return (parse(text),)
    except ValueError:
        return ()


def _database(keys: Mapping[str, Node], folder: Path, data_dir: Path) -> str:
    default = f"sqlite:///{data_dir / 'beffroi.sqlite3'}"
    if "database" not in keys:
        return default
    node = keys["database"]
    text = node.text()
    scheme = "".join(_parsed(_scheme, text))
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


def _scheme(url: str) -> str:
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError, as urlsplit does, for what isn't a port
    return parts.scheme


def _listens(keys: Mapping[str, Node], name: str, default: tuple[Listen, ...]) -> tuple[Listen, ...]:
    """One address, a list of them, or an empty list to hear nothing."""
    if name not in keys:
        return default
    node = keys[name]
    found: list[Listen] = []
    for one in _one_or_more(node):
        for listen in _parsed(_parse_listen, one.text()):
            if listen in found and listen.port:
                one.error("duplicate_address", f"{listen} is written twice")
            found.append(listen)
            break
        else:
            hint = "such as 192.0.2.1:5060, [2001:db8::1]:5060 or 0.0.0.0:5060"
            one.error("wrong_address", f'"{one.text()[:60]}" is no address with a port', hint)
    return tuple(found)


def _parse_listen(text: str) -> Listen:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise ValueError(text)
    if host.startswith("[") and host.endswith("]"):
        return Listen(str(ipaddress.IPv6Address(host[1:-1])), int(port))
    return Listen(str(ipaddress.IPv4Address(host)), int(port))


def _sip(keys: Mapping[str, Node], folder: Path) -> Sip:
    transports, files = ("udp", "tcp", "tls", "ws", "wss"), ("certificate", "key", "client_ca", "server_ca")
    section = _section(keys, "sip", (*transports, "keep_alive_seconds", "websocket_origins", *files))
    default = Sip()
    return Sip(
        udp=_listens(section, "udp", default.udp),
        tcp=_listens(section, "tcp", default.tcp),
        tls=_listens(section, "tls", default.tls),
        ws=_listens(section, "ws", default.ws),
        wss=_listens(section, "wss", default.wss),
        keep_alive_seconds=_keep_alive_seconds(section, default),
        certificates=_certificates(section, folder),
        client_ca=_path(section, "client_ca", folder, "") if "client_ca" in section else None,
        server_ca=_path(section, "server_ca", folder, "") if "server_ca" in section else None,
        websocket_origins=_origins(section),
    )


def _keep_alive_seconds(section: Mapping[str, Node], default: Sip) -> int:
    if "keep_alive_seconds" not in section:
        return default.keep_alive_seconds
    node = section["keep_alive_seconds"]
    seconds = node.integer(0, 3600)
    if 0 < seconds < 10:
        node.error(
            "too_often", "every telephone behind a NAT would be asked this often", "10 or more; 0 for never"
        )
    return seconds


def _origins(section: Mapping[str, Node]) -> tuple[str, ...]:
    """Of web pages, as a browser says them (RFC 6454 section 6.2): scheme, host and perhaps a port."""
    if "websocket_origins" not in section:
        return ()
    found = []
    for one in _one_or_more(section["websocket_origins"]):
        text = one.text().lower()
        if not _ORIGIN.fullmatch(text):
            hint = "such as https://www.valmont.example, without a path"
            one.error("wrong_origin", f'"{text[:60]}" is no origin of a web page', hint)
        found.append(text)
    return tuple(found)


def _certificates(section: Mapping[str, Node], folder: Path) -> tuple[tuple[Path, Path], ...]:
    """`certificate:` with its `key:`, or a list of each in the same order."""
    for name, other in (("certificate", "key"), ("key", "certificate")):
        if name in section and other not in section:
            section[name].error("missing_key", f'"{name}" needs "{other}" beside it')
    if "certificate" not in section or "key" not in section:
        return ()
    pairs = [
        [_path({name: node}, name, folder, "") for node in _one_or_more(section[name])]
        for name in ("certificate", "key")
    ]
    if len(pairs[0]) != len(pairs[1]):
        section["key"].error("missing_key", "there must be one key for each certificate, in the same order")
    return tuple(zip(*pairs, strict=False))


def _one_or_more(node: Node) -> Sequence[Node]:
    return node.sequence() if node.is_sequence or node.is_null else [node]


def _external_address(keys: Mapping[str, Node]) -> str | None:
    """A literal address, or a name whose address may change."""
    if "external_address" not in keys:
        return None
    node = keys["external_address"]
    text = node.text().strip("[]").lower()
    if _parsed(ipaddress.ip_address, text):
        address = _reachable(node)
        return str(address) if address is not None else None
    if not _DOMAIN.fullmatch(text) or text.rpartition(".")[2].isdecimal():
        hint = "such as 203.0.113.7 or pbx.valmont.example"
        node.error("wrong_address", "this is neither an address nor a name", hint)
    return text


def _reachable(node: Node) -> IPAddress | None:
    for address in _parsed(ipaddress.ip_address, node.text().strip("[]")):
        if not address.is_unspecified and not address.is_multicast:
            return address
    node.error("wrong_address", "this is no address that a peer could reach", "such as 203.0.113.7")
    return None


def _networks(keys: Mapping[str, Node]) -> tuple[IPNetwork, ...]:
    if "local_networks" not in keys:
        return tuple(ipaddress.ip_network(network) for network in PRIVATE_NETWORKS)
    return _network_list(keys["local_networks"])


def _network_list(listed: Node) -> tuple[IPNetwork, ...]:
    networks: list[IPNetwork] = []
    for node in listed.sequence():
        found = _parsed(ipaddress.ip_network, node.text())
        networks += found
        if not found:
            node.error("wrong_network", f'"{node.text()[:60]}" is no network', "such as 10.0.0.0/8")
    return tuple(networks)


def _media(keys: Mapping[str, Node], folder: Path) -> Media:
    section = _section(keys, "media", _MEDIA_KEYS)
    voices = _section(section, "voices", LANGUAGES)
    first, last = _ports(section["ports"]) if "ports" in section else (Media().first_port, Media().last_port)
    return Media(
        engine=_choice(section, "engine", ENGINES),
        addresses=_media_addresses(section["address"]) if "address" in section else (),
        first_port=first,
        last_port=last,
        threads=section["threads"].integer(1, 64) if "threads" in section else Media().threads,
        rtpengine=_daemons(section, "rtpengine", Media().rtpengine),
        rtpengine_digits=_daemons(section, "rtpengine_digits", (Media().rtpengine_digits,))[0],
        music=_path(section, "music", folder, "") if "music" in section else None,
        voices=tuple((name, _path(voices, name, folder, "")) for name in voices),
        emergency_pairs=_emergency_pairs(section, (last + 1) // 2 - (first + 1) // 2),
        rtc=_browsers_port(section),
        rtc_codec=_choice(section, "rtc_codec", RTC_CODECS),
    )


def _browsers_port(section: Mapping[str, Node]) -> tuple[Listen, ...] | None:
    """Where browsers' sound comes: one address of IPv4 and one of IPv6 at most, as browsers are told it."""
    if "rtc" not in section:
        return None
    found = _listens(section, "rtc", ())
    node = section["rtc"]
    kinds = [":" in listen.host for listen in found]
    if len(set(kinds)) < len(kinds):
        node.error("two_addresses", "several addresses of one kind", "one of IPv4 and one of IPv6 at most")
    if any(ipaddress.ip_address(listen.host).is_unspecified for listen in found):
        node.error("wrong_address", "browsers are told this address", f"such as 192.0.2.1:{RTC_PORT}")
        return ()
    return found


def _daemons(section: Mapping[str, Node], name: str, default: tuple[Listen, ...]) -> tuple[Listen, ...]:
    """Sockets with a port: one at least, and one only where the default is one that can't be several."""
    found = _listens(section, name, default)
    if not found or not all(listen.port for listen in found):
        section[name].error("wrong_address", "expected an address with a port", f"such as {default[0]}")
        return default
    if name == "rtpengine_digits" and len(found) > 1:
        section[name].error("two_addresses", "digits are heard at one address", f"such as {default[0]}")
    return found


def _emergency_pairs(section: Mapping[str, Node], pairs: int) -> int:
    """How many of the pairs are kept for emergency calls: half of them at most."""
    if "emergency_pairs" not in section:
        return min(Media().emergency_pairs, pairs // 2)
    node = section["emergency_pairs"]
    kept = node.integer(0, 1000)
    if kept > pairs // 2:
        message = f"{kept} pairs of ports are kept for emergency calls, and there are {pairs} in `ports`"
        node.error("too_many_ports", message, "keep half of them at most, or widen `ports`")
    return kept


def _media_addresses(node: Node) -> tuple[IPAddress, ...]:
    """One address, or a list with one of IPv4 and one of IPv6."""
    found: list[IPAddress] = []
    for one in node.sequence() if node.is_sequence else [node]:
        address = _reachable(one)
        if address is not None and address.version in (other.version for other in found):
            one.error(
                "two_addresses", f"a second address of IPv{address.version}", "one of each kind at most"
            )
        if address is not None:
            found.append(address)
    if not found and node.is_sequence and not node.sequence():
        node.error("wrong_address", "no address", "leave the key out to use those that SIP listens on")
    return tuple(found)


def _choice(keys: Mapping[str, Node], name: str, options: Mapping[str, Choice]) -> Choice:
    """The option written; the first one where nothing is."""
    return options[keys[name].choice(list(options), name) if name in keys else next(iter(options))]


def _ports(node: Node) -> tuple[int, int]:
    found = _PORTS.fullmatch(node.text())
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if first >= 1024 and last <= 65535 and last - first + 1 >= FEWEST_PORTS:
        return first, last
    node.error("wrong_ports", "expected two ports between 1024 and 65535", "such as 20000-29999")
    return Media().first_port, Media().last_port


def _recordings(keys: Mapping[str, Node], data_dir: Path) -> Recordings:
    known = ("dir", "key_file", "when_full", "warn_days", "timestamp", "copy_to", "s3")
    section = _section(keys, "recordings", known)
    return Recordings(
        directory=_path(section, "dir", data_dir, "recordings"),
        key_file=_path(section, "key_file", data_dir, "recording.pub"),
        when_full=_choice(section, "when_full", WHEN_FULL),
        warn_days=section["warn_days"].integer(1, 365) if "warn_days" in section else 14,
        timestamp=_timestamp(section["timestamp"], data_dir) if "timestamp" in section else None,
        copy_to=_copy_to(section, data_dir),
    )


def _messages(keys: Mapping[str, Node]) -> Messages:
    section = _section(keys, "messages", ("keep_days", "most_mb"))
    usual = Messages()
    return Messages(
        keep_days=section["keep_days"].integer(0, 366) if "keep_days" in section else usual.keep_days,
        most_mb=section["most_mb"].integer(0, 1_000_000) if "most_mb" in section else usual.most_mb,
    )


def _timestamp(node: Node, data_dir: Path) -> Timestamp:
    section = node.mapping(("url", "ca_file", "every_minutes"), required=("url", "ca_file"))
    return Timestamp(
        url=_url(section["url"], "such as https://tsa.valmont.example/tsr") if "url" in section else "",
        ca_file=_path(section, "ca_file", data_dir, ""),
        every_seconds=60.0
        * (section["every_minutes"].integer(1, 1440) if "every_minutes" in section else 60),
    )


def _copy_to(section: Mapping[str, Node], data_dir: Path) -> Path | Bucket | None:
    """None where recordings aren't copied."""
    text = section["copy_to"].text() if "copy_to" in section else ""
    if not text.startswith("s3:"):
        if "s3" in section:
            hint = "write `copy_to: s3://BUCKET/PREFIX`, or leave `s3:` out"
            section["s3"].error("idle_key", "nothing is copied to a store of that kind", hint)
        return _path(section, "copy_to", data_dir, "") if "copy_to" in section else None
    found = _BUCKET.fullmatch(text)
    if found is None or {".", ".."} & set(found[2].split("/")):
        section["copy_to"].error("wrong_bucket", "this names no bucket", "such as s3://recordings/valmont")
        return None
    keys = _section(section, "s3", ("endpoint", "region", "access_key", "secret_key"))
    secret = _secret(keys["secret_key"]) if "secret_key" in keys else {}
    if ("access_key" in keys) != ("secret_key" in keys):
        keys["access_key" if "access_key" in keys else "secret_key"].error(
            "missing_key", "`access_key` and `secret_key` go together"
        )
    return Bucket(
        name=found[1],
        prefix=found[2].strip("/"),
        endpoint=_url(keys["endpoint"], "such as https://s3.valmont.example") if "endpoint" in keys else "",
        region=keys["region"].text() if "region" in keys else "us-east-1",
        access_key=keys["access_key"].text() if "access_key" in keys else "",
        secret_env=secret["env"].text() if "env" in secret else "",
        secret_file=_path(secret, "file", data_dir, "") if "file" in secret else None,
    )


def _url(node: Node, hint: str) -> str:
    text = node.text()
    if not _URL.fullmatch(text) or not _parsed(_scheme, text):
        node.error("wrong_url", "this is no address of a web service", hint)
    return text


def _web(keys: Mapping[str, Node], folder: Path) -> Web:
    """Addresses alone, or a section."""
    if "web" not in keys or not keys["web"].is_mapping:
        return Web(listen=_listens(keys, "web", Web().listen))
    known = ("listen", "tls", "certificate", "key", "public_url", "proxies", "openid", "ldap", "screen_pop")
    section = keys["web"].mapping(known)
    return Web(
        listen=_listens(section, "listen", Web().listen),
        tls=_choice(section, "tls", WEB_TLS),
        certificates=_certificates(section, folder),
        public_url=_public_url(section["public_url"]) if "public_url" in section else "",
        proxies=_network_list(section["proxies"]) if "proxies" in section else (),
        openid=read_openid(section["openid"], folder) if "openid" in section else None,
        ldap=read_ldap(section["ldap"], folder) if "ldap" in section else None,
        screen_pops=read_screen_pops(section["screen_pop"]) if "screen_pop" in section else (),
    )


def _public_url(node: Node) -> str:
    """An origin (RFC 6454 section 6.2), in lower case."""
    text = node.text().lower().rstrip("/")
    if not _ORIGIN.fullmatch(text) or not _parsed(_scheme, text):
        hint = "such as https://pbx.valmont.example, without a path"
        node.error("wrong_url", f'"{text[:60]}" is not where a browser finds the pages', hint)
    return text


def _log(keys: Mapping[str, Node]) -> Log:
    section = _section(keys, "log", ("level", "sip_trace", "format", "syslog"))
    return Log(
        level=_choice(section, "level", LOG_LEVELS),
        sip_trace=section["sip_trace"].boolean() if "sip_trace" in section else False,
        format=_choice(section, "format", LOG_FORMATS),
        syslog=_syslog(section["syslog"]) if "syslog" in section else Log().syslog,
    )


def _syslog(node: Node) -> str:
    """The machine's own socket, or an address: a name would have to be looked up, and no line waits."""
    text = node.text()
    bare = text.removeprefix("udp://").removeprefix("tcp://")
    if not text.startswith("/") and not any(listen.port for listen in _parsed(_parse_listen, bare)):
        hint = "such as /dev/log, 192.0.2.1:514 or tcp://192.0.2.1:601"
        node.error("wrong_address", f'"{text[:60]}" is no log server', hint)
    return text


def _provisioning(keys: Mapping[str, Node], folder: Path) -> Provisioning:
    if "provisioning" not in keys:
        return Provisioning()
    return read_provisioning(keys["provisioning"], folder, _listens, _network_list)


def _secret(node: Node) -> Mapping[str, Node]:
    """Where a secret is: `{env: NAME}` or `{file: PATH}`."""
    fields = node.mapping(("env", "file")) if node.is_mapping else {}
    if len(fields) != 1:  # the value isn't repeated: it may be the secret itself
        node.error("wrong_secret", "this says no place of a secret", "write {env: NAME} or {file: PATH}")
    return fields


def _mail(keys: Mapping[str, Node], folder: Path) -> Mail | None:
    """None where no mail is to be sent."""
    if "mail" not in keys:
        return None
    known = ("host", "port", "from", "tls", "username", "password")
    section = keys["mail"].mapping(known, required=("host", "from"))
    encryption = _choice(section, "tls", ENCRYPTIONS)
    host = section["host"].text() if "host" in section else ""
    if host and not (_DOMAIN.fullmatch(host) or _parsed(ipaddress.ip_address, host)):
        section["host"].error("wrong_domain", f'"{host[:60]}" is no server', "such as smtp.valmont.example")
    secret = _secret(section["password"]) if "password" in section else {}
    if ("username" in section) != ("password" in section):
        section["username" if "username" in section else "password"].error(
            "missing_key", "`username` and `password` go together"
        )
    return Mail(
        host=host,
        port=section["port"].integer(1, 65535) if "port" in section else MAIL_PORTS[encryption],
        sender=section["from"].email() if "from" in section else "",
        encryption=encryption,
        username=section["username"].text() if "username" in section else "",
        password_env=secret["env"].text() if "env" in secret else "",
        password_file=_path(secret, "file", folder, "") if "file" in secret else None,
    )


def _defence(keys: Mapping[str, Node]) -> Settings:
    limits = ("messages_per_second", "registrations_per_minute", "calls_per_minute", "texts_per_minute")
    section = _section(keys, "defence", ("ban_loopback", "never_ban", *limits))
    default = Settings()
    return Settings(
        ban_loopback=section["ban_loopback"].boolean() if "ban_loopback" in section else False,
        never_ban=_network_list(section["never_ban"]) if "never_ban" in section else (),
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
