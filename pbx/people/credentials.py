"""Passwords of devices: generated, shown once, kept sealed under the node's key for provisioning to hand on.

What signalling checks is the digest hashes alone. The password itself lies in the database sealed, bound to
its sign-in: a copy of the database tells nobody, and a row that is put in another's place doesn't open.
"""

from dataclasses import dataclass, field

import sqlalchemy as sa

from pbx.configuration import Configuration
from pbx.node.installation import SIP_PORT
from pbx.node.sealing import Sealing
from pbx.people.directory import Device, device_credentials, generate_password
from pbx.settings.values import Listen
from pbx.store.people import sealed_password
from sip.net.addresses import local_address_toward

PURPOSE = "device password"


@dataclass(frozen=True, slots=True)
class Issued:
    """A device with a new password. sealed: the password as it is kept."""

    device: Device
    password: str = field(repr=False)
    sealed: bytes = field(repr=False)


def issue(
    sealing: Sealing, sign_in: str, realm: str, *, site: str | None = None, md5_only: bool = False
) -> Issued:
    """Return a device with a generated password. Raises PeopleError for what can't sign in."""
    password = generate_password()
    device = device_credentials(sign_in, realm, password, site=site, md5_only=md5_only)
    return Issued(device, password, sealing.seal(password.encode(), PURPOSE, sign_in))


def kept_password(connection: sa.Connection, sealing: Sealing, sign_in: str) -> str:
    """Return the password that a device has.

    Raises PeopleError where none is kept: of devices from before passwords were; SealBroken where it was
    sealed by another node.
    """
    return sealing.unseal(sealed_password(connection, sign_in), PURPOSE, sign_in).decode()


def server_of(configuration: Configuration) -> str:
    """Return the address that a telephone registers with, its port where that isn't SIP's own."""
    listens = (*configuration.sip.udp, *configuration.sip.tcp)
    if not listens:
        return f"none: `sip:` in {configuration.path} names no address"
    host, port = listens[0].host, listens[0].port
    probe = "2001:db8::1" if ":" in host else "192.0.2.1"
    address = local_address_toward((host, 0), (probe, 9))[0]
    return address if port == SIP_PORT else str(Listen(address, port))
