"""Who sent a call on: what operators tell us of it, and what they are told.

A call that is sent on shows a number of ours; whom it was for before stands in Diversion (RFC 5806) and in
History-Info (RFC 7044). What an operator says counts against the plan's limit, so that a circle of forwards
over two exchanges ends.
"""

from __future__ import annotations

import itertools

from dialplan.decision import Diversion
from dialplan.number_formats import written
from dialplan.plan import Plan, Trunk
from sip.core import diversion, history_info
from sip.core.errors import ParseError
from sip.core.message import Request
from sip.core.reason import Reason
from sip.core.uri import SipUri, escape_user

MOST_CHARS = 32  # of what an operator says is a number

# RFC 7044 section 10.2: an entry's Reason is the answer for which the call left that target.
_STATUS = {
    "unconditional": 302,
    "user-busy": 486,
    "no-answer": 408,
    "unavailable": 480,
    "do-not-disturb": 486,
    "deflection": 480,
    "time-of-day": 480,
    "follow-me": 302,
}


def diversions_said(plan: Plan, request: Request) -> tuple[Diversion, ...]:
    """Who sent a call on before an operator gave it to us, first to last; empty for nearly all calls."""
    if "diversion" in request.headers:
        said = [(one.uri, one.reason) for one in reversed(diversion.diversions_of(request))]
        counted = sum(max(one.count - 1, 0) for one in diversion.diversions_of(request))
    elif "history-info" in request.headers:
        entries = history_info.history_of(request)
        counted = 0
        # RFC 7044 section 10.4: what a proxy only routed (np) isn't a forward.
        said = [
            (entry.uri, "unknown")
            for entry, following in itertools.pairwise(entries)
            if not following.caused_by.startswith("np")
        ]
    else:
        return ()
    diversions = [_diversion(plan, uri, reason) for uri, reason in said]
    # RFC 5806 section 4, counter: an entry may stand for several.
    return tuple(diversions + diversions[-1:] * min(counted, diversion.MAX_DIVERSIONS))


def _diversion(plan: Plan, uri: str, reason: str) -> Diversion:
    try:
        user = SipUri.parse(uri).user or ""
    except ParseError:
        user = uri.removeprefix("tel:").partition(";")[0]
    number = plan.country.international_form(user[:MOST_CHARS])
    return Diversion(_extension_of(plan, number) or number, number, reason)


def _extension_of(plan: Plan, number: str) -> str:
    """The extension with this direct number, "" where it is nobody's: a circle is seen by it."""
    for block in plan.tables.direct.find(number):
        if block.public is not None:
            return block.numbers.at(block.public.position(number))
    return ""


def diversion_lines(
    plan: Plan, trunk: Trunk, diversions: tuple[Diversion, ...], number: str, domain: str
) -> str:
    """The Diversion and History-Info lines of an INVITE to an operator, with CRLF; "" for a call that nobody
    sent on. number: the one that is called."""
    if not diversions:
        return ""
    last_first = [
        diversion.Diversion(_uri(plan, trunk, one.number, domain), reason=one.reason).header
        for one in reversed(diversions)
    ]
    index, history = "1", []
    for one in diversions:
        status = _STATUS.get(one.reason, 302)
        entry = history_info.Entry(
            _uri(plan, trunk, one.number, domain),
            index,
            reason=Reason("SIP", status),
            caused_by="" if index == "1" else f"mp={index.rpartition('.')[0]}",
        )
        history.append(entry.header)
        index += ".1"
    target = history_info.Entry(
        _uri(plan, trunk, number, trunk.host), index, caused_by=f"mp={index.rpartition('.')[0]}"
    )
    return "".join([*last_first, *history, target.header])


def _uri(plan: Plan, trunk: Trunk, number: str, host: str) -> str:
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"sip:{escape_user(written(number, trunk.numbers_out, plan.country))}@{host}"
