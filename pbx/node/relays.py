"""Whether the relays of `turn:` answer, as a browser would find out: each is really used for a moment.

Asked are an allocation with a credential of our own, and then whom the relay would speak to for its holder:
us, and nobody who stands behind it. An address of this kind that is allowed makes the relay a way into the
town's network for whoever has a credential.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aioice.stun import Class, Message, Method, TransactionError, TransactionFailed
from aioice.turn import TurnClientProtocol, TurnClientTcpProtocol, TurnClientUdpProtocol
from cryptography import x509

from dialplan.finding import Finding, Severity
from pbx.configuration import Configuration
from pbx.media_addresses import browsers_port
from pbx.node.secrets import secret_findings
from pbx.turn import TURN_SECONDS, Relay, password_of, username_of

ANSWER_SECONDS: Final = 5.0
LIFETIME_SECONDS: Final = 60
WARN_DAYS: Final = 14
INSIDE: Final = ("127.0.0.1", "169.254.169.254")
"""Whom no relay should reach: itself, and what tells a machine in a cloud its secrets."""

FORBIDDEN: Final = 403  # RFC 8656 section 19


class RelayTrouble(Exception):
    """A relay can't be used as it should. code: of the finding; hint: the mend."""

    def __init__(self, code: str, message: str, hint: str, severity: Severity = "error") -> None:
        super().__init__(message)
        self.code, self.hint, self.severity = code, hint, severity


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a relay showed. trouble: why a browser doesn't take it, "" when it does."""

    ends_at: datetime
    trouble: str


def browsers_reach(settings: Configuration) -> list[tuple[str, int]]:
    """Return where browsers' sound is heard, which relays are to reach: literal addresses with a port."""
    return [(listen.host, listen.port) for listen in browsers_port(settings)]


def relay_findings(
    settings: Configuration, environment: Mapping[str, str], now: datetime
) -> Iterator[Finding]:
    """Yield what is to be mended of the relays of `turn:`, nothing where there are none.

    environment: where the secret may be.
    """
    turn, file = settings.turn, str(settings.path)
    if turn is None:
        return
    unread = list(
        secret_findings(settings, "the secret of `turn:`", turn.secret, environment, "browsers know no relay")
    )
    if unread:
        yield from unread
        return
    secret = turn.secret.read(environment)
    username = username_of("doctor", secret, now.timestamp() + TURN_SECONDS)
    credential = username, password_of(username, secret)
    for troubles in asyncio.run(_ask_all(turn.relays, credential, browsers_reach(settings), now)):
        for trouble in troubles:
            yield Finding(trouble.code, trouble.severity, file, 0, 0, str(trouble), trouble.hint)


async def _ask_all(
    relays: Sequence[Relay], credential: tuple[str, str], reached: Sequence[tuple[str, int]], now: datetime
) -> list[list[RelayTrouble]]:
    return await asyncio.gather(*(_ask(relay, credential, reached, now) for relay in relays))


async def _ask(
    relay: Relay, credential: tuple[str, str], reached: Sequence[tuple[str, int]], now: datetime
) -> list[RelayTrouble]:
    """Use one relay for a moment; returns what is wrong with it."""
    troubles: list[RelayTrouble] = []
    where = f"{relay.url}: "
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            if relay.tls:
                troubles += _about(where, await _certificate(relay), now)
            client = await _client(relay, credential)
            try:
                await client.connect()
                troubles += await _reaches(where, client, reached)
                await client.delete()
            finally:
                client.transport.close()
    except TimeoutError:
        hint = f"is it started, and does no firewall stand before {relay.transport.upper()} {relay.port}?"
        troubles.append(
            RelayTrouble("no_relay", f"{where}no answer within {ANSWER_SECONDS:.0f} seconds", hint)
        )
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        troubles.append(RelayTrouble("no_relay", f"{where}{why}", "is the relay started there?"))
    except TransactionError as error:
        troubles.append(_refusal(where, error))
    return troubles


async def _client(relay: Relay, credential: tuple[str, str]) -> TurnClientProtocol:
    """Connect to a relay, whoever it is: its certificate is looked at elsewhere. Raises OSError."""
    loop = asyncio.get_running_loop()
    server = (relay.host, relay.port)

    def tcp() -> TurnClientTcpProtocol:
        return TurnClientTcpProtocol(server, *credential, LIFETIME_SECONDS, LIFETIME_SECONDS)

    def udp() -> TurnClientUdpProtocol:
        return TurnClientUdpProtocol(server, *credential, LIFETIME_SECONDS, LIFETIME_SECONDS)

    if relay.transport == "udp":
        return (await loop.create_datagram_endpoint(udp, remote_addr=server))[1]
    context = None
    if relay.tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return (await loop.create_connection(tcp, *server, ssl=context))[1]


async def _certificate(relay: Relay) -> Certificate:
    """What a relay shows to a browser, and whether one takes it. Raises OSError."""
    trouble = ""
    context = ssl.create_default_context()
    try:
        _, writer = await asyncio.open_connection(relay.host, relay.port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        trouble = error.verify_message
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        _, writer = await asyncio.open_connection(relay.host, relay.port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return Certificate(x509.load_der_x509_certificate(shown).not_valid_after_utc, trouble)


def _about(where: str, certificate: Certificate, now: datetime) -> Iterator[RelayTrouble]:
    if certificate.trouble:
        message = f"{where}browsers don't take its certificate: {certificate.trouble}"
        hint = (
            "one of a public authority, for the relay's name; `cert=` of turnserver.conf has the whole chain"
        )
        yield RelayTrouble("relay_certificate", message, hint, "warning")
    elif certificate.ends_at - now < timedelta(days=WARN_DAYS):
        message = f"{where}its certificate ends on {certificate.ends_at:%Y-%m-%d}"
        hint = "renew it, and send turnserver SIGUSR2 (or restart it), which reads it again"
        yield RelayTrouble("relay_certificate", message, hint, "warning")


async def _reaches(
    where: str, client: TurnClientProtocol, reached: Sequence[tuple[str, int]]
) -> list[RelayTrouble]:
    """Whom the relay would speak to: all of our addresses of its kind, and nobody inside."""
    troubles = []
    kind = ":" in (client.relayed_address or ("", 0))[0]
    for address in reached:
        if (":" in address[0]) == kind and not await _permits(client, address):
            message = f"{where}the relay may not speak to us at {address[0]}"
            hint = f"add `allowed-peer-ip={address[0]}` to its turnserver.conf"
            troubles.append(RelayTrouble("relay_refuses_us", message, hint))
    for host in INSIDE:
        if not kind and all(host != ours for ours, _ in reached) and await _permits(client, (host, 80)):
            message = f"{where}whoever has a credential reaches {host} behind it"
            hint = "take the `denied-peer-ip` lines that `beffroi doctor --coturn` prints"
            troubles.append(RelayTrouble("relay_is_open", message, hint, "warning"))
    return troubles


async def _permits(client: TurnClientProtocol, address: tuple[str, int]) -> bool:
    """Ask for a permission. RFC 8656 section 10.2: 403 where the server's administrator forbids it."""
    asked = Message(Method.CREATE_PERMISSION, Class.REQUEST, attributes={"XOR-PEER-ADDRESS": address})
    try:
        await client.request_with_retry(asked)
    except TransactionFailed as error:
        if error.response.error_code == FORBIDDEN:
            return False
        raise
    return True


def _refusal(where: str, error: TransactionError) -> RelayTrouble:
    code = error.response.error_code if error.response is not None else None
    match code:
        case 401:
            message = f"{where}the relay refuses our credential: it has another secret, or another time"
            hint = (
                "`static-auth-secret` of its turnserver.conf is what `secret:` holds; both clocks are right"
            )
            return RelayTrouble("relay_refuses_us", message, hint)
        case 486 | 508:
            message = f"{where}the relay has no room for another call"
            return RelayTrouble(
                "relay_full", message, "raise `user-quota` and `total-quota` of it", "warning"
            )
        case _:
            return RelayTrouble("no_relay", f"{where}{error}", "is this a TURN server?")
