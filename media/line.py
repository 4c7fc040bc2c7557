"""One m= line of one party's session: its numbers, its keys and its port, as far as it has agreed.

What a party says of the line in an offer (`hear_offer`) holds when that is answered (`commit`); what it says
in an answer (`hear_answer`) holds at once. The audio line that is carried is a `media.negotiation.Leg`;
every other one (video, text, fax) is a `Line` beside it.

Keys (RFC 4568) belong to this party and us alone. The a=crypto lines that it is told stay the same for the
whole session once they were used: a new key in each offer would begin a new rollover counter, and would make
a change of every refresh.
"""

from secrets import token_bytes
from typing import Final

from media import pictures, sdes, sdp
from media.engine import MediaRefused
from media.sdes import Crypto, CryptoError, Policy, Random, Security, SecurityRefused
from media.sdp import MediaDescription
from media.snapshot import LineSnapshot

NOT_ACCEPTABLE: Final = 488
SECURE_PROFILES: Final = frozenset({"RTP/SAVP", "RTP/SAVPF"})
FAX_PROTOCOL: Final = "udptl"


class Line:
    """One m= line. place: its index among those of the session; other: of the line that it is joined to.

    port: what the party is told to send to, 0 before it has one; number: the engine's own name of the stream.
    said: what the offer under way says, remote: what was agreed. numbers: every payload type number of the
    line and the key of its codec. profile: of the m= line, "" before; told_keys: the a=crypto lines it was
    told; security: the keys in force; mux: RTCP goes with RTP (RFC 5761).
    """

    __slots__ = (
        "mux", "number", "numbers", "other", "place", "port", "profile", "random", "remote", "said",
        "said_security", "security", "told_keys",
    )  # fmt: skip

    def __init__(self, port: int = 0, random: Random = token_bytes) -> None:
        self.port = port
        self.random = random
        self.number = 0
        self.place = self.other = -1
        self.said: MediaDescription | None = None
        self.said_security: Security | None = None
        self.remote: MediaDescription | None = None
        self.numbers: dict[int, str] = {}
        self.profile = ""
        self.told_keys: tuple[Crypto, ...] = ()
        self.security: Security | None = None
        self.mux = False

    @property
    def receives(self) -> bool:
        """True when the party gave an address that something can be sent to, and listens there."""
        remote = self.remote
        return (
            remote is not None and remote.port != 0 and remote.effective_direction in ("sendrecv", "recvonly")
        )

    # -- what the party says -----------------------------------------------------------------------

    def hear_offer(self, media: MediaDescription, policy: Policy) -> None:
        """Take what an offer says of the line. Raises MediaRefused (488) when its keys don't fit."""
        security = None
        # Without keys in the offer, or a wish for any, nothing of this is looked at.
        if media.port and (policy != "off" or media.protocol in SECURE_PROFILES) and is_rtp(media):
            before = self.security.ours if self.security is not None else None
            try:
                security = sdes.answered_security(policy, media, self.random, before)
            except SecurityRefused as refused:
                raise MediaRefused(NOT_ACCEPTABLE, f"SRTP: {refused}") from None
        self.said, self.said_security = media, security
        for codec in media.codecs:
            self.numbers[codec.payload_type] = codec.key

    def commit(self) -> None:
        """Agree to the offer under way; a second answer to it finds it again."""
        media = self.said
        if media is None:
            return
        self._agree(media, self.said_security)
        self.mux = media.rtcp_mux
        if media.port and is_rtp(media):
            self.profile = media.protocol
            # RFC 4568 section 5.1.2: the answer has the one line that was chosen.
            self.told_keys = (self.security.ours,) if self.security is not None else ()

    def hear_answer(self, media: MediaDescription, policy: Policy) -> None:
        """Take what an answer says of the line. Raises MediaRefused (488) when its keys don't fit."""
        security = None
        if media.port and is_rtp(media) and (policy != "off" or media.protocol in SECURE_PROFILES):
            security = self._answered(media, policy)
        self.said = None
        self._agree(media, security)
        # RFC 5761 section 5.1.1: only where the offer had it as well.
        self.mux = self.mux and media.rtcp_mux
        for codec in media.codecs:
            self.numbers[codec.payload_type] = codec.key

    def _answered(self, media: MediaDescription, policy: Policy) -> Security | None:
        try:
            if self.security is not None and _says(media, self.security.theirs):
                return self.security  # what it said before, perhaps in an offer of its own
            return sdes.agreed_security(policy, list(self.told_keys), media)
        except (SecurityRefused, CryptoError) as refused:
            raise MediaRefused(NOT_ACCEPTABLE, f"SRTP: {refused}") from None

    def _agree(self, media: MediaDescription, security: Security | None) -> None:
        self.remote = media
        if security == self.security:
            return
        if self.security is not None and (security is None or security.ours.key != self.security.ours.key):
            # A key that was used is never taken up again from its beginning (RFC 3711 section 9.1).
            used = self.security.ours.key
            self.told_keys = tuple(
                sdes.new_key(key.tag, key.suite, self.random) if key.key == used else key
                for key in self.told_keys
            )
        self.security = security

    def close(self) -> None:
        """Have nothing agreed and nothing under way; port, numbers and keys stay for another time."""
        self.said = self.remote = None

    # -- what the party is told --------------------------------------------------------------------

    def offered_transport(self, source: MediaDescription, policy: Policy) -> tuple[str, list[str]]:
        """Return the profile of an offer, and the lines that go with it. source: what it is an offer of."""
        if not is_rtp(source):
            return source.protocol, []
        if not self.profile:
            self.profile = sdes.offered_profile(policy, feedback=source.protocol.endswith("F"))
        about_rtcp = [_MUX] if self.mux else []
        if source.kind == "video":
            about_rtcp += pictures.told(None)
        if policy == "off":
            return self.profile, about_rtcp
        if not self.told_keys and (self.remote is None or not self.remote.port or policy == "required"):
            # What speaks in clear isn't asked again: each refresh would be a change.
            self.told_keys = tuple(sdes.offered_security(policy, self.random))
        return self.profile, [*(sdes.build(key) for key in self.told_keys), *about_rtcp]

    def answered_transport(self) -> tuple[str, list[str]]:
        """Return the profile of the answer to the offer that was committed, and the lines that go with it."""
        if self.remote is not None and not is_rtp(self.remote):
            return self.remote.protocol, []
        lines = [sdes.build(self.security.ours)] if self.security is not None else []
        if self.mux:
            lines.append(_MUX)
        if self.remote is not None and self.remote.kind == "video":
            lines += pictures.told(self.remote)
        return self.profile, lines

    # -- another process ---------------------------------------------------------------------------

    def snapshot_line(self) -> LineSnapshot:
        """Return what was agreed, as plain values."""
        return LineSnapshot(
            self.place, self.other, self.port, self.number, self.remote, dict(self.numbers), self.profile,
            self.told_keys, self.security, self.mux,
        )  # fmt: skip

    def restore_line(self, kept: LineSnapshot) -> None:
        """Be as the line that `kept` was made of."""
        self.place, self.other, self.port, self.number = kept.place, kept.other, kept.port, kept.number
        self.remote, self.numbers, self.profile = kept.remote, dict(kept.numbers), kept.profile
        self.told_keys, self.security, self.mux = kept.told_keys, kept.security, kept.mux


_MUX: Final = "a=rtcp-mux"


def is_rtp(media: MediaDescription) -> bool:
    """Say whether the line carries RTP, in clear or with keys in the SDP."""
    return media.protocol in sdp.PLAIN_PROFILES or media.protocol in SECURE_PROFILES


def is_carried(media: MediaDescription) -> bool:
    """Say whether a further m= line can be relayed as it is: RTP, or T.38 in UDPTL (ITU-T T.38 annex D)."""
    if media.kind == "audio":
        return False  # of several, one is carried
    return is_rtp(media) or (media.kind == "image" and media.protocol.lower() == FAX_PROTOCOL)


def _says(media: MediaDescription, theirs: Crypto) -> bool:
    return media.has_crypto and any(
        line.suite == theirs.suite and line.key == theirs.key for line in sdes.lines_of(media)
    )
