"""An ICE-lite agent: whom it answers, and where it sends."""

import pytest

from media.rtc import stun
from media.rtc.ice import MAX_PATHS, Agent, Path

FIRST = Path(0, ("192.0.2.1", 4000))
SECOND = Path(0, ("198.51.100.7", 4001))
TRANSACTION = b"transactions"
PASSWORD = "a password of ours"


def check(ufrag="ours", password=PASSWORD, *, nominate=False, extra=()):
    attributes = [(stun.USERNAME, f"{ufrag}:theirs".encode()), (stun.PRIORITY, bytes(4)), *extra]
    if nominate:
        attributes.append((stun.USE_CANDIDATE, b""))
    return stun.parse(stun.build(stun.BINDING_REQUEST, TRANSACTION, attributes, password.encode()))


@pytest.fixture
def agent():
    return Agent("ours", PASSWORD, 0.0)


def answer_to(agent, request, path=FIRST, now=1.0):
    return stun.parse(agent.receive(request, path, now))


def test_a_check_is_answered_with_the_address_that_it_came_from(agent):
    # RFC 8445 section 7.3: XOR-MAPPED-ADDRESS is where the check came from
    answer = answer_to(agent, check())
    assert answer.kind == stun.BINDING_SUCCESS
    assert answer.attributes[stun.XOR_MAPPED_ADDRESS] == stun.xor_address("192.0.2.1", 4000, TRANSACTION)
    assert answer.is_authentic(PASSWORD.encode())
    assert agent.heard_at == 1.0


@pytest.mark.parametrize(
    "request_of_a_stranger",
    [check("others"), check(password="guessed"), check("ours:ours", password="")],
    ids=["ufrag", "password", "unsigned"],
)
def test_a_check_with_other_credentials_is_not_answered(agent, request_of_a_stranger):
    assert agent.receive(request_of_a_stranger, FIRST, 1.0) == b""
    assert (agent.path, agent.paths, agent.heard_at) == (None, {}, 0.0)


def test_a_check_without_fingerprint_is_not_answered(agent):
    whole = stun.build(stun.BINDING_REQUEST, TRANSACTION, ((stun.USERNAME, b"ours:x"),), PASSWORD.encode())
    bare = whole[:2] + (len(whole) - 28).to_bytes(2) + whole[4:-8]
    assert stun.parse(bare).is_authentic(PASSWORD.encode())
    assert agent.receive(stun.parse(bare), FIRST, 1.0) == b""


def test_who_says_to_be_controlled_as_well_is_told_of_the_conflict(agent):
    # RFC 8445 section 7.3.1.1: an agent that is lite stays controlled
    answer = answer_to(agent, check(extra=((stun.ICE_CONTROLLED, bytes(8)),)))
    assert answer.attributes[stun.ERROR_CODE][2:4] == bytes((4, 87))
    assert agent.paths == {}


def test_what_has_to_be_understood_and_is_not_is_named(agent):
    # RFC 8489 section 6.3.1: comprehension-required attributes
    answer = answer_to(agent, check(extra=((0x7ABC, b""),)))
    assert answer.attributes[stun.UNKNOWN_ATTRIBUTES] == b"\x7a\xbc"
    assert agent.path is None


def test_what_need_not_be_understood_is_passed_over(agent):
    assert answer_to(agent, check(extra=((0xC057, bytes(4)),))).kind == stun.BINDING_SUCCESS


def test_the_first_path_is_used_until_one_is_nominated(agent):
    agent.receive(check(), FIRST, 1.0)
    agent.receive(check(), SECOND, 1.1)
    assert agent.path == FIRST
    agent.receive(check(nominate=True), SECOND, 1.2)
    assert agent.path == SECOND
    assert set(agent.paths) == {FIRST, SECOND}


def test_a_browser_that_changes_networks_is_followed(agent):
    agent.receive(check(nominate=True), FIRST, 1.0)
    agent.receive(check(), SECOND, 2.0)
    assert agent.path == FIRST
    agent.receive(check(nominate=True), SECOND, 2.1)
    assert agent.path == SECOND


def test_after_a_restart_both_credentials_hold_until_a_path_is_nominated(agent):
    # RFC 8445 section 9: media goes on over the old pair until a new one is nominated
    agent.receive(check(nominate=True), FIRST, 1.0)
    agent.restart("newer", "another password", 2.0)
    assert agent.receive(check(), FIRST, 2.1)
    assert agent.receive(check("newer", "another password"), SECOND, 2.2)
    assert agent.path == FIRST
    assert agent.receive(check("newer", "another password", nominate=True), SECOND, 2.3)
    assert agent.path == SECOND
    assert agent.ufrags == ("newer",)
    assert agent.receive(check(), FIRST, 2.4) == b""
    assert set(agent.paths) == {SECOND}


def test_of_two_browsers_that_were_told_the_same_only_the_one_that_was_agreed_with_is_answered(agent):
    agent.receive(check(), FIRST, 1.0)
    agent.agree("others")
    assert agent.receive(check(nominate=True), SECOND, 2.0) == b""
    assert agent.path == FIRST
    agent.agree("theirs")
    assert agent.receive(check(nominate=True), SECOND, 3.0)


def test_during_a_restart_each_of_our_names_goes_with_its_own_of_the_browser_s(agent):
    agent.agree("theirs")
    agent.receive(check(nominate=True), FIRST, 1.0)
    agent.restart("newer", PASSWORD, 2.0)
    agent.agree("later")
    assert agent.receive(check(), FIRST, 2.1)
    assert agent.receive(check("newer"), SECOND, 2.2) == b""


def test_a_restart_that_nobody_followed_is_forgotten_with_the_next(agent):
    agent.receive(check(nominate=True), FIRST, 1.0)
    agent.restart("second", "one", 2.0)
    agent.restart("third", "two", 3.0)
    assert agent.ufrags == ("ours", "third")


def test_a_browser_has_so_many_paths_and_no_more(agent):
    agent.receive(check(nominate=True), FIRST, 1.0)
    for port in range(5000, 5100):
        agent.receive(check(), Path(0, ("192.0.2.1", port)), 1.0)
    assert len(agent.paths) == MAX_PATHS
    assert FIRST in agent.paths
