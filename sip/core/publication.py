"""Published event state: PUBLISH in, kept until it expires (RFC 3903).

What is published is a value that the owner read from the body. Each publication has an entity tag that
changes with every PUBLISH; one without a tag begins a new publication beside the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sip.core.errors import RemoteProtocolError
from sip.core.identifiers import Identifiers
from sip.core.message import Request
from sip.core.timers import TimerHeap

MIN_SECONDS = 60
MAX_SECONDS = 7200
DEFAULT_SECONDS = 3600
MAX_PUBLICATIONS = 10_000
MAX_OF_ONE_RESOURCE = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Publication(Generic[T]):
    """One device's word on a resource. expires_at: on the owner's clock."""

    resource: str
    tag: str
    value: T
    expires_at: float


@dataclass(frozen=True, slots=True)
class Published:
    """What the 200 says: the new entity tag, and for how long (RFC 3903 section 6, step 7)."""

    tag: str
    seconds: int

    @property
    def headers(self) -> str:
        """The header lines of the 200, each with its CRLF."""
        return f"SIP-ETag: {self.tag}\r\nExpires: {self.seconds}\r\n"


class Publications(Generic[T]):
    """All publications of one event package, in memory and bounded.

    changed: told the resource whose state is another one now, and the time. kept: told the tag that is over,
    "" for none, and what is published in its place, before the device is.
    """

    def __init__(
        self,
        identifiers: Identifiers,
        timers: TimerHeap,
        changed: Callable[[str, float], None],
        kept: Callable[[str, Publication[T] | None], None] = lambda _tag, _publication: None,
    ) -> None:
        self.deadline: float | None = None
        self.armed: float | None = None
        self._identifiers = identifiers
        self._timers = timers
        self._changed = changed
        self._kept = kept
        self._of_resource: dict[str, dict[str, Publication[T]]] = {}
        self._count = 0

    def of(self, resource: str) -> list[T]:
        """What is published for a resource, the newest last."""
        return [publication.value for publication in self._of_resource.get(resource, {}).values()]

    def resources(self) -> set[str]:
        """For which resources something is published."""
        return set(self._of_resource)

    def publish(self, request: Request, resource: str, read: Callable[[bytes], T], now: float) -> Published:
        """Apply one PUBLISH (RFC 3903 section 6); the owner has checked Event and who sends it.

        read: makes the value of a body, and may raise RemoteProtocolError. Raises RemoteProtocolError: 400
        without body or with several tags, 412 for a tag that isn't known, 423 for too short a time, 403 and
        503 for the limits.
        """
        tag = ""
        if "sip-if-match" in request.headers:
            tag = request.only("sip-if-match")
        known = self._of_resource.get(resource, {})
        former = known.get(tag) if tag else None
        if tag and (former is None or former.expires_at <= now):
            raise RemoteProtocolError(412, "Conditional Request Failed")  # step 3
        if former is None and not request.body:
            raise RemoteProtocolError(400, "Nothing to Publish")  # step 5
        seconds = _seconds(request)
        value = read(request.body) if request.body and seconds else None
        if former is not None and value is None:
            value = former.value  # a refresh (RFC 3903 section 4.3)
        if former is None and seconds:
            self._check_room(known)
        # From here on nothing is refused
        if former is not None:
            del known[tag]
            self._count -= 1
        new_tag = self._identifiers.token()
        publication = None
        if seconds and value is not None:
            publication = Publication(resource, new_tag, value, now + seconds)
            self._add(publication)
        self._kept(tag, publication)
        if not self._of_resource.get(resource):
            self._of_resource.pop(resource, None)
        self._rest()
        if former is None or not seconds or former.value != value:
            self._changed(resource, now)
        return Published(new_tag, seconds)

    def restore(self, publications: Iterable[Publication[T]]) -> None:
        """Go on with what a process that is gone had kept, as far as there is room."""
        for publication in publications:
            if self._count < MAX_PUBLICATIONS:
                self._add(publication)

    def _add(self, publication: Publication[T]) -> None:
        self._of_resource.setdefault(publication.resource, {})[publication.tag] = publication
        self._count += 1
        self.deadline = min(publication.expires_at, self.deadline or publication.expires_at)
        self._timers.arm(self)

    def forget(self, resource: str, now: float) -> None:
        """A resource is gone, with all that was published for it."""
        gone = self._of_resource.pop(resource, {})
        self._count -= len(gone)
        self._rest()
        if gone:
            self._changed(resource, now)

    def fire(self, now: float) -> None:
        """Something has expired."""
        changed = []
        for resource, publications in list(self._of_resource.items()):
            expired = [tag for tag, one in publications.items() if one.expires_at <= now]
            for tag in expired:
                del publications[tag]
            self._count -= len(expired)
            if not publications:
                del self._of_resource[resource]
            if expired:
                changed.append(resource)
        self.deadline = min(
            (one.expires_at for theirs in self._of_resource.values() for one in theirs.values()), default=None
        )
        self._timers.arm(self)
        for resource in changed:
            self._changed(resource, now)

    def __len__(self) -> int:
        return self._count

    def _check_room(self, known: dict[str, Publication[T]]) -> None:
        if len(known) >= MAX_OF_ONE_RESOURCE:
            raise RemoteProtocolError(403, "Too Many Publications")
        if self._count >= MAX_PUBLICATIONS:
            raise RemoteProtocolError(503, "Too Many Publications", (("Retry-After", "120"),))

    def _rest(self) -> None:
        """Nothing is waited for once nothing is published; else the timer may come too early."""
        if not self._count:
            self.deadline = None


def _seconds(request: Request) -> int:
    """How long a publication lasts, within our bounds; raises RemoteProtocolError 423 (step 4)."""
    asked = request.expires
    if asked is None:
        return DEFAULT_SECONDS
    if 0 < asked < MIN_SECONDS:
        raise RemoteProtocolError(423, "Interval Too Brief", (("Min-Expires", str(MIN_SECONDS)),))
    return min(asked, MAX_SECONDS)
