"""Dialogs: the lasting relation between two user agents (RFC 3261 section 12)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.flow import Flow, host_port
from sip.core.message import Request, Response
from sip.core.name_addr import NameAddr
from sip.core.uri import SipUri

_TAG = re.compile(r";\s*tag\s*=[^;]*", re.IGNORECASE)
# RFC 1918, RFC 6598: such a Contact, from an address that isn't, is one behind a NAT.
_PRIVATE = re.compile(
    r"10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\."
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}\Z")


class Dialog:
    """One dialog as seen by one side.

    local_address and remote_address are whole From and To values without tags. route_set is in the order of
    sending. remote_sequence is -1 until the remote party's first request.
    """

    __slots__ = (
        "call_id",
        "flow",
        "local_address",
        "local_sequence",
        "local_tag",
        "remote_address",
        "remote_sequence",
        "remote_tag",
        "remote_target",
        "route_set",
    )

    def __init__(
        self,
        call_id: str,
        local_address: str,
        local_tag: str,
        remote_address: str,
        remote_tag: str,
        flow: Flow,
    ) -> None:
        self.call_id = call_id
        self.local_address = local_address
        self.local_tag = local_tag
        self.remote_address = remote_address
        self.remote_tag = remote_tag
        self.flow = flow
        self.remote_target = ""
        self.route_set: list[str] = []
        self.local_sequence = 0
        self.remote_sequence = -1

    @classmethod
    def of_request(cls, request: Request, local_tag: str, flow: Flow) -> Dialog:
        """The server's side of the dialog that `request` opens (12.1.1)."""
        from_ = request.from_
        dialog = cls(
            request.call_id,
            request.first("to"),
            local_tag,
            untagged(request.first("from")),
            from_.tag,
            flow,
        )
        dialog.remote_target = _target(request)
        dialog.route_set = _record_routes(request)
        dialog.remote_sequence = request.cseq[0]
        dialog.flow = dialog._way_back(request, flow)
        return dialog

    def confirm(self, response: Response) -> None:
        """The client's side: take what the response to our INVITE tells (12.1.2)."""
        self.remote_tag = response.to.tag
        self.route_set = _record_routes(response)[::-1]
        if response.headers.get("contact"):
            self.remote_target = _target(response)

    def refresh(self, message: Request | Response) -> None:
        """A target refresh: re-INVITE or its 2xx moves the remote target (12.2).

        Raises ParseError, with nothing changed, on a Contact that can't be one.
        """
        if message.headers.get("contact"):
            self.remote_target = _target(message)

    def follow(self, request: Request, flow: Flow) -> None:
        """A target refresh by a request that came over `flow`: ours go back that way from now on (12.2.2)."""
        self.refresh(request)
        self.flow = self._way_back(request, flow)

    def _way_back(self, request: Request, flow: Flow) -> Flow:
        if not self.route_set and request.via.host.strip("[]") == request_source(request):
            return _toward(flow, self.remote_target)
        return flow

    def check_sequence(self, request: Request) -> None:
        """Raises RemoteProtocolError 500 when the request is older than one before it (12.2.2)."""
        number = request.cseq[0]
        if number <= self.remote_sequence:
            raise RemoteProtocolError(500, "CSeq out of order")
        self.remote_sequence = number

    def request(
        self,
        method: str,
        branch: str,
        sequence: int,
        *,
        contact: str = "",
        headers: str = "",
        body: bytes = b"",
        content_type: str = "application/sdp",
        max_forwards: int = 70,
    ) -> bytes:
        """The wire form of a request within the dialog (12.2.1.1).

        contact: the URI for target refresh requests. headers: lines ending in CRLF. content_type: the body's.
        """
        uri = self.remote_target
        routes = self.route_set
        if routes:
            strict_router = _strict_router(routes[0])
            if strict_router:
                uri = strict_router
                routes = [*routes[1:], f"<{self.remote_target}>"]
            headers = "".join([f"Route: {route}\r\n" for route in routes]) + headers
        remote_tag = f";tag={self.remote_tag}" if self.remote_tag else ""
        flow = self.flow
        contact_line = f"Contact: <{contact}>\r\n" if contact else ""
        type_line = f"Content-Type: {content_type}\r\n" if body else ""
        return (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/{flow.transport} {host_port(flow.local)};branch={branch};rport\r\n"
            f"Max-Forwards: {max_forwards}\r\n"
            f"From: {self.local_address};tag={self.local_tag}\r\n"
            f"To: {self.remote_address}{remote_tag}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {sequence} {method}\r\n"
            f"{contact_line}{headers}{type_line}Content-Length: {len(body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape") + body


def untagged(value: str) -> str:
    """A From or To value without its tag; a `tag=` in the display name or in the URI stays."""
    address, bracket, parameters = value.rpartition(">")
    return f"{address}{bracket}{_TAG.sub('', parameters, count=1)}".rstrip()


def _target(message: Request | Response) -> str:
    """The remote target that a message gives (12.1.1); raises ParseError where there is none.

    A client of RFC 2543 may leave Contact out: then it is From (torture test inv2543).
    """
    uri = message.contact.uri if "contact" in message.headers else message.from_.uri
    try:
        SipUri.parse(uri)
    except ParseError as error:
        raise ParseError(f"unusable Contact: {error.problem}") from error
    return uri


def _record_routes(message: Request | Response) -> list[str]:
    """The Record-Route values in order; raises ParseError unless each is an address with a SIP URI."""
    if "record-route" not in message.headers:
        return []
    routes = message.values("record-route")
    for route in routes:
        try:
            SipUri.parse(NameAddr.parse(route).uri)
        except ParseError as error:
            raise ParseError(f"unusable Record-Route: {error.problem}") from error
    return routes


def _strict_router(route: str) -> str:
    """The Request-URI that a router of RFC 2543 wants; empty for a loose router (12.2.1.1, 19.1.1)."""
    uri = NameAddr.parse(route).sip_uri
    if "lr" in uri.parameters:
        return ""
    # 19.1.1: neither `method` nor headers may stand in a Request-URI.
    parameters = {name: value for name, value in uri.parameters.items() if name != "method"}
    return str(replace(uri, parameters=parameters, headers=""))


def request_source(request: Request) -> str:
    """The address that a received request came from."""
    return request.flow.remote[0] if request.flow is not None else ""


def _is_literal(host: str) -> bool:
    """Whether a URI's host is an address. `10.0.0.` or `999.1.1.1` isn't: a socket would look it up as a
    name, and all calls would wait for the answer."""
    if host[0] != "[":
        return _IPV4.match(host) is not None
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True


def _toward(flow: Flow, target: str) -> Flow:
    """The flow to a target URI that is a literal address of the flow's own family; else the flow itself.

    Only for a peer that isn't behind NAT: otherwise the way back is the flow that its request came over.
    """
    if flow.reliable:
        return flow
    uri = SipUri.parse(target)
    if uri.address == flow.remote:
        return flow
    if uri.scheme == "sips":
        return flow  # RFC 5630 section 3.1: it stands for TLS, which isn't had by another datagram
    if not _is_literal(uri.host) or ("[" in uri.host) != (":" in flow.local[0]):
        return flow
    if "gr" in uri.parameters:
        return flow  # RFC 5627 section 3.1: it names the phone, and the address in it is ours
    if _PRIVATE.match(uri.host) and not _PRIVATE.match(flow.remote[0]):
        return flow
    return flow.toward(uri.address)
