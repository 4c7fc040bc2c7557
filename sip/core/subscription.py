"""Subscriptions that we serve: SUBSCRIBE in, NOTIFY out (RFC 6665 section 4.2).

The owner gives an event package as a small object: it says whether a resource may be watched and what its
state is. One machine for each subscription does the rest:

        SUBSCRIBE: 200, NOTIFY with everything
              |
              v      .-- changed: NOTIFY with what changed, or after the one under way
         +--------+ <'
         | ACTIVE | -- SUBSCRIBE again: 200, NOTIFY with everything; expiry moves --.
         +--------+ <---------------------------------------------------------------'
           |    |
           |    | Expires 0, expiry, end(): NOTIFY "terminated", after the one under way
           |    v
           |  +--------+
           |  | ENDING |
           |  +--------+
           |    | the last NOTIFY has left
           v    v
         +-------+
         | ENDED |   NOTIFY answered 481 or the like, or not at all
         +-------+

Nothing is ever pending: a package refuses at once what may not be watched. A fetch (Expires 0 in a new
SUBSCRIBE) is a subscription that ends as it begins (4.4.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from sip.core.dialog import Dialog
from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.grammar import TOKEN, parse_parameters
from sip.core.message import Request, Response
from sip.core.session import contact_uri
from sip.core.stack import ServerTransaction

if TYPE_CHECKING:
    from sip.core.ua_core import UserAgentCore

MIN_SECONDS = 60
MAX_SECONDS = 900  # a subscriber that is gone without a word is told for nothing no longer
MAX_SUBSCRIPTIONS = 20_000
MAX_OF_ONE_SUBSCRIBER = 600  # a desk with five hundred lamps, and some of what it forgot in a restart
RESTORED_NOTIFIES = 1_000_000  # more than a process sends between two words of where it was
RESTORED_A_SECOND = 500  # all of MAX_SUBSCRIPTIONS within 40 s

MAX_INTERVAL_SECONDS = 60.0  # however slowly a subscriber wants to be told, no lamp is wrong for longer
_RATE = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,10})?")  # RFC 6446 section 9.2

# RFC 6665 section 4.2.2: what these say of a NOTIFY is said of the subscription
_ENDING_STATUSES = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})


class Watched(Protocol):
    """What one subscription tells of; the package's object, kept as long as the subscription.

    content_type: of its documents. require: the option that the subscriber must know to read them, or "".
    """

    @property
    def content_type(self) -> str: ...

    @property
    def require(self) -> str: ...

    def document(self, number: int, *, full: bool) -> bytes:
        """The state now; what changed since the last document is enough unless `full`. Empty: no body.

        number: of the document, from 0 on; it may jump before a full one.
        """

    def close(self) -> None:
        """The subscription is over."""


class Package(Protocol):
    """An event package (RFC 6665 section 5).

    name: as in Event. content_type: of its documents. default_seconds: for a SUBSCRIBE without Expires.
    interval_seconds: NOTIFYs of one subscription are at least so far apart, but for the last one.
    """

    name: str
    content_type: str
    default_seconds: int
    interval_seconds: float

    def watch(
        self, resource: str, subscriber: str, changed: Callable[[float], None], *, lists: bool
    ) -> Watched:
        """The state of a resource, a Request-URI. changed: to be called with the time when it changes.

        lists: whether the subscriber reads lists of resources (RFC 4662).

        Raises RemoteProtocolError: 404 for a resource that isn't there, 403 for one that isn't theirs.
        """


class SubscriptionState(Enum):
    """Where a subscription stands."""

    ACTIVE = auto()
    ENDING = auto()
    ENDED = auto()


class Subscription:
    """One subscription of one subscriber. event: the Event value that NOTIFYs repeat.

    interval_seconds: NOTIFYs are at least so far apart, as the package and the subscriber want it.
    expires_at: on the owner's clock, 0.0 before it began and once it is over.
    """

    __slots__ = (
        "_changed_since",
        "_contact",
        "_full",
        "_last_word",
        "_next_notify_at",
        "_notifier",
        "_require",
        "_sending",
        "_watched",
        "armed",
        "deadline",
        "dialog",
        "event",
        "expires_at",
        "interval_seconds",
        "package",
        "resource",
        "state",
        "subscriber",
    )

    def __init__(
        self,
        notifier: Notifier,
        dialog: Dialog,
        package: Package,
        subscriber: str,
        resource: str,
        event: str,
        interval_seconds: float,
        *,
        lists: bool,
    ) -> None:
        self._notifier = notifier
        self.dialog = dialog
        self.package = package
        self.subscriber = subscriber
        self.resource = resource
        self.event = event
        self.interval_seconds = interval_seconds
        self.state = SubscriptionState.ACTIVE
        self.deadline: float | None = None
        self.armed: float | None = None
        self.expires_at = 0.0
        self._contact = contact_uri(dialog.flow)
        self._next_notify_at = 0.0
        self._sending = False
        self._changed_since = False  # something to tell waits
        self._full = True
        self._last_word = ""  # why it ends, once it does
        self._watched = package.watch(resource, subscriber, self.changed, lists=lists)
        self._require = f"Require: {self._watched.require}\r\n" if self._watched.require else ""

    def changed(self, now: float) -> None:
        """What it tells of has changed; the subscriber hears so soon."""
        if self.state is SubscriptionState.ACTIVE:
            self._changed_since = True
            self._tell(now)

    def end(self, now: float, reason: str = "noresource") -> None:
        """End it from our side; reason as in RFC 6665 section 4.1.3 (noresource, rejected, …)."""
        if self.state is SubscriptionState.ACTIVE:
            self._end(now, reason)

    def begin(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """Answer the first SUBSCRIBE, or one that refreshes, and tell everything."""
        seconds = _seconds(request, self.package)
        self._notifier.core.stack.respond(
            transaction,
            200,
            now,
            to_tag=self.dialog.local_tag,
            headers=f"Expires: {seconds}\r\nContact: <{self._contact}>\r\n{self._require}",
        )
        self._full = True
        self.expires_at = now + seconds
        if not seconds:
            self._end(now, "timeout")  # 4.2.1.4: also for an unsubscription
            return
        self._changed_since = True
        self._next_notify_at = now  # 4.2.1.2: a NOTIFY follows every SUBSCRIBE at once
        self._notifier.changed(self)
        self._tell(now)

    def go_on(self, expires_at: float, notify_at: float, now: float) -> None:
        """Go on where another process was: everything is told anew, at `notify_at`.

        Its NOTIFYs are later than any that the other one sent: their numbers are RESTORED_NOTIFIES greater.
        """
        self.dialog.local_sequence += RESTORED_NOTIFIES
        self.expires_at = expires_at
        self._changed_since = True
        self._next_notify_at = notify_at
        self._notifier.changed(self)
        self._tell(now)

    # From the core

    def request_received(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        """A request within the dialog."""
        if request.from_.tag != self.dialog.remote_tag:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        self.dialog.check_sequence(request)
        if request.method != "SUBSCRIBE":
            raise RemoteProtocolError(405, "Method Not Allowed", (("Allow", "SUBSCRIBE"),))
        _, event, interval_seconds = _event(request)
        if event != self.event:
            raise self._notifier.bad_event()
        _seconds(request, self.package)  # refused before anything moves
        self.interval_seconds = max(interval_seconds, self.package.interval_seconds)
        self.dialog.follow(request, transaction.flow)
        self.begin(request, transaction, now)

    def fire(self, now: float) -> None:
        """It has expired, or what waited may be told now."""
        if now >= self.expires_at:
            self._end(now, "timeout")
        else:
            self._tell(now)

    def response_received(self, response: Response, now: float) -> None:
        """The answer to a NOTIFY."""
        if response.status < 200:
            return
        self._sending = False
        if response.status in _ENDING_STATUSES:
            self.drop()
            return
        if response.status >= 300:
            self._full = True  # it may not have read this one: the next one says all
        self._go_on(now)

    def no_response(self, reason: str, now: float) -> None:
        """No answer to a NOTIFY (4.2.2: a subscription that isn't answered is removed)."""
        self._sending = False
        self.drop()

    # Steps

    def _tell(self, now: float) -> None:
        """Send what waits as soon as it may be sent, and set the timer for what comes next."""
        self.deadline = self.expires_at
        if self._changed_since and not self._sending:
            if now >= self._next_notify_at:
                self._changed_since = False
                self._next_notify_at = now + self.interval_seconds
                remaining = max(int(self.expires_at - now + 0.5), 1)
                rate = ""
                if self.interval_seconds > self.package.interval_seconds:  # RFC 6446 section 4.2
                    rate = f";max-rate={1 / self.interval_seconds:.6f}"
                self._notify(f"active;expires={remaining}{rate}", now)
            else:
                self.deadline = min(self.expires_at, self._next_notify_at)
        self._notifier.core.stack.timers.arm(self)

    def _go_on(self, now: float) -> None:
        match self.state:
            case SubscriptionState.ACTIVE:
                self._tell(now)
            case SubscriptionState.ENDING:
                self._say_goodbye(now)
            case SubscriptionState.ENDED:
                pass

    def _end(self, now: float, reason: str) -> None:
        self.state = SubscriptionState.ENDING
        self._last_word = reason
        self.deadline = None
        self.expires_at = 0.0
        self._notifier.forget(self)
        if not self._sending:
            self._say_goodbye(now)

    def _say_goodbye(self, now: float) -> None:
        self._full = True
        self.state = SubscriptionState.ENDED
        self._notify(f"terminated;reason={self._last_word}", now)
        self._watched.close()

    def drop(self) -> None:
        """End without a word: the subscriber isn't there, or doesn't know of it."""
        if self.state is SubscriptionState.ENDED:
            return
        if self.state is SubscriptionState.ACTIVE:
            self.expires_at = 0.0
            self._notifier.forget(self)
        self.state = SubscriptionState.ENDED
        self.deadline = None
        self._watched.close()

    def _notify(self, state: str, now: float) -> None:
        dialog, stack = self.dialog, self._notifier.core.stack
        self._sending = True  # first: what it has no room for in this document follows the answer
        full, self._full = self._full, False
        body = self._watched.document(dialog.local_sequence, full=full)
        dialog.local_sequence += 1
        branch = stack.identifiers.branch()
        data = dialog.request(
            "NOTIFY",
            branch,
            dialog.local_sequence,
            contact=self._contact,
            headers=f"Event: {self.event}\r\nSubscription-State: {state}\r\n{self._require}",
            body=body,
            content_type=self._watched.content_type,
        )
        stack.send_request("NOTIFY", branch, data, dialog.flow, self, now)


class Notifier:
    """All subscriptions that one core serves.

    changed: told of each that begins, is refreshed or is over, before the subscriber is.
    """

    def __init__(
        self,
        core: UserAgentCore,
        packages: Iterable[Package],
        changed: Callable[[Subscription], None] = lambda _: None,
    ) -> None:
        self.core = core
        self.changed = changed
        self._packages = {package.name: package for package in packages}
        self._of_subscriber: dict[str, dict[int, Subscription]] = {}
        self._count = 0
        self._restored_until = 0.0  # when the last one that was restored is told

    @property
    def allow_events(self) -> str:
        """The value of Allow-Events (6665 section 8.2.2)."""
        return ", ".join(self._packages)

    def subscribe_received(
        self, request: Request, transaction: ServerTransaction, subscriber: str, now: float
    ) -> None:
        """Answer a SUBSCRIBE outside a dialog, and send the first NOTIFY.

        subscriber: who is behind it, for the limits and the package; the caller has made sure.
        Raises RemoteProtocolError, to be answered: 489 for an unknown package, 406, 423, what the package
        refuses, 403 for one subscriber's limit, 503 for the limit of all.
        """
        name, event, interval_seconds = _event(request)
        package = self._packages.get(name)
        if package is None:
            raise self.bad_event()
        _check_accept(request, package)
        _seconds(request, package)
        self._make_room(subscriber, request.uri, name)
        dialog = Dialog.of_request(request, self.core.stack.identifiers.token(), transaction.flow)
        interval_seconds = max(interval_seconds, package.interval_seconds)
        subscription = Subscription(
            self,
            dialog,
            package,
            subscriber,
            request.uri,
            event,
            interval_seconds,
            lists="supported" in request.headers and "eventlist" in request.tokens("supported"),
        )
        self._serve(subscription)
        subscription.begin(request, transaction, now)

    def restore(
        self,
        dialog: Dialog,
        subscriber: str,
        resource: str,
        event: str,
        interval_seconds: float,
        expires_at: float,
        now: float,
    ) -> None:
        """Go on with a subscription of a process that is gone; each in its turn, as RESTORED_A_SECOND says.

        expires_at: on the owner's clock. Raises RemoteProtocolError where the package refuses it now.
        """
        package = self._packages.get(event.partition(";")[0])
        if package is None:
            raise self.bad_event()
        subscription = Subscription(
            self, dialog, package, subscriber, resource, event, interval_seconds, lists=True
        )
        self._serve(subscription)
        self._restored_until = max(self._restored_until, now) + 1 / RESTORED_A_SECOND
        subscription.go_on(expires_at, self._restored_until, now)

    def _serve(self, subscription: Subscription) -> None:
        self._of_subscriber.setdefault(subscription.subscriber, {})[id(subscription)] = subscription
        self._count += 1
        self.core.serve(subscription.dialog, subscription)

    def bad_event(self) -> RemoteProtocolError:
        """The refusal of an event that nobody here serves (4.2.1.1)."""
        return RemoteProtocolError(489, "Bad Event", (("Allow-Events", self.allow_events),))

    def subscriptions(self) -> list[Subscription]:
        """All that are active."""
        return [one for theirs in self._of_subscriber.values() for one in theirs.values()]

    def end_all(self, now: float) -> None:
        """This node stops: subscribers may ask again at once (RFC 6665 section 4.1.3, deactivated)."""
        for subscription in self.subscriptions():
            subscription.end(now, "deactivated")

    def forget(self, subscription: Subscription) -> None:
        """A subscription has ended."""
        theirs = self._of_subscriber.get(subscription.subscriber, {})
        if theirs.pop(id(subscription), None) is not None:
            self._count -= 1
            self.core.stop_serving(subscription.dialog)
            self.changed(subscription)
        if not theirs:
            self._of_subscriber.pop(subscription.subscriber, None)

    def __len__(self) -> int:
        return self._count

    def _make_room(self, subscriber: str, resource: str, package: str) -> None:
        theirs = self._of_subscriber.get(subscriber, {})
        if len(theirs) < MAX_OF_ONE_SUBSCRIBER and self._count < MAX_SUBSCRIPTIONS:
            return
        # A phone that was restarted knows nothing of what it asked before: it makes room for itself.
        for old in theirs.values():
            if old.resource == resource and old.package.name == package:
                old.drop()
                return
        if len(theirs) >= MAX_OF_ONE_SUBSCRIBER:
            raise RemoteProtocolError(403, "Too Many Subscriptions")
        raise RemoteProtocolError(503, "Too Many Subscriptions", (("Retry-After", "120"),))


def _event(request: Request) -> tuple[str, str, float]:
    """The package that a SUBSCRIBE names, the Event value that its NOTIFYs repeat (8.2.1), and how many
    seconds they are to be apart at least, 0.0 where it doesn't say (`max-rate`, RFC 6446 section 4.1).

    Raises ParseError (400) for a malformed one; RemoteProtocolError 489 without one is the caller's.
    """
    raw = request.headers.get("event")
    if raw is None:
        return "", "", 0.0
    name, _, tail = request.only("event").partition(";")
    name = name.strip().lower()
    if not TOKEN.fullmatch(name) or len(name) > 64:
        raise ParseError(f"malformed Event {name[:40]!r}")
    parameters = parse_parameters(f";{tail}" if tail else "")
    identifier = parameters.get("id", "")
    if len(identifier) > 64:
        raise ParseError("the id of Event is too long")
    interval_seconds = 0.0
    if "max-rate" in parameters:
        rate = parameters["max-rate"]
        if not _RATE.fullmatch(rate):
            raise ParseError(f"malformed max-rate {rate[:40]!r}")
        interval_seconds = min(1 / float(rate), MAX_INTERVAL_SECONDS) if float(rate) else MAX_INTERVAL_SECONDS
    return name, f"{name};id={identifier}" if identifier else name, interval_seconds


def _seconds(request: Request, package: Package) -> int:
    """How long a SUBSCRIBE lasts, within our bounds; raises RemoteProtocolError 423 (4.2.1.1)."""
    asked = request.expires
    if asked is None:
        return min(package.default_seconds, MAX_SECONDS)
    if 0 < asked < MIN_SECONDS:
        raise RemoteProtocolError(423, "Interval Too Brief", (("Min-Expires", str(MIN_SECONDS)),))
    return min(asked, MAX_SECONDS)


def _check_accept(request: Request, package: Package) -> None:
    """4.2.1.1: a subscriber that can't read the package's documents is refused with 406."""
    if "accept" not in request.headers:
        return
    accepted = {value.partition(";")[0].strip().lower() for value in request.values("accept")}
    kind = package.content_type.partition("/")[0]
    if accepted and not {package.content_type, f"{kind}/*", "*/*"} & accepted:
        raise RemoteProtocolError(406, "Not Acceptable", (("Accept", package.content_type),))
