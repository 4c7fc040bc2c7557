"""A node that hands out settings for real, in the hub of a town, and what asks it: curl, and bare sockets.

Needs what tests.interop needs. Desk telephones are entered as IT enters them; the makers' certificates are
made here.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import yaml
from sqlalchemy import Connection

from pbx.configuration import load_configuration
from pbx.node.sealing import sealing
from pbx.phones import shelf
from pbx.phones.assigning import assign
from pbx.store.database import open_database
from tests.interop.beffroi import Beffroi, write_configuration
from tests.interop.namespaces import Namespace, Town
from tests.interop.patience import until
from tests.provisioning.makers import Maker

Result = TypeVar("Result")

HOST = "pbx.valmont.example"
HTTPS, HTTP, TFTP = 8443, 8090, 69
HONEST, OTHER, LINPHONE = "805ec0123456", "805ec0abcdef", "app-0123456789"
_TELEPHONES = (
    (HONEST, "yealink", "T54W", "2011"),
    (OTHER, "yealink", "T54W", "2011"),
    (LINPHONE, "linphone", "Linphone", "2012"),
)
_SECONDS = 45.0
_DEVICES = 14  # nine of the plan; a first one of each person here, and their telephones'


@dataclass(frozen=True)
class Said:
    """What a server answered."""

    status: int
    content: str


@dataclass
class TownHall:
    """The node with its telephones: two of Yealink's, of Claire (2011), and Denis's (2012) Linphone.

    maker: whose certificates are taken there.
    """

    pbx: Beffroi
    town: Town
    maker: Maker

    @property
    def folder(self) -> Path:
        return self.pbx.configuration.parent

    @property
    def certificate(self) -> Path:
        return self.folder / "data" / "tls.crt"

    @property
    def authority(self) -> Path:
        return self.folder / "data" / "authority.crt"

    def within(self, work: Callable[[Connection], Result]) -> Result:
        """Do something in its database, as a command does."""
        database = open_database(f"sqlite:///{self.folder}/data/beffroi.sqlite3")
        try:
            return database.write(work, durable=True)
        finally:
            database.close()

    def fetch(
        self, at: Namespace, *paths: str, options: tuple[str | Path, ...] = (), base: str = ""
    ) -> list[Said]:
        """What curl gets for each path, on one connection."""
        base = base or f"https://{HOST}:{HTTPS}/"
        words: list[str | Path] = ["curl", "-s", "--globoff", "--path-as-is", "--max-time", "15"]
        words += ["--resolve", f"{HOST}:{HTTPS}:{self.pbx.address}", "--cacert", self.certificate]
        words += ["-w", "\n@@%{http_code}\n", *options, *(base + path for path in paths)]
        done = subprocess.run(at.command(*words), capture_output=True, timeout=_SECONDS, check=False)
        text = done.stdout.decode(errors="replace")
        return [
            Said(int(status), body.rstrip("\n"))
            for body, status in re.findall(r"(.*?)\n@@(\d{3})\n", text, re.DOTALL)
        ]

    async def raw(self, at: Namespace, request: bytes, port: int = HTTPS) -> bytes:
        """All that comes back for bytes on a connection of their own, till its end, or for a second."""
        own = at.socket(socket.SOCK_STREAM)
        await asyncio.get_running_loop().sock_connect(own, (self.pbx.address, port))
        context = ssl.create_default_context(cafile=self.certificate) if port == HTTPS else None
        reader, writer = await asyncio.open_connection(
            sock=own, ssl=context, server_hostname=HOST if context else None
        )
        got = b""
        try:
            writer.write(request)
            async with asyncio.timeout(1.0):
                while data := await reader.read(65_536):
                    got += data
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.transport.abort()
        return got

    def invitation(self, name: str) -> str:
        """A token for a telephone."""
        return self.within(lambda connection: shelf.invite(connection, name, machine_time().timestamp()))

    def enrolled(self, at: Namespace, name: str) -> str:
        """The secret of a Yealink telephone that has just taken its invitation."""
        (said,) = self.fetch(at, f"t/{self.invitation(name)}/{name}.cfg")
        assert said.status == 200, said
        found = re.search(r"/s/([\w-]+)/", said.content)
        assert found is not None
        return found[1]

    def journal(self) -> list[shelf.PhoneFetch]:
        """Who asked, newest first."""
        return self.within(lambda connection: shelf.list_fetches(connection, most=500))

    async def journalled(self, reason: str, address: str) -> None:
        """Wait until a refusal is written down."""

        async def is_there() -> bool:
            return any((one.reason, one.address) == (reason, address) for one in self.journal())

        await until(is_there, f"{reason} of {address} in the journal", _SECONDS)


def machine_time() -> datetime:
    """What the node's own clock says."""
    return datetime.now(UTC)  # noqa: TID251 (a real program's time is real)


@asynccontextmanager
async def open_hall(town: Town, folder: Path) -> AsyncIterator[TownHall]:
    """The node, from its first answer to a clean stop."""
    address = str(town.hub.address)
    path = write_configuration(folder, address)
    maker = Maker("Maker", machine_time())
    maker.write(folder / "makers.pem")
    said = yaml.safe_load(path.read_text())
    said["provisioning"] = {
        "https": f"{address}:{HTTPS}",
        "http": f"{address}:{HTTP}",
        "tftp": f"{address}:{TFTP}",
        "url": f"https://{HOST}:{HTTPS}",
        "makers_ca": "makers.pem",
    }
    path.write_text(yaml.safe_dump(said))
    hall = TownHall(Beffroi(town.hub, path), town, maker)
    try:
        await hall.pbx.start()
        await hall.pbx.command("user", "add", "2011", "Claire Petit")
        await hall.pbx.command("user", "add", "2012", "Denis Roux")
        settings = load_configuration(path)

        def enter(connection: Connection) -> None:
            for name, brand, model, owner in _TELEPHONES:
                shelf.put_phone(connection, shelf.Phone(name=name, brand=brand, model=model))
                assign(connection, sealing(settings.node_key_file), settings.domain, name, [owner])

        hall.within(enter)

        async def signalling_knows() -> bool:
            return f"directory devices={_DEVICES}" in (folder / "serve.log").read_text()

        await until(signalling_knows, "signalling to know every device", _SECONDS)
        yield hall
        await hall.pbx.stop()
    finally:
        await hall.pbx.kill()
