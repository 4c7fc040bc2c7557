"""Sound that passes through rtpengine daemons: the signalling half of the engine, over their ng protocol.

What a phone is told is written by `media.negotiation`, as for every engine of ours. A daemon is only told
which two parties belong together: it is offered and answered a plain description of each, and what counts of
its own words is the port (and, with SRTP, the key) that it gives each of them.

```
    first offer      nothing known of either      offer, answer      a port for each
    answer           what both have agreed        offer, answer      sound flows, or flows otherwise
    a leg alone      what it has agreed, and      offer, answer      it can be played to; its digits are heard
                     its shadow, who is nowhere
```
So a daemon only ever knows what was agreed, and an offer that is refused needs no undoing. A shadow ("~leg")
is the party that a leg without a peer is joined to; for an echo it has the daemon's own port as its
address, so that what the leg says comes back in, and out to the leg.

Keys (RFC 4568) are those of `media.negotiation`, too. A daemon would make its own, but where an offerer has a
suite already it hands that one's key on, so that packets may pass as they are: so the shadow of a leg offers
it our key ("planted"), and from there on the daemon encrypts with it what it sends to the leg. Who has keys
makes the offer when it is joined to one who hasn't; of two who have, the one with the lower tag, and where
their suites are the same it offers our key for the other beside its own, which would take its place. Tags
are between the daemon and us, and no two legs of a call have the same.

Every m= line beside the sound (video, text, T.38) is a party of its own ("leg+place") of the same call,
joined to the line of the other leg that it goes with: what becomes of one of them is nothing to the others.

What differs from the engines that have a media process:
- a leg hears the SSRC of its peer, or one of the daemon's while it is played something or is transcoded;
- a digit is told when its key is released (the daemon's `dtmf-log-dest` names our socket for it);
- digits to a leg with a peer go out as RFC 4733 events while that peer sends sound; to a leg without one,
  or whose peer is mute, as the tones of the keys;
- who is alone can be recorded, and ends to be when it is joined to somebody;
- an echo needs no media process but goes out of the daemon and in again, a port pair more;
- what is played is sent to the daemon in pieces of 7 s, with a gap of some 20 ms between two of them;
- silence is found by asking, every `POLL_SECONDS`; `packets_sent` is what came from the peer, `lost` and
  `jitter_ms` are what the other side reported, and `limited_packets` is always 0;
- after a leg has lost its daemon it is offered new keys, but whoever keeps its own for more than 65,536
  packets counts on with a rollover counter that no daemon can be told;
- on the recorder's tape is what a leg is played as it was given to the daemon, but no key as an event, and
  nothing that is said while signalling is away;
- rooms and the move of a leg into another call are not there: `join` is refused (488), `move` returns False;
- no ports are kept for emergency calls: such a call may go to a daemon that is draining instead.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from media import dtmf, negotiation, sdes, sdp, tones
from media.engine import (
    NO_TRACK,
    CallMedia,
    DigitReceived,
    EngineLost,
    LegQuality,
    MediaEvent,
    MediaHeard,
    MediaMisuse,
    MediaRefused,
    MediaSilent,
    MediaUnavailable,
    Multicast,
    PlayFinished,
    RecordEnd,
    RecordFinished,
    Source,
    StreamLost,
)
from media.engines import wire
from media.engines.daemon_counts import Counts, counts_of
from media.engines.daemon_exchanges import NOT_HERE, Exchanges
from media.engines.daemon_parties import (
    NOTHING,
    DaemonCall,
    DaemonLeg,
    FurtherLine,
    Play,
    close_ear,
    in_order,
    leg_media,
    restored,
)
from media.engines.daemon_words import description
from media.engines.daemons import Connect, Daemon, DaemonStatus, Pool, audio_in
from media.engines.ng import Link, NgError, NgRefused, NgSilent, Reply, Said
from media.engines.pieces import Piece, pieces_of
from media.engines.reel import Reel, Writer
from media.sdes import Policy
from media.snapshot import CallMediaSnapshot
from media.speech import Piper

if TYPE_CHECKING:
    from media.engines.daemon_recordings import Recordings
    from media.engines.daemon_tapes import Tapes

_log = logging.getLogger(__name__)

NO_PORT: Final = 480
POLL_SECONDS: Final = 5.0  # between two looks at one call
POLLS_A_SECOND: Final = 50  # at all calls together
PIECE_GAP_SECONDS: Final = 0.02
ALWAYS: Final = 1_000_000  # repetitions
MAX_NOTICE_BYTES: Final = 8192


class _Notice(msgspec.Struct):
    """What a daemon says of a key that was released, in JSON."""

    callid: str
    source_tag: str
    event: int
    type: str = "DTMF"


class RtpengineEngine:
    """A `media.engine.MediaEngine` over a pool of rtpengine daemons.

    daemons: addresses of their ng sockets; prompts: folder of spoken prompts; digits: the address that the
    daemons' `dtmf-log-dest` names, None to hear no digits; voices: piper's voice files by language; music: on
    hold, None for our own; events: called in the loop with each event;
    reel: of the recorder's tape, None where nothing is recorded;
    silence_seconds: after how long a leg is reported silent. Nothing works before `start`, except `restore`;
    `serve` looks after daemons and streams meanwhile, as long as it runs.
    """

    carries = True
    speaks_webrtc = False
    records = True

    def __init__(
        self,
        daemons: Sequence[tuple[str, int]],
        prompts: Path,
        events: Callable[[MediaEvent], None] | None = None,
        *,
        digits: tuple[str, int] | None = None,
        voices: Mapping[str, Path] | None = None,
        music: Path | None = None,
        silence_seconds: float = 10.0,
        connect: Connect = Link,
        reel: Reel | None = None,
    ) -> None:
        self.events: Callable[[MediaEvent], None] = events or _ignore
        self.pool = Pool(daemons, self._daemon_lost, connect)
        from media.engines.sounds import Sounds  # with numpy: for a node that has rtpengine

        self._sounds = Sounds(prompts, Piper(voices) if voices else None, music)
        self._recordings: Recordings | None = None  # from the first one on
        self._recorded: dict[int, tuple[str, str]] = {}  # call and leg of those that go on
        self._recording = 0
        self.tapes = reel is not None
        self._reel = reel
        self._tapes: Tapes | None = None  # from the first leg on that is on the tape
        self._uncopied: set[tuple[str, str]] = set()  # call and leg that a process before this one had there
        self._restored = asyncio.Event()  # some of them are known
        self._digits = digits
        self._digits_socket: socket.socket | None = None
        self._hosts = frozenset(host for host, _ in daemons)
        self._silence_seconds = silence_seconds
        self._calls: dict[str, DaemonCall] = {}
        self._session = secrets.randbits(46)  # RFC 8866 section 5.2: unique, over restarts too
        self._worker = ThreadPoolExecutor(2, "prompts")
        self._exchanges = Exchanges(self._ask)

    # -- from beginning to end -----------------------------------------------------------------------

    async def start(self) -> None:
        """Open the sockets and find the daemons. Raises MediaUnavailable when none answers."""
        if self._digits is not None and self._digits_socket is None:
            self._digits_socket = _bound(self._digits)
            reading = asyncio.get_running_loop().add_reader
            reading(self._digits_socket.fileno(), self._digits_readable, self._digits_socket)
        await self.pool.start()

    async def serve(self) -> None:
        """Look after the daemons and the streams for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.pool.watch())
            group.create_task(self._listen())
            group.create_task(self._copy_again())

    def close(self) -> None:
        """Let go of the sockets. What the daemons carry goes on without us."""
        self.pool.close()
        if self._recordings is not None:
            self._recordings.close()
            self._recordings = None
        self._worker.shutdown(wait=False, cancel_futures=True)
        for call in self._calls.values():
            for stream in call.legs.values():
                self._end_play(stream)
                close_ear(stream)
                self._close_copies(stream)
        if self._tapes is not None:
            self._tapes.close()
            self._tapes = None
        if self._digits_socket is not None:
            asyncio.get_running_loop().remove_reader(self._digits_socket.fileno())
            self._digits_socket.close()
            self._digits_socket = None

    def drain(self, name: str, *, draining: bool = True) -> None:
        """Give a daemon no new call, or again. Raises KeyError for a name that isn't configured."""
        self.pool.drain(name, draining=draining)

    def status(self) -> list[DaemonStatus]:
        """Return how the daemons are."""
        return self.pool.status()

    @property
    def any_addresses(self) -> tuple[str, ...]:
        """The kinds of address that the daemons have: "0.0.0.0" and "::", to be told as `advertise`.

        Such an address chooses the kind; which one is told is the daemon's that has the call.
        """
        kinds = {ipv6 for daemon in self.pool.daemons.values() for ipv6 in daemon.addresses}
        return tuple(("0.0.0.0", "::")[ipv6] for ipv6 in sorted(kinds))  # noqa: S104 - told, never bound

    def inventory(self) -> dict[str, int]:
        """Return what is held now: calls, legs with a port, and what is playing."""
        legs = [stream for call in self._calls.values() for stream in call.legs.values()]
        return {
            "media_calls": len(self._calls),
            "media_ports": sum(port != 0 for stream in legs for port in stream.ports),
            "media_playing": sum(stream.play is not None for stream in legs),
        }

    def snapshot(self, call: str) -> CallMediaSnapshot:
        """See MediaEngine. `engine` names the daemon that has the call."""
        known = self._calls.get(call)
        if known is None:
            return CallMediaSnapshot(call, [])
        return CallMediaSnapshot(
            call,
            [
                stream.snapshot(stream.peer.name if stream.peer is not None else "", echoes=stream.echoes)
                for stream in known.legs.values()
            ],
            known.daemon.name if known.daemon is not None else "",
        )

    def restore(self, snapshot: CallMediaSnapshot) -> None:
        """See MediaEngine. What the daemon carries goes on; what it has lost is found by the next look."""
        if snapshot.call in self._calls:
            raise MediaMisuse(f"call {snapshot.call} is there already")
        if not snapshot.legs:
            return
        call = DaemonCall(snapshot.call)
        for tag, kept in enumerate(snapshot.legs, 1):
            call.legs[kept.name] = restored(kept, tag)
        for kept in snapshot.legs:
            call.legs[kept.name].peer = call.legs.get(kept.peer)
        for stream in call.legs.values():
            call.parties[stream.name] = stream
            for line in stream.further():
                call.parties[line.name] = line
                line.joined, line.carried = True, line.remote or NOTHING
        daemon = self.pool.daemons.get(snapshot.engine)
        self._calls[call.name] = call
        if daemon is None or not daemon.up:
            why = "does not answer" if daemon is not None else "is not in the pool"
            reason = f"{snapshot.engine or 'another engine'} {why}"
            asyncio.get_running_loop().call_soon(self._lost, call, reason)
            return
        call.daemon = daemon
        daemon.calls.add(call.name)
        self._uncopied.update((call.name, stream.name) for stream in call.legs.values() if stream.tapes)
        if self._uncopied:
            self._restored.set()

    # -- the verbs -----------------------------------------------------------------------------------

    def secure(self, call: str, leg: str, policy: Policy) -> None:
        """See MediaEngine."""
        known = self._call(call)
        if leg in known.legs:
            known.legs[leg].secure(policy)
        else:
            known.policies[leg] = policy

    def reserve(self, call: str) -> None:
        """See MediaEngine: the call may go to a daemon that is draining."""
        self._call(call).reserving = True

    async def offer(
        self,
        call: str,
        leg: str,
        to: str,
        sdp: bytes,
        *,
        nat: bool = False,
        advertise: str = "",
        simple: bool = False,
    ) -> bytes:
        """See MediaEngine."""
        known = self._call(call)
        source = self._stream(known, leg, body=sdp)
        destination = self._stream(known, to, advertise=advertise or source.address)
        destination.simple = destination.simple or simple
        self._advertise(known, destination, advertise)
        await self._exchanges.place(known, source, destination)
        negotiation.hear_offer(source, destination, sdp, nat=nat)
        if source.lines:
            await self._place_further(known, source, destination)
        return negotiation.tell_offer(source, destination)

    async def answer(
        self, call: str, leg: str, to: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """See MediaEngine."""
        known, source = self._known(call, leg)
        _, destination = self._known(call, to)
        self._advertise(known, destination, advertise)
        body = negotiation.answer(source, destination, sdp, nat=nat)
        port, told = source.port, destination.ports
        await self._join(known, destination, source)
        if source.port != port:  # the daemon has forgotten the call meanwhile, and begun anew
            self.events(StreamLost(call, leg, "the daemon has begun anew"))
        same = destination.ports == told
        return body if same else negotiation.answer(source, destination, sdp, nat=nat)

    async def publish(
        self, call: str, leg: str, sdp: bytes, *, nat: bool = False, advertise: str = ""
    ) -> bytes:
        """See MediaEngine."""
        known = self._call(call)
        stream = self._stream(known, leg, body=sdp)
        self._advertise(known, stream, advertise)
        await self._exchanges.place(known, stream)
        body, port = negotiation.publish(stream, sdp, nat=nat), stream.port
        await self._part(known, stream)
        return body if stream.port == port else negotiation.publish(stream, sdp, nat=nat)

    async def terminate_offer(self, call: str, leg: str, *, advertise: str = "") -> bytes:
        """See MediaEngine."""
        known = self._call(call)
        stream = self._stream(known, leg, advertise=advertise)
        self._advertise(known, stream, advertise)
        await self._exchanges.place(known, stream)
        return negotiation.terminate_offer(stream)

    async def terminate_answer(self, call: str, leg: str, sdp: bytes, *, nat: bool = False) -> None:
        """See MediaEngine."""
        known, stream = self._known(call, leg)
        negotiation.terminate_answer(stream, sdp, nat=nat)
        await self._part(known, stream)

    async def play(self, call: str, leg: str, source: Source, *, repeat: bool = False) -> None:
        """See MediaEngine. The sound is made in a thread, and begins when it is there."""
        known, stream = self._known(call, leg)
        self._require_daemon(known)
        self._end_play(stream)
        stream.play = play = Play(repeat=repeat)
        await self._hush(known, stream)
        making = asyncio.get_running_loop().run_in_executor(
            self._worker, pieces_of, self._sounds, source, repeat
        )
        making.add_done_callback(partial(self._made, known, stream, play))

    async def stop(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        known = self._calls.get(call)
        stream = known.legs.get(leg) if known is not None else None
        if known is None or stream is None:
            return
        playing, echoing = stream.play is not None, stream.echoes
        self._end_play(stream)
        stream.echoes = False
        try:
            if playing:
                await self._ask(known, "stop media", {"from-tag": stream.name})
                await self._hush(known, stream)
            if echoing:
                await self._settle(known, stream)
        except (MediaUnavailable, MediaRefused) as error:
            _log.warning("call=%s leg=%s not stopped: %s", call, leg, error)

    async def echo(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        known, stream = self._known(call, leg)
        stream.echoes = True
        await self._settle(known, stream)

    async def record(
        self,
        call: str,
        leg: str,
        path: str,
        *,
        seconds: float,
        silence_seconds: float = 0.0,
        keys: str = "",
    ) -> None:
        """See MediaEngine. Raises MediaRefused (488) for a leg that is joined to another, too."""
        known, stream = self._known(call, leg)
        daemon = self._require_daemon(known)
        if stream.remote is None or stream.voice is None:
            raise MediaMisuse(f"leg {leg} has agreed to no sound")
        if stream.peer is not None:
            raise MediaRefused(NOT_HERE, "with rtpengine, who is joined to another isn't recorded")
        from media.engines.daemon_recordings import Ear, Recordings

        if self._recordings is None:
            self._recordings = Recordings(self._record_ended)
        await self.stop_recording(call, leg)
        if stream.ear is None:
            stream.ear = Ear(_facing(daemon, stream.address))
            await self._settle(known, stream)
        self._recording += 1
        stream.recording = self._recording
        self._recorded[stream.recording] = (call, leg)
        said = wire.Record(stream.recording, stream.recording, path, seconds, silence_seconds, keys)
        codecs = {codec.payload_type: codec for codec in stream.remote.codecs}
        self._recordings.begin(stream.ear, said, codecs, stream.voice)

    async def stop_recording(self, call: str, leg: str) -> None:
        """See MediaEngine."""
        known = self._calls.get(call)
        if known is not None and leg in known.legs:
            self._end_recording(known.legs[leg], "stopped")

    def _end_recording(self, stream: DaemonLeg, why: RecordEnd) -> None:
        """End what is recorded of a leg, if anything; it is told when the disk has it."""
        if self._recordings is not None and stream.recording:
            self._recordings.end(stream.recording, why)
            stream.recording = 0

    def _record_ended(self, number: int, why: RecordEnd, seconds: float) -> None:
        call, leg = self._recorded.pop(number, ("", ""))
        if call in self._calls:
            self.events(RecordFinished(call, leg, why, seconds))

    async def tape(self, call: str, leg: str, slot: int, by_leg: int, to_leg: int) -> None:
        """See MediaEngine."""
        ends = by_leg == to_leg == NO_TRACK
        if not (ends or self.tapes):
            raise MediaRefused(NOT_HERE, "this engine has no tape")
        known = self._calls.get(call)
        stream = known.legs.get(leg) if known is not None else None
        if known is not None and stream is not None:
            if stream.copies is not None and self._tapes is not None:
                self._tapes.take(stream.copies, stream)  # as was said before
            stream.tape(slot, by_leg, to_leg)
            await self._copy(known, stream)
            self._tape_played(stream)
        elif not ends:
            raise MediaMisuse(f"call {call} has no media for leg {leg}")

    async def _copy(self, call: DaemonCall, stream: DaemonLeg) -> None:
        """Have the daemon send us what the leg says as long as it is on the tape.

        One that can't is told in the log, and by whoever watches over the recording.
        """
        if bool(stream.tapes) == (stream.copies is not None) or self._reel is None:
            return
        if call.daemon is None or stream.remote is None:
            return  # it is when it has agreed to something
        from media.engines.daemon_recordings import Ear
        from media.engines.daemon_tapes import Tapes

        party: dict[str, Said] = {"from-tag": stream.name, "to-tag": f"tape of {stream.name}"}
        try:
            if stream.copies is not None:
                self._close_copies(stream)
                await self._ask(call, "unsubscribe", party)
                return
            stream.copies = ear = Ear(_facing(call.daemon, stream.address))
            plain: dict[str, Said] = {"transport-protocol": "RTP/AVP", "ICE": "remove", "DTLS": "off"}
            plain |= {"address family": "IP6" if ":" in ear.place[0] else "IP4", "rtcp-mux": ["offer"]}
            offered = await self._ask(call, "subscribe request", party | plain)
            said = audio_in(offered)
            ear.socket.connect((said.host, said.port))  # nobody else is heard there
            if self._tapes is None:
                self._tapes = Tapes(Writer(self._reel))
            self._tapes.hear(ear, stream)
            answer = description(said, *ear.place, "recvonly", mux=True)
            await self._ask(call, "subscribe answer", party | {"sdp": answer})
        except (MediaRefused, MediaUnavailable, NgRefused, OSError) as error:
            _log.error("call=%s leg=%s isn't on the tape: %s", call.name, stream.name, error)
            self._close_copies(stream)

    def _tape_played(self, stream: DaemonLeg) -> None:
        """Have on the tape what a leg is being played, if it is there."""
        play = stream.play
        if play is not None and play.pieces and stream.tapes and self._tapes is not None:
            repeat = play.repeat and len(play.pieces) == 1
            piece = play.pieces[play.place]
            self._tapes.play(stream, piece, play.began_at, repeat=repeat)

    def _close_copies(self, stream: DaemonLeg) -> None:
        if stream.copies is not None and self._tapes is not None:
            self._tapes.forget(stream.copies, stream)
        elif stream.copies is not None:
            stream.copies.socket.close()
        stream.copies = None

    async def dtmf(self, call: str, leg: str, digits: str) -> None:
        """See MediaEngine."""
        known, stream = self._known(call, leg)
        digits = dtmf.digits_only(digits)
        self._require_daemon(known)
        if not digits:
            return
        peer = stream.peer
        if peer is not None and stream.event_type >= 0:
            try:
                if not known.injects:
                    known.injects = True
                    await self._settle(known, stream)
                for digit in digits:
                    await self._ask(known, "play DTMF", {"from-tag": peer.name, "code": digit})
            except MediaRefused as error:  # such as: no packet has come from the peer yet
                _log.info("call=%s leg=%s digits go out as tones: %s", call, leg, error.reason)
            else:
                return
        await self.play(call, leg, tones.key_presses(digits))

    def ask_for_picture(self, call: str, leg: str) -> None:
        """Do nothing: a daemon passes on what is asked in RTCP, and asks nobody by itself."""

    async def multicast(self, call: str, leg: str, to: Multicast) -> None:
        """Raise MediaRefused (488): a daemon sends to those alone who agreed to it."""
        raise MediaRefused(NOT_HERE, "rtpengine sends no multicast")

    async def join(self, call: str, leg: str, room: str, *, speaks: bool = True, hears: bool = True) -> None:
        """Raise MediaRefused (488): a daemon mixes nothing."""
        raise MediaRefused(NOT_HERE, "rtpengine has no rooms")

    async def leave(self, call: str, leg: str) -> None:
        """Do nothing: no leg is in a room."""

    async def whisper(self, call: str, leg: str, to: str | None, *, to_call: str = "") -> None:
        """Raise MediaRefused (488): a daemon mixes nothing."""
        raise MediaRefused(NOT_HERE, "rtpengine has no rooms")

    async def move(self, call: str, leg: str, to_call: str, to_leg: str) -> bool:
        """Return False: a port belongs to its call for good."""
        self._known(call, leg)
        return False

    async def renew(self, call: str, leg: str) -> None:
        """See MediaEngine: the port is one of a daemon that is there."""
        known, stream = self._known(call, leg)
        stream.port = 0
        # RFC 3711 section 9.1: another daemon would begin with the numbers that the key was used for already.
        for line in (stream, *stream.lines.values()):
            if line.told_keys:
                line.security, line.told_keys = None, tuple(sdes.offered_security(stream.policy, line.random))
        self._advertise(known, stream, "")
        await self._exchanges.place(known, stream)

    async def query(self, call: str) -> CallMedia:
        """See MediaEngine."""
        known = self._calls.get(call)
        if known is None or known.daemon is None:
            return CallMedia({})
        reply = await self._ask(known, "query", {})
        now = asyncio.get_running_loop().time()
        counts = {name: counts_of(reply, name) for name in known.legs}
        self._look(known, counts, now)
        return CallMedia(
            {
                name: leg_media(
                    stream, counts[name], counts.get(stream.peer.name) if stream.peer else None, now
                )
                for name, stream in known.legs.items()
            }
        )

    async def delete(self, call: str) -> None:
        """See MediaEngine. It isn't waited for: a daemon that doesn't answer ends streams by itself."""
        known = self._calls.pop(call, None)
        if known is None:
            return
        for stream in known.legs.values():
            self._end_play(stream)
            stream.peer = None
            self._recorded.pop(stream.recording, None)  # without a word
            self._end_recording(stream, "lost")
            close_ear(stream)
            self._close_copies(stream)
        daemon, known.daemon = known.daemon, None
        if daemon is not None:
            daemon.calls.discard(call)
            if daemon.up:
                self._begin(daemon, "delete", {"call-id": call, "delete delay": 0})

    def codec(self, call: str, leg: str) -> str:
        """See MediaEngine."""
        known = self._calls.get(call)
        return known.legs[leg].codec if known is not None and leg in known.legs else ""

    def leg_codecs(self, call: str, leg: str) -> dict[str, str]:
        """See MediaEngine."""
        known = self._calls.get(call)
        codecs = known.legs[leg].codecs_by_number if known is not None and leg in known.legs else {}
        return {"8": "PCMA/8000/1"} | codecs if codecs and self.tapes else codecs  # see `daemon_tapes`

    # -- legs and their ports ------------------------------------------------------------------------

    def quality(self, call: str, leg: str) -> LegQuality | None:
        """Return None: what the daemons measure of a call is asked by `query` alone."""
        return None

    def _call(self, name: str) -> DaemonCall:
        return self._calls.setdefault(name, DaemonCall(name))

    def _known(self, call: str, leg: str) -> tuple[DaemonCall, DaemonLeg]:
        try:
            return self._calls[call], self._calls[call].legs[leg]
        except KeyError:
            raise MediaMisuse(f"call {call} has no media for leg {leg}") from None

    def _require_daemon(self, call: DaemonCall) -> Daemon:
        """Return the daemon that has the call. Raises MediaUnavailable when it is lost."""
        if call.daemon is None:
            raise MediaUnavailable("the call's rtpengine is lost")
        return call.daemon

    def _addresses(self, call: DaemonCall) -> dict[bool, str]:
        """Return the addresses that the call's legs may have; its daemon is chosen here."""
        if call.daemon is None:
            call.daemon = self.pool.choose(emergency=call.reserving)
            call.daemon.calls.add(call.name)
        return call.daemon.addresses

    def _stream(self, call: DaemonCall, leg: str, *, body: bytes = b"", advertise: str = "") -> DaemonLeg:
        """Return the leg, made on first use on the kind of address that `body` or `advertise` has."""
        addresses = self._addresses(call)
        if leg in call.legs:
            return call.legs[leg]
        ipv6 = _speaks_ipv6(body) if body else ":" in advertise
        address = addresses.get(ipv6) or next(iter(addresses.values()))
        self._session += 1
        stream = DaemonLeg(leg, address, self._session, len(call.legs) + 1)
        stream.policy = call.policies.pop(leg, "off")
        call.legs[leg] = call.parties[leg] = stream
        return stream

    def _advertise(self, call: DaemonCall, stream: DaemonLeg, advertise: str) -> None:
        """Choose the address that the leg is told."""
        ipv6 = ":" in stream.address
        said = advertise not in ("", "0.0.0.0", "::") and (":" in advertise) == ipv6  # noqa: S104 - compared
        stream.address = advertise if said else self._addresses(call).get(ipv6, stream.address)

    async def _place_further(self, call: DaemonCall, source: DaemonLeg, destination: DaemonLeg) -> None:
        """Have a port for each line of an offer beside its sound, and for the one that it goes to.

        What the daemon doesn't take is refused, and the call goes on; with its last port the call is lost.
        """
        for line in source.lines.values():
            mate = destination.lines.get(line.other)
            if line.said is None or not isinstance(line, FurtherLine):
                continue
            if isinstance(mate, FurtherLine) and mate.said is not None:
                call.parties[line.name], call.parties[mate.name] = line, mate
                line.carried = mate.carried = line.said
                try:
                    await self._exchanges.place(call, line, mate)
                except (MediaRefused, MediaUnavailable) as error:
                    if call.daemon is None:
                        raise
                    _log.warning("call=%s m=%s not carried: %s", call.name, line.said.kind[:40], error)
                    line.said = mate.said = None

    # -- who hears whom --------------------------------------------------------------------------------

    async def _join(self, call: DaemonCall, one: DaemonLeg, other: DaemonLeg) -> None:
        """Let two legs hear each other, as both have agreed; their former peers are alone from here on."""
        left = [stream.peer for stream in (one, other) if stream.peer not in (None, one, other)]
        fresh = one.peer is not other
        one.peer, other.peer = other, one
        if fresh:
            for stream in (one, other):
                stream.echoes = False
                if stream.play is not None:
                    await self.stop(call.name, stream.name)
        await self._settle(call, one)
        for stream in left:
            if stream is not None:
                stream.peer = None
                await self._settle(call, stream)
                await self._settle_further(call, stream)
        await self._settle_further(call, one, other)

    async def _part(self, call: DaemonCall, stream: DaemonLeg) -> None:
        """Let a leg be alone, and its former peer too."""
        former, stream.peer = stream.peer, None
        await self._settle(call, stream)
        await self._settle_further(call, stream)
        if former is not None:
            former.peer = None
            await self._settle(call, former)
            await self._settle_further(call, former)

    async def _settle_further(self, call: DaemonCall, *streams: DaemonLeg) -> None:
        """Let the daemon carry the lines beside the sound, as their legs have agreed, and no others."""
        done: set[FurtherLine] = set()
        for line in [line for stream in streams for line in stream.further()]:
            mate = line.mate
            try:
                if mate is None:
                    await self._exchanges.send_nowhere(call, line)
                elif line not in done:
                    done |= {line, mate}
                    line.joined = mate.joined = True
                    await self._exchanges.join(call, *in_order(line, mate))
                    await self._exchanges.hear(call, line, "" if line.receives else mate.name)
                    await self._exchanges.hear(call, mate, "" if mate.receives else line.name)
            except MediaRefused as refused:
                _log.warning("call=%s leg=%s not carried: %s", call.name, line.name, refused.reason)

    async def _settle(self, call: DaemonCall, stream: DaemonLeg) -> None:
        """Let the daemon carry what the leg and its peer, or its shadow, have agreed."""
        peer = stream.peer
        if stream.remote is None or (peer is not None and peer.remote is None):
            return
        deaf = [each for each in (stream, peer) if each is not None and (peer is not None or each.echoes)]
        for each in deaf:
            self._end_recording(each, "stopped")
        if peer is None or stream.echoes or peer.echoes:
            await self._exchanges.leave_alone(call, stream)
            if peer is not None:
                await self._exchanges.leave_alone(call, peer)
        else:
            await self._exchanges.join(call, *in_order(stream, peer))
        for each in deaf:  # nothing comes there any more
            close_ear(each)
        for one in (stream, peer):
            if one is not None:
                await self._hush(call, one)
                await self._attend(call, one)
                await self._copy(call, one)

    async def _hush(self, call: DaemonCall, stream: DaemonLeg) -> None:
        """Keep a leg from hearing its peer, or itself, while it is played something or doesn't listen."""
        audible = stream.peer.name if stream.peer is not None and not stream.echoes else ""
        if stream.echoes:
            audible = stream.name
        wanted = audible if stream.play is not None or not stream.receives else ""
        await self._exchanges.hear(call, stream, wanted)

    async def _attend(self, call: DaemonCall, stream: DaemonLeg) -> None:
        """Let the daemon find keys in the sound of a leg that has no events for them."""
        if self._digits is None or stream.attended or stream.voice is None or stream.event_type >= 0:
            return
        stream.attended = True
        # It has no verb of its own for this: blocking that is off sets up what listens.
        said: dict[str, Said] = {"DTMF-security": "off", "delay-buffer": 0, "flags": ["detect-DTMF"]}
        await self._ask(call, "block DTMF", {**said, "from-tag": stream.name})

    # -- what is played --------------------------------------------------------------------------------

    def _made(
        self, call: DaemonCall, stream: DaemonLeg, play: Play, making: "asyncio.Future[tuple[Piece, ...]]"
    ) -> None:
        """The sound is there, or can't be had: that is an end too."""
        if making.cancelled() or stream.play is not play:
            return
        if making.exception() is not None:
            _log.warning("call=%s leg=%s can't be played: %s", call.name, stream.name, making.exception())
            self._finish(call, stream, play)
            return
        play.pieces = making.result()
        self._play_piece(call, stream, play)

    def _play_piece(self, call: DaemonCall, stream: DaemonLeg, play: Play) -> None:
        if stream.play is not play or call.daemon is None:
            return
        piece = play.pieces[play.place]
        play.began_at = asyncio.get_running_loop().time()
        self._tape_played(stream)
        said: dict[str, Said] = {"call-id": call.name, "from-tag": stream.name, "blob": piece.wav}
        endless = play.repeat and len(play.pieces) == 1
        if endless:
            said["repeat-times"] = ALWAYS
        # A piece that the daemon refuses (such as for a leg on hold) takes its time all the same.
        self._begin(call.daemon, "play media", said)
        if not endless:
            seconds = piece.seconds + PIECE_GAP_SECONDS
            loop = asyncio.get_running_loop()
            play.timer = loop.call_later(seconds, self._piece_ended, call, stream, play)

    def _piece_ended(self, call: DaemonCall, stream: DaemonLeg, play: Play) -> None:
        play.place += 1
        if play.place == len(play.pieces) and not play.repeat:
            self._finish(call, stream, play)
        else:
            play.place %= len(play.pieces)
            self._play_piece(call, stream, play)

    def _end_play(self, stream: DaemonLeg) -> None:
        """Have the leg played nothing more, as far as it is ours to do."""
        play, stream.play = stream.play, None
        if play is not None and play.timer is not None:
            play.timer.cancel()
            play.timer = None
        if self._tapes is not None:
            self._tapes.stop(stream)

    def _finish(self, call: DaemonCall, stream: DaemonLeg, play: Play) -> None:
        if stream.play is not play:
            return
        self._end_play(stream)
        if stream.hushed and stream.receives and call.daemon is not None:
            said: dict[str, Said] = {"call-id": call.name, "from-tag": stream.hushed}
            self._begin(call.daemon, "unblock media", said)
            stream.hushed = ""
        self.events(PlayFinished(call.name, stream.name))

    # -- what the daemons say --------------------------------------------------------------------------

    async def _ask(self, call: DaemonCall, command: str, said: dict[str, Said]) -> Reply:
        """Ask the call's daemon. Raises MediaRefused (480 without a port, else 488), MediaUnavailable."""
        daemon = self._require_daemon(call)
        try:
            return await daemon.client.ask(command, {**said, "call-id": call.name})
        except NgSilent as error:
            self.pool.lose(daemon, str(error))
            raise MediaUnavailable(f"{daemon.name}: {error}") from None
        except NgRefused as error:
            if "nknown call-" in error.reason:
                self._lost(call, f"{daemon.name} has forgotten it")
                raise MediaUnavailable(str(error)) from None
            if "port" in error.reason or "limit" in error.reason:
                _log.warning("call=%s rtpengine=%s: %s", call.name, daemon.name, error.reason)
                # It has destroyed the whole call.
                self._lost(call, f"{daemon.name}: {error.reason}")
                raise MediaRefused(NO_PORT, "no media port left") from None
            raise MediaRefused(NOT_HERE, f"rtpengine: {error}") from None
        except NgError as error:
            raise MediaRefused(NOT_HERE, f"rtpengine can't be told: {error}") from None

    def _begin(self, daemon: Daemon, command: str, said: dict[str, Said]) -> None:
        """Tell a daemon something that nobody waits for; what goes wrong is logged."""

        def ended(reply: "asyncio.Future[Reply]") -> None:
            error = None if reply.cancelled() else reply.exception()
            if isinstance(error, NgSilent):
                self.pool.lose(daemon, str(error))
            elif error is not None:
                _log.info("call=%s rtpengine=%s: %s", said["call-id"], daemon.name, error)

        try:
            daemon.client.begin(command, said).add_done_callback(ended)
        except NgError as error:
            _log.error("call=%s rtpengine=%s: %s", said["call-id"], daemon.name, error)

    def _daemon_lost(self, daemon: Daemon, reason: str) -> None:
        for call in [self._calls[name] for name in daemon.calls]:
            self._lost(call, f"{daemon.name}: {reason}")
        if not any(other.up for other in self.pool.daemons.values()):
            self.events(EngineLost(f"no rtpengine answers; the last one: {daemon.name}: {reason}"))

    def _lost(self, call: DaemonCall, reason: str) -> None:
        """A call's daemon has it no more: its legs hear nothing until they have other ports."""
        if call.daemon is not None:
            call.daemon.calls.discard(call.name)
            call.daemon = None
        for stream in call.legs.values():
            had, stream.port, stream.hushed, stream.attended = stream.port, 0, "", False
            stream.planted = None
            self._end_recording(stream, "lost")
            close_ear(stream)
            self._close_copies(stream)
            for line in stream.further():
                line.port, line.hushed, line.planted, line.joined = 0, "", None, False
            if stream.play is not None:
                self._finish(call, stream, stream.play)
            if had:
                self.events(StreamLost(call.name, stream.name, reason))

    async def _listen(self) -> None:
        """Look at every call's streams, each of them every POLL_SECONDS at most."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1.0)
            for call in list(self._calls.values()):
                if call.daemon is None or loop.time() - call.asked_at < POLL_SECONDS:
                    continue
                call.asked_at = loop.time()
                try:
                    reply = await self._ask(call, "query", {})
                except (MediaUnavailable, MediaRefused):
                    continue  # its legs have been told
                self._look(call, {name: counts_of(reply, name) for name in call.legs}, loop.time())
                await asyncio.sleep(1 / POLLS_A_SECOND)

    async def _copy_again(self) -> None:
        """Have legs on the tape again that a process before this one had there, as soon as they are known."""
        while True:
            await self._restored.wait()
            self._restored.clear()
            while self._uncopied:
                name, leg = self._uncopied.pop()
                if name in self._calls and leg in self._calls[name].legs:
                    await self._copy(self._calls[name], self._calls[name].legs[leg])

    def _look(self, call: DaemonCall, counts: "dict[str, Counts]", now: float) -> None:
        """Compare what has come from each leg with the last look."""
        for name, stream in call.legs.items():
            if stream.heard_at < 0 and stream.remote is not None:
                stream.heard_at = now
            packets = counts[name].packets if name in counts else stream.packets
            if packets != stream.packets:
                stream.packets, stream.heard_at = packets, now
                if stream.silent:
                    stream.silent = False
                    self.events(MediaHeard(call.name, name))
            elif not stream.speaks:
                stream.heard_at = now
            elif not stream.silent and now - stream.heard_at >= self._silence_seconds:
                stream.silent = True
                self.events(MediaSilent(call.name, name, now - stream.heard_at))

    def _digits_readable(self, listening: socket.socket) -> None:
        for _ in range(64):
            try:
                datagram, source = listening.recvfrom(MAX_NOTICE_BYTES)
            except OSError:  # nothing more
                return
            if source[0] in self._hosts:
                self.digit_noticed(datagram)

    def digit_noticed(self, datagram: bytes) -> None:
        """Take what a daemon says of a key. What can't be read, or is of no call of ours, is dropped."""
        try:
            notice = msgspec.json.decode(datagram, type=_Notice)
        except msgspec.DecodeError:
            _log.info("a notice of a digit can't be read")
            return
        call = self._calls.get(notice.callid)
        if call is None or notice.source_tag not in call.legs or not 0 <= notice.event < len(dtmf.DIGITS):
            return
        digit, stream = dtmf.DIGITS[notice.event], call.legs[notice.source_tag]
        self.events(DigitReceived(notice.callid, notice.source_tag, digit))
        if stream.recording and self._recordings is not None:
            self._recordings.pressed(stream.recording, digit)


def _bound(address: tuple[str, int]) -> socket.socket:
    """Return a socket that hears the daemons' notices. Raises MediaUnavailable."""
    made = socket.socket(
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    )
    try:
        made.bind(address)
    except OSError as error:
        made.close()
        raise MediaUnavailable(
            f"no digits can be heard at {address[0]}:{address[1]}: {error.strerror}"
        ) from None
    return made


def _facing(daemon: Daemon, address: str) -> str:
    """Return the daemon's address that ours is chosen by: of its ng socket, unless that is a loopback's."""
    host = daemon.address[0]
    known = (":" in host) in daemon.addresses
    return (
        host if known and host not in ("127.0.0.1", "::1") else daemon.addresses.get(":" in address, address)
    )


def _speaks_ipv6(body: bytes) -> bool:
    """Say whether a body has its audio on IPv6; False for one that can't be read and is refused later.

    RFC 8866 section 5.7.
    """
    if b"IP6" not in body:
        return False
    try:
        audio = [media for media in sdp.parse(body).media if media.kind == "audio"]
    except sdp.SdpError:
        return False
    return bool(audio) and ":" in audio[0].host


def _ignore(event: MediaEvent) -> None:
    _log.debug("media event without an owner: %s", event)
