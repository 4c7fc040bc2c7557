"""Whose trunk a call comes over: by our account, by address, by certificate; nobody's otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from dialplan.country import Country
from dialplan.number_formats import read_number
from dialplan.plan import Trunk
from dialplan.tables import NetworkMap
from sip.core.flow import Flow
from sip.core.identity import USUAL_SOURCES, Source, asserted_identity, number_of
from sip.core.message import Request, spell

_LINE = re.compile(r";line=([0-9a-f]{16,64})(?![0-9a-f])")
_SOURCES = {
    "asserted": USUAL_SOURCES,
    "remote_party_id": (Source.REMOTE_PARTY_ID, Source.FROM),
    "from": (Source.FROM,),
}


_NAMING = ("from", "p-asserted-identity", "remote-party-id", "privacy", "diversion", "history-info")
_MOST_NAMING = 16
_LONGEST_CHARS = 300


class Recognition:
    """What tells every trunk of a plan. An address that two share is the first one's."""

    def __init__(
        self, trunks: Sequence[Trunk], addresses: Mapping[str, Iterable[str]], lines: Mapping[str, str]
    ) -> None:
        """addresses: those known of each trunk. lines: the unguessable mark in our Contact, to trunk."""
        self._by_address: dict[str, str] = {}
        for trunk in trunks:
            for address in addresses.get(trunk.name, ()):
                self._by_address.setdefault(address, trunk.name)
        self._networks = NetworkMap([(network, trunk.name) for trunk in trunks for network in trunk.sources])
        self._has_networks = any(trunk.sources for trunk in trunks)
        self._certificates = {name: trunk.name for trunk in trunks for name in trunk.certificates}
        self._lines = lines

    def of_request(self, request: Request) -> str | None:
        """The trunk that a request comes over, None when it comes over none."""
        if self._lines and ";line=" in request.uri:
            # The registrar sends to the Contact that we gave it: its mark proves that it is the registrar.
            match = _LINE.search(request.uri)
            named = self._lines.get(match[1]) if match is not None else None
            if named is not None:
                return named
        assert request.flow is not None
        return self.of_source(request.flow)

    def of_source(self, flow: Flow) -> str | None:
        """The trunk that whatever comes over a flow is from, None when it is none's."""
        found = self._by_address.get(flow.remote[0])
        if found is not None:
            return found
        if self._has_networks and (held := self._networks.find(flow.remote[0])):
            return held
        if self._certificates:
            for name in flow.certificate_names:
                if name in self._certificates:
                    return self._certificates[name]
        return None


def called_number(trunk: Trunk, request: Request, dialled: str, country: Country) -> str:
    """What an operator's INVITE asks for. dialled: what its Request-URI says."""
    if "called_in_to" in trunk.options:
        dialled = number_of(request.to.uri) or dialled
    return read_number(dialled, trunk.numbers_in, country)


def naming_lines(request: Request) -> tuple[str, ...]:
    """The header lines of an operator's INVITE that name who calls or who sent the call on, as they came
    (RFC 3325 section 9.1, RFC 5806, RFC 7044); a bounded part of them."""
    lines = [f"{spell(name)}: {value}" for name in _NAMING for value in request.headers.get(name, ())]
    return tuple(line[:_LONGEST_CHARS] for line in lines[:_MOST_NAMING])


def calling_number(trunk: Trunk, request: Request, country: Country) -> tuple[str, bool]:
    """The number that an operator gives for its caller ("" for none), and whether it may be shown."""
    identity = asserted_identity(request, trusted=True, sources=_SOURCES[trunk.caller_id_in])
    return read_number(identity.number, trunk.numbers_in, country), not identity.privacy.hides_caller
