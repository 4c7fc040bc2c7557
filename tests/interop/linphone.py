"""A real phone: Linphone's own core in a terminal (Debian's `linphone-cli`), with files for a sound card.

It is told what to do by lines on its input, and tells what happens by lines on its output, which are read
when a test waits for one, in order; those that a test doesn't wait for are passed over. All of them are in
`linphone.log`, and what its core says in `linphone.core.log`.

Quirks of 5.1.65: it wants its folder of shared data made beforehand; it takes the first challenge that comes,
and knows SHA-256; `play` before a call needs a path from the root; the header of a recording is written when
it is closed; what it is to play is forgotten when its settings come; its TLS doesn't know a certificate's
addresses (RFC 5922 section 7.1), only names, so where the registrar is an address it verifies who signed the
certificate and not whose it is; its prompt stands before what it says next.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.ear import Ear
from tests.interop.namespaces import Namespace
from tests.interop.patience import PeerError, deadline, until
from tests.interop.tone import Recording, ToneError, write_tone

_START_SECONDS = 45.0
_ANSWER_SECONDS = 45.0
_KEY_SECONDS = 0.5  # between two keys
_PLAYED_SECONDS = 60.0  # it begins again at its end
_HEADER_BYTES = 44  # of a WAV file, before its samples
_RATE_HZ = 8000  # of G.711: the other phones of the tests know nothing else

_CONFIGURATION = """\
[sip]
sip_port=5060
sip_tcp_port={tcp_port}
sip_tls_port={tls_port}
use_ipv6=0
ipv6_migration_done=1
root_ca={trusted}
verify_server_certs=1
verify_server_cn=0
{encryption}[sound]
echocancellation=0
[rtp]
audio_jitt_comp=40
{settings}"""


class Linphone(Ear):
    """One phone with one account, alive inside `async with`.

    server: address of the registrar, also the domain of the account. transport: udp, tcp or tls.
    trusted: the certificate that a TLS server must show, or that vouches for it.
    encryption: `srtp`, and then no sound in clear.
    settings_url: where it gets its account and all else from; `user` and what follows is then for nobody.
    before: words of a command that runs it, its own network apart.
    Methods raise PeerError when the phone does something else than what its name says, or nothing in time.
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
        trusted: Path = Path("/nonexistent"),
        encryption: str = "",
        settings_url: str = "",
        before: Sequence[str | Path] = (),
    ) -> None:
        self.user = user
        self.tone_hz = tone_hz
        self._namespace = namespace
        self._folder = folder / f"linphone-{user}-{namespace.address}"
        self._register = f"register sip:{user}@{server} sip:{server};transport={transport} {password}"
        self._settings_url = settings_url
        self._before = before
        self._transport = transport
        self._trusted = trusted
        self._encryption = encryption
        self._log = self._folder / "linphone.log"
        self._seen: list[str] = []
        self._next = 0
        self._forgotten = 0

    async def __aenter__(self) -> Self:
        if shutil.which("linphonec") is None:
            raise PeerError("Linphone isn't installed: apt-get install linphone-cli")
        (self._folder / ".local/share/linphone").mkdir(parents=True)
        tone = self._folder / "tone.wav"
        write_tone(tone, self.tone_hz, _PLAYED_SECONDS)
        configuration = self._folder / "linphonerc"
        configuration.write_text(
            _CONFIGURATION.format(
                tcp_port=5060 if self._transport == "tcp" else 0,
                tls_port=5061 if self._transport == "tls" else 0,
                trusted=self._trusted,
                encryption=(
                    f"media_encryption={self._encryption}\nmedia_encryption_mandatory=1\n"
                    if self._encryption
                    else ""
                ),
                settings=f"[misc]\nconfig-uri={self._settings_url}\n" if self._settings_url else "",
            )
        )
        self._process = await asyncio.create_subprocess_exec(
            *self._namespace.command(
                *(
                    *self._before,
                    "linphonec",
                    "-c",
                    configuration,
                    "-d",
                    "6",
                    "-l",
                    self._folder / "linphone.core.log",
                )
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._folder,
            start_new_session=True,
            env={**os.environ, "HOME": str(self._folder)},
        )
        try:
            self.tell("soundcard use files")
            await self.says("Using wav files", _START_SECONDS)
            self.tell(f"play {tone}")
            self.tell(f"record {self._heard}")
            if not self._settings_url:
                self.tell(self._register)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    # -- what it does

    async def registered(self) -> None:
        """Wait until the registrar has said yes."""

        async def status() -> bool:
            self.tell("status register")
            return (await self.says(r"registered[,=].*")).startswith("registered, identity=")

        await until(status, f"{self.user} to be registered", _ANSWER_SECONDS)
        if self._settings_url:
            self.tell(f"play {self._folder / 'tone.wav'}")

    async def dial(self, number: str) -> int:
        """Call a number of our domain, or a whole SIP URI; returns its number for the call."""
        self._forgotten = len(self._heard_bytes())
        self.tell(f"call {number}")
        return int((await self.says(r"assigned id \d+")).rpartition(" ")[2])

    async def answer(self) -> None:
        """Accept the call that rings here."""
        self._forgotten = len(self._heard_bytes())
        self.tell("answer")
        await self.answered()

    async def hang_up(self) -> None:
        """BYE to the call, CANCEL to the one being made, or 603 to the one that rings."""
        self.tell("terminate all")

    async def hold(self) -> None:
        """Put the call on hold and wait until the other side has said yes."""
        self.tell("pause")
        await self.says(r"Call \d+ with .* is now paused\.")

    async def resume(self) -> None:
        """Take the call up again and wait until the other side has said yes."""
        self.tell("resume")
        await self.says(r"Media streams established")

    async def transfer(self, number: str) -> None:
        """Send the other party on to a number (RFC 3515)."""
        self.tell(f"transfer {number}")

    async def transfer_to_call(self, one: int, other: int) -> None:
        """Join the other parties of our two calls, by the numbers that `dial` returned."""
        self.tell(f"transfer {one} --to-call {other}")

    async def mix(self, *calls: int) -> None:
        """Let the other parties of our calls hear each other and us: this phone mixes their sound."""
        for call in calls:
            self.tell(f"conference add {call}")
            await self.says(r"Media streams established|added to conference|updated")

    async def press(self, digits: str) -> None:
        """Press keys in the call, as events in its sound (RFC 4733)."""
        for digit in digits:
            self.tell(digit)
            await asyncio.sleep(_KEY_SECONDS)

    def write(self, to: str, text: str) -> None:
        """Send a short text to a SIP URI; what becomes of it isn't told."""
        self.tell(f"chat {to} {text}")

    async def leave(self) -> None:
        """Hang up, unregister and end; by force when it doesn't in time."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                self.tell("quit")
                await self._process.communicate()
        except (TimeoutError, ConnectionError):
            await self._end()

    # -- what it sees

    async def ringing_back(self) -> None:
        """Wait for 180 to our call."""
        await self.says(r"Call \d+ to .* ringing")

    async def rung(self) -> str:
        """Wait for a call to us; the caller, as its From says."""
        said = await self.says(r"Receiving new incoming call from .*, assigned id \d+")
        return said.removeprefix("Receiving new incoming call from ").partition(", assigned id ")[0]

    async def reads(self, text: str) -> None:
        """Wait for a short text that came; others before it are passed over."""
        await self.says(f"Message received from .*: {re.escape(text)}")

    async def answered(self) -> None:
        """Wait until sound may flow in our call; a call that ends instead is an error at once."""
        said = await self.says(r"Media streams established|Call \d+ with .* (ended|error)")
        if not said.startswith("Media"):
            raise PeerError(f"the call of {self.user}: {said}")

    async def closed(self, seconds: float = _ANSWER_SECONDS) -> str:
        """Wait for the end of our call; what was said of it: "Call 1 with … ended (No error)."."""
        return await self.says(r"Call \d+ with .* (ended|error).*", seconds)

    def recording(self) -> Recording:
        """All that came since it last called or answered. Raises ToneError while there is nothing."""
        body = self._heard_bytes()[self._forgotten :]
        if not body:
            raise ToneError(f"{self.user} received no sound at all")
        samples = array("h")
        samples.frombytes(body)
        return Recording(_RATE_HZ, samples)

    # -- its lines

    def tell(self, line: str) -> None:
        """Give it one command."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def says(self, pattern: str, seconds: float = _ANSWER_SECONDS) -> str:
        """The part that matches of the next line that does."""
        try:
            async with deadline(f"{self.user} to say {pattern}", seconds):
                while True:
                    while self._next < len(self._seen):
                        line = self._seen[self._next]
                        self._next += 1
                        found = re.search(pattern, line)
                        if found:
                            return found[0]
                    await self._read()
        except PeerError as error:
            error.add_note(f"what {self.user} said: {self._seen[-20:]}")
            raise

    async def _read(self) -> None:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise PeerError(f"Linphone of {self.user} is gone")
        with self._log.open("ab") as log:
            log.write(line)
        self._seen.append(line.decode(errors="replace").strip())

    def _heard_bytes(self) -> bytes:
        if not self._heard.exists():
            return b""
        body = self._heard.read_bytes()[_HEADER_BYTES:]
        return body[: len(body) // 2 * 2]

    @property
    def _heard(self) -> Path:
        return self._folder / "heard.wav"

    async def _end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()
