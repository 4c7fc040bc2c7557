"""Debian's coturn as a relay in a namespace, set up by the recipe that `beffroi doctor --coturn` prints.

What differs from the recipe is where its certificate lies, and that nobody's firewall is touched but the
namespace's own. Needs Debian's coturn and nftables.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pbx.node.coturn import recipe
from tests.interop.namespaces import Namespace
from tests.interop.patience import until

SECRET: Final = "a secret of the relay and of the node"
UDP_PORT, TLS_PORT = 3478, 443
START_SECONDS, STOP_SECONDS = 45.0, 45.0


@asynccontextmanager
async def relay(
    place: Namespace,
    folder: Path,
    reached: Sequence[tuple[str, int]],
    certificate: tuple[Path, Path],
    secret: str = SECRET,
) -> AsyncIterator[None]:
    """turnserver in a namespace for the length of the block, with the firewall of the recipe beside it.

    reached: whom it may speak to. certificate: its chain and its key, PEM.
    """
    text = recipe("valmont.example", reached)
    rules = folder / "coturn.nft"
    rules.write_text(_firewall(text))
    place.run("nft", "-f", str(rules))
    chain, key = certificate
    text = text.replace("/etc/turnserver/fullchain.pem", str(chain))
    text = text.replace("/etc/turnserver/key.pem", str(key))
    conf = folder / "turnserver.conf"
    own = f"static-auth-secret={secret}\nuserdb={folder}/turndb\npidfile={folder}/turnserver.pid\n"
    conf.write_text(text.replace("\nsyslog\n", "\nlog-file=stdout\nsimple-log\n") + own)
    command = ["turnserver", "-c", conf]
    process = await place.start(command, folder / "coturn.log")
    try:

        async def listens() -> bool:
            return place.listens(UDP_PORT) and place.listens(TLS_PORT)

        await until(listens, "turnserver to listen", START_SECONDS)
        yield
    finally:
        process.terminate()
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()


def _firewall(text: str) -> str:
    """The lines of the recipe that go into /etc/nftables.conf."""
    lines = text.partition("/etc/nftables.conf")[2].splitlines()[1:]
    return "\n".join(line.removeprefix("#") for line in lines) + "\n"
