"""A real phone: Debian's baresip 1.0 (`baresip-core`), without a screen or a sound card.

It speaks a tone of its own, records what it hears, and obeys the JSON commands of its `ctrl_tcp` module:
netstrings both ways, answers and events on one connection. Events are read when a test waits for them,
in the order in which they happened; one that a test doesn't name is skipped.

Quirks of 1.0.0: it won't use the loopback interface; without `sip_listen` it takes any port, and then no
second phone can call it directly; `ausine` makes 48 kHz stereo only; a SHA-256 challenge, even beside an
MD5 one, makes its registration fail; a call that it refuses itself raises no event on its own side; with a
long `snd_path` it records nothing and doesn't say so, so it works in its own folder.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.interop.ear import Ear
from tests.interop.namespaces import Namespace
from tests.interop.patience import PeerError, deadline, until
from tests.interop.tone import Recording, ToneError, read_recording

_CONTROL = ("127.0.0.1", 4444)
_START_SECONDS = 45.0
_ANSWER_SECONDS = 45.0  # to any command, and for what the other side does at once
_KEY_SECONDS = 0.3  # between two keys
_LARGEST_MESSAGE_BYTES = 65_536

_CODECS = {
    "PCMA": "PCMA/8000/1",
    "PCMU": "PCMU/8000/1",
    "G722": "G722/16000/1",
    "opus": "opus/48000/2",
}
"""As its account names them: with the rate of the sound, not that of the timestamps."""

_CONFIGURATION = """\
poll_method epoll
sip_listen {address}:5060
call_local_timeout 120
call_max_calls 4
audio_source ausine,{tone_hz}
audio_player aubridge,ear
audio_alert aubridge,bell
audio_txmode thread
ausrc_srate 48000
ausrc_channels 2
video_source fakevideo,nil
video_display fakevideo,nil
video_size 176x144
video_fps 5
jitter_buffer_delay 1-10
module_path {modules}
module g711.so
{modules_more}module sndfile.so
module ausine.so
module aubridge.so
{applications}{identity}module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {control[0]}:{control[1]}
snd_path .
statmode_default off
"""


class Baresip(Ear):
    """One phone with one account, alive inside `async with`.

    server: address of the registrar, also the domain of the account. transport: udp or tcp.
    codec: the only one it has, of _CODECS. With `register=False` it only calls addresses. encryption: of its
    sound, `srtp` where the other side has it too, `srtp-mand` always (it refuses keys in RTP/AVP then).
    video: whether it has pictures, made up. more: further parameters of its account, each with its `;`.
    applications: further modules of its own; contacts: its list of contacts, a line each. Methods raise
    PeerError when the phone does something else than what its name says, or does nothing in time.
    """

    def __init__(
        self,
        namespace: Namespace,
        folder: Path,
        user: str,
        password: str,
        server: str,
        transport: str = "udp",
        tone_hz: int = 440,
        codec: str = "PCMA",
        register: bool = True,
        encryption: str = "",
        video: bool = False,
        more: str = "",
        applications: tuple[str, ...] = (),
        contacts: str = "",
    ) -> None:
        self.user = user
        self.tone_hz = tone_hz
        self._namespace = namespace
        self._folder = folder / f"baresip-{user}-{namespace.address}"
        self._account = (
            f"<sip:{user}@{server};transport={transport}>;auth_user={user};auth_pass={password}"
            f";answermode=manual;audio_codecs={_CODECS[codec]};regint={120 if register else 0}"
            f"{f';mediaenc={encryption}' if encryption else ''}{more}"
        )
        # Its other codecs and its encryption are modules of their own; G.711's is always there.
        self._modules = [name for name in (codec.lower(),) if not name.startswith("pcm")]
        self._modules += ["srtp"] if encryption else []
        self._modules += ["fakevideo", "vp8"] if video else []
        self._applications = applications
        self._contacts = contacts
        self._log = self._folder / "baresip.log"
        self._pending: deque[dict[str, Any]] = deque()
        self._history: list[str] = []
        self._commands = 0

    async def __aenter__(self) -> Self:
        if shutil.which("baresip") is None:
            raise PeerError("baresip isn't installed: apt-get install baresip-core")
        self._folder.mkdir()
        modules = next(Path("/usr/lib").glob("**/baresip/modules"))
        (self._folder / "accounts").write_text("")
        (self._folder / "contacts").write_text(self._contacts)
        (self._folder / "config").write_text(
            _CONFIGURATION.format(
                address=self._namespace.address,
                tone_hz=self.tone_hz,
                modules=modules,
                control=_CONTROL,
                modules_more="".join(f"module {name}.so\n" for name in self._modules),
                applications="".join(f"module_app {name}.so\n" for name in self._applications),
                identity="module_tmp uuid.so\n" if "sipnat=outbound" in self._account else "",
            )
        )
        self._process = await self._namespace.start(["baresip", "-f", "."], self._log)
        try:
            control = await until(self._connect, "baresip's control port", _START_SECONDS)
            self._reader, self._writer = await asyncio.open_connection(sock=control)
            # Now, not from the file: it could register before anybody listens to what it tells.
            await self._command("uanew", self._account)
        except BaseException:
            self._process.kill()
            await self._process.wait()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.leave()
        finally:
            self._writer.close()

    # -- what it does

    async def registered(self) -> None:
        """Wait until the registrar has said yes; a refusal is an error at once."""
        event = await self._event("REGISTER_OK", "REGISTER_FAIL")
        if event["type"] == "REGISTER_FAIL":
            raise PeerError(f"{self.user} isn't registered: {event.get('param')}")

    async def dial(self, number: str) -> None:
        """Call a number of our domain, or a whole SIP URI. Events of earlier calls are forgotten."""
        self._pending.clear()
        self._forget_recordings()
        await self._command("dial", number)

    async def answer(self) -> None:
        """Accept the call that rings here and wait until it is confirmed by the caller's ACK."""
        self._forget_recordings()
        await self._command("accept")
        await self.answered()

    async def hang_up(self) -> None:
        """BYE to the call, CANCEL to the one being made, or 486 to the one that rings."""
        await self._command("hangup")

    async def hold(self) -> None:
        """Put the call on hold; what the other side says to it isn't told."""
        await self._command("hold")

    async def resume(self) -> None:
        """Take the call up again."""
        await self._command("resume")

    async def transfer(self, number: str) -> None:
        """Send the other party on to a number (RFC 3515); `closed` tells when it went."""
        await self._command("transfer", number)

    async def press(self, digits: str) -> None:
        """Press keys in the call, as events in its sound (RFC 4733) or by INFO, as its account says."""
        for digit in digits:
            await self._command("sndcode", digit)
            await asyncio.sleep(_KEY_SECONDS)

    async def leave(self) -> None:
        """Hang up, unregister and end, as a phone that is switched off; by force when it doesn't in time."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                self._send("quit", "")
                await self._process.wait()
        except (TimeoutError, ConnectionError):
            self._process.kill()
            await self._process.wait()

    # -- what it sees

    async def ringing_back(self) -> None:
        """Wait for 180 to our call."""
        await self._event("CALL_RINGING")

    async def progress(self) -> None:
        """Wait for 183 with early media to our call."""
        await self._event("CALL_PROGRESS")

    async def rung(self, seconds: float = _ANSWER_SECONDS) -> str:
        """Wait for a call to us; the caller's address, as its From says."""
        return str((await self._event("CALL_INCOMING", seconds=seconds))["peeruri"])

    async def answered(self) -> None:
        """Wait until our call is confirmed; a call that ends instead is an error at once."""
        event = await self._event("CALL_ESTABLISHED", "CALL_CLOSED")
        if event["type"] == "CALL_CLOSED":
            raise PeerError(f"the call of {self.user} ended: {event.get('param')}")

    async def closed(self, seconds: float = _ANSWER_SECONDS) -> str:
        """Wait for the end of our call; why: "486 Busy Here", "Connection reset by peer" for a BYE."""
        return str((await self._event("CALL_CLOSED", seconds=seconds)).get("param", ""))

    async def sees_video(self) -> None:
        """Wait until pictures come in our call; sound is passed over."""
        while str((await self._event("CALL_RTPESTAB")).get("param")) != "video":
            pass

    async def digits(self, count: int) -> str:
        """Wait for so many keys that the other side presses, and return them."""
        return "".join([str((await self._event("CALL_DTMF_START"))["param"]) for _ in range(count)])

    async def mailbox(self) -> str:
        """Wait for what the registrar tells of our mailbox (RFC 3842)."""
        return str((await self._event("MWI_NOTIFY"))["param"])

    async def contact_list(self) -> str:
        """Our contacts as it shows them, each with its presence."""
        return await self._ask("contacts")

    def encrypted_calls(self) -> int:
        """In how many calls its sound was encrypted, as it says itself."""
        return self._log.read_text(errors="replace").count("srtp: audio: SRTP is Enabled")

    # -- its control connection

    def recording(self) -> Recording:
        """What the latest call brought. Raises ToneError while there is nothing."""
        recordings = list(self._folder.glob("dump-*-dec.wav"))
        if not recordings:
            raise ToneError(f"{self.user} received no sound at all")
        # Each stream of a call has one, named by its second: what grows is what is heard now.
        return read_recording(max(recordings, key=lambda path: path.stat().st_mtime_ns))

    def _forget_recordings(self) -> None:
        # A tone of the call before is no proof; its names are of the second, so that two calls share one.
        for recording in self._folder.glob("dump-*.wav"):
            recording.unlink()

    async def _connect(self) -> socket.socket | None:
        control = self._namespace.socket(socket.SOCK_STREAM)
        try:
            await asyncio.get_running_loop().sock_connect(control, _CONTROL)
        except OSError:
            control.close()
            if self._process.returncode is not None:
                raise PeerError(f"baresip ended with status {self._process.returncode}") from None
            return None
        return control

    async def _command(self, command: str, parameters: str = "") -> None:
        await self._ask(command, parameters)

    async def _ask(self, command: str, parameters: str = "") -> str:
        token = self._send(command, parameters)
        async with deadline(f"an answer to {command} by {self.user}", _ANSWER_SECONDS):
            while (message := await self._message()).get("token") != token:
                self._pending.append(message)
        if not message.get("ok"):
            raise PeerError(f"baresip refused {command} {parameters}: {message.get('data')}")
        return str(message.get("data", ""))

    def _send(self, command: str, parameters: str) -> str:
        self._commands += 1
        token = str(self._commands)
        body = json.dumps({"command": command, "params": parameters, "token": token}).encode()
        self._writer.write(b"%d:%s," % (len(body), body))
        return token

    async def _event(self, *types: str, seconds: float = _ANSWER_SECONDS) -> dict[str, Any]:
        """The next event of one of these types; those before it are passed over."""
        try:
            async with deadline(f"{self.user} to see {' or '.join(types)}", seconds):
                while True:
                    event = self._pending.popleft() if self._pending else await self._message()
                    self._history.append(str(event.get("type", "answer")))
                    if event.get("type") in types:
                        return event
        except PeerError as error:
            error.add_note(f"what {self.user} saw: {' '.join(self._history)}")
            raise

    async def _message(self) -> dict[str, Any]:
        try:
            length = int((await self._reader.readuntil(b":"))[:-1])
            if length > _LARGEST_MESSAGE_BYTES:
                raise PeerError(f"baresip announces a message of {length} bytes")
            body = await self._reader.readexactly(length + 1)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise PeerError(f"baresip of {self.user} is gone") from None
        message: dict[str, Any] = json.loads(body[:-1])
        return message
