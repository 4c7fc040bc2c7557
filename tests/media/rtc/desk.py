"""A worker in the process of the test, with signalling and a media plane at its sides, and a clock to set."""

import socket
from collections.abc import Sequence

from media.frames import FrameReader, frame
from media.rtc.dtls import Certificate
from media.rtc.protocol import (
    Agree,
    Command,
    Connected,
    Open,
    Opened,
    PlainStream,
    Ready,
    Report,
    Role,
    reports,
)
from media.rtc.worker import Worker
from tests.media.rtc.browser import Browser

PASSWORD = "aPasswordOf24Characters+"


class Desk:
    """Everything around one worker. ready: what it said first; plane: a socket of the media plane."""

    def __init__(self, *hosts: str) -> None:
        hosts = hosts or ("127.0.0.1",)
        self.now = 1000.0
        self.control: socket.socket | None = None
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind("")
        self._listening.listen()
        self._name = self._listening.getsockname()
        self.worker = Worker(self._listening, [udp(host) for host in hosts], hosts, lambda: self.now)
        self.certificate = Certificate()  # of all browsers here
        self.plane = udp(hosts[0])
        self.browsers: list[Browser] = []
        self.ready = self.connect()

    def connect(self) -> Ready:
        """Be a new signalling process."""
        if self.control is not None:
            self.control.close()
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(self._name)
        self.control.settimeout(5)
        self._reader = FrameReader()
        self._heard: list[Report] = []
        ready = self.next()
        assert isinstance(ready, Ready)
        return ready

    def turn(self) -> None:
        """Let the worker do all that waits for it."""
        self.worker.turn(0)

    def wait(self, seconds: float) -> None:
        """Let time pass for the worker."""
        self.now += seconds
        self.worker.turn(0)

    def next(self) -> Report:
        """The next report; the worker works until there is one."""
        for _ in range(50):
            if self._heard:
                return self._heard.pop(0)
            self.worker.turn(0)
            self._read()
        raise AssertionError("the worker said nothing")

    def told(self) -> list[Report]:
        """All reports that were not looked at yet."""
        self._read()
        heard, self._heard = self._heard, []
        return heard

    def say(self, *messages: Command) -> None:
        """Say something to the worker, which obeys at once."""
        self.control.sendall(frame(messages))
        self.worker.turn(0)

    def open(self, leg: str, streams: int = 1) -> Opened:
        """Open a leg whose ufrag is its name."""
        self.say(Open(leg, leg, PASSWORD, ":" in self.ready.addresses[0][0], streams))
        opened = self.next()
        assert isinstance(opened, Opened), opened
        return opened

    def agree(
        self,
        leg: str,
        streams: Sequence[PlainStream] = (),
        *,
        role: Role = "server",
        fingerprints: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Agree with a browser; one stream to the plane unless others are given."""
        fingerprints = fingerprints or (self.certificate.fingerprint,)
        self.say(Agree(leg, role, fingerprints, "theirs", tuple(streams) or (self.stream(),)))

    def stream(
        self, index: int = 0, numbers: dict[int, int] | None = None, *, nack: bool = False
    ) -> PlainStream:
        """A stream to the plane."""
        host, port = self.plane.getsockname()[:2]
        return PlainStream(index, host, port, port, numbers or {8: 8, 101: 101}, nack)

    def browser(self, leg: str, *, role: Role = "client") -> Browser:
        """A browser that was given the leg's credentials, and has not spoken yet."""
        browser = Browser(
            self.ready.addresses[0],
            leg,
            PASSWORD,
            self.certificate,
            role=role,
            fingerprint=self.ready.fingerprint,
        )
        self.browsers.append(browser)
        return browser

    def exchange(self, browser: Browser, datagram: bytes) -> bytes:
        """What the worker answers to a datagram."""
        browser.send(datagram)
        self.worker.turn(0)
        return browser.receive()

    def shake_hands(self, browser: Browser) -> None:
        """Bring a browser through ICE and DTLS."""
        browser.check()
        self.worker.turn(0)
        browser.send_all(browser.dtls.start() if browser.dtls.role == "client" else [])
        while browser.protection is None:
            self.worker.turn(0)
            datagram = browser.receive()
            if datagram[0] >= 20:  # not the answer to the check (RFC 7983)
                browser.take(datagram)
        self.worker.turn(0)

    def call(self, leg: str, streams: Sequence[PlainStream] = ()) -> tuple[Browser, Opened]:
        """A browser that is connected."""
        opened = self.open(leg, max(1, len(streams)))
        self.agree(leg, streams)
        browser = self.browser(leg)
        self.shake_hands(browser)
        assert self.next() == Connected(leg, browser.address)
        return browser, opened

    def heard_by_plane(self) -> bytes:
        """The next packet in the plane's socket."""
        return self.plane.recvfrom(4096)[0]

    def plane_heard_nothing(self) -> bool:
        """Whether nothing is in the plane's socket."""
        return is_empty(self.plane)

    def close(self) -> None:
        """Give everything back."""
        self.worker.close()
        self.control.close()
        self.plane.close()
        for browser in self.browsers:
            browser.socket.close()

    def _read(self) -> None:
        self.control.setblocking(False)
        try:
            for body in self._reader.receive(self.control.recv(65_536)):
                self._heard += reports(body)
        except BlockingIOError:
            pass
        finally:
            self.control.settimeout(5)


def udp(host: str) -> socket.socket:
    """A UDP socket on a port of the kernel's choice."""
    own = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    own.bind((host, 0))
    own.settimeout(2)
    return own


def is_empty(own: socket.socket) -> bool:
    """Whether nothing has come to a socket; on loopback what was sent is there."""
    own.setblocking(False)
    try:
        own.recv(4096)
    except BlockingIOError:
        return True
    finally:
        own.settimeout(2)
    return False
