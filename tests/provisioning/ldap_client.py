"""A small town's directory, and a client's words as ldap3 writes them, which shares no code with ours."""

import warnings
from typing import Any

from pyasn1.codec.ber import decoder, encoder

with warnings.catch_warnings():
    # ldap3 2.9 asks pyasn1 for names that have newer ones there.
    warnings.simplefilter("ignore", DeprecationWarning)
    from ldap3.operation.bind import bind_operation
    from ldap3.operation.search import search_operation
    from ldap3.protocol.rfc4511 import AbandonRequest, LDAPMessage, MessageID, ProtocolOp

from provisioning.ldap.book import Book, Listed, Viewer
from provisioning.ldap.conversation import Conversation
from provisioning.ldap.requests import Bind, Search

SUFFIX = "dc=valmont,dc=example"
PEOPLE = (
    Listed(
        "Élodie Martin",
        ("2010", "00383000110"),
        "00612345678",
        groups=("accueil",),
        site="Mairie",
        also=("+33383000110",),
    ),
    Listed("Paul Petit", ("2011",), "00698765432", mail="p.petit@valmont.example"),
    Listed("Zoé Le Goff", ("2012",)),
    Listed("standard", ("3900", "00383000100"), is_service=True),
)
AGENT = Viewer("2010", sees_mobiles=False)
OPERATOR = Viewer("2011", sees_mobiles=True)


def small_book() -> Book:
    """Three people and a service."""
    return Book(SUFFIX, "Valmont", PEOPLE)


def encoded(name: str, operation: Any, id_: int = 1) -> bytes:
    """A message of ldap3's."""
    message = LDAPMessage()
    message["messageID"] = MessageID(id_)
    message["protocolOp"] = ProtocolOp().setComponentByName(name, operation)
    return bytes(encoder.encode(message))


def searching(filter_: str, base: str = SUFFIX, scope: str = "SUBTREE", size: int = 0, **more: Any) -> bytes:
    """A search as ldap3 writes it. seconds: its time limit; id_: of its message."""
    wanted = more.pop("attributes", ["cn", "telephoneNumber", "mobile"])
    types, seconds = more.pop("types_only", False), more.pop("seconds", 0)
    operation = search_operation(
        base, filter_, scope, "NEVER", wanted, size, seconds, types, auto_escape=True, auto_encode=False
    )
    return encoded("searchRequest", operation, more.pop("id_", 1))


def abandoning(whose: int) -> bytes:
    """An abandon as ldap3's definitions write it."""
    return encoded("abandonRequest", AbandonRequest(whose), whose + 100)


def binding(name: str, password: str) -> bytes:
    """A simple bind as ldap3 writes it."""
    return encoded("bindRequest", bind_operation(3, "SIMPLE", name, password))


def messages(octets: bytes) -> list[Any]:
    """Our messages as ldap3's definitions read them."""
    found = []
    while octets:
        message, octets = decoder.decode(octets, asn1Spec=LDAPMessage())
        found.append(message)
    return found


def told(octets: bytes) -> list[tuple[str, Any]]:
    """Our answers: the kind and what it holds."""
    operations = [message["protocolOp"] for message in messages(octets)]
    return [(operation.getName(), operation.getComponent()) for operation in operations]


def found(viewer: Viewer, request: bytes, book: Book | None = None) -> tuple[list[dict[str, list[str]]], int]:
    """What somebody who has bound is shown, and the result's code."""
    conversation = Conversation()
    conversation.judged(Bind(0, 3, "", ""), viewer)
    asked = conversation.next_request(request)
    assert isinstance(asked, Search)
    *entries, (kind, done) = told(b"".join(conversation.search(asked, book or small_book())))
    assert kind == "searchResDone"
    shown = [
        {str(one["type"]): [bytes(value).decode() for value in one["vals"]] for one in entry["attributes"]}
        for _, entry in entries
    ]
    return shown, int(done["resultCode"])
