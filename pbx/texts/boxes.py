"""The texts of each person, delivered one after the other in the order in which they were taken.

A person whose devices are there, and for whom nothing waits, is sent a text at once, and its sender hears 200
when a device takes it. Any other text is written down first, then its sender hears 202 (RFC 3428 section 7).
Of one person's box:

            text for devices that are there: sent, its sender waits
                  |                            text for somebody away: kept, 202
                  v                                |
             +---------+   a device comes back,    v
             | SENDING |   or time passes     +---------+
             |         | <------------------- | WAITING | -- too old: its sender is told, the next one
             +---------+                      +---------+
               |  |  |                             ^
               |  |  '-- nobody takes it now: kept, 202 (else as kept as before)
               |  '-- all devices refuse it: its sender hears so
               '-- a device takes it: 200; the next one is sent, or the box is gone

A text is delivered once for a person, not once for each device: nobody knows which of them will come back
ever, and a text that was read on one isn't news on the others. It is delivered at least once: where the
device's answer is lost, or this process dies before it wrote that answer down, the device gets it again.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pbx.events import TextDelivered, TextFailed, TextStored
from pbx.records import TextOverRecord, TextRecord
from pbx.texts.delivery import Delivery, Fate
from sip.core import cpim, imdn
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.registrar import Binding
from sip.core.stack import ServerTransaction

if TYPE_CHECKING:
    from pbx.exchange import Exchange

log = logging.getLogger(__name__)

KEPT_SECONDS = 7 * 86_400.0
ANSWER_SECONDS = 25.0  # less than the sender's Timer F: it hears from us, not silence
SETTLED_SECONDS = 1.0  # a telephone that has just registered may still be busy with that
RETRY_SECONDS = 30.0  # doubled each time, up to the next one
LONGEST_RETRY_SECONDS = 900.0
MAX_DELIVERIES = 1000
MAX_TEXTS = 5000
MAX_OF_ONE_BOX = 100
MAX_OF_ONE_SENDER = 200
# What the headers leave of a datagram (RFC 3428 section 8): which device comes back isn't known yet.
MAX_KEPT_BYTES = 800


class Waiting:
    """One text in a box. transaction: its sender's, who hasn't heard yet; None for a text that is kept."""

    __slots__ = ("max_forwards", "text", "transaction")

    def __init__(self, text: TextRecord, transaction: ServerTransaction | None, max_forwards: int) -> None:
        self.text = text
        self.transaction = transaction
        self.max_forwards = max_forwards


class Box:
    """The texts of one person, the oldest first. (Timed)"""

    __slots__ = (
        "_answer_at",
        "_attempts",
        "_boxes",
        "_delivery",
        "_registered",
        "_retry_at",
        "armed",
        "deadline",
        "extension",
        "waiting",
    )

    def __init__(self, boxes: Boxes, extension: str) -> None:
        self._boxes = boxes
        self.extension = extension
        self.waiting: deque[Waiting] = deque()
        self.deadline: float | None = None
        self.armed: float | None = None
        self._delivery: Delivery | None = None
        self._retry_at: float | None = None
        self._answer_at = 0.0  # when the sender who waits must hear
        self._attempts = 0
        self._registered = False  # since the delivery under way began

    def begin(self, now: float) -> None:
        """Send the oldest text to the devices that are there. Raises RemoteProtocolError 413 for one that is
        too large for them."""
        first = self.waiting[0]
        bindings = self._boxes.bindings_for(first.text)
        if not bindings:
            self._retry_at = None  # until a device registers
            self.arm(now)
            return
        if self._boxes.deliveries >= MAX_DELIVERIES:
            self._retry_at = now + SETTLED_SECONDS
            self.arm(now)
            return
        delivery = Delivery(self._boxes.exchange, first.text, self._done)
        delivery.send(bindings, first.max_forwards, now, dated=first.transaction is None)
        self._delivery, self._retry_at, self._registered = delivery, None, False
        self._answer_at = now + ANSWER_SECONDS
        self._boxes.deliveries += 1
        self.arm(now)

    def retry(self, seconds: float, now: float) -> None:
        """Try the oldest text again after so long."""
        self._retry_at = now + seconds
        self.arm(now)

    def registered(self, now: float) -> None:
        """A device of the person has registered."""
        self._attempts = 0
        if self._delivery is not None:
            self._registered = True
        else:
            self.retry(SETTLED_SECONDS, now)

    def fire(self, now: float) -> None:
        """A sender has waited long enough, something is too old, or it is time to try again."""
        first = self.waiting[0]
        if first.transaction is not None and now >= self._answer_at:
            self._keep_or_refuse(first, now)
        for old in [one for one in self.waiting if self._boxes.is_old(one)]:
            self._leave(old)
            self._boxes.failed(old.text, "expired")
        if not self.waiting or self.waiting[0] is not first:
            self._next(now)
        elif self._retry_at is not None and now >= self._retry_at:
            self._try(now)
        else:
            self.arm(now)

    def abandon(self, now: float, why: str) -> None:
        """The person is gone: nothing is delivered any more."""
        for one in list(self.waiting):
            self._leave(one)
            if one.transaction is not None:
                self._boxes.answer(one, 480, now)
            else:
                self._boxes.failed(one.text, why)
        self._boxes.remove(self)

    def _done(self, delivery: Delivery, fate: Fate, now: float) -> None:
        """The devices have decided."""
        first = self.waiting[0]
        self._stop()
        match fate:
            case Fate.TAKEN:
                self._boxes.answer(first, 200, now)
                self._leave(first)
                self._boxes.delivered(first.text, unwrapped=delivery.unwrapped)
                self._attempts = 0
                self._next(now)
                return
            case Fate.AWAY if first.transaction is not None:
                self._keep_or_refuse(first, now)
            case Fate.UNREADABLE | Fate.REFUSED if first.transaction is not None:
                self._boxes.answer(first, 415 if fate is Fate.UNREADABLE else 480, now)
                self._leave(first)
            case Fate.UNREADABLE:
                self._leave(first)
                self._boxes.failed(first.text, "refused")
        if not self.waiting or self.waiting[0] is not first:
            self._next(now)
        else:
            self._wait(now)

    def _wait(self, now: float) -> None:
        """Nobody took the oldest text: try again later, soon where a device has come meanwhile."""
        if self._registered:
            self.retry(SETTLED_SECONDS, now)
            return
        seconds = min(RETRY_SECONDS * 2**self._attempts, LONGEST_RETRY_SECONDS)
        self._attempts = min(self._attempts + 1, 10)
        self.retry(seconds, now)

    def _next(self, now: float) -> None:
        if self.waiting:
            self._try(now)
        else:
            self._boxes.remove(self)

    def _try(self, now: float) -> None:
        try:
            self.begin(now)
        except RemoteProtocolError:  # too large for the devices that are there now
            self._wait(now)

    def _keep_or_refuse(self, one: Waiting, now: float) -> None:
        """Its sender doesn't wait any longer: 202 for what is kept, else 480."""
        try:
            self._boxes.keep(one, now)
        except RemoteProtocolError:
            self._boxes.answer(one, 480, now)
            self._leave(one)

    def _leave(self, one: Waiting) -> None:
        if self._delivery is not None and one is self.waiting[0]:
            self._stop()
        self.waiting.remove(one)
        if one.transaction is None:
            self._boxes.forget(one.text)

    def _stop(self) -> None:
        """What is under way is done, or nobody asks for it any more."""
        if self._delivery is not None:
            self._delivery.over = True
            self._delivery = None
            self._boxes.deliveries -= 1

    def arm(self, now: float) -> None:
        """Wait for what comes next: another try, a sender's patience, something too old."""
        first = self.waiting[0]
        offset = self._boxes.exchange.clock() - now
        times = [one.text.expires_at - offset for one in self.waiting if one.transaction is None]
        if first.transaction is not None:
            times.append(self._answer_at)
        if self._retry_at is not None:
            times.append(self._retry_at)
        self.deadline = min(times)
        self._boxes.exchange.core.stack.timers.arm(self)


class Boxes:
    """The boxes of those for whom a text is under way or waits. deliveries: how many are under way."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.deliveries = 0
        self._boxes: dict[str, Box] = {}
        self._kept: Counter[str] = Counter()  # by the extension of who wrote them
        self._number = 0

    def text(
        self, to: str, sender: str, names: tuple[str, str], content_type: str, body: bytes, seconds: float
    ) -> TextRecord:
        """A new text, later than all others. names: the extension and the name of who writes.

        seconds: how long it may wait.
        """
        now = self.exchange.clock()
        # Milliseconds: greater than those of a process before, whose last one may be forgotten.
        self._number = max(self._number + 1, int(now * 1000))
        return TextRecord(self._number, to, sender, *names, content_type, body, now, now + seconds)

    def send(self, text: TextRecord, transaction: ServerTransaction, max_forwards: int, now: float) -> None:
        """Deliver a text, or keep it, and answer its sender. Raises RemoteProtocolError to be answered."""
        bindings = self.bindings_for(text)
        one = Waiting(text, transaction, max_forwards)
        if not bindings or text.to in self._boxes:
            self.keep(one, now)
            self._put(one, now)
            return
        if self.deliveries >= MAX_DELIVERIES:
            raise RemoteProtocolError(503, "Too Many Messages", (("Retry-After", "10"),))
        box = Box(self, text.to)
        box.waiting.append(one)
        box.begin(now)
        self._boxes[text.to] = box

    def post(self, text: TextRecord, now: float) -> None:
        """Keep a text whose sender is told otherwise, and deliver it. Raises RemoteProtocolError."""
        one = Waiting(text, None, 70)
        self.keep(one, now)
        self._put(one, now)

    def keep(self, one: Waiting, now: float) -> None:
        """Write a text down, then answer its sender 202. Raises RemoteProtocolError where it can't wait."""
        text, exchange = one.text, self.exchange
        if exchange.journal.exhausted:  # design, promise 5: what can't be written isn't acknowledged
            raise RemoteProtocolError(503, "Service Unavailable", (("Retry-After", "60"),))
        _check_keepable(text)
        box = self._boxes.get(text.to)
        if (
            self._kept.total() >= MAX_TEXTS
            or self._kept[text.from_] >= MAX_OF_ONE_SENDER
            or (box is not None and len(box.waiting) >= MAX_OF_ONE_BOX)
        ):
            raise RemoteProtocolError(480, "Too Many Messages Wait", (("Retry-After", "3600"),))
        exchange.journal.append(text)  # the driver writes it before the 202 leaves
        self.answer(one, 202, now)
        one.transaction = None
        self._kept[text.from_] += 1
        exchange.events.publish(TextStored, text.number, text.from_, text.to)
        self._receipt(text, imdn.STORED)

    def restore(self, texts: Iterable[TextRecord], now: float) -> int:
        """Take back what an earlier process kept; returns how many texts wait."""
        for text in sorted(texts, key=lambda text: text.number):
            self._number = max(self._number, text.number)
            box = self._boxes.get(text.to)
            if box is None:
                box = self._boxes[text.to] = Box(self, text.to)
            box.waiting.append(Waiting(text, None, 70))
            self._kept[text.from_] += 1
        for box in self._boxes.values():
            box.retry(SETTLED_SECONDS, now)
        self.reloaded(now)
        self.exchange.driver.wake()
        return self._kept.total()

    def registered(self, extension: str, now: float) -> None:
        """A device of a person has registered: what waits is delivered soon."""
        box = self._boxes.get(extension)
        if box is not None:
            box.registered(now)

    def reloaded(self, now: float) -> None:
        """Another plan is in force: nothing waits for people who are gone."""
        for extension in self._boxes.keys() - self.exchange.plan.people.keys():
            self._boxes[extension].abandon(now, "nobody has this number any more")

    def bindings_for(self, text: TextRecord) -> list[Binding]:
        """Where a text can be delivered now, one way for each telephone; not to the device it comes from.

        RFC 5626 section 5.3: a telephone with several flows is sent a request over one of them.
        """
        ways = self.exchange.devices.ways_to(text.to, self.exchange.registrations.reachable)
        return [flows[0] for flows in ways if flows[0].device != text.sender]

    @property
    def kept(self) -> int:
        """How many texts wait, written down."""
        return self._kept.total()

    def __len__(self) -> int:
        return len(self._boxes)

    # From a box

    def answer(self, one: Waiting, status: int, now: float) -> None:
        """Answer the sender of a text who hasn't heard yet."""
        if one.transaction is not None:
            self.exchange.core.stack.respond(one.transaction, status, now)

    def is_old(self, one: Waiting) -> bool:
        """Whether a text that waits has waited long enough."""
        return one.transaction is None and one.text.expires_at <= self.exchange.clock()

    def forget(self, text: TextRecord) -> None:
        """A text that was kept waits no more."""
        self._kept[text.from_] -= 1
        if not self._kept[text.from_]:
            del self._kept[text.from_]
        self.exchange.write(TextOverRecord(text.number))

    def delivered(self, text: TextRecord, *, unwrapped: bool) -> None:
        """A device took it. unwrapped: as plain text, so it won't send a receipt itself."""
        seconds = self.exchange.clock() - text.written_at
        self.exchange.events.publish(TextDelivered, text.number, text.from_, text.to, seconds)
        if unwrapped:
            self._receipt(text, imdn.DELIVERED)

    def failed(self, text: TextRecord, why: str) -> None:
        """It won't be delivered."""
        log.info("text=%d from=%s to=%s not delivered: %s", text.number, text.from_, text.to, why)
        self.exchange.events.publish(TextFailed, text.number, text.from_, text.to, why)
        self._receipt(text, imdn.FAILED)

    def remove(self, box: Box) -> None:
        """A box is empty."""
        box.deadline = None
        if self._boxes.get(box.extension) is box:
            del self._boxes[box.extension]

    def _put(self, one: Waiting, now: float) -> None:
        """Behind what waits for the person already; sent at once where nothing does."""
        box = self._boxes.get(one.text.to)
        if box is not None:
            box.waiting.append(one)
            box.arm(now)  # it may be too old before the others
            return
        box = self._boxes[one.text.to] = Box(self, one.text.to)
        box.waiting.append(one)
        box.retry(0.0, now)

    def _receipt(self, text: TextRecord, status: str) -> None:
        """Tell the sender of a text what became of it, where they asked to be told (RFC 5438 section 8)."""
        asked = _receipts_asked(text)
        exchange = self.exchange
        if not asked.asks(status) or text.from_ not in exchange.plan.people:
            return
        person = exchange.plan.people.get(text.to)
        names = (text.to, person.name if person is not None else "")
        body = imdn.receipt(
            status,
            asked=asked,
            own_id=exchange.core.stack.identifiers.token(),
            sender=f"sip:{text.from_}@{exchange.domain}",
            recipient=f"sip:{text.to}@{exchange.domain}",
            written_at=text.written_at,
        )
        told = self.text(text.from_, "", names, cpim.CONTENT_TYPE, body, KEPT_SECONDS)
        try:
            self.post(told, exchange.driver.now)
        except RemoteProtocolError as error:
            log.warning("text=%d its sender can't be told: %s", text.number, error)


def _check_keepable(text: TextRecord) -> None:
    """Raises RemoteProtocolError for what is no text to wait: 480 for "is typing", 413, 415 for no UTF-8."""
    kind, _, parameters = text.content_type.partition(";")
    kind = kind.strip().lower()
    if kind not in ("text/plain", cpim.CONTENT_TYPE) or text.expires_at <= text.written_at:
        raise RemoteProtocolError(480, "Temporarily Unavailable")
    if len(text.body) > MAX_KEPT_BYTES:
        raise RemoteProtocolError(413, "Too Large to Wait")
    if kind == "text/plain":
        charset = parameters.lower().partition("charset=")[2].strip(' "')
        try:
            text.body.decode()
        except UnicodeDecodeError:
            charset = "another"
        if charset not in ("", "utf-8", "us-ascii"):
            raise RemoteProtocolError(415, "Write UTF-8", (("Accept", "text/plain;charset=UTF-8"),))
        return
    try:
        cpim.parse_cpim(text.body)
    except ParseError as error:
        raise RemoteProtocolError(400, "Malformed CPIM") from error


def _receipts_asked(text: TextRecord) -> imdn.ReceiptsAsked:
    """What the sender of a text asks for; nothing for one of ours, or without CPIM."""
    if text.content_type.partition(";")[0].strip().lower() == cpim.CONTENT_TYPE:
        try:
            message = cpim.parse_cpim(text.body)
        except ParseError:
            return imdn.ReceiptsAsked("", frozenset())
        if not message.content_type.lower().startswith(imdn.CONTENT_TYPE):  # no receipt of a receipt
            return imdn.receipts_asked(message)
    return imdn.ReceiptsAsked("", frozenset())
