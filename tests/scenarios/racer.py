"""A party of a race: a telephone that does at once what it is told, whatever state its calls are in.

Each of its talks has a port of its own, so that it is known which talk hears which, and a display: the number
that the telephone shows for the other side.
"""

from __future__ import annotations

from sip.core.flow import Flow
from tests.scenarios.party import ALLOW, Party, Talk
from tests.scenarios.town import Town
from tests.sim.network import CUT, Host, Link
from tests.sim.repetition import GIVE_UP_SECONDS, Repetition
from tests.sim.wire import Message, tag_of, uri_of

FIRST_PORT = 4_000


class Racer(Party):
    """device: its sign-in, or the trunk's name. dead: it is cut off the network.

    displays: what is shown for each talk, by Call-ID; closed: the talks whose end both sides know of; left:
    those that it ended itself; dialled: what it called, by Call-ID.
    """

    def __init__(self, town: Town, device: str, host: Host, *, user: str, password: str) -> None:
        super().__init__(host, user=user, password=password)
        self.device = device
        self.dead = False
        self.displays: dict[str, str] = {}
        self.closed: set[str] = set()
        self.left: set[str] = set()
        self.dialled: dict[str, str] = {}
        self._town = town
        self._link = Link()
        self._ports: dict[str, int] = {}
        self._holding: set[str] = set()
        self._answered_at: dict[str, float] = {}
        self._next_port = FIRST_PORT
        self.headers["Allow"] = ALLOW[1]  # in the INVITE that answers a challenge too
        self.automatic = True
        self.repeats_what_is_lost()

    @property
    def number(self) -> str:
        """Its person's extension, whichever device of theirs this is."""
        return self.user.partition("-")[0]

    # What it does

    def sign_in(self, *, expires_seconds: int = 3600) -> None:
        """Register, or with 0 seconds no more; the challenge is answered when it comes."""
        dialog = self._new_dialog(f"sip:{self.domain}")
        dialog.remote, _, _ = dialog.local.partition(";tag=")  # 10.2: From and To are the same
        lines = [("Contact", self.contact()), ("Expires", str(expires_seconds))]
        self.send("REGISTER", headers=lines)

    def call_number(self, number: str) -> Talk:
        """Dial; `#` is written as a telephone writes it."""
        self.port, self.holds = self._new_port(), False
        talk = self.dial(number.replace("#", "%23"))
        self._ports[talk.invite.call_id] = self.port
        self.displays[talk.invite.call_id] = number
        self.dialled[talk.invite.call_id] = number
        return talk

    def hold(self, talk: Talk, *, method: str = "INVITE") -> None:
        """Hold, or resume what is held; nothing while another change is under way."""
        if talk.asked is not None:
            return
        call_id = talk.invite.call_id
        self._holding ^= {call_id}
        self._at(call_id)
        self.change(talk, self.describe(), method=method)

    def ask_for_offer(self, talk: Talk) -> None:
        """A re-INVITE without a body; nothing while another change is under way."""
        if talk.asked is None:
            self.change(talk, b"")

    def leave(self, talk: Talk) -> None:
        self.left.add(talk.invite.call_id)
        answered_at = self._answered_at.get(talk.invite.call_id, -GIVE_UP_SECONDS)
        waits = self.host.network.loop.time() - answered_at < GIVE_UP_SECONDS
        if talk.established and talk.unacknowledged is not None and waits:
            return  # RFC 3261 section 15: who was called waits for the ACK, or for its transaction to end
        super().leave(talk)

    def pick_up(self, talk: Talk) -> None:
        if not self.dead and self.talks.get(talk.invite.call_id) is talk:
            self._at(talk.invite.call_id)
            super().pick_up(talk)

    def replaces(self, talk: Talk) -> str:
        """A Refer-To URI that names this talk (RFC 3891)."""
        dialog = self._dialog(talk.invite)
        tags = f"to-tag%3D{tag_of(dialog.remote)}%3Bfrom-tag%3D{tag_of(dialog.local)}"
        return f"sip:x@{self.domain}?Replaces={dialog.call_id}%3B{tags}"

    def set_link(self, link: Link) -> None:
        """What its way to Beffroi is like."""
        self._link = link
        self._town.world.network.link(self.host, self._town.host, link)

    def die(self) -> None:
        """The plug is pulled: nothing comes from it, and it remembers nothing."""
        self.dead = True
        self._town.world.network.link(self.host, self._town.host, CUT)
        self._forget()

    def wake_up(self) -> None:
        """It is there again, and registers; it knows of no call (12.2.2: 481)."""
        self._forget()
        self.dead = False
        self.set_link(self._link)
        self.sign_in()

    @property
    def ringing(self) -> list[Talk]:
        """What rings here."""
        return [
            talk
            for call_id, talk in self.talks.items()
            if call_id not in self.dialled and not talk.established and not talk.over
        ]

    @property
    def open(self) -> list[Talk]:
        """All that isn't over."""
        return [talk for talk in self.talks.values() if not talk.over]

    def talk_at(self, port: int) -> Talk | None:
        """The talk whose sound is expected at a port; None for one of before its death."""
        for call_id, own in self._ports.items():
            if own == port:
                return self.talks.get(call_id)
        return None

    def has_forgotten(self, port: int) -> bool:
        """Whether a port was of a talk of before its death."""
        return port in self._ports.values() and self.talk_at(port) is None

    # What it hears

    def _receive(self, data: bytes, flow: Flow) -> None:
        if not self.dead:
            super()._receive(data, flow)

    def _asked(self, request: Message) -> None:
        call_id = request.call_id
        within = bool(request.to_tag) and request.method != "ACK"
        if within and (call_id not in self.talks or not self._is_ours(request)):
            self.reply(request, 481)  # 12.2.2: it has forgotten the call
            return
        self._at(call_id)
        if request.method in ("INVITE", "UPDATE"):
            shown = request.all("P-Asserted-Identity")
            if shown or not request.to_tag:
                self.displays[call_id] = number_in(shown[0] if shown else request.header("From"))
        if request.method == "UPDATE" and not request.body and call_id in self.talks:
            self.reply(request, 200)  # RFC 3311 section 5.2: what has no offer crosses none
            return
        super()._asked(request)
        if request.method == "BYE":
            self.closed.add(call_id)
        elif request.method == "ACK" and call_id in self.left and call_id in self.talks:
            self.leave(self.talks[call_id])

    def _answered(self, response: Message) -> None:
        call_id = response.call_id
        if response.method == "REGISTER":
            if response.status == 401:
                self.authenticate(response)
            return
        known = self.talks.get(call_id)
        if response.status == 401 and (
            known is None or known.asked is None or known.asked.branch != response.branch
        ):
            self.ack(response)  # of an INVITE that came twice, and was challenged twice
            return
        self._at(call_id)
        if response.status == 200 and (shown := response.all("P-Asserted-Identity")):
            self.displays[call_id] = number_in(shown[0])
        super()._answered(response)
        talk = self.talks.get(call_id)
        if response.method == "BYE":
            self.closed.add(call_id)
        elif talk is not None and talk.established and not talk.over and call_id in self.left:
            self.leave(talk)  # its CANCEL crossed the answer

    def _accept(self, talk: Talk, request: Message) -> None:
        self._answered_at[request.call_id] = self.host.network.loop.time()
        super()._accept(talk, request)

    def _ring(self, invite: Message) -> None:
        self._at(invite.call_id)
        super()._ring(invite)

    def _is_ours(self, request: Message) -> bool:
        """Whether a request is of the dialog that we know of this call (RFC 3261 section 12.2.2)."""
        dialog = self._dialogs[request.call_id]
        return tag_of(dialog.remote) in ("", request.from_tag) and tag_of(dialog.local) == request.to_tag

    def _at(self, call_id: str) -> None:
        """What is said next is of this talk."""
        if call_id not in self._ports:
            self._ports[call_id] = self._new_port()
        self.port, self.holds = self._ports[call_id], call_id in self._holding

    def _new_port(self) -> int:
        self._next_port += 2
        return self._next_port

    def _forget(self) -> None:
        assert self._repetition is not None
        self._repetition.close()
        self._repetition = Repetition(self.host.network.loop)
        self.talks.clear()
        self.dialled.clear()


def number_in(address: str) -> str:
    """The user of a From or P-Asserted-Identity value."""
    return uri_of(address).removeprefix("sip:").partition("@")[0]
