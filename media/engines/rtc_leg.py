"""One browser's leg: what it was told and has said, and its association with the RTC worker.

An association is one ICE and DTLS session. It is replaced where DTLS has to begin anew: the worker died, or
another page answers (RFC 8842 section 5). `coming` is the one that the browser was told of and hasn't agreed
to yet; so is one that only begins ICE anew, with the key of the one in force (RFC 8445 section 9).
"""

from __future__ import annotations

import secrets
from typing import Final

import msgspec
from msgspec.structs import replace

from media.engines import rtc_bodies
from media.engines.rtc_bodies import Door, Fingerprint, Renumbered, Said
from media.rtc.protocol import Address, Agree, PlainStream, Role
from media.sdp import SessionDescription
from media.snapshot import AssociationSnapshot, BrowserSnapshot

_FIRST_VERSION: Final = 1
_UFRAG_BYTES: Final = 6  # RFC 8445 section 5.3: at least 24 bits of chance; 4 characters of base64 a triple
_PASSWORD_BYTES: Final = 18  # at least 128 bits


class Association(msgspec.Struct):
    """One browser's ICE and DTLS. key: its name to the worker; sockets: plain ones, one for each line.

    fingerprint: of the worker that it was opened with; role: ours in DTLS, "" before anything was agreed.
    remote: the browser's address, ("", 0) before it was heard; lost: its worker is gone.
    """

    key: str
    ufrag: str
    password: str
    fingerprint: Fingerprint
    sockets: tuple[Address, ...]
    role: Role | None = None
    ice: str = ""
    certificates: tuple[Fingerprint, ...] = ()
    remote: Address = ("", 0)
    lost: bool = False


class BrowserLeg:
    """A leg that speaks WebRTC. call, name: as its owner knows it; they change when it moves.

    current: the association agreed on, coming: one that isn't yet. mids: of every m= line; places: which of
    them each socket is for. said: what the browser said last; inside: what the engine within told it last.
    body: its words themselves. advertised: our address as it is told, where that isn't the worker's own.
    opus_only: its sound is Opus, whatever the other party has. partner: the browser that it speaks with,
    where it is one.
    """

    def __init__(self, call: str, name: str, *, opus_only: bool = False) -> None:
        self.call = call
        self.name = name
        self.opus_only = opus_only
        self.current: Association | None = None
        self.coming: Association | None = None
        self.mids: list[str] = []
        self.places: list[int] = []
        self.renumbered: Renumbered = {}
        self.said: Said | None = None
        self.inside: SessionDescription | None = None
        self.advertised = ""
        self.partner: BrowserLeg | None = None
        self.version = _FIRST_VERSION
        self.sent = b""
        self.body = b""
        self._answered: tuple[bytes, dict[int, frozenset[int]]] = b"", {}

    @property
    def begun(self) -> bool:
        """Whether it was told or has said anything as a browser."""
        return self.current is not None or self.coming is not None

    @property
    def association(self) -> Association:
        """The one that bodies speak of. Raises LookupError before there is any."""
        found = self.coming or self.current
        if found is None:
            raise LookupError(f"leg {self.name} has no association")
        return found

    @property
    def only_ice_anew(self) -> bool:
        """Whether what is coming is the same DTLS as before."""
        current, coming = self.current, self.coming
        return current is not None and coming is not None and current.key == coming.key

    def associations(self) -> list[Association]:
        """Return all that the worker has of this leg."""
        return [one for one in (self.current, self.coming) if one is not None]

    def go_on_with(self, page: BrowserLeg) -> None:
        """Take the association that the same browser has in another call, where it is left behind."""
        assert page.current is not None
        self.coming = replace(page.current)
        self.places, self.renumbered = list(page.places), dict(page.renumbered)
        self.version, self.sent = page.version, page.sent

    def hear(self, said: Said, *, for_us: bool = False) -> bytes:
        """Take what the browser says and return it as plain RTP; every line that is carried has a socket.

        for_us: no other party is to be found for it.
        """
        self.said = said
        self.mids = [section.mid for section in said.sections]
        sockets = self.association.sockets
        return rtc_bodies.plain(
            said,
            [
                sockets[self.places.index(place)]
                for place, section in enumerate(said.sections)
                if section.carried
            ],
            self.renumbered,
            opus_only=self.opus_only,
            for_us=for_us,
        )

    def as_answered(self, said: Said) -> Said:
        """Return an offer of the browser's, said again in place of an answer, with what we took of it alone.

        RFC 8829 section 5.11: a browser drops what it wasn't answered, which telephones play all the same.
        """
        body, numbers = self._answered
        return rtc_bodies.narrowed(said, numbers) if body == self.body else said

    def _note_answer(self, session: SessionDescription) -> None:
        """Remember what the browser's last body was answered. An answer that it never sees adds nothing."""
        body, before = self._answered
        told = {
            place: frozenset(codec.payload_type for codec in media.codecs)
            for place, media in enumerate(session.media)
            if media.port
        }
        if body == self.body:
            told = {
                place: before.get(place, numbers) & numbers or before[place]
                for place, numbers in told.items()
            }
        self._answered = self.body, told

    def socketless(self, said: Said) -> list[int]:
        """Return the m= lines that are carried and have no socket yet."""
        carried = [place for place, section in enumerate(said.sections) if section.carried]
        return [place for place in carried if place not in self.places]

    def tell(self, body: bytes, addresses: tuple[Address, ...], *, offers: bool) -> bytes:
        """Return what the engine within says as WebRTC; the version of o= grows when anything changed."""
        association = self.association
        session = rtc_bodies.passing(body, self.renumbered, opus_only=self.opus_only)
        self.mids = rtc_bodies.new_mids(self.mids, len(session.media))
        self.inside = session
        if not offers:
            self._note_answer(session)
        door = Door(association.ufrag, association.password, association.fingerprint, addresses)
        setup = "actpass" if offers else "active" if association.role == "client" else "passive"
        told = rtc_bodies.told(session, door, self.mids, setup, self.version)
        if self.sent and told != self.sent:
            self.version += 1
            told = rtc_bodies.told(session, door, self.mids, setup, self.version)
        self.sent = told
        return told

    def takes_role(self) -> None:
        """Decide who begins DTLS, from what the browser said last; it stays for the whole association."""
        association = self.association
        if association.role is None and self.said is not None and self.said.fingerprints:
            # RFC 8842 section 5.3: whoever offers actpass leaves it to us, and ICE-lite waits.
            association.role = "client" if self.said.setup == "passive" else "server"

    def agreement(self) -> Agree | None:
        """Return what was agreed with the browser, for the worker; None where nothing can be."""
        said, inside, association = self.said, self.inside, self.association
        if said is None or inside is None or not said.fingerprints or association.role is None:
            return None
        association.ice, association.certificates = said.ufrag, said.fingerprints
        streams: list[PlainStream] = []
        for index, place in enumerate(self.places):
            if place >= len(said.sections) or place >= len(inside.media):
                continue
            section, media = said.sections[place], inside.media[place]
            if not section.carried or not media.port:
                continue
            inside_number = {new: old for old, new in self.renumbered.get(place, {}).items()}
            codecs = (*section.description.codecs, *media.codecs)
            numbers = {
                codec.payload_type: inside_number.get(codec.payload_type, codec.payload_type)
                for codec in codecs
            }
            rtcp_port = media.port if media.rtcp_mux else media.rtcp_port
            streams.append(PlainStream(index, media.host, media.port, rtcp_port, numbers, section.nack))
        return Agree(association.key, association.role, said.fingerprints, said.ufrag, tuple(streams))

    def is_another_browser(self, said: Said) -> bool:
        """Say whether another page speaks than the one that agreed: its certificate is another one's."""
        current = self.current
        return bool(
            current is not None
            and current.certificates
            and said.fingerprints
            and said.fingerprints != current.certificates
        )

    def begins_ice_anew(self, said: Said) -> bool:
        """Say whether an offer of the browser's begins ICE anew (RFC 8839 section 4.4.1.1.1).

        An answer may have another ufrag as well: then it answers ours.
        """
        current = self.current
        return bool(
            current is not None
            and not current.lost
            and current.ice
            and said.ufrag
            and said.ufrag != current.ice
            and said.setup == "actpass"
        )

    def snapshot(self) -> BrowserSnapshot | None:
        """Return what another process needs to go on; None where nothing was agreed."""
        current = self.current
        if current is None or current.role is None:
            return None
        return BrowserSnapshot(
            self.name,
            AssociationSnapshot(
                current.key,
                current.ufrag,
                current.password,
                current.fingerprint,
                current.sockets,
                current.role,
                current.ice,
                current.certificates,
            ),
            tuple(self.mids),
            tuple(self.places),
            self.advertised,
            self.version,
            self.sent,
            self.renumbered,
        )


def restored(call: str, kept: BrowserSnapshot, *, opus_only: bool = False) -> BrowserLeg:
    """Return the leg that `kept` was made of."""
    leg = BrowserLeg(call, kept.name, opus_only=opus_only)
    one = kept.association
    leg.current = Association(
        one.key,
        one.ufrag,
        one.password,
        one.fingerprint,
        one.sockets,
        one.role,
        one.ice,
        one.certificates,
    )
    leg.mids, leg.places = list(kept.mids), list(kept.places)
    leg.renumbered = dict(kept.renumbered)
    leg.advertised, leg.version, leg.sent = kept.advertised, kept.version, kept.sent
    return leg


def restarted(association: Association, ufrag: str, password: str) -> Association:
    """Return an association with other credentials of ours, on the same DTLS."""
    return replace(association, ufrag=ufrag, password=password)


def credentials() -> tuple[str, str]:
    """Return an ICE ufrag and password that nobody can guess (RFC 8839 section 5.4)."""
    return _ice_chars(_UFRAG_BYTES), _ice_chars(_PASSWORD_BYTES)


def _ice_chars(count: int) -> str:
    return secrets.token_urlsafe(count).replace("-", "+").replace("_", "/")
