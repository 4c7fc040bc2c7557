"""The demonstration's accounts: one of each role in the sample town, signed in by a link and nothing more.

This is the one exception to passwords and second factors. It holds where all of this is so: the node's
configuration is the demonstration's, which holds no data but the sample town's; the node hears nothing but
loopback; whoever follows the link is on this machine; and the link was made with the node's own database.
Anywhere else such a link is refused as if there were none.
"""

import ipaddress

import sqlalchemy as sa

from pbx.accounts import records
from pbx.accounts.links import DEMO_SECONDS, make_link
from pbx.accounts.rights import Role
from pbx.configuration import Configuration
from pbx.demo import FIRST_LINE

# Each with the extension and the name that the sample plan gives.
SAMPLE_ACCOUNTS: tuple[tuple[Role, str, str, str], ...] = (
    ("administrator", "alice", "Alice Martin", "1001"),
    ("operator", "bruno", "Bruno Petit", "1002"),
    ("agent", "etat-civil", "État civil", "2010"),
    ("supervisor", "urbanisme", "Urbanisme", "2020"),
    ("listener", "patrouille", "Patrouille 1", "2301"),
    ("auditor", "directrice", "Directrice", "2401"),
)


def add_sample_accounts(connection: sa.Connection, now: float, language: str = "fr") -> dict[Role, str]:
    """Add the accounts, none of which has a password; returns the secret of a link for each role.

    now: Unix seconds. Raises AccountError where they are there already.
    """
    secrets: dict[Role, str] = {}
    for role, account, name, extension in SAMPLE_ACCOUNTS:
        records.add(connection, account, name, now=now, roles=[role], extension=extension, language=language)
        secrets[role] = make_link(connection, "demo", account, now + DEMO_SECONDS)
    return secrets


def is_demonstration(configuration: Configuration) -> bool:
    """Whether a node is the demonstration's, and hears loopback alone."""
    sip = configuration.sip
    listens = (*configuration.web.listen, *sip.udp, *(one for _, several in sip.streams for one in several))
    if not all(is_loopback(listen.host) for listen in listens):
        return False
    try:
        return configuration.path.read_text(encoding="utf-8").startswith(FIRST_LINE)
    except (OSError, ValueError):
        return False


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
