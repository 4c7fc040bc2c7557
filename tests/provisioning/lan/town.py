"""A node on the switch's side, as IT would set it up for telephones, with what IT does about them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from pbx import control
from pbx.configuration import Configuration, load_configuration
from pbx.phones import shelf
from pbx.store.database import Database, open_database
from pbx.store.revision import upgrade
from tests.cli.conftest import run_command
from tests.interop.beffroi import Beffroi, write_configuration
from tests.interop.patience import end_of, until
from tests.provisioning.lan.certificates import MakersAuthority
from tests.provisioning.lan.makers import Maker
from tests.provisioning.lan.network import SWITCH, Lan, dhcp_server
from tests.provisioning.lan.telephone import Line

IMAGE = b"what a maker signs" * 100
IMAGES = {
    "yealink": ("T54W", "T54W-96.86.0.30.rom"),
    "snom": ("D785", "snomD785-10.1.190.1-SIP-r.bin"),
    "grandstream": ("GRP2614", "grp2614fw.bin"),
    "fanvil": ("X4U", "x4u-2.14.5.z"),
}
COLLEAGUE = "1002"
CLEAR, SECURE = f"http://{SWITCH}:8090/", f"https://{SWITCH}:8443/"
KEYS = (("lamp", "1002", "Bruno Petit"), ("speed_dial", "9196", "Écho"), ("park", "700", "Parc 1"))


@dataclass
class Town:
    """A running node. authority: of the maker whose telephones show certificates."""

    network: Lan
    folder: Path
    configuration: Configuration
    database: Database
    authority: MakersAuthority

    async def command(self, *words: str) -> Any:
        """Run an administrative command; return what it prints, read where that is JSON."""
        done = await asyncio.to_thread(run_command, *words, "-c", str(self.configuration.path))
        assert done.status == 0, done.err
        return json.loads(done.out) if "--json" in words else done.out.strip()

    async def take_new_ones(self, minutes: int) -> None:
        """Open the window, or close it with 0."""
        await self.command("phone", "window", str(minutes))

    async def person(self, extension: str, *more: str) -> None:
        """Somebody at the town hall."""
        name = f"Poste {extension}"
        await self.command("user", "add", extension, name, "--class", "national", "--site", "mairie", *more)

    async def expects(self, maker: Maker, extension: str) -> None:
        """Somebody, and a telephone for them before it comes."""
        await self.person(extension)
        await self.adds(maker, extension)
        self.give_keys(maker)

    async def adds(self, maker: Maker, extension: str, *more: str) -> None:
        """A telephone for somebody, before it comes."""
        said = ("--brand", maker.brand, "--model", maker.model, "--extension", extension)
        await self.command("phone", "add", maker.mac, *said, *more)

    async def applies(self, old: str, new: str) -> None:
        """Put the plan in force with one text of it in place of another."""
        plan = self.configuration.path.with_name("valmont.yaml").read_text()
        assert old in plan
        changed = self.folder / "changed.yaml"
        changed.write_text(plan.replace(old, new))
        await self.command("plan", "apply", str(changed), "--yes")

    async def takes(self, line: Line) -> None:
        """Register a line, once signalling knows it: it looks every second who is new."""

        async def known() -> bool:
            devices = await asyncio.to_thread(control.every_device, self.configuration.data_dir)
            return any(one.device == line.account.user for one in devices)

        await until(known, f"signalling to know {line.account.user}", 45.0)
        await line.register()

    def process_id(self, role: str) -> int:
        """The process with this role."""
        processes = json.loads(run_command("status", "--json", "-c", str(self.configuration.path)).out)
        (found,) = [one["pid"] for one in processes["processes"] if one["role"] == role]
        return int(found)

    def give_keys(self, maker: Maker) -> None:
        """Have a telephone's keys be KEYS."""
        phone = msgspec.structs.replace(self.known(maker), keys=KEYS)
        self.database.write(lambda connection: shelf.put_phone(connection, phone))

    def known(self, maker: Maker) -> shelf.Phone:
        """What the node knows of a telephone. Raises PhoneUnknown."""
        return self.database.read(lambda connection: shelf.find_phone(connection, maker.mac))


@asynccontextmanager
async def town(network: Lan, folder: Path) -> AsyncIterator[Town]:
    """The node, and dnsmasq with what it prints, until the end of the block."""
    authority = MakersAuthority("Yealink")
    path = _configured(folder, authority)
    configuration = load_configuration(path)
    with closing(open_database(configuration.database)) as database:
        upgrade(database)
    node = Beffroi(network.switch, path)
    try:
        await node.start()
        brands = [word for brand in IMAGES for word in ("--brand", brand)]
        printed = run_command("phone", "dhcp", "dnsmasq", *brands, "-c", str(path))
        assert printed.status == 0, printed.err
        with (
            closing(open_database(configuration.database)) as database,
            dhcp_server(network, folder, printed.out) as server,
        ):

            async def ready() -> bool:
                assert server.poll() is None, end_of(folder / "dnsmasq.log")
                said = (folder / "serve.log").read_text(errors="replace")
                return network.switch.listens(67) and "phones ready" in said

            await until(ready, "dnsmasq and whoever hands out settings", 60.0)
            yield Town(network, folder, configuration, database, authority)
        await node.stop()
    finally:
        await node.kill()


def _configured(folder: Path, authority: MakersAuthority) -> Path:
    path = write_configuration(folder, SWITCH)
    (folder / "makers.pem").write_bytes(authority.root)
    (folder / "firmware").mkdir()
    images = []
    for brand, (model, name) in IMAGES.items():
        content = IMAGE + brand.encode()
        (folder / "firmware" / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        one = {"file": name, "brand": brand, "models": [model], "version": "99.1", "sha256": digest}
        images.append(one)
    stages = [{"sha256": one["sha256"]} for one in images]
    (folder / "firmware" / "images.yaml").write_text(yaml.safe_dump({"images": images, "stages": stages}))
    said = yaml.safe_load(path.read_text())
    said["provisioning"] = {
        "https": f"{SWITCH}:8443",
        "http": f"{SWITCH}:8090",
        "tftp": f"{SWITCH}:69",
        "plug_and_play": True,
        "networks": ["10.54.1.0/24"],
        "makers_ca": "./makers.pem",
        "firmware": "./firmware",
    }
    path.write_text(yaml.safe_dump(said))
    return path
