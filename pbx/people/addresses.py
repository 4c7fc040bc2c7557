"""Where devices are that call from outside of every site: the address that a teleworker said and confirmed.

It counts for the network that the device calls from (a home's: /24 of IPv4, /56 of IPv6), and for emergency
calls alone. A device that comes back to a network where its address was confirmed needn't be asked again; in
any other one its place is assumed, and told as such, until somebody confirms an address there. A network of a
site always tells more, and needs none of this. Who may confirm is whoever uses the device.

    registers from outside ──> AddressWanted ──> said ──> confirmed ──> in the INVITE and the notice of an
                                                   └──────────┴──> forgotten               emergency call
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from pbx.events import AddressChanged, AddressWanted
from pbx.people.settings import SettingRefused
from pbx.records import AddressRecord, Personal, SetBy

if TYPE_CHECKING:
    from pbx.exchange import Exchange
    from pbx.people.devices import Device

log = logging.getLogger(__name__)

KEYS = ("street", "postcode", "city", "building", "floor", "room", "landmark", "insee")
"""What an address has, as a site's `address:`."""

REQUIRED = ("street", "city")
MOST_NETWORKS = 8  # of one device: the one that was said first is forgotten for another one
MOST_CHARACTERS = 120

_NO_DEVICE = {"fr": "Ce poste n'est pas connu.", "en": "This telephone is not known."}
_NOT_KNOWN = {
    "fr": "L'adresse de ce poste n'est pas connue.",
    "en": "The address of this telephone is not known.",
}
_NOT_NOW = {"fr": "Le réglage n'a pas pu être enregistré.", "en": "This could not be saved."}


class Addresses:
    """The addresses of one node's devices."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._said: dict[str, dict[str, AddressRecord]] = {}  # by sign-in and network
        self._seen: dict[str, str] = {}  # where each device registered from last

    def restore(self, records: Iterable[Personal]) -> None:
        """Take what a process before has written."""
        for record in records:
            if isinstance(record, AddressRecord) and record.address:
                self._said.setdefault(record.device, {})[record.network] = record
        self.reloaded()

    def reloaded(self) -> None:
        """The devices were loaded anew: each is told where it is."""
        for sign_in in self._said:
            self.tell(sign_in)

    def registered(self, device: Device, host: str) -> None:
        """A device registers from an address: it is asked for where no site's network has it."""
        if self._seen.get(device.sign_in) == host:
            return
        self._seen[device.sign_in] = host
        exchange = self._exchange
        network = self._outside(host)
        if network and network not in (device.addresses or ()):
            log.info("user=%s calls from network=%s: its address isn't confirmed", device.sign_in, network)
            exchange.events.publish(AddressWanted, device.sign_in, device.extension, network)

    def network_of(self, sign_in: str) -> str:
        """The network outside of every site that a device calls from now; "" for none."""
        device = self._exchange.devices.find(sign_in)
        if device is None or not device.bindings:
            return ""
        return self._outside(device.bindings[-1].flow.remote[0])

    def of(self, sign_in: str) -> list[AddressRecord]:
        """Where a device is, by network, as was said; not all need be confirmed."""
        return list(self._said.get(sign_in, {}).values())

    def everywhere(self) -> list[AddressRecord]:
        """Where all devices are."""
        return [record for sign_in in sorted(self._said) for record in self.of(sign_in)]

    def say(
        self, sign_in: str, address: Mapping[str, str], by: str, *, confirm: bool, network: str = ""
    ) -> None:
        """Say where a device is, and with `confirm` that this is so.

        address: see KEYS; empty to confirm what was said before. network: as this module tells networks, ""
        for that which the device calls from now. Raises SettingRefused.
        """
        network = self._network(sign_in, network)
        before = self._said.get(sign_in, {}).get(network)
        if not address and (before is None or not confirm):
            raise SettingRefused("address", _NOT_KNOWN, f"nobody said where {sign_in[:60]} is on {network}")
        _check(address or (before.address if before is not None else {}))
        set_by = SetBy(by[:64], self._exchange.clock())
        record = AddressRecord(
            sign_in,
            network,
            dict(address) if address or before is None else before.address,
            set_by if address or before is None else before.set_by,
            set_by if confirm else None,
        )
        theirs = self._said.get(sign_in, {})
        if network not in theirs and len(theirs) >= MOST_NETWORKS:
            self.forget(sign_in, by, next(iter(theirs)))
        self._write(record)
        self._said.setdefault(sign_in, {})[network] = record
        self.tell(sign_in)
        state = "confirmed" if confirm else "said"
        self._exchange.events.publish(AddressChanged, sign_in, network, state, by)

    def forget(self, sign_in: str, by: str, network: str = "") -> None:
        """Forget where a device is. network: as for `say`. Raises SettingRefused where nothing was said."""
        network = self._network(sign_in, network)
        if network not in self._said.get(sign_in, {}):
            raise SettingRefused("nothing", _NOT_KNOWN, f"nobody said where {sign_in[:60]} is on {network}")
        self._write(AddressRecord(sign_in, network, {}, SetBy(by[:64], self._exchange.clock())))
        del self._said[sign_in][network]
        if not self._said[sign_in]:
            del self._said[sign_in]
        self.tell(sign_in)
        self._seen.pop(sign_in, None)  # its next REGISTER asks again
        self._exchange.events.publish(AddressChanged, sign_in, network, "forgotten", by)

    def tell(self, sign_in: str) -> None:
        """Let the device know its confirmed addresses, for its calls."""
        device = self._exchange.devices.find(sign_in)
        if device is not None:
            confirmed = {one.network: one.address for one in self.of(sign_in) if one.confirmed is not None}
            device.addresses = confirmed or None

    def _network(self, sign_in: str, network: str) -> str:
        """Raises SettingRefused."""
        known = self._exchange.devices.find(sign_in) or self._exchange.browsers.claimed(sign_in)
        if known is None:
            raise SettingRefused("device", _NO_DEVICE, f"no device signs in as {sign_in[:60]}")
        if network:
            try:
                address, _, length = network.partition("/")
                found = network_of(address)
                if length and str(ip_network(network)) != found:
                    raise ValueError(network)
            except ValueError:
                why = f'"{network[:60]}" is no network of a home; write an address of it, such as 192.0.2.1'
                raise SettingRefused("network", _NOT_KNOWN, why) from None
            return found
        network = self.network_of(sign_in)
        if not network:
            why = f"{sign_in[:60]} isn't connected from outside of every site; name its network"
            raise SettingRefused("network", _NOT_KNOWN, why)
        return network

    def _outside(self, host: str) -> str:
        """The network of an address that no site has; "" for one of a site or of this machine, and where the
        plan doesn't say which networks its sites have."""
        plan = self._exchange.plan
        if plan.tables.networks.find(host) or not any(site.networks for site in plan.sites.values()):
            return ""
        try:
            return "" if ip_address(host.partition("%")[0]).is_loopback else network_of(host)
        except ValueError:
            return ""

    def _write(self, record: AddressRecord) -> None:
        """Write a change down before it holds. Raises SettingRefused."""
        journal = self._exchange.journal
        if journal.exhausted:
            raise SettingRefused("disk", _NOT_NOW, "the disk is full: nothing more can be kept")
        journal.append(record)
        journal.flush()


def network_of(host: str) -> str:
    """The network that an address belongs to, as far as one home goes. Raises ValueError for no address."""
    address = ip_address(host.partition("%")[0])
    # RFC 4291 section 2.5.5.2: an IPv4 peer of a dual-stack socket.
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    # RFC 6177 section 2: a home is given a /56 or so; its IPv4 address changes within its provider's range.
    return str(ip_network(f"{address}/{24 if address.version == 4 else 56}", strict=False))


def confirmed_here(device: Device, host: str) -> Mapping[str, str] | None:
    """The address that was confirmed for the network that a device calls from; None without one."""
    if device.addresses is None:
        return None
    try:
        return device.addresses.get(network_of(host))
    except ValueError:
        return None


def _check(address: Mapping[str, str]) -> None:
    """Raises SettingRefused for what is no address."""
    why = ""
    for key, text in address.items():
        if key not in KEYS:
            why = f'"{key[:40]}" is none of {", ".join(KEYS)}'
        elif not 0 < len(text) <= MOST_CHARACTERS or not text.isprintable():
            why = f"{key} has 1 to {MOST_CHARACTERS} characters that can be printed"
    missing = [key for key in REQUIRED if key not in address]
    if not why and missing:
        why = f"an address needs {' and '.join(REQUIRED)}"
    if why:
        raise SettingRefused("address", _NOT_KNOWN, why)
