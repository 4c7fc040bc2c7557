"""Legs with keys over both planes, and over the C plane where it can't encrypt (RFC 3711, 4568, 7714).

The phones are pylibsrtp (`media.srtp`), which the C plane doesn't use: it has RFC 3711 written down itself.
"""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from media import frames, rtcp, rtp
from media.engines import native, wire
from media.engines.inheritance import KeyState, NoRecord, fingerprint
from media.engines.native import NativePlane, NativeStream
from media.engines.relay import PlaneName
from media.engines.stream import Address, Hearing, PythonPlane, PythonStream
from media.sdes import KEY_BYTES, SUITES, Crypto, Security, Suite
from media.srtp import MAX_SOURCES, Receiver, Sender, SrtpError
from tests.media.line import LEG, PLANES, Line, take_turn
from tests.media.process import REPOSITORY, port_range
from tests.media.reference_srtp import Reference
from tests.media.test_native import a_datagram
from tests.media.test_restart import Lineage

PORT = port_range()[0]
PEER = PORT + 2
ELSEWHERE: Address = ("127.0.0.1", 9444)
ROUTE = wire.Route(
    PORT, PEER, "127.0.0.1", 9000, 9001, False, False, True, {8: 8, 101: 101}, (101,), "PCMA", 8, 8000, 101
)
SHORT_TAG: Suite = "AES_CM_128_HMAC_SHA1_32"
USUAL: Suite = "AES_CM_128_HMAC_SHA1_80"


def security(suite: Suite = USUAL, seed: int = 1, mki: bytes = b"") -> Security:
    chance = random.Random(f"{seed}")
    ours = Crypto(1, suite, chance.randbytes(KEY_BYTES[suite]))
    return Security(ours, Crypto(1, suite, chance.randbytes(KEY_BYTES[suite]), mki))


class Talk(Lineage):
    """Two legs, each with keys or without, over the lives of media processes."""

    def begin(self, alice: Security | None, bob: Security | None, sequence: int = 100) -> None:
        self.a = Line(sequence, ssrc=7, security=alice)
        self.b = Line(sequence, ssrc=9, security=bob)
        self._security = alice, bob
        self.join(10.0)

    def join(self, now: float, **changes: object) -> None:
        """Route both legs."""
        alice, bob = self._security
        route = msgspec.structs.replace(ROUTE, **changes)
        self.media._do(msgspec.structs.replace(route, security=alice), now)
        self.media._do(msgspec.structs.replace(route, port=PEER, peer=PORT, security=bob), now)
        self.a.at(self.media, PORT)
        self.b.at(self.media, PEER)

    def restart(self, now: float) -> None:
        """Let the media process die, and the next one be told what the last one was."""
        self.die()
        self.join(now, again=True)

    def number(self, line: Line, sequence: int) -> None:
        """Let what a leg hears begin behind this number."""
        if isinstance(line.stream, PythonStream):
            line.stream.outgoing.sequence = sequence
        else:
            assert isinstance(line.stream, NativeStream)
            made = line.stream.made
            line.stream.generation = native.lib.plane_claim(made, False, 77, sequence, 0)


@pytest.fixture(params=[*PLANES, *(["sealed"] if native.is_built() else [])])
def talk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    """On each plane; "sealed": the C plane without OpenSSL."""
    plane: PlaneName = request.param if request.param in PLANES else "native"
    if request.param == "sealed":
        monkeypatch.setattr(native, "suites", frozenset)
    made = Talk(tmp_path, plane)
    yield made
    made.end()


@pytest.mark.peer
def test_every_suite_is_encrypted_in_c_where_the_test_command_set_up():
    assert native.suites() == frozenset(SUITES)


@pytest.mark.parametrize("alice", [*SUITES, None])
@pytest.mark.parametrize("bob", [USUAL, "AEAD_AES_256_GCM", None])
def test_sound_passes_between_legs_whatever_each_encrypts_with(
    talk: Talk, alice: Suite | None, bob: Suite | None
):
    # RFC 3711 section 3.3, RFC 7714 section 8
    talk.begin(alice and security(alice, 1), bob and security(bob, 2))
    talk.a.say(10.0, 5)
    talk.b.say(10.0, 5)
    for heard in (talk.a, talk.b):
        assert [packet.payload for packet in heard.sent] == [bytes(160)] * 5
        assert [late.sequence - early.sequence for early, late in pairwise(heard.sent)] == [1] * 4
    assert talk.a.counts().bytes_received == 5 * 160


@pytest.mark.parametrize("suite", SUITES)
def test_packet_is_what_the_rfc_says(talk: Talk, suite: Suite):
    keys = security(suite)
    talk.begin(None, keys)
    talk.a.say(10.0)
    clear = rtp.build(talk.b.sent[0])
    assert talk.b.raw == [Reference(suite, keys.ours.key).protect(clear, 0)]


@pytest.mark.parametrize("suite", SUITES)
def test_reports_of_ours_are_encrypted(talk: Talk, suite: Suite):
    # RFC 3711 section 3.4, RFC 7714 section 9; RFC 4568 section 6.2.2
    talk.begin(security(suite), None)
    talk.a.say(10.0)
    for now in (11.0, 16.0):
        talk.a.stream.each_second(now, 30.0, report=True)
    assert [rtcp.packet_types(report)[0] for report, _ in talk.a.reports] == [rtcp.RECEIVER_REPORT] * 2


def test_what_we_say_is_encrypted(talk: Talk):
    talk.begin(security(), None)
    talk.media._do(wire.Digits(PORT, "1"), 10.0)
    for tick in range(8):
        talk.media._play(10.0 + 0.02 * tick)
    take_turn(talk.media, 10.2)
    assert len(talk.a.sent) == 8
    assert {packet.payload_type for packet in talk.a.sent} == {101}


def test_echo_is_encrypted_with_our_own_key(talk: Talk):
    talk.begin(security(), None)
    talk.media._do(wire.Echo(PORT), 10.0)
    talk.a.say(10.0, 3)
    assert len(talk.a.sent) == 3


def test_loop_hears_a_leg_with_keys_in_clear(talk: Talk):
    talk.begin(security(), security(seed=2))
    heard: list[bytes] = []
    assert isinstance(talk.media._plane, PythonPlane | NativePlane)
    talk.media._plane.heard = lambda stream, packet, at: heard.append(packet)
    talk.a.stream.hear(Hearing.TAKE)
    talk.a.say(10.0)
    take_turn(talk.media, 10.0)
    assert heard == [rtp.build(rtp.Packet(8, 100, 16000, 7, bytes(160)))]
    assert talk.b.sent == []


def test_key_pressed_on_a_leg_with_keys_is_told(talk: Talk):
    talk.begin(security(), None)
    event = rtp.build(rtp.Packet(101, 1, 160, 7, bytes((5, 10, 0, 160)), True))
    assert talk.a.keys is not None
    talk.a.give(talk.a.keys[0].protect(event), LEG, 10.0)
    take_turn(talk.media, 10.0)
    assert wire.Digit(PORT, "5") in talk.media._reports


def test_packet_in_clear_is_not_taken_from_a_leg_with_keys(talk: Talk):
    talk.begin(security(), None)
    talk.a.give(rtp.build(rtp.Packet(8, 1, 160, 7, bytes(160))), LEG, 10.0)
    assert talk.b.sent == []
    assert (talk.a.counts().packets, talk.a.counts().invalid_packets) == (0, 1)


def test_packet_that_was_changed_is_invalid_and_one_that_comes_twice_passes_once(talk: Talk):
    # RFC 3711 section 3.3.2
    talk.begin(security(), None)
    assert talk.a.keys is not None
    sent = [talk.a.keys[0].protect(rtp.build(rtp.Packet(8, n, 160 * n, 7, bytes(160)))) for n in (1, 2)]
    talk.a.give(sent[0][:50] + bytes((sent[0][50] ^ 1,)) + sent[0][51:], LEG, 10.0)
    for _ in range(2):
        talk.a.give(sent[1], LEG, 10.0)
    assert len(talk.b.sent) == 1
    assert talk.a.counts().invalid_packets == 2


def test_packet_that_is_not_authentic_latches_nothing(talk: Talk):
    talk.begin(security(), None)
    talk.join(10.0, nat=True, latch=True)
    thief = Sender(security(seed=3).theirs)
    talk.a.give(thief.protect(rtp.build(rtp.Packet(8, 1, 160, 7, bytes(160)))), ELSEWHERE, 10.1)
    talk.a.say(10.2)
    assert (talk.a.counts().remote_host, talk.a.counts().remote_port) == LEG
    assert talk.a.counts().invalid_packets == 1
    assert len(talk.b.sent) == 1


def test_packet_of_a_third_address_is_not_even_decrypted(talk: Talk):
    talk.begin(security(), None)
    talk.a.say(10.0, source=ELSEWHERE)
    assert (talk.a.counts().third_party_packets, talk.a.counts().invalid_packets) == (1, 0)


def test_number_that_comes_twice_is_encrypted_once(talk: Talk):
    # RFC 3711 section 9.1: two packets with one key stream give both away.
    talk.begin(None, security())
    talk.a.say(10.0)
    talk.a.give(rtp.build(rtp.Packet(8, 100, 16000, 7, b"other" * 32)), LEG, 10.1)
    assert len(talk.b.raw) == 1


def test_numbers_go_over_their_end_in_both_directions(talk: Talk):
    # RFC 3711 section 3.3.1
    talk.begin(security(), security(seed=2), sequence=65_530)
    talk.a.say(10.0, 20)
    assert len(talk.b.sent) == 20
    assert talk.a.counts().invalid_packets == 0


@pytest.mark.parametrize(("late", "passes"), [(1, True), (127, True), (128, False)])
def test_packet_may_be_late_by_the_window(talk: Talk, late: int, passes: bool):
    # RFC 3711 section 3.3.2: at least 64; here 128.
    talk.begin(security(), security(seed=2))
    assert talk.a.keys is not None
    packets = [rtp.build(rtp.Packet(8, n, 160 * n, 7, bytes(160))) for n in range(1, late + 2)]
    sent = [talk.a.keys[0].protect(packet) for packet in packets]
    for datagram in (*sent[1:], sent[0]):
        talk.a.give(datagram, LEG, 10.0)
    assert len(talk.b.sent) == late + passes


@pytest.mark.parametrize("suite", SUITES)
def test_sources_and_extension_of_the_header_stay_in_clear(talk: Talk, suite: Suite):
    # RFC 3711 section 3.1
    talk.begin(security(suite), security(suite, 2))
    assert talk.a.keys is not None
    plain = rtp.build(rtp.Packet(8, 1, 160, 7, b"x" * 160))
    header = bytes((plain[0] | 0x12,)) + plain[1:12] + bytes(8) + b"\xbe\xde\0\2extended"
    talk.a.give(talk.a.keys[0].protect(header + plain[12:]), LEG, 10.0)
    assert talk.b.sent[0].payload == b"x" * 160
    assert talk.b.raw[0][12:32] == header[12:]


def test_announced_key_identifier_is_expected(talk: Talk):
    # RFC 3711 section 3.1
    for suite in SUITES:
        keys = security(suite, mki=b"\0\x07")
        talk.begin(keys, None)
        talk.a.say(10.0)
        talk.a.keys = (Sender(msgspec.structs.replace(keys.theirs, mki=b"\0\x08")), Receiver(keys.ours))
        talk.a.sequence += 1
        talk.a.say(10.1)
        assert len(talk.b.sent) == 1
        assert talk.a.counts().invalid_packets == 1
        talk.media._do(wire.Close((PORT, PEER)), 10.2)


def test_sources_of_one_key_are_bounded(talk: Talk):
    talk.begin(security(), None)
    for ssrc in range(1, MAX_SOURCES + 3):
        talk.a.ssrc = ssrc
        talk.a.say(10.0 + ssrc)
    assert talk.a.counts().invalid_packets == 2
    talk.a.ssrc = 1
    talk.a.say(300.0)
    assert len(talk.b.sent) == MAX_SOURCES + 1


def test_packet_longer_than_any_is_not_sent(talk: Talk):
    talk.begin(None, security())
    talk.a.give(rtp.build(rtp.Packet(8, 1, 160, 7, bytes(2500))), LEG, 10.0)
    talk.a.say(10.1)
    assert len(talk.b.sent) == 1


# --- keys that change --------------------------------------------------------


def test_new_answer_with_the_same_keys_goes_on_with_them(talk: Talk):
    # RFC 4568 section 7.1.4; the tag is the offer's, and no part of the key.
    talk.begin(security(), security(seed=2))
    talk.a.say(10.0, 3)
    first, second = talk._security
    assert first is not None
    talk._security = Security(msgspec.structs.replace(first.ours, tag=4), first.theirs), second
    talk.join(11.0)
    talk.a.say(11.0, 3)
    talk.b.say(11.0, 3)
    assert len(talk.b.sent) == 6
    assert len(talk.a.sent) == 3
    assert talk.a.counts().invalid_packets == 0


def test_new_key_begins_anew_and_an_old_one_goes_on_when_it_comes_back(talk: Talk):
    old, new = security(), security(seed=5)
    talk.begin(None, old, sequence=65_530)
    talk.number(talk.b, 65_530)
    talk.join(10.0)
    talk.a.say(10.0, 10)  # over the end of the numbers with the old key
    talk._security = None, new
    talk.join(11.0)
    talk.b.keys = Sender(new.theirs), Receiver(new.ours)
    talk.a.say(11.0, 3)
    phone = Receiver(old.ours)
    for datagram in talk.b.raw[:10]:
        phone.unprotect(datagram)
    talk._security = None, old
    talk.join(12.0)
    talk.b.keys = Sender(old.theirs), phone
    talk.a.say(12.0, 3)
    assert len(talk.b.sent) == 16
    assert phone.state().indexes.popitem()[1] > 0x10000


def test_leg_that_gets_keys_in_mid_call_says_nothing_in_clear_any_more(talk: Talk):
    talk.begin(None, None)
    talk.a.say(10.0)
    keys = security()
    talk._security = None, keys
    talk.join(11.0)
    talk.b.keys = Sender(keys.theirs), Receiver(keys.ours)
    talk.a.say(11.0)
    assert len(talk.b.sent) == 2
    talk._security = None, None
    talk.join(12.0)
    talk.b.keys = None
    talk.a.say(12.0)
    assert talk.b.sent[2].payload == bytes(160)


def test_next_leg_of_a_port_has_nothing_of_the_keys_before(talk: Talk):
    talk.begin(security(), None)
    talk.a.say(10.0)
    talk.media._do(wire.Close((PORT, PEER)), 10.1)
    talk.begin(security(), None)  # the same keys, by another SSRC of ours
    talk.a.say(10.2)
    assert len(talk.b.sent) == 1


# --- one process after the other ---------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
def test_phones_hear_each_other_again_after_a_restart(talk: Talk, suite: Suite):
    # RFC 3711 section 3.3.1: both rollover counters go on, in both directions.
    talk.begin(security(suite), security(seed=2))
    talk.number(talk.b, 65_400)
    talk.join(10.0)
    talk.a.sequence = 65_400
    talk.a.say(10.0, 200)
    talk.b.say(10.0, 5)
    talk.media._each_second(14.1)
    talk.restart(15.0)
    talk.a.say(15.0, 30)
    talk.b.say(15.0, 30)
    assert len(talk.b.sent) == 230
    assert len(talk.a.sent) == 35
    assert talk.a.counts().invalid_packets == talk.b.counts().invalid_packets == 0


@pytest.mark.parametrize("spoken", [0, 1, 40])
def test_no_index_is_used_twice_over_a_restart(talk: Talk, spoken: int):
    # RFC 3711 section 9.1. Killed within a second of the last record, after another source had spoken.
    keys = security()
    talk.begin(None, keys)
    talk.number(talk.b, 65_500)
    talk.join(10.0)
    talk.a.say(10.0, 20)
    talk.media._each_second(11.0)
    talk.media._do(wire.Digits(PEER, "1"), 11.1)
    for tick in range(spoken):
        talk.media._play(11.1 + 0.02 * tick)
    take_turn(talk.media, 11.9)
    talk.media._do(wire.Stop(PEER), 11.9)
    talk.restart(12.0)
    talk.a.say(12.0, 30)
    talk.a.sequence -= 45
    talk.a.say(13.0, 10)  # late ones, and some that came before
    phone = Receiver(keys.ours)
    for datagram in talk.b.raw:
        phone.unprotect(datagram)  # raises for a number that came before
    assert len({(packet.sequence, packet.timestamp) for packet in talk.b.sent}) == len(talk.b.sent)
    assert len(talk.b.sent) >= 50


def test_packet_received_before_a_restart_does_not_pass_again(talk: Talk):
    # RFC 3711 section 3.3.2
    talk.begin(security(), None)
    assert talk.a.keys is not None
    sent = [talk.a.keys[0].protect(rtp.build(rtp.Packet(8, n, 160 * n, 7, bytes(160)))) for n in range(20)]
    for datagram in sent:
        talk.a.give(datagram, LEG, 10.0)
    talk.media._each_second(11.0)
    talk.restart(12.0)
    for datagram in sent:
        talk.a.give(datagram, LEG, 12.0)
    assert len(talk.b.sent) == 20
    assert talk.a.counts().invalid_packets == 20


def test_reports_go_on_after_a_restart(talk: Talk):
    # RFC 3711 section 3.4: the phone takes no report number twice.
    talk.begin(security(), None)
    talk.a.say(10.0)
    for now in (11.0, 16.0, 21.0):
        talk.a.stream.each_second(now, 30.0, report=True)
    talk.a.say(21.0)
    talk.media._each_second(22.0)
    talk.restart(23.0)
    talk.a.stream.each_second(24.0, 30.0, report=True)
    assert len(talk.a.reports) >= 4


def test_key_that_was_agreed_on_while_nobody_was_there_begins_anew(talk: Talk):
    talk.begin(security(), security(seed=2))
    talk.a.say(10.0, 5)
    talk.media._each_second(11.0)
    new = security(seed=6)
    talk._security = new, new
    for line in (talk.a, talk.b):
        line.keys = Sender(new.theirs), Receiver(new.ours)
    talk.restart(12.0)
    talk.a.say(12.0, 5)
    assert len(talk.b.sent) == 10


def test_state_of_keys_is_recorded_at_once(tmp_path: Path):
    talk = Talk(tmp_path, "python")
    talk.begin(security(), None)
    record = talk.inheritance.read(PORT)
    assert isinstance(record.keys, KeyState)
    assert record.keys.ours == fingerprint(security().ours)
    talk.media._do(wire.Close((PORT,)), 11.0)
    with pytest.raises(NoRecord):
        talk.inheritance.read(PORT)
    talk.end()


# --- the same of both planes -------------------------------------------------


class Wire(Line):
    """A leg that keeps what it is sent, whatever it is."""

    def _send_to(self, data: bytes | memoryview, destination: Address) -> int:
        self.raw.append(bytes(data))
        self.destinations.append(destination)
        return len(data)


def test_10000_strange_packets_make_the_same_of_both_planes(tmp_path: Path):
    talks = [Talk(tmp_path, plane, f"127.0.0.{number}") for number, plane in enumerate(PLANES, 1)]
    keys = [security(suite, number) for number, suite in enumerate(SUITES)]
    for talk in talks:
        talk.begin(keys[0], keys[3])
        talk.a, talk.b = Wire(), Wire()
        talk.join(10.0)
        for line in (talk.a, talk.b):
            if isinstance(line.stream, PythonStream):
                line.stream.outgoing = rtp.Outgoing(77, 65_000, 0)
                line.stream.kept_keys = None
            else:
                assert isinstance(line.stream, NativeStream)
                line.stream.generation = native.lib.plane_claim(line.stream.made, False, 77, 65_000, 0)
        talk.join(10.0)
    chance, now = random.Random(20261122), 1000.0
    phones = [Sender(one.theirs) for one in keys]
    used = [0, 3]
    for number in range(10_000):
        now += 0.02
        leg, changes, strange = chance.randrange(2), number % 997 == 0, chance.random() < 0.3
        datagram = a_datagram(chance, number)
        sequence = 60_000 + number + chance.choice((0, 0, 0, -3, 5))
        payload = chance.randbytes(chance.choice((1, 20, 160, 1400)))
        if not strange:
            packet = rtp.Packet(chance.choice((8, 101)), sequence & 0xFFFF, number * 160, 7 + leg, payload)
            try:
                datagram = phones[used[leg]].protect(rtp.build(packet))
            except SrtpError:
                continue
        if changes:
            used = [chance.choice((0, 1)), chance.choice((2, 3))]
        for talk in talks:
            if changes:
                talk._security = keys[used[0]], keys[used[1]]
                talk.join(now)
            (talk.a, talk.b)[leg].give(datagram, LEG, now)
    seen = [[(line.raw_and_places(), line.counts(now)) for line in (talk.a, talk.b)] for talk in talks]
    for talk in talks:
        talk.end()
    assert all(one == seen[0] for one in seen)
    assert all(len(raw) > 1_000 for raw, _ in seen[0])


# --- a real death ------------------------------------------------------------

SUPERVISOR = """
import os, socket, sys
from pathlib import Path
from media.engines import relay
from media.engines.inheritance import Inheritance
inheritance = Inheritance()
while sys.stdin.readline():
    inheritance.receive()
    control = socket.socket(fileno=os.dup(int(sys.argv[1])))
    child = os.fork()
    if not child:
        relay.main(None, ["127.0.0.1"], (int(sys.argv[2]), int(sys.argv[3])), prompts=Path(sys.argv[4]),
                   listening=control, inheritance=inheritance, plane=sys.argv[5])
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"])
def test_sound_is_there_again_after_kill_9_of_the_media_process(
    tmp_path: Path, plane: PlaneName, suite: Suite
):
    first, last = port_range()
    alice, bob = security(suite, 1), security(USUAL, 2)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("")
    listening.listen()
    arguments = (str(word) for word in (listening.fileno(), first, last, tmp_path, plane))
    command = [sys.executable, "-c", SUPERVISOR, *arguments]
    phones = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for phone in phones:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(0.1)
    speaks, hears = Sender(alice.theirs), Receiver(bob.ours)
    ports: set[int] = set()
    controls: list[socket.socket] = []
    said = 65_500

    def talk_until_heard() -> int:
        nonlocal said
        for _ in range(100):
            said += 1
            packet = rtp.Packet(8, said & 0xFFFF, said * 160 & 0xFFFFFFFF, 7, bytes(160))
            phones[0].sendto(speaks.protect(rtp.build(packet)), ("127.0.0.1", first))
            try:
                datagram, source = phones[1].recvfrom(2000)
            except TimeoutError:
                continue
            ports.add(source[1])
            return rtp.parse(hears.unprotect(datagram)).ssrc
        raise AssertionError("nothing was heard")

    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True,
        pass_fds=[listening.fileno()],
    ) as supervisor:  # fmt: skip
        assert supervisor.stdin is not None and supervisor.stdout is not None
        ssrcs = set()
        for life in range(3):
            supervisor.stdin.write("another\n")
            supervisor.stdin.flush()
            child = int(supervisor.stdout.readline())
            controls.append(socket.socket(socket.AF_UNIX))
            controls[-1].connect(listening.getsockname())
            routes = []
            for port, phone, keys in ((first, phones[0], alice), (first + 2, phones[1], bob)):
                host, at = phone.getsockname()
                other = 2 * first + 2 - port
                routes.append(
                    msgspec.structs.replace(
                        ROUTE, port=port, peer=other, host=host, rtp_port=at, rtcp_port=9, security=keys,
                        again=life > 0,
                    )
                )  # fmt: skip
            controls[-1].sendall(frames.frame(routes))
            try:
                for _ in range(60):
                    ssrcs.add(talk_until_heard())
            finally:
                os.kill(child, signal.SIGKILL)
        supervisor.stdin.close()
        assert supervisor.wait(10) == 0
    for one in (*phones, *controls, listening):
        one.close()
    assert len(ssrcs) == 1
    assert ports == {first + 2}
