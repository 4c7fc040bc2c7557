"""The area `provisioning`: the power comes back, and 2,000 telephones fetch and register at once.

Four makers' telephones, mixed; one in ten shows its maker's certificate and gets another secret, the others
ask by theirs; one in eight registers over UDP, as telephones without TLS of today do, the others over TLS.
Each has lamps of its four colleagues. Then all are told to fetch again, in waves. Twenty calls are up
meanwhile. All of Beffroi's processes share the programs' core; the telephones (provisioning_phones.py) and
the calls' sound (rtpload.c) have the other.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benches import beffroi, media, process
from benches.figure import Figure, Meaning
from benches.load import FIRST_EXTENSION
from benches.process import BenchError
from benches.provisioning_phones import Report, Told, Town
from benches.signalling import Bench, Peer
from pbx.configuration import Configuration, load_configuration
from pbx.node.certificates import certificate_files
from pbx.node.sealing import sealing
from pbx.people.credentials import issue
from pbx.people.directory import Person
from pbx.phones import shelf, waves
from pbx.store import people
from pbx.store.database import open_database
from pbx.store.revision import upgrade
from provisioning.brand import Brand, load_brands
from provisioning.rendering import file_path

PHONES, CALLS = 2000, 20
TALK_SECONDS = 60
LIMIT_SECONDS = 240  # for all to be ready, and for all to be told: the telephones' process ends before that
WAVE_SIZE = waves.MOST_SIZE
LOOK_SECONDS = 0.2  # at the wave, how far it is
MOST_LINE = 1 << 20  # of a report
FIRST_PHONE = 30_000  # its person's extension
TEAM = 5  # who has lamps of each other
WITH_CERTIFICATE, OVER_UDP = 10, 8  # one telephone in so many
ROOT = Path(__file__).resolve().parents[2]
MODELS = {
    "yealink": ("T54W", "805ec0", "Yealink SIP-T54W 96.86.0.23 {mac}"),
    "snom": ("D735", "000413", "Mozilla/4.0 (compatible; snomD735-SIP 10.1.64.14 {mac})"),
    "grandstream": ("GRP2614", "c074ad", "Grandstream Model HW GRP2614 SW 1.0.5.67 DevId {mac}"),
    "fanvil": ("X4U", "0c383e", "Fanvil X4U 2.12.1 {mac}"),
}
MEANINGS = {
    "phones_ready": Meaning(
        f"telephones of {PHONES:,} that are ready in the end", "phones", "higher", PHONES
    ),
    "phones_ready_p50": Meaning("from power to the last lamp, 50 %", "s", "lower"),
    "phones_ready_p95": Meaning("from power to the last lamp, 95 %", "s", "lower"),
    "phones_ready_all": Meaning("from power to the last lamp, all", "s", "lower", 60),
    "phones_fetched_all": Meaning("from power to the last file, all", "s", "lower"),
    "phones_cpu": Meaning("CPU of the process `phones`, each telephone", "ms", "lower"),
    "phones_signalling_cpu": Meaning("CPU of signalling, each telephone", "ms", "lower"),
    "phones_memory": Meaning("memory of the process `phones` after that (PSS)", "MB", "lower"),
    "phones_wave_back": Meaning(
        f"telephones of {PHONES:,} that fetched when told, {WAVE_SIZE} at once", "phones", "higher", PHONES
    ),
    "phones_wave_all": Meaning("from the command to the last one's return", "s", "lower"),
    "phones_wave_calls_lost": Meaning("the calls' packets that were lost meanwhile", "%", "lower", 0),
    "phones_wave_calls_longest": Meaning(
        "added delay of their packets meanwhile, the longest", "ms", "lower", 20
    ),
    "phones_calls": Meaning("calls that lasted meanwhile", "calls", "higher", CALLS),
    "phones_calls_lost": Meaning("their packets that were lost", "%", "lower", 0),
    "phones_calls_p99": Meaning("added delay of their packets, 99 %", "us", "lower"),
    "phones_calls_longest": Meaning("added delay of their packets, the longest", "ms", "lower", 20),
}


class Came(NamedTuple):
    """What came of a power cut, and of telling all. report, told: of the telephones; talk, told_talk: of the
    calls meanwhile; cpu_seconds: by role, of the power cut; wave_seconds: None where it wasn't over in time.
    """

    report: Report
    talk: media.Talk
    told: Report
    told_talk: media.Talk
    back: int
    wave_seconds: float | None
    lasted: int
    cpu_seconds: Mapping[str, float]
    memory_mb: float


def figures(bench: Bench, peers: Sequence[Peer]) -> Iterator[Figure]:
    """Every figure of MEANINGS; no other program is asked. Raises BenchError."""
    with TemporaryDirectory(prefix="bench-") as folder:
        came = weighed(bench, Path(folder), PHONES, CALLS, TALK_SECONDS)
    yield from _figures(bench, came, PHONES)


def weighed(bench: Bench, directory: Path, phones: int, calls: int, seconds: int) -> Came:
    """Cut the power of a whole town, and give it back. seconds: how long the calls' sound lasts.

    Raises BenchError.
    """
    bench.say(f"{phones} telephones: writing their town")
    configuration, told = prepared(directory, bench.port, phones)
    with beffroi.started_from(directory, bench.core, bench.load) as node:
        authority = str(certificate_files(configuration)[0][0])
        town = Town(bench.port + 3, bench.port + 4, authority, told)
        with media._on_core(bench.load.core), asyncio.Runner() as runner:
            return runner.run(_weighed(bench, configuration, node.roles, town, calls, seconds))


def prepared(directory: Path, port: int, phones: int) -> tuple[Configuration, list[Told]]:
    """Write a town whose telephones are enrolled; returns what each of them is and asks for."""
    (directory / "plan.yaml").write_text(beffroi.plan_text(2))
    text = beffroi.configuration_text(port, "auto", "streams")
    makers = Makers(directory)
    text += f"provisioning:\n  https: 127.0.0.1:{port + 4}\n  http: 127.0.0.1:{port + 3}\n"
    text += f"  makers_ca: {makers.authority}\n"
    config = directory / "beffroi.yaml"
    config.write_text(text)
    configuration = load_configuration(config)
    configuration.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(open_database(configuration.database)) as database:
        upgrade(database)
        database.write(lambda connection: _add_people(connection, configuration, phones))
        told = database.write(lambda connection: [_add_phone(connection, n) for n in range(phones)])
        people.export_directory(database, configuration.directory_file)
    for one in told[::WITH_CERTIFICATE]:
        one.certificate = makers.certificate(one.mac)
        one.paths = [path.rpartition("/")[2] for path in one.paths[-1:]]
    return configuration, told


def _add_people(connection: sa.Connection, configuration: Configuration, phones: int) -> None:
    seals, persons, sealed = sealing(configuration.node_key_file), [], {}
    for number in range(phones):
        extension = str(FIRST_PHONE + number)
        issued = issue(seals, extension, configuration.domain)
        sealed[extension] = issued.sealed
        team = [f"équipe {number // TEAM}"]
        persons.append(
            Person(extension, f"Agent {extension}", "interne", groups=team, devices=[issued.device])
        )
    people.add_people(connection, persons, sealed)


def _add_phone(connection: sa.Connection, number: int) -> Told:
    """Enrol one telephone; what it is and asks for."""
    name = list(MODELS)[number % len(MODELS)]
    model, maker, agent = MODELS[name]
    brand = load_brands()[name] if name not in _BRANDS else _BRANDS[name]
    _BRANDS[name] = brand
    mac = f"{maker}{number:06x}"
    is_old = number % OVER_UDP == OVER_UDP - 1
    line = str(FIRST_PHONE + number)
    shelf.put_phone(connection, shelf.Phone(name=mac, brand=name, model=model, old_tls=is_old, lines=(line,)))
    secret = shelf.enrol(connection, mac, by_token=False)
    files = [file_path(file, model, brand.models[model], mac, token="") for file in brand.files]
    team = range(number // TEAM * TEAM, number // TEAM * TEAM + TEAM)
    spoken = ":".join(mac[at : at + 2] for at in range(0, 12, 2)) if name == "yealink" else mac
    return Told(
        mac,
        name,
        agent.format(mac=spoken),
        f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}",
        files[-1],
        [f"s/{secret}/{file}" for file in files],
        [str(FIRST_PHONE + other) for other in team if other != number],
    )


_BRANDS: dict[str, Brand] = {}


class Makers:
    """An authority of the makers, and certificates made out to their telephones. authority: its file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Makers of telephones")])
        self.authority = directory / "makers.pem"
        made = self._made(self._name, self._key.public_key(), is_authority=True)
        self.authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def certificate(self, mac: str) -> tuple[str, str]:
        """Return the files of a telephone's certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, mac.upper())])
        made = self._made(name, key.public_key(), is_authority=False)
        paths = self._directory / f"{mac}.pem", self._directory / f"{mac}.key"
        paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(paths[0]), str(paths[1])

    def _made(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool
    ) -> x509.Certificate:
        now = datetime.fromtimestamp(time.time(), UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )


async def _weighed(
    bench: Bench,
    configuration: Configuration,
    roles: Mapping[int, str],
    town: Town,
    calls: int,
    seconds: int,
) -> Came:
    (caller, way), (callee, way_back) = (media._agent(FIRST_EXTENSION + n, bench.port) for n in (0, 1))
    try:
        async with asyncio.timeout(media.SET_UP_SECONDS):
            await caller.register()
            await callee.register()
            made, ports = await media._joined(caller, callee, calls)
        with ThreadPoolExecutor(1) as executor:
            loop = asyncio.get_running_loop()

            async def talked() -> asyncio.Future[media.Talk]:
                """The calls' sound for some seconds, once it has begun."""
                talk = partial(media._talk, media.phones(), bench.load.core, [], ports, (), seconds)
                talking = loop.run_in_executor(executor, talk)
                await asyncio.sleep(2 * media.WARM_UP_SECONDS)
                return talking

            bench.say(f"{calls} calls are up; power for {len(town.phones)} telephones")
            talking = await talked()
            before = {pid: media._cpu_us(pid) for pid in roles}
            async with _powered(bench.load.core, town) as telephones:
                report = await telephones.report()
                process.check_alive(roles)
                cpu: dict[str, float] = {}
                for pid, role in roles.items():
                    cpu[role] = cpu.get(role, 0.0) + (media._cpu_us(pid) - before[pid]) / 1e6
                memory = process.memory([pid for pid, role in roles.items() if role == "phones"]).pss_mb
                talk = await talking
                bench.say("all are told to fetch")
                talking = await talked()
                back, wave_seconds = await asyncio.to_thread(_waved, configuration, town)
                told = await telephones.ended()
                process.check_alive(roles)
                told_talk = await talking
        lasted = sum(not call.over for call in made)
        for call in made:
            call.hang_up()
    finally:
        for agent in (caller, callee):
            agent.close()
        for transport in (way, way_back):
            transport.close()
    return Came(report, talk, told, told_talk, back, wave_seconds, lasted, cpu, memory)


def _waved(configuration: Configuration, town: Town) -> tuple[int, float | None]:
    """Tell all telephones to fetch, as `beffroi phone wave resync` does; how many did, and how long until
    the last one had, None where not all did.
    """
    names = [told.mac for told in town.phones]
    begun = waves.Wave(begun_at=time.time(), action="resync", size=WAVE_SIZE)
    with closing(open_database(configuration.database)) as database:
        made = database.write(lambda connection: waves.plan_wave(connection, begun, names))
        look = partial(waves.find_wave, number=made.id)
        wave, members = database.read(look)
        deadline = time.monotonic() + LIMIT_SECONDS
        while not wave.over_at and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            wave, members = database.read(look)
    back = [member.settled_at for member in members.values() if member.state == "back"]
    return len(back), max(back) - wave.begun_at if len(back) == len(names) else None


class _Telephones:
    """The telephones' process."""

    def __init__(self, running: asyncio.subprocess.Process) -> None:
        assert running.stdin is not None and running.stdout is not None
        self._running, self._input, self._output = running, running.stdin, running.stdout

    async def give(self, town: Town) -> None:
        """Tell it which ones it has: they have power from then on."""
        self._input.write(msgspec.json.encode(town) + b"\n")
        await self._input.drain()

    async def report(self) -> Report:
        """What it says next. Raises BenchError."""
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                line = await self._output.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise BenchError("the telephones could not be simulated: see what is printed above")
        return msgspec.json.decode(line, type=Report)

    async def ended(self) -> Report:
        """End it; its last word. Raises BenchError."""
        self._input.close()
        return await self.report()


@asynccontextmanager
async def _powered(core: int, town: Town) -> AsyncIterator[_Telephones]:
    """Give all telephones power, in a process of their own that leaves the calls' sound its turn."""
    running = await asyncio.create_subprocess_exec(
        *("taskset", "-c", str(core), "nice", "-n", "5", sys.executable, "-m", "benches.provisioning_phones"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT / "scripts",
        limit=MOST_LINE,
    )
    try:
        telephones = _Telephones(running)
        await telephones.give(town)
        yield telephones
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


def _figures(bench: Bench, came: Came, phones: int) -> Iterator[Figure]:
    ready, fetched = came.report.ready_seconds, came.report.fetched_seconds
    sent, received = came.talk.report["sent"], came.talk.report["received"]
    spent = ", ".join(f"{role} {seconds:.1f}" for role, seconds in came.cpu_seconds.items() if seconds > 0.05)
    bench.say(
        f"{len(ready)} of {phones} telephones are ready; CPU seconds: {spent}; the telephones' own "
        f"{came.report.own_cpu_seconds:.1f}; begun anew: {came.report.failures or 'none'}; "
        f"{sent - received:.0f} of {sent:.0f} packets lost; "
        f"the load itself stalled for {came.talk.report['own_stall_us'] / 1000:.0f} ms"
    )
    told_sent, told_received = came.told_talk.report["sent"], came.told_talk.report["received"]
    bench.say(
        f"{came.back} telephones fetched as they were told; begun anew: {came.told.failures or 'none'}; "
        f"{told_sent - told_received:.0f} of {told_sent:.0f} packets lost"
    )
    if not ready:
        raise BenchError("no telephone was ready")

    def cpu_ms(role: str) -> float:
        return 1000 * came.cpu_seconds.get(role, 0.0) / phones

    for name, value in (
        ("phones_ready", len(ready)),
        ("phones_ready_p50", ready[len(ready) // 2]),
        ("phones_ready_p95", ready[min(len(ready) * 95 // 100, len(ready) - 1)]),
        ("phones_ready_all", ready[-1] if len(ready) == phones else None),
        ("phones_fetched_all", fetched[-1] if len(fetched) == phones else None),
        ("phones_cpu", cpu_ms("phones")),
        ("phones_signalling_cpu", cpu_ms("signalling")),
        ("phones_memory", came.memory_mb),
        ("phones_wave_back", came.back),
        ("phones_wave_all", came.wave_seconds),
        ("phones_wave_calls_lost", 100 * (told_sent - told_received) / max(told_sent, 1)),
        ("phones_wave_calls_longest", came.told_talk.report["longest_us"] / 1000),
        ("phones_calls", came.lasted),
        ("phones_calls_lost", 100 * (sent - received) / max(sent, 1)),
        ("phones_calls_p99", came.talk.report["p99_us"]),
        ("phones_calls_longest", came.talk.report["longest_us"] / 1000),
    ):
        yield Figure(name, value, MEANINGS[name])
