"""The area `sound`: what the media process pays for a frame of 20 ms that it works on.

Each figure is the processor time of the work alone, in a process of its own on one core: mixing with
everybody's frames put and heard, a transcoder's packet in to packet out, SRTP in on one leg and out on the
other, a player's packet put and frame played. `conference.py` has those with sockets.
"""

import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benches import conference
from benches.figure import Figure, Meaning
from benches.process import BenchError
from benches.signalling import Bench, Peer
from media import opus, srtp
from media.g711 import Samples
from media.inband import InbandDetector
from media.jitter_buffer import Player
from media.mixer import Mixer
from media.rtp import Packet
from media.sdes import KEY_BYTES, SUITES, Crypto, Suite
from media.sdp import Codec
from media.transcoder import Transcoder
from media.voice import decoder_of, encoder_of, natural_rate

MEANINGS = {
    "mix_rooms": Meaning("mixing a party and tick, 300 in 30 rooms", "us", "lower", 1.5),
    "mix_one_room": Meaning("the same, 300 in one room", "us", "lower", 1.5),
    "g711_to_opus": Meaning("a frame of G.711 to Opus", "us", "lower", 90),
    "opus_to_g711": Meaning("a frame of Opus to G.711", "us", "lower"),
    "g711_to_g722": Meaning("a frame of G.711 to G.722", "us", "lower"),
    "g722_to_g711": Meaning("a frame of G.722 to G.711", "us", "lower"),
    "g722_to_opus": Meaning("a frame of G.722 to Opus", "us", "lower"),
    "srtp_aes_cm": Meaning("SRTP on both legs, AES-CM, a packet of 172 bytes", "us", "lower", 5),
    "srtp_aes_gcm": Meaning("the same, AES-GCM of 128 bits", "us", "lower", 5),
    "playout": Meaning("jitter buffer and G.711 decoder, a packet and its frame", "us", "lower"),
    "inband_digits": Meaning("listening for digits in a frame of speech", "us", "lower"),
    **conference.MEANINGS,
}
ROOT = Path(__file__).resolve().parents[2]
PARTIES, TICKS, FRAMES, TRIES = 300, 100, 500, 5
PCMA = Codec(8, "PCMA", 8000, 1, "pcma/8000/1")
G722 = Codec(9, "G722", 8000, 1, "g722/8000/1")
OPUS = Codec(96, "opus", 48000, 2, "opus/48000/2")
PAIRS = {
    "g711_to_opus": (PCMA, OPUS),
    "opus_to_g711": (OPUS, PCMA),
    "g711_to_g722": (PCMA, G722),
    "g722_to_g711": (G722, PCMA),
    "g722_to_opus": (G722, OPUS),
}
SRTP: dict[str, Suite] = {"srtp_aes_cm": "AES_CM_128_HMAC_SHA1_80", "srtp_aes_gcm": "AEAD_AES_128_GCM"}


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Every figure of MEANINGS; a peer plays no part."""
    bench.say("frames of sound")
    command = ["taskset", "-c", str(bench.core), sys.executable, "-m", "benches.sound"]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"sound could not be measured: {done.stderr.strip()[-400:]}")
    for name, value in json.loads(done.stdout).items():
        yield Figure(name, value, MEANINGS[name])
    bench.say("a conference, and legs that are converted")
    yield from conference.figures(bench.core)


def measured() -> dict[str, float]:
    """CPU microseconds of every figure."""
    found = {"mix_rooms": mixing(30), "mix_one_room": mixing(1)}
    found |= {name: transcoding(*pair) for name, pair in PAIRS.items()}
    found |= {name: securing(suite) for name, suite in SRTP.items()}
    return found | {"playout": playing(), "inband_digits": listening()}


def best_us(work: Callable[[], None], times: int) -> float:
    """CPU microseconds of one of `times` that `work` does; the best of TRIES runs, after one to warm up."""
    work()
    spent = []
    for _ in range(TRIES):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return min(spent) / times * 1e6


def babble(rate: int, frames: int) -> Samples:
    """A buzz that swells and falls, in noise: as hard to code as a voice."""
    place = np.arange(rate // 50 * frames) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * place) / harmonic for harmonic in range(1, 12))
    swelling = 0.5 + 0.5 * np.sin(2 * np.pi * 2.5 * place)
    sound = 4000 * buzz * swelling + 100 * np.random.default_rng(1).standard_normal(len(place))
    samples: Samples = np.rint(sound).astype(np.int16)
    return samples


def mixing(rooms: int) -> float:
    """Of one party and tick of PARTIES in so many rooms; each tenth speaks."""
    mixer = Mixer()
    parties = [mixer.join(str(number % rooms)) for number in range(PARTIES)]
    said = babble(8000, PARTIES).reshape(PARTIES, -1)
    silence = np.zeros(mixer.frame_samples, np.int16)

    def work() -> None:
        for _ in range(TICKS):
            for number, party in enumerate(parties):
                mixer.put(party, silence if number % 10 else said[number])
            mixer.tick()
            for party in parties:
                mixer.heard(party)

    return best_us(work, TICKS * PARTIES)


def packets_of(codec: Codec) -> list[Packet]:
    """FRAMES packets of a stream."""
    encoder, rate = encoder_of(codec), natural_rate(codec)
    sound, ticks = babble(rate, FRAMES).reshape(FRAMES, -1), encoder.clock_rate // 50
    return [Packet(codec.payload_type, n, n * ticks, 1, encoder.encode(one)) for n, one in enumerate(sound)]


def transcoding(source: Codec, target: Codec) -> float:
    """Of one packet."""
    packets = packets_of(source)

    def work() -> None:
        transcoder = Transcoder(source, target, opus.build_fmtp(opus.Parameters(inband_fec=True)))
        for packet in packets:
            transcoder.voice(packet.payload, packet.timestamp)

    return best_us(work, FRAMES)


def securing(suite: Suite) -> float:
    """Of one packet that comes encrypted from one leg and goes encrypted to the other."""
    assert suite in SUITES
    theirs, ours = (Crypto(1, suite, bytes([number]) * KEY_BYTES[suite]) for number in (1, 2))
    peer = srtp.Sender(theirs)
    clear = [struct.pack(">BBHII", 0x80, 8, n, n * 160, 1) + bytes(160) for n in range(FRAMES * 4)]
    coming = [peer.protect(packet) for packet in clear]

    def work() -> None:
        receiver, sender = srtp.Receiver(theirs), srtp.Sender(ours)
        for packet in coming:
            sender.protect(receiver.unprotect(packet))

    return best_us(work, len(coming))


def playing() -> float:
    """Of one packet put and one frame played."""
    packets = packets_of(PCMA)

    def work() -> None:
        player = Player(decoder_of(PCMA))
        for number, packet in enumerate(packets):
            player.put(packet, number * 0.02)
            player.frame(number * 0.02 + 0.005)

    return best_us(work, FRAMES)


def listening() -> float:
    """Of one frame."""
    frames = babble(8000, FRAMES).reshape(FRAMES, -1)

    def work() -> None:
        detector = InbandDetector()
        for frame in frames:
            detector.receive(frame)

    return best_us(work, FRAMES)


if __name__ == "__main__":
    print(json.dumps(measured()))
