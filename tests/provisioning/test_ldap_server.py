"""The directory's server on real sockets: OpenLDAP's ldapsearch, ldap3, and those who mean ill."""

import asyncio
import contextlib
import itertools
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pbx.phones import ldap
from pbx.phones.ldap import LdapServer
from pbx.phones.limits import Limits
from pbx.tasks import Tasks
from provisioning.ldap import book
from provisioning.ldap.book import Viewer
from tests.net.authority import Authority
from tests.provisioning.ldap_client import (
    AGENT,
    SUFFIX,
    abandoning,
    binding,
    messages,
    searching,
    small_book,
    told,
)

NAME = f"cn=805ec0123456,ou=phones,{SUFFIX}"
PASSWORD = "nB4kLs9d"


class Town:
    """A server, and what the database would say. blocked: the telephone is lost."""

    def __init__(self) -> None:
        self.blocked = False
        self.book = small_book()
        self.voice = True
        self.clock: Callable[[], float] = asyncio.get_running_loop().time

    async def judge(self, name: str, password: str) -> Viewer | None:
        right = name == "805ec0123456" and password == PASSWORD and not self.blocked
        return AGENT if right else None

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """The port of a server, until it is left; no connection outlives it."""
        tasks = Tasks()
        limits = Limits(asyncio.get_running_loop().time)
        server = LdapServer(lambda: self.book, self.judge, limits, tasks, lambda _: self.voice, self.clock)
        with socket.create_server(("127.0.0.1", 0)) as bound:
            await server.listen(bound, tls)
            try:
                yield bound.getsockname()[1]
            finally:
                server.close()
                await tasks.cancel()


async def talk(port: int, *said: bytes) -> bytes:
    """Everything that is answered until the server ends the connection or a request's last answer came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    for octets in said:
        writer.write(octets)
        heard = await reader.read(65_536)
    writer.close()
    return heard


async def ldapsearch(
    url: str, *words: str, password: str = PASSWORD, ca: Path | None = None
) -> tuple[int, str]:
    """What OpenLDAP's client prints, and how it ends."""
    trusted = {"LDAPTLS_CACERT": str(ca), "LDAPTLS_REQCERT": "demand"} if ca is not None else {}
    ran = await asyncio.create_subprocess_exec(
        *(
            "ldapsearch",
            "-x",
            "-LLL",
            "-o",
            "ldif_wrap=no",
            "-H",
            url,
            "-D",
            NAME,
            "-w",
            password,
            "-b",
            SUFFIX,
        ),
        *words,
        env={"PATH": "/usr/bin:/bin"} | trusted,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await ran.communicate()
    return ran.returncode or 0, out.decode()


@pytest.mark.peer
async def test_openldaps_client_finds_a_name_by_its_number_over_tls(tmp_path: Path):
    authority = Authority(tmp_path)
    issued = authority.issue("127.0.0.1")  # libldap reads "localhost" as the machine's own name
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.path, issued.key_path)
    async with Town().serving(context) as port:
        url = f"ldaps://127.0.0.1:{port}"
        asked = ("(|(telephoneNumber=+33383000110)(mobile=+33383000110))", "sn", "telephoneNumber")
        code, text = await ldapsearch(url, *asked, ca=authority.file)
        assert code == 0, text
        assert f"dn: uid=2010,ou=people,{SUFFIX}" in text and "sn: Martin" in text
        code, text = await ldapsearch(url, "(cn=*)", password="wrong", ca=authority.file)
        assert code == 49, text  # invalidCredentials
        code, text = await ldapsearch(url, "-E", "pr=2/noprompt", "(cn=*)", "dn", ca=authority.file)
        assert code == 0 and text.count("dn: ") == 4, text
        code, text = await ldapsearch(url, "-z", "1", "(cn=*)", "dn", ca=authority.file)
        assert code == 4, text  # sizeLimitExceeded


@pytest.mark.peer
async def test_ldap3_reads_the_schema_and_searches():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # ldap3 2.9 asks pyasn1 for old names
        import ldap3

    def client(port: int) -> tuple[Any, list[str], Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            server = ldap3.Server("127.0.0.1", port, get_info=ldap3.ALL)
            connection = ldap3.Connection(server, NAME, PASSWORD, auto_bind=True, check_names=True)
            connection.search(SUFFIX, "(|(cn=mar*)(sn=mar*))", attributes=["cn", "telephoneNumber"])
            found = [str(entry.cn) for entry in connection.entries]
            connection.delete(f"uid=2010,ou=people,{SUFFIX}")
            refused = connection.result["description"]
            connection.unbind()
            return server.info.naming_contexts, found, refused

    async with Town().serving() as port:
        said = await asyncio.to_thread(client, port)
        assert said == ([SUFFIX], ["Élodie Martin"], "unwillingToPerform")


async def test_a_telephone_that_is_blocked_finds_nothing_any_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ldap, "JUDGED_SECONDS", -1.0)
    town = Town()
    async with town.serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(binding(NAME, PASSWORD))
        assert told(await reader.read(4096))[0][1]["resultCode"] == 0
        writer.write(searching("(uid=2010)"))
        assert told(await reader.read(4096))[0][0] == "searchResEntry"
        town.blocked = True
        writer.write(searching("(uid=2010)"))
        ((_, done),) = told(await reader.read(4096))
        assert done["resultCode"] == 50  # insufficientAccessRights
        writer.close()


async def bound(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of a telephone that has said who it is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(binding(NAME, PASSWORD))
    assert told(await reader.read(4096))[0][1]["resultCode"] == 0
    return reader, writer


async def test_a_search_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch):
    """RFC 4511 section 4.5.1.5: what was found by then is sent; no limit is none."""
    monkeypatch.setattr(book, "SLICE", 1)
    town = Town()
    ticks = itertools.count()
    town.clock = lambda: float(next(ticks))
    async with town.serving() as port:
        reader, writer = await bound(port)
        writer.write(searching("(objectClass=inetOrgPerson)", seconds=2))
        *entries, (_, done) = told(await answered(reader))
        assert (len(entries), done["resultCode"]) == (1, 3)  # timeLimitExceeded
        writer.write(searching("(objectClass=inetOrgPerson)"))
        *entries, (_, done) = told(await answered(reader))
        assert (len(entries), done["resultCode"]) == (3, 0)
        writer.close()


async def answered(reader: asyncio.StreamReader) -> bytes:
    """All answers to one search."""
    heard = b""
    async with asyncio.timeout(45):
        while not heard or told(heard)[-1][0] != "searchResDone":
            heard += await reader.read(65_536)
    return heard


async def test_a_search_that_was_abandoned_is_not_answered_to_its_end(monkeypatch: pytest.MonkeyPatch):
    """RFC 4511 section 4.11: nothing more comes of it, and what is asked then is answered."""
    monkeypatch.setattr(book, "SLICE", 1)
    async with Town().serving() as port:
        reader, writer = await bound(port)
        writer.write(searching("(sn=*o*f)", id_=7) + abandoning(7) + searching("(uid=2012)", id_=8))
        heard = await answered(reader)
        assert [int(message["messageID"]) for message in messages(heard)] == [8, 8]
        writer.write(searching("(sn=*o*f)", id_=9) + abandoning(7))  # which is over already
        assert [kind for kind, _ in told(await answered(reader))] == ["searchResEntry", "searchResDone"]
        writer.close()


async def test_in_clear_nobody_is_answered_outside_of_the_telephones_networks():
    town = Town()
    town.voice = False
    async with town.serving() as port:
        with contextlib.suppress(ConnectionError):
            assert await talk(port, binding(NAME, PASSWORD)) == b""


async def test_passwords_are_not_guessed_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ldap, "_address", lambda _: "10.54.1.66")  # loopback is never limited
    async with Town().serving() as port:
        for _ in range(40):
            heard = await talk(port, binding(NAME, "guess"))
        assert told(heard)[0][1]["resultCode"] == 51  # busy, and the right one isn't heard either
        assert told(await talk(port, binding(NAME, PASSWORD)))[0][1]["resultCode"] == 51


async def test_what_is_no_ldap_ends_its_connection_and_no_other(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ldap, "MOST_OF_ADDRESS", 3)
    async with Town().serving() as port:
        ((_, done),) = told(await talk(port, b"GET / HTTP/1.1\r\n\r\n"))
        assert done["resultCode"] == 2  # protocolError
        many = [await asyncio.open_connection("127.0.0.1", port) for _ in range(6)]
        ended = [reader for reader, _ in many[3:]]
        with contextlib.suppress(ConnectionError):
            assert [await reader.read(10) for reader in ended] == [b"", b"", b""]
        _, writer = many[0]
        writer.write(binding(NAME, PASSWORD))
        assert told(await many[0][0].read(4096))[0][1]["resultCode"] == 0
        for _, one in many:
            one.close()


async def test_a_client_that_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ldap, "FIRST_SECONDS", 0.0)
    async with Town().serving() as port:
        assert await talk(port, b"\x30") == b""
