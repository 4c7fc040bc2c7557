"""A program that is a phone, written with pyVoIP: it obeys lines on its input and answers with lines.

    python pyvoip_phone.py SERVER ADDRESS USER PASSWORD TONE_HZ RECORDING

call NUMBER, answer, hang up, quit  ──>  registered, ringing, answered, ended, failed WHY

It plays its tone in every call, and appends what it hears to RECORDING as 16-bit samples.
"""

from __future__ import annotations

import math
import sys
import threading
import time
import warnings
from array import array
from pathlib import Path

warnings.simplefilter("ignore", DeprecationWarning)  # audioop's, before Python 3.13

from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone  # noqa: E402

RATE_HZ = 8000
FRAME_SAMPLES = 160
PLAYED_SECONDS = 60
LOOK_EVERY_SECONDS = 0.05


def tone(frequency_hz: int) -> bytes:
    """A sine in the unsigned 8-bit samples that pyVoIP takes."""
    turn = 2 * math.pi * frequency_hz / RATE_HZ
    return bytes(round(128 + 42 * math.sin(turn * n)) for n in range(RATE_HZ * PLAYED_SECONDS))


class Program:
    """The phone, its one call, and its lines."""

    def __init__(
        self, server: str, address: str, user: str, password: str, tone_hz: str, recording: str
    ) -> None:
        self.tone = tone(int(tone_hz))
        self.recording = Path(recording)
        self.call: VoIPCall | None = None
        self.phone = VoIPPhone(
            server,
            5060,
            user,
            password,
            myIP=address,
            callCallback=self.rung,
            rtpPortLow=7000,
            rtpPortHigh=7100,
        )

    def rung(self, call: VoIPCall) -> None:
        """pyVoIP calls this a second after the INVITE came, on a thread that must outlive the call."""
        self.call = call
        say("ringing")
        self.follow(call)

    def follow(self, call: VoIPCall) -> None:
        """Wait for the answer, then play and record until the end."""
        while call.state in (CallState.DIALING, CallState.RINGING):
            time.sleep(LOOK_EVERY_SECONDS)
        if call.state == CallState.ANSWERED:
            say("answered")
            call.write_audio(self.tone)
            with self.recording.open("ab") as file:
                while call.state == CallState.ANSWERED:
                    heard = call.read_audio(FRAME_SAMPLES, blocking=True)
                    file.write(array("h", ((sample - 128) * 256 for sample in heard)).tobytes())
                    file.flush()
        say("ended")

    def obey(self, line: str) -> None:
        """One command."""
        match line.split():
            case ["call", number]:
                self.call = self.phone.call(number)
                threading.Thread(target=self.follow, args=[self.call], daemon=True).start()
            case ["answer"] if self.call is not None:
                self.call.answer()
            case ["hang", "up"] if self.call is not None:
                self.call.hangup()
            case _:
                say(f"failed no such command now: {line}")


def say(line: str) -> None:
    """Tell what happened."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Register, obey until `quit`, unregister."""
    program = Program(*sys.argv[1:])
    program.phone.start()
    say("registered")
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        try:
            program.obey(line.strip())
        except Exception as error:  # noqa: BLE001 - whatever it was, the test reads it
            say(f"failed {error!r}")
    program.phone.stop()
    say("unregistered")


if __name__ == "__main__":
    main()
