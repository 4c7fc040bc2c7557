"""What an INVITE to an operator says: URIs, number formats, who calls, as this operator wants it."""

from __future__ import annotations

from dataclasses import dataclass

from dialplan.country import Country
from dialplan.number_formats import written
from dialplan.plan import Trunk
from sip.core.flow import Flow
from sip.core.grammar import quote
from sip.core.identity import ANONYMOUS, Privacy
from sip.core.session import contact_uri
from sip.core.uri import escape_user
from sip.net.resolver import Target

_IDENTITY_HEADERS = {"asserted": "P-Asserted-Identity", "preferred": "P-Preferred-Identity"}


@dataclass(frozen=True, slots=True)
class Invitation:
    """The parts of an INVITE that depend on the trunk.

    from_ and to: whole addresses without tags. headers: lines with CRLF. contact: empty for the usual one.
    """

    uri: str
    from_: str
    to: str
    headers: str
    contact: str


def invitation(
    trunk: Trunk,
    country: Country,
    flow: Flow,
    number: str,
    *,
    shown: str,
    name: str,
    domain: str,
    anonymous: bool = False,
    emergency: bool = False,
    original: str = "",
) -> Invitation:
    """Call `number` (E.164, or short) over a trunk.

    shown: the number of ours that the operator may show, "" for none; name: the caller's. anonymous: the
    caller asks that it isn't shown (RFC 3323 section 4.1); the operator learns it all the same, and an
    emergency service too (design, promise 3). original: the E.164 number of who called, where somebody sent
    the call on: the From shows it to an operator that wants it so, and what is asserted stays ours.
    """
    hidden = anonymous and not emergency
    host = uri_host(trunk.host)
    called = _uri(trunk, written(number, trunk.numbers_out, country), host)
    port = f":{trunk.port}" if trunk.port not in {0, 5060} else ""
    caller = written(shown, trunk.numbers_out, country)
    headers = _identity(trunk, caller, host)
    if hidden:
        headers += Privacy.ID.header
    if emergency:
        headers += "Priority: emergency\r\n"
    return Invitation(
        uri=_uri(trunk, written(number, trunk.numbers_out, country), host + port),
        from_=_from(
            trunk,
            _seen(trunk, original, country) or caller,
            "" if emergency or hidden else name,
            domain,
            hidden=hidden,
        ),
        to=f"<{called}>",
        headers=headers,
        contact=account_contact(trunk, flow) if "account_in_contact" in trunk.options else "",
    )


def account_contact(trunk: Trunk, flow: Flow) -> str:
    """Our Contact on a flow with our account at the operator in it."""
    return contact_uri(flow).replace("sip:", f"sip:{escape_user(trunk.account)}@", 1)


def route_of(trunk: Trunk, target: Target) -> tuple[str, ...]:
    """The Route that names the proxy; empty without one (RFC 3261 section 8.1.2)."""
    if not trunk.proxies or "no_route" in trunk.options:
        return ()
    port = next((server.port for server in trunk.proxies if server.host.strip("[]") == target.host), 0)
    transport = "" if target.transport == "UDP" else f";transport={target.transport.lower()}"
    return (f"<sip:{uri_host(target.host)}{f':{port}' if port else ''}{transport};lr>",)


def uri_host(host: str) -> str:
    """A host as a URI has it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _uri(trunk: Trunk, user: str, host: str) -> str:
    phone = ";user=phone" if "user_phone" in trunk.options else ""
    return f"sip:{escape_user(user)}@{host}{phone}"


def _from(trunk: Trunk, caller: str, name: str, domain: str, *, hidden: bool) -> str:
    label = f"{quote(name)} " if name else ""
    if "account_in_from" in trunk.options:  # the operator's proxy finds the account by it, also when hidden
        return f"{label}<sip:{escape_user(trunk.account)}@{uri_host(trunk.host)}>"
    if hidden:
        return ANONYMOUS
    own = uri_host(trunk.host) if "from_domain" in trunk.options else domain
    if not caller:
        return f"{label}<sip:anonymous@{own}>"
    return f"{label}<{_uri(trunk, caller, own)}>"


def _seen(trunk: Trunk, original: str, country: Country) -> str:
    """The number of who called before somebody sent the call on, for an operator that shows it; else ""."""
    if "forwarded_caller" not in trunk.options or trunk.caller_id_out == "from" or original[:1] != "+":
        return ""
    return written(original, trunk.numbers_out, country)


def _identity(trunk: Trunk, caller: str, host: str) -> str:
    """The header that tells the operator which number of ours calls (RFC 3325 section 9)."""
    if not caller or trunk.caller_id_out == "from":
        return ""
    address = f"<{_uri(trunk, caller, host)}>"
    if trunk.caller_id_out == "remote_party_id":
        return f"Remote-Party-ID: {address};party=calling;screen=yes\r\n"
    return f"{_IDENTITY_HEADERS[trunk.caller_id_out]}: {address}\r\n"
