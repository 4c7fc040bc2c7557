"""The `presence` event package's documents: can somebody be reached, and what are they doing (RFC 3856, RFC
3863 as PIDF, RFC 4480 as RPID, RFC 4479 for whom that is said of)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.parsers import expat

from sip.core.errors import RemoteProtocolError
from sip.core.xml_text import xml_text

PACKAGE = "presence"
CONTENT_TYPE = "application/pidf+xml"
NAMESPACE = "urn:ietf:params:xml:ns:pidf"
PERSON = "urn:ietf:params:xml:ns:pidf:data-model"
RPID = "urn:ietf:params:xml:ns:pidf:rpid"
ON_THE_PHONE, BUSY, AWAY = "on-the-phone", "busy", "away"
# RFC 4480 section 3.2: those that say something of whether somebody is to be called.
ACTIVITIES = frozenset(
    {ON_THE_PHONE, BUSY, AWAY, "appointment", "breakfast", "dinner", "holiday", "in-transit", "lunch", "meal"}
    | {"meeting", "performance", "permanent-absence", "presentation", "sleeping", "steering", "travel"}
    | {"vacation", "working"}
)
MAX_ACTIVITIES = 4
MAX_BYTES = 8192
MAX_TUPLES = 16
_MAX_DEPTH = 16
_NOTE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether somebody takes calls (`basic`, RFC 3863 section 4.1.4), what they say of it, and what they do.

    activities: of ACTIVITIES, what counts most first.
    """

    open: bool
    note: str = ""
    activities: tuple[str, ...] = ()


def presence_document(entity: str, presence: Presence) -> bytes:
    """The PIDF document of one person; entity: their URI."""
    note = f"<note>{xml_text(presence.note)}</note>" if presence.note else ""
    basic = "open" if presence.open else "closed"
    declared = person = ""
    if presence.activities:
        declared = f' xmlns:dm="{PERSON}" xmlns:rpid="{RPID}"'
        doing = "".join(f"<rpid:{activity}/>" for activity in presence.activities)
        person = f'<dm:person id="doing"><rpid:activities>{doing}</rpid:activities></dm:person>\n'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<presence xmlns="{NAMESPACE}"{declared} entity="{xml_text(entity)}">\n'
        f'<tuple id="person"><status><basic>{basic}</basic></status>{note}</tuple>\n{person}</presence>\n'
    ).encode()


def parse_presence(body: bytes) -> Presence:
    """What a PIDF document says: open where one of its tuples is, with the first note and the activities.

    Raises RemoteProtocolError: 413 for a document too large, 400 for what isn't PIDF.
    """
    if len(body) > MAX_BYTES:
        raise RemoteProtocolError(413, "Request Entity Too Large")
    reader = _Reader()
    parser = expat.ParserCreate("UTF-8", " ")  # whatever it declares: no codec of its choice
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise RemoteProtocolError(400, "Malformed Presence Document") from error
    if not reader.is_pidf or not reader.basics:
        raise RemoteProtocolError(400, "No Presence in the Document")
    return Presence("open" in reader.basics, reader.note.strip()[:_NOTE_CHARS], tuple(reader.activities))


class _Reader:
    """Collects `basic` and `note`; a document type declaration, which entities need, is refused."""

    def __init__(self) -> None:
        self.is_pidf = False
        self.basics: list[str] = []
        self.note = ""
        self.activities: list[str] = []
        self._path: list[str] = []
        self._parents: list[str] = []
        self._noted = False

    def doctype(self, *_declared: object) -> None:
        raise RemoteProtocolError(400, "Document Type Declared")

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if not self._path:
            self.is_pidf = name == f"{NAMESPACE} presence"
        elif self._parents[-1] == f"{RPID} activities":
            self._activity(name)
        self._parents.append(name)
        self._path.append(name.rpartition(" ")[2] if name.startswith(f"{NAMESPACE} ") else "")
        if len(self._path) > _MAX_DEPTH:
            raise RemoteProtocolError(400, "Document Too Deep")
        if self._path[1:] == ["tuple", "status", "basic"]:
            self.basics.append("")
            if len(self.basics) > MAX_TUPLES:
                raise RemoteProtocolError(400, "Too Many Tuples")

    def end(self, _name: str) -> None:
        if self._path[-1] == "note" and self.note.strip():
            self._noted = True
        self._path.pop()
        self._parents.pop()

    def _activity(self, name: str) -> None:
        """RFC 4480 section 3.2; what we don't know says nothing."""
        namespace, _, activity = name.rpartition(" ")
        known = namespace == RPID and activity in ACTIVITIES and activity not in self.activities
        if known and len(self.activities) < MAX_ACTIVITIES:
            self.activities.append(activity)

    def text(self, text: str) -> None:
        if self._path[1:] == ["tuple", "status", "basic"]:
            self.basics[-1] = (self.basics[-1] + text.strip().lower())[:16]
        elif self._path[-1] == "note" and not self._noted:
            self.note = (self.note + text)[:_NOTE_CHARS]
