"""The devices that may sign in, and where each can be reached now.

Devices come from the plan's `users:` (one each, with the extension itself and its `password:`) and from the
database's people, as exported. Memory is the authority for bindings; whoever changes them writes them down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from dialplan.plan import Person, Plan
from pbx.people.directory import Directory
from sip.core.digest import BOTH, MD5_ONLY, Algorithm, Credentials
from sip.core.registrar import Binding

NO_CREDENTIALS = Credentials("", "")
"""Of who signs in by other means."""


@dataclass(slots=True)
class Device:
    """One device's sign-in. extension: of the person who uses it now; owner: of the one whose it is.

    site: where it is when its address doesn't tell, None for its owner's. addresses: where it is in each
    network outside of the sites (pbx.people.addresses). is_browser: a page's, with passwords of its own
    (pbx.people.browsers).
    """

    sign_in: str
    extension: str
    credentials: Credentials = field(repr=False)
    site: str | None = None
    md5_only: bool = False
    bindings: tuple[Binding, ...] = ()
    addresses: Mapping[str, Mapping[str, str]] | None = None
    is_browser: bool = False
    owner: str = field(init=False)

    def __post_init__(self) -> None:
        self.owner = self.extension

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """The digest algorithms to offer it."""
        return MD5_ONLY if self.md5_only else BOTH


class Devices:
    """All devices of one domain, by sign-in and by extension."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self._by_sign_in: dict[str, Device] = {}
        self._by_extension: dict[str, list[Device]] = {}
        self._people: Mapping[str, Person] = {}  # of the plan that was loaded last

    def load(self, plan: Plan, directory: Directory) -> list[str]:
        """Take the devices of a plan and a directory; known bindings stay with their sign-in.

        Returns the sign-ins that are gone with bindings left: their owner writes that down.
        """
        former = self._by_sign_in
        self._by_sign_in = {}
        self._by_extension = {}
        people, self._people = self._people, plan.people
        for extension, person in plan.people.items():
            if person.password is None:
                continue
            before = people.get(extension)
            if before is not None and before.password == person.password:
                # Most of them: hashing 10,000 passwords anew would stop every call for 30 ms.
                credentials = former[extension].credentials
            else:
                credentials = Credentials.of(extension, self.domain, person.password)
            self._add(Device(extension, extension, credentials))
        for entry in directory.people:
            for device in entry.devices:
                if device.sign_in not in self._by_sign_in and device.realm == self.domain:
                    credentials = Credentials(device.ha1_md5, device.ha1_sha256)
                    site = device.site
                    self._add(Device(device.sign_in, entry.extension, credentials, site, device.md5_only))
        gone = []
        for sign_in, old in former.items():
            if sign_in in self._by_sign_in:
                self._by_sign_in[sign_in].bindings = old.bindings
            elif old.is_browser and old.owner in plan.people:
                self._add(old)
            elif old.bindings:
                gone.append(sign_in)
        return gone

    def _add(self, device: Device) -> None:
        self._by_sign_in[device.sign_in] = device
        self._by_extension.setdefault(device.extension, []).append(device)

    def add_browser(self, sign_in: str, extension: str) -> Device:
        """Add the browser of a person (pbx.people.browsers), and return it."""
        made = Device(sign_in, extension, NO_CREDENTIALS, is_browser=True)
        self._add(made)
        return made

    def use(self, device: Device, extension: str) -> None:
        """Let a person use a device from now on."""
        self._by_extension[device.extension].remove(device)
        device.extension = extension
        self._by_extension.setdefault(extension, []).append(device)

    def find(self, sign_in: str) -> Device | None:
        """The device that signs in with this name, None for a stranger."""
        return self._by_sign_in.get(sign_in)

    def credentials(self, sign_in: str) -> Credentials | None:
        """What a device's digest is checked against, None for a stranger."""
        device = self._by_sign_in.get(sign_in)
        return device.credentials if device is not None and not device.is_browser else None

    def bindings_of(self, extension: str) -> list[Binding]:
        """Where all devices of a person can be reached, best first (RFC 3261 section 10.2.1.2)."""
        bindings = [
            binding for device in self._by_extension.get(extension, ()) for binding in device.bindings
        ]
        bindings.sort(key=lambda binding: -binding.q)
        return bindings

    def ways_to(
        self, extension: str, reachable: Callable[[Binding], bool], instance: str = ""
    ) -> list[list[Binding]]:
        """The telephones of a person, each by the ways to it: the newest flow that works first.

        RFC 5626 section 5.3. Telephones that seem gone come last. instance: this one only, as a GRUU names it
        (RFC 5627 section 6.1).
        """
        bindings = self.bindings_of(extension)
        if len(bindings) == 1 and not instance:
            return [bindings]
        ways: dict[object, list[Binding]] = {}
        for binding in bindings:
            if not instance or binding.instance == instance:
                telephone = (binding.device, binding.instance) if binding.reg_id else id(binding)
                ways.setdefault(telephone, []).insert(0, binding)
        found = list(ways.values())
        for flows in found:
            if len(flows) > 1:
                flows.sort(key=reachable, reverse=True)
        if len(found) > 1:
            found.sort(key=lambda flows: reachable(flows[0]), reverse=True)
        return found

    def __iter__(self) -> Iterator[Device]:
        return iter(self._by_sign_in.values())

    def __len__(self) -> int:
        return len(self._by_sign_in)

    def count_bindings(self) -> int:
        """How many contacts are registered."""
        return sum(len(device.bindings) for device in self._by_sign_in.values())


def with_directory(plan: Plan, directory: Directory) -> Plan:
    """The plan with the people of the database beside its own; what doesn't fit is in its findings."""
    if not directory.people:
        return plan  # not a second set of lookup tables
    return plan.with_people(
        Person(
            extension=person.extension,
            name=person.name,
            site=person.site,
            class_name=person.class_name,
            groups=tuple(person.groups),
            mobile=person.mobile,
        )
        for person in directory.people
    )


def is_near(plan: Plan, one: str, other: str) -> bool:
    """Whether two extensions are the same person's, or of people who share a group: near enough to see whom
    the other speaks with, and to take what rings there."""
    if one == other:
        return True
    first, second = plan.people.get(one), plan.people.get(other)
    return first is not None and second is not None and not set(first.groups).isdisjoint(second.groups)
