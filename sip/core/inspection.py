"""What a server checks of every request before it looks at what the request asks (RFC 3261 section 8.2)."""

from __future__ import annotations

from sip.core.errors import ParseError, RemoteProtocolError
from sip.core.message import Request
from sip.core.uri import SipUri

# What sessions and the user agent core do by themselves; an application adds what it serves.
ALLOWED = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE")
ALLOW = ", ".join(ALLOWED)
SUPPORTED = ("100rel", "timer")  # RFC 3262, RFC 4028
KNOWN = frozenset(
    {*ALLOWED, "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "INFO", "REFER"}
)  # those that some RFC defines
REGISTRAR_EXTENSIONS = frozenset({"gruu", "outbound", "path"})  # RFC 5627, RFC 5626, RFC 3327
_BODIES = ("application/sdp",)
_SECURE = frozenset({"TLS", "WSS"})
# Not 416: that would say that the scheme isn't known, and a client might ask again without it. RFC 5630
# section 5.3 has this answer for who can't be asked for securely; the warn-agent is a pseudonym (20.43).
NOT_SECURE = RemoteProtocolError(
    480, "Temporarily Unavailable", (("Warning", '380 beffroi "SIPS Not Allowed"'),)
)


def inspect(
    request: Request, extensions: frozenset[str] = frozenset(SUPPORTED), methods: tuple[str, ...] = ALLOWED
) -> None:
    """Raises RemoteProtocolError with the status that section 8.2 gives; returns when all is well.

    extensions: the option tags that this server understands; methods: those that it serves.
    """
    if request.method not in methods:
        status, reason = (405, "Method Not Allowed") if request.method in KNOWN else (501, "Not Implemented")
        raise RemoteProtocolError(status, reason, (("Allow", ", ".join(methods)),))
    # 8.2.2.1: SipUri.parse answers 416 for a scheme that we don't know
    if not request.uri.lower().startswith(("tel:", "urn:")) and SipUri.parse(request.uri).headers:
        raise RemoteProtocolError(400, "Request-URI with headers")  # 19.1.1, torture test escruri
    if request.method == "REGISTER":
        _inspect_address_of_record(request)
        extensions = REGISTRAR_EXTENSIONS
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


def check_secure(request: Request) -> None:
    """Refuse a request for a SIPS URI that came over anything but TLS: who asks was promised TLS on each hop.

    Raises RemoteProtocolError 480. RFC 3261 section 26.2.2, RFC 5630 section 3.1.
    """
    if request.uri[:5].lower() == "sips:" and (request.flow is None or request.flow.transport not in _SECURE):
        raise NOT_SECURE


def _inspect_address_of_record(register: Request) -> None:
    """10.3 step 5: To is a SIP URI (torture test unksm2, where 416 would speak of the Request-URI)."""
    try:
        register.to.sip_uri  # noqa: B018
    except ParseError as error:
        raise RemoteProtocolError(400, "Malformed Address of Record") from error


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
