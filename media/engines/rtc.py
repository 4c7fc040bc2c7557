"""Browsers as legs like any other: `RtcEngine` stands around another engine and speaks WebRTC for it.

```
    browser ── ICE, DTLS-SRTP ──> RTC worker ── plain RTP ──> the engine within
       │                             │                            │
    WebRTC body ──────────────> RtcEngine ── plain body ────> offer, answer, publish …
```

A leg is a browser where its policy says so (`secure`), or where it offers WebRTC. What it says goes on as
plain RTP from the worker's sockets (`rtc_bodies`), and what the engine within tells that address comes back
as WebRTC. All that a leg can do beside that (recording, rooms, queues, conversion) is the engine's within,
which sees nothing but RTP: those verbs are its own, and every other leg's bodies pass as they are.
"""

import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from msgspec.structs import replace

from media.engine import (
    BrowserGone,
    CallMedia,
    MediaEngine,
    MediaEvent,
    MediaMisuse,
    MediaRefused,
    StreamLost,
)
from media.engines import rtc_bodies
from media.engines.absences import GONE_SECONDS, Absences
from media.engines.rtc_client import Worker
from media.engines.rtc_leg import Association, BrowserLeg, credentials, restarted, restored
from media.rtc.protocol import (
    Address,
    AddStream,
    Close,
    Connected,
    Gone,
    Moved,
    Open,
    Opened,
    Pair,
    Ready,
    Refused,
    Report,
    Restart,
)
from media.sdes import Policy
from media.snapshot import CallMediaSnapshot

_log = logging.getLogger(__name__)

_ANY: Final = ("0.0.0.0", "::")  # noqa: S104 (compared): whatever the engine within has (rtpengine)
_Body = Coroutine[Any, Any, bytes]


class RtcEngine:
    """A `media.engine.MediaEngine` around another one, for browsers beside all other parties.

    addresses: the media plane's own, as in SDP; the first one decides where the worker's plain sockets are.
    opus_only: browsers are told and taken Opus alone, which stands losses best, whatever it costs to convert.
    gone_seconds: how long one that is gone may come back before it is told of as such.
    """

    speaks_webrtc = True

    def __init__(
        self,
        within: MediaEngine,
        worker: Worker,
        addresses: Sequence[str],
        *,
        opus_only: bool = False,
        gone_seconds: float = GONE_SECONDS,
    ) -> None:
        self.within = within
        self.carries, self.records, self.tapes = within.carries, within.records, within.tapes
        self._worker = worker
        self._addresses = tuple(addresses)
        self._opus_only = opus_only
        self._legs: dict[str, dict[str, BrowserLeg]] = {}
        self._by_key: dict[str, BrowserLeg] = {}
        self._absences = Absences(self._stayed_away, gone_seconds)
        worker.events = self._told
        # What doesn't speak of bodies is the engine's within: no turn of ours lies between.
        self.play, self.stop, self.echo = within.play, within.stop, within.echo
        self.record, self.stop_recording = within.record, within.stop_recording
        self.tape, self.dtmf, self.multicast = within.tape, within.dtmf, within.multicast
        self.join, self.leave, self.whisper = within.join, within.leave, within.whisper
        self.ask_for_picture = within.ask_for_picture
        self.reserve, self.codec = within.reserve, within.codec
        self.leg_codecs, self.quality = within.leg_codecs, within.quality

    @property
    def events(self) -> Callable[[MediaEvent], None]:
        """Whom every event is told, those of the engine within included."""
        return self.within.events

    @events.setter
    def events(self, told: Callable[[MediaEvent], None]) -> None:
        self.within.events = told

    def inventory(self) -> dict[str, int]:
        """Return what is held now: legs of browsers, and associations of the worker's."""
        return {
            "browser_legs": sum(len(legs) for legs in self._legs.values()),
            "associations": len(self._by_key),
        }

    # -- the verbs ---------------------------------------------------------------------------------

    def secure(self, call: str, leg: str, policy: Policy) -> None:
        """See MediaEngine."""
        if policy != "browser":
            self.within.secure(call, leg, policy)
        elif self._browser(call, leg) is None:
            self._add(call, leg)

    def offer(
        self,
        call: str,
        leg: str,
        to: str,
        sdp: bytes,
        *,
        nat: bool = False,
        advertise: str = "",
        simple: bool = False,
    ) -> _Body:
        """See MediaEngine."""
        if call in self._legs or rtc_bodies.is_webrtc(sdp):
            return self._offer(call, leg, to, sdp, nat, advertise, simple)
        return self.within.offer(call, leg, to, sdp, nat=nat, advertise=advertise, simple=simple)

    async def _offer(
        self, call: str, leg: str, to: str, sdp: bytes, nat: bool, advertise: str, simple: bool
    ) -> bytes:
        source = self._speaker(call, leg, sdp)
        browser = self._browser(call, to)
        if source is not None:
            sdp, nat = await self._hear(source, sdp), False
        if browser is None:
            return await self.within.offer(call, leg, to, sdp, nat=nat, advertise=advertise, simple=simple)
        if not browser.begun:
            browser.coming = await self._opened(browser)
        browser.advertised = advertise
        inside = browser.association.sockets[0][0]
        body = await self.within.offer(call, leg, to, sdp, nat=nat, advertise=inside, simple=simple)
        return await self._tell(browser, body, offers=True)

    def answer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> _Body:
        """See MediaEngine."""
        if call in self._legs:
            return self._answer(call, leg, to, sdp, nat, advertise)
        return self.within.answer(call, leg, to, sdp, nat=nat, advertise=advertise)

    async def _answer(self, call: str, leg: str, to: str, sdp: bytes, nat: bool, advertise: str) -> bytes:
        source, browser = self._speaker(call, leg, sdp), self._browser(call, to)
        if source is not None:
            sdp, nat = await self._hear(source, sdp, answers=True), False
        if browser is not None:
            browser.advertised = advertise
            advertise = browser.association.sockets[0][0] if browser.begun else ""
        body = await self.within.answer(call, leg, to, sdp, nat=nat, advertise=advertise)
        for one, other in ((source, browser), (browser, source)):
            if one is not None:
                one.partner = other
        if source is not None:
            self._agree(source)
        if browser is not None:
            body = await self._tell(browser, body, offers=False)
            self._agree(browser)
        return body

    def publish(self, call: str, leg: str, sdp: bytes, *, nat: bool = False, advertise: str = "") -> _Body:
        """See MediaEngine."""
        if call in self._legs or rtc_bodies.is_webrtc(sdp):
            return self._publish(call, leg, sdp, nat, advertise)
        return self.within.publish(call, leg, sdp, nat=nat, advertise=advertise)

    async def _publish(self, call: str, leg: str, sdp: bytes, nat: bool, advertise: str) -> bytes:
        browser = self._speaker(call, leg, sdp)
        if browser is None:
            return await self.within.publish(call, leg, sdp, nat=nat, advertise=advertise)
        plain = await self._hear(browser, sdp, for_us=True)
        browser.advertised = advertise
        body = await self.within.publish(call, leg, plain, advertise=browser.association.sockets[0][0])
        told = await self._tell(browser, body, offers=False)
        self._agree(browser)
        return told

    def terminate_offer(self, call: str, leg: str, *, advertise: str = "") -> _Body:
        """See MediaEngine."""
        browser = self._browser(call, leg)
        if browser is None:
            return self.within.terminate_offer(call, leg, advertise=advertise)
        return self._terminate_offer(browser, advertise)

    async def _terminate_offer(self, browser: BrowserLeg, advertise: str) -> bytes:
        if not browser.begun:
            browser.coming = await self._opened(browser)
        browser.advertised = advertise
        inside = browser.association.sockets[0][0]
        body = await self.within.terminate_offer(browser.call, browser.name, advertise=inside)
        return await self._tell(browser, body, offers=True)

    async def terminate_answer(self, call: str, leg: str, sdp: bytes, *, nat: bool = False) -> None:
        """See MediaEngine."""
        browser = self._speaker(call, leg, sdp)
        if browser is not None:
            sdp, nat = await self._hear(browser, sdp, answers=True), False
        await self.within.terminate_answer(call, leg, sdp, nat=nat)
        if browser is not None:
            self._agree(browser)

    async def query(self, call: str) -> CallMedia:
        """See MediaEngine. remote: of a browser's leg, where the browser itself is."""
        media = await self.within.query(call)
        for browser in self._legs.get(call, {}).values():
            if browser.name in media.legs and browser.current is not None:
                remote = browser.current.remote
                media.legs[browser.name] = replace(media.legs[browser.name], remote=remote)
        return media

    def delete(self, call: str) -> Coroutine[Any, Any, None]:
        """See MediaEngine."""
        for browser in self._legs.pop(call, {}).values():
            self._close(browser, *browser.associations())
            browser.partner = None
        return self.within.delete(call)

    async def renew(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        browser = self._browser(call, leg)
        if browser is None or browser.current is None or not browser.current.lost:
            await self.within.renew(call, leg)
            return
        browser.coming = await self._opened(browser)

    async def move(self, call: str, leg: str, to_call: str, to_leg: str) -> bool:
        """See MediaEngine."""
        if not await self.within.move(call, leg, to_call, to_leg):
            return False
        if call in self._legs or to_call in self._legs:
            replaced, moving = self._remove(to_call, to_leg), self._remove(call, leg)
            if moving is not None:
                moving.call, moving.name = to_call, to_leg
                self._legs.setdefault(to_call, {})[to_leg] = moving
                self._take_back(moving)
            if replaced is not None:
                self._close(replaced, *replaced.associations())
        return True

    def snapshot(self, call: str) -> CallMediaSnapshot:
        """See MediaEngine."""
        made = self.within.snapshot(call)
        if call not in self._legs:
            return made
        kept = [browser.snapshot() for browser in self._legs[call].values()]
        return replace(made, browsers=[one for one in kept if one is not None])

    def restore(self, snapshot: CallMediaSnapshot) -> None:
        """See MediaEngine."""
        self.within.restore(snapshot)
        for kept in snapshot.browsers:
            browser = restored(snapshot.call, kept, opus_only=self._opus_only)
            self._legs.setdefault(snapshot.call, {})[kept.name] = browser
            for association in browser.associations():
                self._by_key[association.key] = browser
                if self._worker.ready is not None:
                    self._claim(browser, association, self._worker.ready)

    # -- legs --------------------------------------------------------------------------------------

    def _browser(self, call: str, leg: str) -> BrowserLeg | None:
        """Return a leg that is a browser's, None for any other."""
        legs = self._legs.get(call)
        return legs.get(leg) if legs is not None else None

    def _speaker(self, call: str, leg: str, sdp: bytes) -> BrowserLeg | None:
        """Return whose body this is, where it is a browser's; what it says decides, before anything was told.

        Raises MediaRefused (488) for plain RTP of a leg that has spoken WebRTC.
        """
        browser = self._browser(call, leg)
        if rtc_bodies.is_webrtc(sdp):
            if browser is None:
                rtc_bodies.read(sdp)
                self.within.secure(call, leg, "off")  # within, it is the worker's plain RTP
                browser = self._add(call, leg)
            return browser
        if browser is not None and browser.begun:
            raise MediaRefused(rtc_bodies.NOT_ACCEPTABLE, "plain RTP from a leg that speaks WebRTC")
        if browser is not None:
            # A telephone over a WebSocket (RFC 7118) that isn't a browser's page.
            self._remove(call, leg)
            self.within.secure(call, leg, "preferred")
        return None

    def _add(self, call: str, leg: str) -> BrowserLeg:
        made = BrowserLeg(call, leg, opus_only=self._opus_only)
        self._legs.setdefault(call, {})[leg] = made
        return made

    def _remove(self, call: str, leg: str) -> BrowserLeg | None:
        legs = self._legs.get(call, {})
        browser = legs.pop(leg, None)
        if not legs:
            self._legs.pop(call, None)
        return browser

    async def _hear(
        self, browser: BrowserLeg, sdp: bytes, *, for_us: bool = False, answers: bool = False
    ) -> bytes:
        """Take what a browser says, and return it as plain RTP. Raises MediaRefused, MediaUnavailable."""
        said = rtc_bodies.read(sdp)
        if not browser.begun:
            page = self._same_page(said)
            if page is not None:
                browser.go_on_with(page)
            else:
                browser.coming = await self._opened(browser)
        elif browser.is_another_browser(said):
            await self._begin_anew(browser, said)
        elif browser.begins_ice_anew(said):
            if browser.coming is None and browser.current is not None:
                browser.coming = restarted(browser.current, *credentials())
        elif browser.only_ice_anew and said.ufrag == browser.association.ice:
            browser.coming = None  # the offer that began ICE anew came to nothing
        for place in browser.socketless(said):
            association = browser.association
            if len(association.sockets) == len(browser.places):
                association.sockets = await self._worker.open(AddStream(association.key))
            browser.places.append(place)
        browser.body = sdp
        return browser.hear(browser.as_answered(said) if answers else said, for_us=for_us)

    def _same_page(self, said: rtc_bodies.Said) -> BrowserLeg | None:
        """Return the leg of another call that has said this: its party is on its way from there.

        It keeps its association: a browser begins no DTLS anew with a certificate that it knows.
        """
        for browser in self._by_key.values():
            current = browser.current
            if (
                current is not None
                and current.ice == said.ufrag
                and current.certificates == said.fingerprints
            ):
                return browser
        return None

    def _take_back(self, browser: BrowserLeg) -> None:
        """Have again what `_same_page` gave to another leg: the stream within came along after all."""
        current = browser.current
        if current is not None and self._by_key.get(current.key) not in (None, browser):
            self._by_key[current.key] = browser
            agreed = browser.agreement()
            if agreed is not None:
                self._worker.say(agreed)

    async def _begin_anew(self, browser: BrowserLeg, said: rtc_bodies.Said) -> None:
        """Have another association: another page speaks, or answers what one of them has answered."""
        association = browser.association
        if said.setup != "actpass":
            # It answers our offer, whose credentials it was told; nobody else may have them.
            self._close(browser, association)
            browser.coming = await self._opened(browser, association.ufrag, association.password)
        elif browser.coming is None or browser.only_ice_anew:
            browser.coming = await self._opened(browser)

    async def _tell(self, browser: BrowserLeg, body: bytes, *, offers: bool) -> bytes:
        """Return what the engine within says to a browser as WebRTC."""
        ready = await self._worker.wait_ready()
        if not offers:
            browser.takes_role()
        return browser.tell(body, self._addresses_for(browser, ready.addresses), offers=offers)

    def _addresses_for(self, browser: BrowserLeg, own: tuple[Address, ...]) -> tuple[Address, ...]:
        """Return where a browser finds the worker; a public address in front of us is one more."""
        advertised = browser.advertised
        if advertised in ("", *_ANY, *self._addresses) or any(host == advertised for host, _ in own):
            return own
        same_kind = next((port for host, port in own if (":" in host) == (":" in advertised)), 0)
        return (*own, (advertised, same_kind)) if same_kind else own

    def _agree(self, browser: BrowserLeg) -> None:
        """Let what was said and told hold, and tell the worker."""
        current, coming = browser.current, browser.coming
        browser.takes_role()
        agreed = browser.agreement()
        if agreed is None:
            return  # every line was refused: what holds goes on
        if coming is not None:
            if current is None and coming.ice:
                pass  # it came along from another call, as it is
            elif current is not None and current.key == coming.key:
                self._worker.say(Restart(coming.key, coming.ufrag, coming.password))
            elif current is not None:
                self._close(browser, current)
            browser.current, browser.coming = coming, None
            self._by_key[coming.key] = browser
        self._worker.say(agreed)
        self._pair(browser)

    def _pair(self, browser: BrowserLeg) -> None:
        """Let two browsers that see each other ask the other's camera, and any other by the engine within."""
        ours, partner = browser.current, browser.partner
        if ours is None or len(ours.sockets) < 2:
            return
        theirs = partner.current if partner is not None else None
        if theirs is None:
            self._worker.say(Pair(ours.key, ""))
        elif len(theirs.sockets) > 1:
            self._worker.say(Pair(ours.key, theirs.key))
            self._worker.say(Pair(theirs.key, ours.key))

    # -- associations ------------------------------------------------------------------------------

    async def _opened(self, browser: BrowserLeg, ufrag: str = "", password: str = "") -> Association:
        """Return a new association of the worker's. Raises MediaUnavailable, MediaRefused."""
        if not ufrag:
            ufrag, password = credentials()
        ready = await self._worker.wait_ready()
        key = secrets.token_hex(8)
        streams = max(len(browser.places), 1)
        ipv6 = ":" in self._addresses[0]
        sockets = await self._worker.open(Open(key, ufrag, password, ipv6, streams))
        if len(sockets) < streams:
            raise MediaMisuse(f"the RTC worker gave leg {browser.name} {len(sockets)} of {streams} sockets")
        self._by_key[key] = browser
        return Association(key, ufrag, password, ready.fingerprint, sockets)

    def _close(self, browser: BrowserLeg, *associations: Association) -> None:
        """End what is still this leg's: what went on to another call stays."""
        own = [one for one in associations if self._by_key.get(one.key) is browser]
        for one in own:
            self._by_key.pop(one.key, None)
            self._absences.end(one.key)
        if own:
            self._worker.say(Close(tuple(one.key for one in own)))

    def _claim(self, browser: BrowserLeg, association: Association, ready: Ready) -> None:
        """Go on with an association, where this is still its worker; else its leg is deaf until `renew`."""
        if association.fingerprint == ready.fingerprint:
            ipv6 = ":" in association.sockets[0][0]
            self._worker.say(
                Open(
                    association.key,
                    association.ufrag,
                    association.password,
                    ipv6,
                    len(association.sockets),
                )
            )
            if association is browser.current and (agreed := browser.agreement()) is not None:
                self._worker.say(agreed)
            return
        self._lost(browser, association, "the RTC worker began anew")

    def _lost(self, browser: BrowserLeg, association: Association, reason: str) -> None:
        if association is not browser.current:
            return  # an offer under way comes to nothing
        association.lost = True
        self._absences.end(association.key)
        self._by_key.pop(association.key, None)
        self.events(StreamLost(browser.call, browser.name, reason))

    # -- what the worker tells ---------------------------------------------------------------------

    def _told(self, report: Report) -> None:
        match report:
            case Ready():
                for browser in [one for legs in self._legs.values() for one in legs.values()]:
                    for association in browser.associations():
                        self._claim(browser, association, report)
            case Opened(key, sockets):
                for browser, association in self._named(key):
                    if association.sockets != sockets:
                        self._lost(browser, association, "the RTC worker forgot it")
            case Connected(key, address) | Moved(key, address):
                self._absences.end(key)
                for browser, association in self._named(key):
                    association.remote = address
                    _log.info("call=%s leg=%s browser=%s:%d", browser.call, browser.name, *address)
            case Gone(key, why):
                for browser, _ in self._named(key):
                    _log.warning("call=%s leg=%s browser gone: %s", browser.call, browser.name, why)
                self._absences.begin(key, why)
            case Refused(key, reason):
                for browser, association in self._named(key):
                    self._lost(browser, association, reason)
            case _:
                pass

    def _stayed_away(self, key: str, why: str) -> None:
        browser = self._by_key.get(key)
        # A leg that has another association by now is heard over that one.
        if browser is not None and browser.current is not None and browser.current.key == key:
            self.events(BrowserGone(browser.call, browser.name, why))

    def _named(self, key: str) -> list[tuple[BrowserLeg, Association]]:
        """Return whose association this is: one, or two of one leg that begins ICE anew, or none."""
        browser = self._by_key.get(key)
        associations = browser.associations() if browser is not None else []
        return [(browser, one) for one in associations if browser is not None and one.key == key]
