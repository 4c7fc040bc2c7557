"""What a server checks of every request before it looks at what the request asks (RFC 3261 section 8.2)."""

from __future__ import annotations

from sip.core.errors import RemoteProtocolError
from sip.core.message import Request
from sip.core.uri import SipUri

ALLOWED = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER")
ALLOW = ", ".join(ALLOWED)
_BODIES = ("application/sdp",)


def inspect(request: Request, extensions: frozenset[str] = frozenset()) -> None:
    """Raises RemoteProtocolError with the status that section 8.2 gives; returns when all is well.

    extensions: the option tags that this server understands.
    """
    if request.method not in ALLOWED:
        status, reason = (405, "Method Not Allowed") if request.method in _KNOWN else (501, "Not Implemented")
        raise RemoteProtocolError(status, reason, (("Allow", ALLOW),))
    if not request.uri.startswith(("sip:", "tel:", "urn:")):
        SipUri.parse(request.uri)  # 8.2.2.1: 416 for a scheme that we don't know
    elif request.uri.startswith("sip:") and SipUri.parse(request.uri).headers:
        raise RemoteProtocolError(400, "Request-URI with headers")  # 19.1.1, torture test escruri
    if "require" in request.headers:
        unknown = [option for option in request.tokens("require") if option not in extensions]
        if unknown:
            raise RemoteProtocolError(420, "Bad Extension", (("Unsupported", ", ".join(unknown)),))  # 8.2.2.3
    if request.body and request.method != "CANCEL":
        _inspect_body(request)
    if request.method == "INVITE" and "accept" in request.headers:
        accepted = [value.partition(";")[0].strip().lower() for value in request.values("accept")]
        if accepted and not {"application/sdp", "application/*", "*/*"} & set(accepted):
            raise RemoteProtocolError(406, "Not Acceptable", (("Accept", ", ".join(_BODIES)),))


_KNOWN = frozenset({"SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "INFO", "REFER", "UPDATE", "PRACK"})


def _inspect_body(request: Request) -> None:
    """8.2.3: a body that must be understood and isn't."""
    disposition = request.get("content-disposition").lower()
    if "handling=optional" in disposition.replace(" ", ""):
        return
    kind = request.get("content-type").partition(";")[0].strip().lower()
    if kind not in _BODIES and request.method == "INVITE" and not kind.startswith("multipart/"):
        raise RemoteProtocolError(415, "Unsupported Media Type", (("Accept", ", ".join(_BODIES)),))
    encoding = request.get("content-encoding").lower()
    if encoding not in {"", "identity"}:
        raise RemoteProtocolError(415, "Unsupported Media Type", (("Accept-Encoding", "identity"),))
