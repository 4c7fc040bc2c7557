"""What a server checks before it looks at what a request asks (RFC 3261 section 8.2)."""

from __future__ import annotations

import pytest

from sip.core.errors import RemoteProtocolError
from sip.core.inspection import inspect
from sip.core.message import Request
from tests.sim.world import World, scenario
from tests.sim_test.test_sessions import pair
from tests.sip.messages import request


def refusal(asked: Request) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        inspect(asked)
    return caught.value


@pytest.mark.parametrize(
    "method", ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "ACK", "PRACK", "UPDATE"]
)
def test_what_we_serve_passes(method: str) -> None:
    inspect(request(method))


@pytest.mark.parametrize("method", ["SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "REFER", "INFO"])
def test_a_method_that_we_know_and_do_not_serve_is_405_with_allow(method: str) -> None:
    """RFC 3261 section 8.2.1."""
    error = refusal(request(method))
    assert error.status == 405
    assert "INVITE" in dict(error.headers)["Allow"]


@pytest.mark.parametrize("method", ["FROBNICATE", "invite", "Invite"])
def test_a_method_that_nobody_knows_is_501(method: str) -> None:
    """RFC 3261 section 21.5.2; methods are case-sensitive (7.1)."""
    error = refusal(request(method))
    assert error.status == 501
    assert "Allow" in dict(error.headers)


@pytest.mark.parametrize("uri", ["http://valmont.example", "nobodyKnowsThisScheme:totallyopaquecontent"])
def test_a_scheme_that_we_do_not_know_is_416(uri: str) -> None:
    """RFC 3261 section 8.2.2.1."""
    assert refusal(request("INVITE", uri=uri)).status == 416


@pytest.mark.parametrize("uri", ["sip:112@valmont.example", "sips:a@b", "tel:112", "urn:service:sos"])
def test_the_schemes_that_a_call_may_have_pass(uri: str) -> None:
    """RFC 3261 section 8.2.2.1, RFC 5031 section 4.2 for urn:service:sos."""
    inspect(request("INVITE", uri=uri))


def test_an_extension_that_is_required_and_unknown_is_420_and_named() -> None:
    """RFC 3261 section 8.2.2.3."""
    error = refusal(request("INVITE", headers="Require: 100rel, nothingSupportsThis, sec-agree\r\n"))
    assert error.status == 420
    assert dict(error.headers)["Unsupported"] == "nothingsupportsthis, sec-agree"


def test_an_extension_that_is_required_and_known_passes() -> None:
    inspect(request("INVITE", headers="Require: Timer\r\n"))
    inspect(request("INVITE", headers="Require: replaces\r\n"), frozenset({"replaces"}))


def test_a_method_that_the_application_serves_passes() -> None:
    """RFC 3261 section 8.2.1."""
    inspect(request("SUBSCRIBE"), methods=("INVITE", "SUBSCRIBE"))
    with pytest.raises(RemoteProtocolError) as caught:
        inspect(request("MESSAGE"), methods=("INVITE", "SUBSCRIBE"))
    assert dict(caught.value.headers)["Allow"] == "INVITE, SUBSCRIBE"


def test_an_extension_for_proxies_is_none_of_our_business() -> None:
    """RFC 3261 section 20.29."""
    inspect(request("INVITE", headers="Proxy-Require: privacy\r\n"))


def test_a_body_that_is_no_session_description_is_415_with_accept() -> None:
    """RFC 3261 section 8.2.3."""
    asked = request("INVITE", body=b"hi")
    asked.headers["content-type"] = ["text/plain"]
    error = refusal(asked)
    assert error.status == 415
    assert dict(error.headers)["Accept"] == "application/sdp"


def test_a_body_that_need_not_be_understood_passes() -> None:
    """RFC 3261 section 20.11: handling=optional."""
    asked = request("INVITE", headers="Content-Disposition: render; handling=optional\r\n", body=b"hi")
    asked.headers["content-type"] = ["text/plain"]
    inspect(asked)


def test_a_body_encoded_in_a_way_that_we_do_not_know_is_415_with_accept_encoding() -> None:
    """RFC 3261 section 8.2.3."""
    error = refusal(request("INVITE", headers="Content-Encoding: gzip\r\n", body=b"hi"))
    assert error.status == 415
    assert "Accept-Encoding" in dict(error.headers)


@pytest.mark.parametrize(
    "accept", ["application/sdp", "*/*", "application/*;q=0.5", "text/plain, application/sdp"]
)
def test_a_caller_that_takes_session_descriptions_passes(accept: str) -> None:
    inspect(request("INVITE", headers=f"Accept: {accept}\r\n"))


def test_a_caller_that_takes_no_session_description_is_406() -> None:
    """RFC 3261 section 21.4.7."""
    assert refusal(request("INVITE", headers="Accept: text/plain\r\n")).status == 406


@scenario()
async def test_a_reinvite_is_inspected_as_any_invite(world: World) -> None:
    """RFC 3261 sections 8.2 and 14.2."""
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    alice.send("INVITE", body=alice.sdp(version=2), headers=[("Require", "precondition")])
    assert (await alice.expect("420 INVITE")).header("Unsupported") == "precondition"
    assert session.may_offer
    assert desk.facts == []
    alice.bye()
    await alice.expect("200 BYE")


@scenario()
async def test_a_method_that_we_do_not_serve_within_a_dialog_leaves_it_alone(world: World) -> None:
    """RFC 3261 section 8.2.1."""
    alice, desk = pair(world)
    session = await desk.answered_call(alice)
    alice.send("INFO")
    assert "BYE" in (await alice.expect("405 INFO")).header("Allow")
    desk.hang_up(session)
    alice.reply(await alice.expect("BYE"), 200)
