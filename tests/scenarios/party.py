"""A party that goes on by itself: it rings, answers, takes changes and hangs up as a good telephone does.

A test makes it do something (`dial`, `change`, `refer`, `leave`) or be difficult (`refusals`, `silent`,
`acknowledges`), lets time pass and looks at what was heard and agreed. It reacts within `_receive`, so that
it needs no task; whatever it answers, it answers at the instant of the question.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sip.core.flow import Flow
from tests.scenarios.town import BEFFROI, DOMAIN, TownPhone
from tests.sim.network import Host
from tests.sim.wire import Message

ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK, NOTIFY, REFER, INFO")
NAMES = {"8": "PCMA/8000", "0": "PCMU/8000", "101": "telephone-event/8000"}
USUAL = ("8", "0", "101")
MU_LAW = ("0", "101")
MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
_FORMATS = re.compile(rb"^m=audio (\d+) \S+ (.*?)\r?$", re.MULTILINE)
_DIRECTION = re.compile(rb"^a=(sendrecv|sendonly|recvonly|inactive)\r?$", re.MULTILINE)


@dataclass
class Talk:
    """One call as a party sees it.

    said, heard: the two descriptions of the last exchange that came to its end. finals: the final responses
    to its own requests, `200 INVITE`; got: the requests that came; fragments: what NOTIFYs told.
    """

    invite: Message
    said: bytes = b""
    heard: bytes = b""
    offered: bytes = b""
    asked: Message | None = None
    waiting: Message | None = None
    unacknowledged: Message | None = None
    held_back: Message | None = None
    answer: Sequence[str] | None = USUAL
    established: bool = False
    over: bool = False
    finals: list[str] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)


class Party(TownPhone):
    """A telephone that reacts.

    answers_after: seconds it rings, None for until `pick_up`. final: what it answers an INVITE then.
    refusals: what it answers to the next changes that it is asked for, instead of taking them. silent: it
    doesn't answer them. leaves: it hangs up instead. acknowledges: whether it sends its ACKs. shown: the
    P-Asserted-Identity of whom it was told that it speaks with. texts: the short messages that it got.
    """

    def __init__(self, host: Host, *, user: str, password: str) -> None:
        super().__init__(host, user=user, password=password, server=BEFFROI, domain=DOMAIN)
        self.automatic = False
        self.answers_after: float | None = 0.2
        self.final = 200
        self.refusals: deque[tuple[int, tuple[tuple[str, str], ...]]] = deque()
        self.silent = False
        self.leaves = False
        self.acknowledges = True
        self.holds = False
        self.codecs: Sequence[str] = USUAL
        self.port = 4000
        self.allow = ALLOW
        self.talks: dict[str, Talk] = {}
        self.shown: list[str] = []
        self.heard_contact = ""
        self.texts: list[str] = []
        self._version = 0

    # What it does

    def describe(
        self,
        formats: Sequence[str] | None = None,
        direction: str = "",
        *,
        address: str = "",
        more: str = "",
    ) -> bytes:
        """A new description of its own."""
        self._version += 1
        formats = self.codecs if formats is None else formats
        direction = direction or ("sendonly" if self.holds else "sendrecv")
        lines = [
            "v=0",
            f"o=- 1 {self._version} IN IP4 {self.host.address}",
            "s=-",
            f"c=IN IP4 {address or self.host.address}",
            "t=0 0",
            f"m=audio {self.port} RTP/AVP {' '.join(formats)}",
            *(f"a=rtpmap:{number} {NAMES[number]}" for number in formats),
            f"a={direction}",
        ]
        return ("\r\n".join(lines) + "\r\n" + more).encode()

    def dial(self, number: str, *, headers: Sequence[tuple[str, str]] = ()) -> Talk:
        """Call; the challenge is answered."""
        body = self.describe()
        invite = self.send("INVITE", number, body=body, headers=[self.allow, *headers])
        talk = Talk(invite, offered=body, asked=invite)
        self.talks[invite.call_id] = talk
        return talk

    def pick_up(self, talk: Talk) -> None:
        """Answer what rings, unless it was given up; what `final` says may be a refusal."""
        if talk.established or talk.over:
            return
        if self.final != 200:
            talk.over = True
            self.reply(talk.invite, self.final)
            return
        talk.established = True
        self._accept(talk, talk.invite)

    def change(
        self, talk: Talk, body: bytes, *, method: str = "INVITE", answer: Sequence[str] | None = USUAL
    ) -> Message:
        """Offer a change, or with an empty body ask for an offer, which is answered with these codecs."""
        talk.offered, talk.answer = body, answer
        talk.asked = self.send(method, within=talk.invite, body=body, headers=[self.allow])
        return talk.asked

    def refer(self, talk: Talk, to: str, *, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Transfer the other party to a URI."""
        self.send("REFER", within=talk.invite, headers=[("Refer-To", f"<{to}>"), *headers])

    def leave(self, talk: Talk) -> None:
        """Hang up, or give up; nothing where it is over."""
        if talk.over:
            return
        if talk.established:
            talk.over = True
            self.bye(talk.invite)
        elif talk.asked is not None:
            self.cancel(talk.asked)
        else:
            talk.over = True
            self.reply(talk.invite, 486)

    def send_ack(self, talk: Talk) -> None:
        """Send the ACK that was held back."""
        if talk.held_back is not None and not talk.over:
            self.ack(talk.held_back)

    @property
    def talking(self) -> list[Talk]:
        """The calls that it is in."""
        return [talk for talk in self.talks.values() if talk.established and not talk.over]

    # What it hears

    def _receive(self, data: bytes, flow: Flow) -> None:
        super()._receive(data, flow)
        while self.automatic and self._inbox:
            message = self._inbox.popleft()
            if message.raw in self._read or (message.status and message.status < 200):
                continue
            self._read.add(message.raw)
            if message.status == 200 or message.method == "UPDATE":
                self.shown += message.all("P-Asserted-Identity")
            if message.status:
                self._answered(message)
            else:
                self._asked(message)

    def _asked(self, request: Message) -> None:
        talk = self.talks.get(request.call_id)
        if talk is None:
            if request.method == "INVITE":
                self._ring(request)
            elif request.method == "MESSAGE":
                self.texts.append(request.body.decode())
                self.reply(request, 200)
            return
        if request.method != "ACK":
            talk.got.append(request.method)
        match request.method:
            case "INVITE" | "UPDATE":
                self._change_asked(talk, request)
            case "ACK":
                self._acknowledged(talk, request)
            case "BYE":
                talk.over = True
                self.reply(request, 200)
            case "CANCEL":
                self.reply(request, 200)
                if not talk.established and not talk.over:
                    talk.over = True
                    self.reply(talk.invite, 487)
                elif talk.waiting is not None:
                    self.reply(talk.waiting, 487)
                    talk.waiting = None
            case "NOTIFY":
                talk.fragments.append(request.body.decode().split(" ")[1])
                self.reply(request, 200)
            case _:
                self.reply(request, 200)

    def _ring(self, invite: Message) -> None:
        talk = self.talks[invite.call_id] = Talk(invite)
        self.reply(invite, 180)
        if self.answers_after is not None:
            self.host.network.loop.call_later(self.answers_after, self.pick_up, talk)

    def _change_asked(self, talk: Talk, request: Message) -> None:
        if self.leaves and request.method == "INVITE":
            self.leave(talk)
            self.reply(request, 487)
        elif talk.asked is not None:
            self.reply(request, 491)
        elif talk.unacknowledged is not None and request.method == "INVITE":
            self.reply(request, 500, headers=[("Retry-After", "1")])
        elif self.silent and request.body:
            talk.waiting = request
        elif self.refusals and request.body:
            status, headers = self.refusals.popleft()
            self.reply(request, status, headers=headers)
        elif request.body and b"m=audio" not in request.body:
            self.reply(request, 488)
        elif request.method == "UPDATE" and not request.body:
            self.reply(request, 200)
        else:
            self._accept(talk, request)

    def _accept(self, talk: Talk, request: Message) -> None:
        body = self.answer_to(request.body) if request.body else self.describe()
        if request.body:
            talk.said, talk.heard = body, request.body
        else:
            talk.offered = body
        response = self.reply(request, 200, body=body, headers=[self.allow])
        if request.method == "INVITE":
            talk.unacknowledged = response

    def answer_to(self, offer: bytes) -> bytes:
        """Its answer to an offer: the codecs that it has too, in the order of the offer."""
        found = _FORMATS.search(offer)
        formats = found[2].decode().split() if found is not None else []
        taken = [number for number in formats if number in self.codecs]
        directions = _DIRECTION.findall(offer)
        direction = MIRRORED[directions[0].decode()] if directions else "sendrecv"
        if self.holds:
            direction = {"sendrecv": "sendonly", "recvonly": "inactive"}.get(direction, direction)
        more = "m=video 0 RTP/AVP 96\r\n" if b"m=video" in offer else ""
        return self.describe(taken, direction, more=more)

    def _acknowledged(self, talk: Talk, ack: Message) -> None:
        response = talk.unacknowledged
        if response is None or response.cseq != ack.cseq:
            return
        talk.unacknowledged = None
        if ack.body:
            talk.said, talk.heard = talk.offered, ack.body

    def _answered(self, response: Message) -> None:
        talk = self.talks.get(response.call_id)
        if talk is None:
            return
        if response.method == "INVITE" and response.status in (401, 407):
            self.ack(response)
            talk.asked = talk.invite = self.authenticate(response)
            if talk.over:
                self.cancel(talk.invite)
            return
        talk.finals.append(response.label())
        if response.method not in ("INVITE", "UPDATE"):
            return
        talk.asked = None
        if response.status >= 300:
            self._acknowledge_refusal(response)
            if response.method == "INVITE" and not talk.established:
                talk.over = True
            return
        talk.established = True
        self.heard_contact = response.header("Contact")
        answer = b""
        if talk.offered and response.body:
            talk.said, talk.heard = talk.offered, response.body
        elif response.body and talk.answer is not None:
            answer = self.describe([f for f in talk.answer if f.encode() in formats_of(response.body)])
            talk.said, talk.heard = answer, response.body
        if response.method != "INVITE":
            return
        if self.acknowledges:
            self.ack(response, body=answer)
        else:
            talk.held_back = response


def formats_of(body: bytes) -> list[bytes]:
    """The payload types of the sound."""
    found = _FORMATS.search(body)
    return found[2].split() if found is not None else []


def place_of(body: bytes) -> int:
    """The port of the sound."""
    found = _FORMATS.search(body)
    assert found is not None, body
    return int(found[1])


def direction_of(body: bytes) -> str:
    """The direction of the sound."""
    found = _DIRECTION.findall(body)
    return found[0].decode() if found else "sendrecv"
