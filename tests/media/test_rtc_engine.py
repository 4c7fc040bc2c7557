"""A browser's leg as `RtcEngine` makes it: bodies, associations, deaths. The worker is a stand-in."""

import asyncio
from collections.abc import Callable, Iterator

import msgspec
import pytest

from media import sdp
from media.engine import BrowserGone, MediaEvent, MediaRefused, MediaUnavailable, StreamLost
from media.engines.fake import FakeEngine
from media.engines.rtc import RtcEngine
from media.rtc.protocol import AddStream, Connected, Gone, Open, Pair, Ready, Restart
from media.sdp import MediaDescription
from media.snapshot import CallMediaSnapshot
from tests.media.phone import Phone
from tests.media.rtc_worker import ADDRESS, CHROMIUM_PICTURES, OTHER_PAGE, FakeWorker, page_sdp

Phones = Callable[..., Phone]
DESK = ("8 PCMA/8000", "101 telephone-event/8000")


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    made = FakeWorker()
    yield made
    made.close()


@pytest.fixture
def engine(worker: FakeWorker) -> RtcEngine:
    return around(worker)


def around(worker: FakeWorker, *, opus_only: bool = False) -> RtcEngine:
    return RtcEngine(FakeEngine("127.0.0.1"), worker, ["127.0.0.1"], opus_only=opus_only)


def lines(body: bytes) -> list[MediaDescription]:
    return sdp.parse(body).media


def names(media: MediaDescription) -> list[str]:
    return [codec.name for codec in media.codecs]


async def page_calls_desk(engine: RtcEngine, desk: Phone, **said: str) -> tuple[bytes, bytes]:
    """A browser calls a desk phone; returns what the phone was offered and the browser answered."""
    offered = await engine.offer("c", "a", "b", page_sdp(**said))
    return offered, await engine.answer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK))


async def desk_calls_page(engine: RtcEngine, desk: Phone) -> tuple[bytes, bytes]:
    """The same the other way round; returns what the browser was offered and the phone answered."""
    engine.secure("c", "b", "browser")
    offered = await engine.offer("c", "a", "b", desk.sdp())
    return offered, await engine.answer("c", "b", "a", page_sdp(setup="active"))


async def test_desk_phone_is_offered_plain_rtp_of_what_browsers_and_telephones_share(
    engine: RtcEngine, phones: Phones
):
    offered, _ = await page_calls_desk(engine, phones())
    (audio,) = lines(offered)
    assert audio.protocol == "RTP/AVP"
    assert names(audio) == ["opus", "G722", "PCMU", "PCMA", "telephone-event", "telephone-event"]
    for word in (b"ice", b"fingerprint", b"mid", b"extmap", b"red", b"CN/"):
        assert word not in offered


async def test_browser_is_answered_with_our_ice_and_dtls_and_waits_for_nobody(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    _, answered = await page_calls_desk(engine, phones())
    (audio,) = lines(answered)
    assert (audio.protocol, names(audio)) == ("UDP/TLS/RTP/SAVPF", ["PCMA", "telephone-event"])
    assert (audio.host, audio.port) == ADDRESS
    (opened,) = worker.open_legs.values()
    assert worker.ready is not None
    assert audio.attribute("ice-ufrag") == opened.ufrag
    assert audio.attribute("ice-pwd") == opened.password
    assert audio.attribute("fingerprint") == " ".join(worker.ready.fingerprint)
    assert audio.attribute("setup") == "passive"  # RFC 8842 section 5.3
    assert audio.attribute("candidate").split()[4:8] == ["192.0.2.10", "19999", "typ", "host"]
    assert {"a=ice-lite", "a=group:BUNDLE 0"} <= set(sdp.parse(answered).lines)
    assert audio.rtcp_mux


async def test_worker_is_told_where_the_media_plane_is_and_who_the_browser_is(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    await page_calls_desk(engine, phones(), ufrag="Page+1")
    (agreed,) = worker.agreed.values()
    (stream,) = agreed.streams
    assert (agreed.role, agreed.ufrag) == ("server", "Page+1")
    assert stream.host == "127.0.0.1"
    assert stream.port == stream.rtcp_port  # RFC 5761: the media plane took a=rtcp-mux
    assert {8, 126, 111} <= set(stream.numbers)
    assert 13 not in stream.numbers


async def test_browser_device_is_offered_webrtc_and_a_desk_phone_beside_it_plain_rtp(
    engine: RtcEngine, phones: Phones
):
    engine.secure("c", "b1", "browser")
    to_page = await engine.offer("c", "a", "b1", phones().sdp())
    to_desk = await engine.offer("c", "a", "b2", phones().sdp())
    assert [media.protocol for media in lines(to_page)] == ["UDP/TLS/RTP/SAVPF"]
    assert lines(to_page)[0].attribute("setup") == "actpass"
    assert [media.protocol for media in lines(to_desk)] == ["RTP/AVP"]


async def test_browser_that_answers_is_the_one_that_begins_dtls(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    _, answered = await desk_calls_page(engine, phones())
    assert lines(answered)[0].protocol == "RTP/AVP"
    assert [agreed.role for agreed in worker.agreed.values()] == ["server"]


async def test_browser_that_waits_makes_us_begin_dtls(engine: RtcEngine, worker: FakeWorker, phones: Phones):
    engine.secure("c", "b", "browser")
    await engine.offer("c", "a", "b", phones().sdp())
    await engine.answer("c", "b", "a", page_sdp(setup="passive"))
    assert [agreed.role for agreed in worker.agreed.values()] == ["client"]


async def test_two_browsers_speak_opus_and_each_has_an_association_of_its_own(
    engine: RtcEngine, worker: FakeWorker
):
    engine.secure("c", "b", "browser")
    await engine.offer("c", "a", "b", page_sdp())
    answered = await engine.answer("c", "b", "a", page_sdp(setup="active", page=OTHER_PAGE))
    assert names(lines(answered)[0])[0] == "opus"
    assert engine.codec("c", "a") == engine.codec("c", "b") == "opus"
    assert len(worker.agreed) == 2


async def test_opus_alone_is_told_and_taken_where_the_configuration_wants_it(
    worker: FakeWorker, phones: Phones
):
    engine = around(worker, opus_only=True)
    offered = await engine.offer("c", "a", "b", page_sdp())
    answered = await engine.answer("c", "b", "a", phones().sdp("8 101", rtpmaps=DESK))
    assert names(lines(offered)[0])[0] == "opus"
    assert names(lines(answered)[0])[0] == "opus"
    assert (engine.codec("c", "a"), engine.codec("c", "b")) == ("opus", "PCMA")


async def test_hold_and_resume_of_a_browser_keep_ice_dtls_and_sockets(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    desk = phones()
    _, before = await page_calls_desk(engine, desk)
    said = len(worker.open_legs)
    await engine.offer("c", "a", "b", page_sdp(direction="sendonly", version=3))
    held = await engine.answer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK))
    assert lines(held)[0].direction == "recvonly"
    for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup"):
        assert lines(held)[0].attribute(name) == lines(before)[0].attribute(name)
    assert len(worker.open_legs) == said
    assert int(sdp.parse(held).origin[2]) == int(sdp.parse(before).origin[2]) + 1


async def test_offer_that_begins_ice_anew_is_answered_with_other_credentials_on_the_same_dtls(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    # RFC 8839 section 4.4.1.1.1
    desk = phones()
    _, before = await page_calls_desk(engine, desk)
    await engine.offer("c", "a", "b", page_sdp(ufrag="newAge", version=3))
    assert not [one for one in worker.said if isinstance(one, Restart)]  # nothing before the answer
    after = await engine.answer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK))
    (restart,) = [one for one in worker.said if isinstance(one, Restart)]
    assert restart.ufrag == lines(after)[0].attribute("ice-ufrag")
    assert restart.ufrag != lines(before)[0].attribute("ice-ufrag")
    assert lines(after)[0].attribute("fingerprint") == lines(before)[0].attribute("fingerprint")
    assert [agreed.ufrag for agreed in worker.agreed.values()] == ["newAge"]


async def test_refused_offer_that_would_begin_ice_anew_leaves_the_credentials_as_they_were(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    desk = phones()
    _, before = await page_calls_desk(engine, desk)
    await engine.offer("c", "a", "b", page_sdp(ufrag="newAge", version=3))
    again = await engine.offer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK, version=2))
    await engine.offer("c", "a", "b", page_sdp(version=4))
    after = await engine.answer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK))
    assert lines(after)[0].attribute("ice-ufrag") == lines(before)[0].attribute("ice-ufrag")
    assert lines(again)[0].protocol == "UDP/TLS/RTP/SAVPF"
    assert not [one for one in worker.said if isinstance(one, Restart)]


async def test_other_device_that_answers_the_same_offer_has_an_association_of_its_own(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    await desk_calls_page(engine, phones())
    (first,) = worker.agreed
    told = worker.open_legs[first]
    await engine.answer("c", "b", "a", page_sdp(setup="active", page=OTHER_PAGE, ufrag="other"))
    ((key, agreed),) = worker.agreed.items()
    assert key != first
    assert worker.open_legs[key].ufrag == told.ufrag  # it was told these
    assert agreed.fingerprints[0][1] == OTHER_PAGE


async def test_page_that_comes_back_with_another_certificate_begins_anew(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    desk = phones()
    _, before = await page_calls_desk(engine, desk)
    (first,) = worker.open_legs
    await engine.offer("c", "a", "b", page_sdp(page=OTHER_PAGE, ufrag="reload", version=3))
    after = await engine.answer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK))
    assert first not in worker.open_legs
    assert lines(after)[0].attribute("ice-ufrag") != lines(before)[0].attribute("ice-ufrag")
    assert list(worker.agreed) == list(worker.open_legs)


async def test_late_offer_to_a_browser_is_answered_like_any_other(engine: RtcEngine, worker: FakeWorker):
    engine.secure("c", "a", "browser")
    offered = await engine.terminate_offer("c", "a")
    assert names(lines(offered)[0]) == ["PCMA", "PCMU", "G722", "opus", "telephone-event"]
    await engine.terminate_answer("c", "a", page_sdp(setup="active"))
    assert engine.codec("c", "a") == "opus"
    assert len(worker.agreed) == 1


async def test_browser_that_calls_a_service_is_answered_by_the_engine(engine: RtcEngine, worker: FakeWorker):
    answered = await engine.publish("c", "a", page_sdp())
    assert lines(answered)[0].attribute("setup") == "passive"
    assert names(lines(answered)[0]) == ["G722", "telephone-event"]  # cheaper to make than Opus
    assert len(worker.agreed) == 1


async def test_browser_that_was_answered_one_codec_is_sent_no_other_that_it_offered(
    engine: RtcEngine, phones: Phones
):
    # RFC 8829 section 5.11: it was answered by us alone, then joined to somebody who would speak Opus
    offer = page_sdp()
    await engine.publish("c", "a", offer)
    engine.secure("c", "b", "browser")
    await engine.offer("c", "a", "b", offer)
    hers = page_sdp(setup="active", page=OTHER_PAGE)
    await engine.answer("c", "b", "a", hers)
    await engine.offer("c", "b", "a", hers)
    await engine.answer("c", "a", "b", offer)
    assert engine.codec("c", "a") == engine.codec("c", "b") == "G722"


async def test_pictures_pass_in_what_both_have_and_ask_for_what_is_lost(
    engine: RtcEngine, worker: FakeWorker
):
    # RFC 4585 section 4.2, RFC 5104 section 7.1
    engine.secure("c", "b", "browser")
    offered = await engine.offer("c", "a", "b", page_sdp(pictures=CHROMIUM_PICTURES))
    video = lines(offered)[1]
    assert names(video) == ["VP8", "H264"]
    assert {"a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:96 ccm fir"} <= set(video.lines)
    assert "a=group:BUNDLE 0 1" in sdp.parse(offered).lines
    answer = page_sdp(setup="active", page=OTHER_PAGE, pictures=CHROMIUM_PICTURES[:1])
    answered = await engine.answer("c", "b", "a", answer)
    assert [media.port for media in lines(answered)] == [ADDRESS[1], ADDRESS[1]]
    assert [len(agreed.streams) for agreed in worker.agreed.values()] == [2, 2]
    assert [stream.nack for stream in next(iter(worker.agreed.values())).streams] == [False, True]
    keys = list(worker.open_legs)
    said = {one.leg: one.partner for one in worker.said if isinstance(one, Pair)}
    assert said == {keys[0]: keys[1], keys[1]: keys[0]}


async def test_a_browser_asks_the_plane_for_a_telephones_picture_whomever_it_saw_before(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    # RFC 4585 section 4.2: both are told that a picture can be asked for.
    offered = await engine.offer("c", "a", "b", page_sdp(pictures=CHROMIUM_PICTURES))
    assert {"a=rtcp-fb:* nack pli", "a=rtcp-fb:* ccm fir"} <= set(lines(offered)[1].lines)
    desk = phones()
    video = f"m=video {desk.port + 2} RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n".encode()
    await engine.answer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK) + video)
    (key,) = worker.open_legs
    assert [(one.leg, one.partner) for one in worker.said if isinstance(one, Pair)] == [(key, "")]


async def test_pictures_are_refused_where_the_telephone_has_none(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    await engine.offer("c", "a", "b", page_sdp(pictures=CHROMIUM_PICTURES))
    refused = phones().sdp("8 101", rtpmaps=DESK) + b"m=video 0 RTP/AVP 96\r\n"
    answered = await engine.answer("c", "b", "a", refused)
    audio, video = lines(answered)
    assert (audio.port, video.port) == (ADDRESS[1], 0)
    assert "a=group:BUNDLE 0" in sdp.parse(answered).lines
    assert [len(agreed.streams) for agreed in worker.agreed.values()] == [1]


async def test_numbers_that_a_telephone_uses_twice_are_others_for_a_browser(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    # RFC 8843 section 9.1
    desk = phones()
    sound = desk.sdp("96 8", rtpmaps=("96 opus/48000/2", "8 PCMA/8000"))
    pictures = f"m=video {desk.port + 2} RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=fmtp:96 max-fs=396\r\n"
    engine.secure("c", "b", "browser")
    audio, video = lines(await engine.offer("c", "a", "b", sound + pictures.encode()))
    (number,) = (codec.payload_type for codec in video.codecs)
    assert number not in {codec.payload_type for codec in audio.codecs}
    assert {f"a=fmtp:{number} max-fs=396", f"a=rtcp-fb:{number} nack pli"} <= set(video.lines)
    answer = page_sdp(setup="active", sound=("96 opus/48000/2",), pictures=(f"{number} VP8/90000",))
    answered = await engine.answer("c", "b", "a", answer)
    assert [codec.payload_type for codec in lines(answered)[1].codecs] == [96]
    (agreed,) = worker.agreed.values()
    assert [stream.numbers[used] for stream, used in zip(agreed.streams, (96, number), strict=True)] == [
        96,
        96,
    ]


async def test_pictures_that_are_added_in_mid_call_get_a_socket(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    await page_calls_desk(engine, phones())
    await engine.offer("c", "a", "b", page_sdp(pictures=CHROMIUM_PICTURES, version=3))
    assert [type(one) for one in worker.said].count(AddStream) == 1


@pytest.mark.parametrize(
    ("line", "instead", "reason"),
    [
        (b"a=fingerprint", b"a=x-nothing", "fingerprint"),
        (b"a=fingerprint:sha-256 ", b"a=fingerprint:md5 ", "fingerprint"),
        (b"a=ice-ufrag:pAge", b"a=ice-ufrag:p", "ICE"),
        (b"a=ice-pwd:", b"a=x-pwd:", "ICE"),
        (b"a=rtcp-mux", b"a=x-mux", "rtcp-mux"),
        (b"s=-\r\n", b"s=-\r\na=ice-lite\r\n", "ICE-lite"),
        (b"a=mid:0", b"a=mid:\x00", "carriage return or a zero byte"),
        (b"UDP/TLS/RTP/SAVPF 111", b"UDP/TLS/RTP/SAVPF 63", "nothing that can be carried"),
    ],
)
async def test_body_of_a_browser_that_is_not_one_is_refused_with_488(
    engine: RtcEngine, worker: FakeWorker, line: bytes, instead: bytes, reason: str
):
    body = page_sdp(sound=("111 opus/48000/2",)).replace(line, instead)
    with pytest.raises(MediaRefused, match=reason) as refused:
        await engine.offer("c", "a", "b", body)
    assert refused.value.status == 488
    assert not worker.open_legs


async def test_telephone_over_a_websocket_that_speaks_plain_rtp_stays_one(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    engine.secure("c", "a", "browser")
    await engine.offer("c", "a", "b", phones().sdp())
    answered = await engine.answer("c", "b", "a", phones().sdp("8 101"))
    assert lines(answered)[0].protocol == "RTP/AVP"
    assert not worker.said


async def test_public_address_in_front_of_us_is_another_candidate(engine: RtcEngine, phones: Phones):
    engine.secure("c", "b", "browser")
    offered = await engine.offer("c", "a", "b", phones().sdp(), advertise="203.0.113.7")
    candidates = [line for line in lines(offered)[0].lines if line.startswith("a=candidate:")]
    assert [line.split()[4] for line in candidates] == ["192.0.2.10", "203.0.113.7"]
    assert int(candidates[0].split()[3]) > int(candidates[1].split()[3])


async def test_any_address_of_the_engine_within_is_no_candidate(engine: RtcEngine, phones: Phones):
    engine.secure("c", "b", "browser")
    offered = await engine.offer("c", "a", "b", phones().sdp(), advertise="0.0.0.0")
    candidates = [line for line in lines(offered)[0].lines if line.startswith("a=candidate:")]
    assert [line.split()[4] for line in candidates] == ["192.0.2.10"]


async def test_end_of_a_call_ends_its_associations(engine: RtcEngine, worker: FakeWorker, phones: Phones):
    await page_calls_desk(engine, phones())
    await engine.delete("c")
    assert not worker.open_legs
    assert not any(engine.inventory().values())


async def test_browser_that_moves_to_another_call_keeps_its_association(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    await page_calls_desk(engine, phones())
    kept = dict(worker.open_legs)
    engine.secure("d", "b1", "browser")
    assert await engine.move("c", "a", "d", "b1")
    await engine.delete("c")
    assert worker.open_legs == kept
    desk = phones()
    told = await engine.offer("d", "x", "b1", desk.sdp("8 101", rtpmaps=DESK))
    assert lines(told)[0].attribute("ice-ufrag") == next(iter(kept.values())).ufrag
    await engine.delete("d")
    assert not worker.open_legs


# -- deaths ----------------------------------------------------------------------------------------


async def test_browser_that_is_answered_in_another_call_keeps_its_association(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    await page_calls_desk(engine, phones())
    (before,) = worker.open_legs
    said = page_sdp()
    told = await engine.publish("service", "a", said)  # it is on its way to an app of another call
    (audio,) = lines(told)
    assert audio.attribute("ice-ufrag") == worker.open_legs[before].ufrag
    assert list(worker.open_legs) == [before]
    (stream,) = worker.agreed[before].streams
    inside = (await engine.within.query("service")).legs["a"]
    assert stream.port == inside.local[1]
    await engine.delete("c")
    assert list(worker.open_legs) == [before]  # what it left behind has nothing of it any more
    await engine.delete("service")
    assert worker.open_legs == {}


async def test_browser_that_moves_where_it_was_answered_before_keeps_its_association_and_its_port(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    await page_calls_desk(engine, phones())
    (before,) = worker.open_legs
    port = worker.agreed[before].streams[0].port
    await engine.offer("transferred", "a", "b1", page_sdp())  # it is to speak with somebody else
    await engine.answer("transferred", "b1", "a", phones().sdp("8 101", rtpmaps=DESK))
    assert worker.agreed[before].streams[0].port != port
    assert await engine.move("c", "a", "transferred", "a")
    assert list(worker.open_legs) == [before]
    assert worker.agreed[before].streams[0].port == port  # the stream within came along
    await engine.delete("c")
    assert list(worker.open_legs) == [before]
    await engine.delete("transferred")
    assert worker.open_legs == {}


async def test_browser_that_is_gone_and_stays_away_is_told_of_once(worker: FakeWorker, phones: Phones):
    engine = RtcEngine(FakeEngine("127.0.0.1"), worker, ["127.0.0.1"], gone_seconds=0.0)
    told: asyncio.Queue[MediaEvent] = asyncio.Queue()
    engine.events = told.put_nowait
    await page_calls_desk(engine, phones())
    (key,) = worker.open_legs
    worker.events(Gone(key, "consent"))
    worker.events(Gone(key, "closed"))
    assert await told.get() == BrowserGone("c", "a", "closed")
    assert told.empty()


@pytest.mark.parametrize("ends", [False, True])
async def test_browser_that_is_back_or_whose_call_is_over_is_not_told_of(
    worker: FakeWorker, phones: Phones, ends: bool
):
    engine = RtcEngine(FakeEngine("127.0.0.1"), worker, ["127.0.0.1"], gone_seconds=0.0)
    told: list[MediaEvent] = []
    engine.events = told.append
    await page_calls_desk(engine, phones())
    (key,) = worker.open_legs
    worker.events(Gone(key, "consent"))
    if ends:
        await engine.delete("c")
    else:
        worker.events(Connected(key, ADDRESS))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == []


async def test_worker_that_died_is_told_of_as_lost_streams_and_renewed_with_another_certificate(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    events: list[MediaEvent] = []
    engine.events = events.append
    desk = phones()
    _, before = await page_calls_desk(engine, desk)
    worker.die()
    worker.come_back()
    assert events == [StreamLost("c", "a", "the RTC worker began anew")]
    await engine.renew("c", "a")
    told = await engine.offer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK))
    for name in ("ice-ufrag", "fingerprint"):
        assert lines(told)[0].attribute(name) != lines(before)[0].attribute(name)
    assert lines(told)[0].attribute("setup") == "actpass"
    said = page_sdp(setup="active", ufrag="again", version=3)
    await engine.answer("c", "a", "b", said)
    ((key, agreed),) = worker.agreed.items()
    assert (agreed.ufrag, list(worker.open_legs)) == ("again", [key])
    # What the broker says next: the same body once more, whose answer nobody is told.
    await engine.offer("c", "a", "b", said)
    await engine.answer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK))
    assert list(worker.open_legs) == [key]


async def test_call_of_a_browser_without_a_worker_is_unavailable(engine: RtcEngine, worker: FakeWorker):
    worker.die()
    with pytest.raises(MediaUnavailable):
        await engine.offer("c", "a", "b", page_sdp())


async def test_call_between_desk_phones_needs_no_worker(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    worker.die()
    await engine.offer("c", "a", "b", phones().sdp())
    assert lines(await engine.answer("c", "b", "a", phones().sdp("8 101")))[0].port


async def test_signalling_that_comes_back_claims_its_legs_and_touches_nothing(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    desk = phones()
    _, before = await page_calls_desk(engine, desk)
    kept = msgspec.msgpack.encode(engine.snapshot("c"))
    worker.said.clear()
    events: list[MediaEvent] = []
    later = around(worker)
    later.events = events.append
    later.restore(msgspec.msgpack.decode(kept, type=CallMediaSnapshot))
    assert [type(one) for one in worker.said] == [Open]
    assert not events
    held = await later.offer("c", "b", "a", desk.sdp("8 101", rtpmaps=DESK, version=2))
    assert lines(held)[0].attribute("ice-ufrag") == lines(before)[0].attribute("ice-ufrag")
    await later.delete("c")
    assert not worker.open_legs


async def test_signalling_that_comes_back_to_another_worker_has_lost_its_browsers(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    await page_calls_desk(engine, phones())
    kept = msgspec.msgpack.encode(engine.snapshot("c"))
    worker.die()
    later = around(worker)
    events: list[MediaEvent] = []
    later.events = events.append
    later.restore(msgspec.msgpack.decode(kept, type=CallMediaSnapshot))
    assert not events
    worker.come_back()
    assert events == [StreamLost("c", "a", "the RTC worker began anew")]


async def test_connection_that_broke_leaves_the_legs_of_the_same_worker_as_they_are(
    engine: RtcEngine, worker: FakeWorker, phones: Phones
):
    events: list[MediaEvent] = []
    engine.events = events.append
    await page_calls_desk(engine, phones())
    ready = worker.ready
    assert isinstance(ready, Ready)
    worker.events(ready)
    assert not events


async def test_address_of_a_browser_is_told_by_a_query(engine: RtcEngine, worker: FakeWorker, phones: Phones):
    await page_calls_desk(engine, phones())
    (key,) = worker.open_legs
    worker.events(Connected(key, ("198.51.100.4", 54_321)))
    assert (await engine.query("c")).legs["a"].remote == ("198.51.100.4", 54_321)
