"""The area `lamps`: what one desk with 500 lamps costs, from its subscriptions to all of them at once.

No socket and no load: a desk of ours speaks with an exchange in one process whose clock stands still, and the
processor time of the exchange is taken, without that of the desk. All 500 people are set not to be disturbed
at once, and the desk answers each NOTIFY.
"""

import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benches import beffroi
from benches.figure import Figure, Meaning
from benches.instructions import SECRET, StillLoop
from benches.process import BenchError
from benches.signalling import Bench, Peer
from dialplan.loading import parse_plan
from media.engines.passthrough import PassthroughEngine
from pbx.exchange import Exchange
from pbx.ongoing import OngoingCall
from pbx.people.directory import Directory
from pbx.records import Record, SubscriptionRecord
from sip.core.digest import authorization
from sip.core.flow import Flow

MEANINGS = {
    "lamp_subscribe": Meaning("CPU of a lamp's subscription, with its first NOTIFY", "us", "lower"),
    "lamp_notify": Meaning("CPU of a change, its NOTIFY and the answer, 500 at once", "us", "lower"),
    "lamps_restored": Meaning("CPU of going on with 500 lamps after a kill -9", "ms", "lower"),
}
ROOT = Path(__file__).resolve().parents[2]
LAMPS, ROUNDS = 500, 5
DESK, FIRST = 10_000, 10_001
OURS, THEIRS = ("127.0.0.1", 17_100), ("127.0.0.1", 17_000)
RESTORED_SECONDS = 2.0


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Every figure of MEANINGS; a peer plays no part."""
    bench.say(f"{LAMPS} lamps")
    command = ["taskset", "-c", str(bench.core), sys.executable, "-m", "benches.lamps"]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"the lamps could not be measured: {done.stderr.strip()[-400:]}")
    for name, value in json.loads(done.stdout).items():
        yield Figure(name, value, MEANINGS[name])


class Kept:
    """A journal in memory: the disk is no part of the figures."""

    exhausted = False

    def __init__(self) -> None:
        self.subscriptions: dict[str, SubscriptionRecord] = {}

    def append(self, record: Record | OngoingCall) -> None:
        """Keep what a next process is to go on with."""
        if isinstance(record, SubscriptionRecord):
            self.subscriptions[record.local_tag] = record

    def flush(self) -> None:
        """Nothing waits."""


class DeskFlow(Flow):
    """The way to the desk: what is sent is kept."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        super().__init__("UDP", OURS, THEIRS)
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        """Keep a datagram."""
        self.sent.append(data)

    def toward(self, remote: tuple[str, int]) -> Flow:
        """There is one telephone only."""
        return self


class Desk:
    """A desk and the exchange that it speaks with. spent: the exchange's processor seconds so far."""

    def __init__(self) -> None:
        self.flow = DeskFlow()
        self.journal = Kept()
        self.spent = 0.0
        self.exchange = self.begin(SECRET)

    def begin(self, secret: bytes) -> Exchange:
        """A new process."""
        loop = asyncio.get_running_loop()
        return Exchange(
            domain="localhost",
            plan=parse_plan(beffroi.plan_text(LAMPS + 1), "plan.yaml"),
            directory=Directory(),
            engine=PassthroughEngine(),
            journal=self.journal,
            clock=lambda: 1_800_000_000.0 + loop.time(),
            flow=lambda transport, remote, local, identity=None: self.flow,
            secret=secret,
        )

    def taken(self, work: Callable[[], object]) -> None:
        """Do something whose processor time counts."""
        began = time.process_time()
        work()
        self.spent += time.process_time() - began

    def say(self, data: bytes) -> list[bytes]:
        """Say something; what the exchange says then."""
        driver = self.exchange.driver

        def receive() -> None:
            driver.receive(data, self.flow, driver.now)
            driver.flush()

        self.taken(receive)
        return self.heard()

    def heard(self) -> list[bytes]:
        """What was sent and not looked at."""
        said = self.flow.sent[:]
        self.flow.sent.clear()
        return said

    def watch(self, lamp: int) -> None:
        """Subscribe to one person's calls, and answer the first NOTIFY."""
        uri = f"sip:{FIRST + lamp}@localhost"

        def subscribe(sequence: int, credentials: str = "") -> bytes:
            return (
                f"SUBSCRIBE {uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:17000;rport;branch=z9hG4bK-{lamp}-{sequence}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{DESK}@localhost>;tag=s{lamp}\r\nTo: <{uri}>\r\n"
                f"Call-ID: s{lamp}\r\nCSeq: {sequence} SUBSCRIBE\r\nContact: <sip:{DESK}@127.0.0.1:17000>\r\n"
                f"Event: dialog\r\nAccept: application/dialog-info+xml\r\nExpires: 3600\r\n{credentials}"
                "Content-Length: 0\r\n\r\n"
            ).encode()

        (challenge,) = self.say(subscribe(1))
        offered = re.findall(r"WWW-Authenticate: ([^\r]*algorithm=MD5[^\r]*)", challenge.decode())
        credentials = authorization(offered, str(DESK), f"pw{DESK}", "SUBSCRIBE", uri, "c0ffee")
        answered = self.say(subscribe(2, credentials))
        if not answered[0].startswith(b"SIP/2.0 200") or self.answer(answered) != 1:
            raise BenchError(f"no lamp: {answered}")

    def answer(self, heard: list[bytes]) -> int:
        """Answer each NOTIFY with 200, and those that follow; how many there were."""
        count = 0
        while heard:
            notify = heard.pop(0)
            if notify.startswith(b"NOTIFY "):
                count += 1
                lines = re.findall(rb"(?:Via|From|To|Call-ID|CSeq): [^\r]*\r\n", notify)
                heard += self.say(b"SIP/2.0 200 OK\r\n" + b"".join(lines) + b"Content-Length: 0\r\n\r\n")
        return count

    def change_all(self, number: int) -> int:
        """Everybody's lamp changes at once; how many NOTIFYs there were."""
        exchange = self.exchange
        for lamp in range(LAMPS):
            self.taken(
                partial(exchange.settings.do_not_disturb, str(FIRST + lamp), bool(number % 2), "bench")
            )
        self.taken(exchange.driver.flush)
        return self.answer(self.heard())


async def measure() -> dict[str, float]:
    """Every figure by its name. Raises BenchError where a lamp isn't told."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StillLoop)
    desk = Desk()
    for lamp in range(LAMPS):
        desk.watch(lamp)
        loop.now += 0.01
    subscribe = desk.spent / LAMPS
    costs = []
    for number in range(1, ROUNDS + 1):
        desk.spent = 0.0
        if desk.change_all(number) != LAMPS:
            raise BenchError("a lamp wasn't told, or twice")
        costs.append(desk.spent / LAMPS)
        loop.now += 40.0
        desk.exchange.core.stack.fire(loop.now)
    kept = list(desk.journal.subscriptions.values())
    desk.exchange = desk.begin(bytes(32))
    desk.spent = 0.0
    desk.taken(lambda: desk.exchange.subscriptions.restore(kept, loop.now))
    told = 0
    for _ in range(int(RESTORED_SECONDS / 0.05)):
        loop.now += 0.05
        desk.taken(lambda: desk.exchange.core.stack.fire(loop.now))
        desk.taken(desk.exchange.driver.flush)
        told += desk.answer(desk.heard())
    if told != LAMPS:
        raise BenchError(f"{told} lamps of {LAMPS} were told after the restart")
    return {
        "lamp_subscribe": subscribe * 1e6,
        "lamp_notify": statistics.median(costs) * 1e6,
        "lamps_restored": desk.spent * 1e3,
    }


def main() -> None:
    """Print every figure as JSON."""
    with asyncio.Runner(loop_factory=StillLoop) as runner:
        print(json.dumps(runner.run(measure())))


if __name__ == "__main__":
    main()
