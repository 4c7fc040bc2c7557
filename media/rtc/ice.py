"""An ICE-lite agent (RFC 8445): it answers a browser's checks, and knows from where the browser may be heard.

```
    check, our ufrag and password ──> answered; its path may carry media
    … with USE-CANDIDATE          ──> and is where we send from now on
    restart(ufrag, password)      ──> both credentials hold until a path is nominated with the new ones
```
We make no checks ourselves, so that the browser's are all that we know of its consent (RFC 7675).
"""

from typing import Final, NamedTuple

from media.rtc import stun

CONSENT_SECONDS: Final = 30.0  # RFC 7675 section 5.1
MAX_PATHS: Final = 16  # of one browser: its addresses, of each kind, and the relays that it has tried

ROLE_CONFLICT: Final = 487


class Path(NamedTuple):
    """Between one of our ports and an address. port: which one of ours; address: as sockets give it."""

    port: int
    address: tuple[str, int] | tuple[str, int, int, int]


class Agent:
    """The agent of one browser.

    path: where we send, None before the first check. paths: those that carry media, each with the ufrag of
    ours that it was checked with. heard_at: when the newest check was answered, monotonic seconds.
    """

    __slots__ = ("_passwords", "_theirs", "heard_at", "path", "paths", "ufrag")

    def __init__(self, ufrag: str, password: str, now: float) -> None:
        self.ufrag = ufrag
        self._passwords = {ufrag: password.encode()}
        self._theirs: dict[str, str] = {}  # the browser's ufrag with each of ours, once it was agreed
        self.path: Path | None = None
        self.paths: dict[Path, str] = {}
        self.heard_at = now

    @property
    def ufrags(self) -> tuple[str, ...]:
        """Our credentials that hold now, the older ones first."""
        return tuple(self._passwords)

    def restart(self, ufrag: str, password: str, now: float) -> None:
        """Begin anew with other credentials of ours; media goes on where it was (RFC 8445 section 2.4)."""
        # Of a restart that wasn't carried through, only the credentials with which media flows still count.
        kept = {self.ufrag} if self.path is None else {self.paths.get(self.path, self.ufrag)}
        self._passwords = {old: secret for old, secret in self._passwords.items() if old in kept}
        self._passwords[ufrag] = password.encode()
        self._theirs = {old: other for old, other in self._theirs.items() if old in kept and old != ufrag}
        self.ufrag = ufrag
        self.heard_at = now

    def agree(self, theirs: str) -> None:
        """With our newest credentials a browser of this ufrag is meant: others may have been told them."""
        self._theirs[self.ufrag] = theirs

    def forget_paths(self) -> None:
        """The browser isn't heard any more: nothing is sent, until it checks again."""
        self.path = None
        self.paths.clear()

    def receive(self, request: stun.Message, path: Path, now: float) -> bytes:
        """Return the answer to a check, b"" for one that isn't the browser's.

        RFC 8445 section 7.3; a stranger is told nothing at all, where RFC 8489 section 9.1.3 has a 401.
        """
        said = request.attributes.get(stun.USERNAME, b"").decode("ascii", "replace")
        name, _, theirs = said.partition(":")
        password = self._passwords.get(name)
        if password is None or theirs != self._theirs.get(name, theirs):
            return b""
        if not request.fingerprint or not request.is_authentic(password):
            return b""
        if unknown := request.not_understood():
            return stun.error(request.transaction, 420, "Unknown Attribute", password, unknown)
        if stun.ICE_CONTROLLED in request.attributes:
            # RFC 8445 section 7.3.1.1: a lite agent is always controlled: the other one has to change.
            return stun.error(request.transaction, ROLE_CONFLICT, "Role Conflict", password)
        self.heard_at = now
        self._note(path, name, nominated=stun.USE_CANDIDATE in request.attributes)
        return stun.success(request.transaction, path.address[0], path.address[1], password)

    def _note(self, path: Path, ufrag: str, *, nominated: bool) -> None:
        """The browser has checked this path. Until it nominates one, the first that it checked is used."""
        if path not in self.paths and len(self.paths) >= MAX_PATHS:
            del self.paths[next(old for old in self.paths if old != self.path)]
        self.paths.pop(path, None)  # the newest is the last
        self.paths[path] = ufrag
        if nominated or self.path is None:
            self.path = path
        if nominated and ufrag == self.ufrag and len(self._passwords) > 1:
            # RFC 8445 section 9: the older ones hold until a pair is nominated with the new ones.
            self._passwords = {ufrag: self._passwords[ufrag]}
            self.paths = {one: by for one, by in self.paths.items() if by == ufrag}
