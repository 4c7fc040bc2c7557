"""An operator's switch: Debian's Kamailio 5.6 with kamailio.cfg, a proxy that challenges; sound passes it by.

Quirks of 5.6.3: it has no SHA-256 beside MD5 in one challenge; its main process starts others, which go with
the namespace.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.namespaces import Namespace
from tests.interop.patience import PeerError, until

_CONFIGURATION = Path(__file__).with_suffix(".cfg")
_READY_SECONDS = 45.0


class Kamailio:
    """One switch at its namespace's address, alive inside `async with`.

    customer: the address of the node that is its customer; account and secret: who that is here.
    subscriber: the address of the mobile that calls and is called over it.
    """

    def __init__(
        self, namespace: Namespace, folder: Path, customer: str, account: str, secret: str, subscriber: str
    ) -> None:
        self.address = str(namespace.address)
        self._namespace = namespace
        self._folder = folder / f"kamailio-{self.address}"
        self._log = self._folder / "kamailio.log"
        self._words = {
            "@ADDRESS@": self.address,
            "@SECRET@": secret,
            "@CUSTOMER@": customer,
            "@CUSTOMER_ACCOUNT@": account,
            "@SUBSCRIBER@": subscriber,
        }

    async def __aenter__(self) -> Self:
        binary = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
        if binary is None:
            raise PeerError("Kamailio isn't installed: apt-get install kamailio")
        self._folder.mkdir()
        configuration = self._folder / "kamailio.cfg"
        text = _CONFIGURATION.read_text()
        for word, value in self._words.items():
            text = text.replace(word, value)
        configuration.write_text(text)
        words = [binary, "-f", configuration, "-DD", "-E", "-m", "64", "-M", "8"]
        words += ["-Y", self._folder, "-P", self._folder / "kamailio.pid"]
        self._process = await self._namespace.start(words, self._log)
        try:
            await until(self._listens, f"Kamailio at {self.address}", _READY_SECONDS)
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def kill(self) -> None:
        """`kill -9`, with all its processes."""
        self._namespace.kill_processes()
        await self._process.wait()

    def seen(self) -> list[str]:
        """The requests that came, as its configuration writes them: "REGISTER sip:… from …"."""
        lines = self._log.read_text(errors="replace").splitlines()
        return [line.partition("<script>: ")[2] for line in lines if "<script>: " in line]

    async def _listens(self) -> bool:
        if self._process.returncode is not None:
            raise PeerError(f"Kamailio ended with status {self._process.returncode}")
        return self._namespace.listens(5060)
