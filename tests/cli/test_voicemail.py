"""`beffroi voicemail`, and a message left in a real node: on the disk, in the lamp, and mailed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from media import wav
from pbx.voicemail.mail import Spool
from pbx.voicemail.mailboxes import KeptMailbox, Message, folder_of
from tests.cli.conftest import Town
from tests.cli.test_signalling_restart import Party, kill_signalling, speak
from tests.pbx.voicemail.smtp_server import SmtpServer

AT = 1_764_000_000.0


def put(town: Town, mailbox: str, *messages: Message) -> None:
    """What a node has kept."""
    from pbx.kept import write_kept

    folder = town.settings.voicemail_dir / folder_of(mailbox)
    write_kept(folder / "mailbox.json", KeptMailbox(name=mailbox, messages=messages))
    for message in messages:
        (folder / f"{message.id}.wav").write_bytes(wav.header(32_000, 8000) + bytes(32_000))


def test_messages_are_listed_and_exported_without_a_node(town: Town, tmp_path: Path) -> None:
    put(town, "2010", Message("0a", AT, "+33699999999", "Jeanne", 2.0))
    put(town, "mairie", Message("0b", AT, "", "", 3.0, heard=True), Message("0c", AT, "", "", 0.0))
    listed = town.run("voicemail", "list", "--json").json
    assert listed[0] == {
        "mailbox": "2010",
        "id": "0a",
        "at": "2025-11-24T16:00:00.000Z",
        "from": "+33699999999",
        "from_name": "Jeanne",
        "seconds": 2.0,
        "heard": False,
    }
    assert [one["id"] for one in listed] == ["0a", "0b"]
    assert "Jeanne" in town.run("voicemail", "list", "2010").out
    assert town.run("voicemail", "list", "1001").out == "no messages\n"
    copy = tmp_path / "copy.wav"
    assert town.run("voicemail", "export", "2010", "0a", str(copy)).status == 0
    assert len(wav.read_file(copy)) == 16_000
    again = town.run("voicemail", "export", "2010", "0a", str(copy))
    assert again.err == f"beffroi: {copy}: File exists\n"


def test_what_is_not_there_is_told(town: Town, tmp_path: Path) -> None:
    wrong = town.run("voicemail", "export", "2010", "../../plan", str(tmp_path / "x"))
    assert wrong.err == "beffroi: mailbox 2010 has no message ../../plan\n"
    silent = town.run("voicemail", "delete", "2010", "0a")
    assert silent.status == 1
    assert "running node" in silent.err


async def test_a_message_is_kept_over_kill_9_mailed_and_deleted(town: Town) -> None:
    """Killed while somebody speaks: what was said is a message, is mailed once, and is there to delete."""
    town.change_plan("mailbox: mairie,", "mailbox: mairie, greeting: {fr: Oui.},")
    async with SmtpServer() as server:
        with town.configuration_file.open("a") as file:
            file.write(
                f"mail: {{host: 127.0.0.1, port: {server.port}, from: beffroi@valmont.example, tls: none}}\n"
            )
        with town.serving() as log_until:
            caller = Party("1001", "pw1001", town.port, calls=1)
            try:
                await caller.agent.register()
                call = caller.agent.invite("8001", caller.lines[0].offer())
                caller.lines[0].take_answer(await call.answered())
                caller.listen()
                await _recorded(town, caller)
                await kill_signalling(town)
                await asyncio.to_thread(log_until, "messages=1 in mailboxes")
                await server.taken.wait()
                await asyncio.to_thread(log_until, "ready plan=")
                call.hang_up()  # else the node waits for it at its end
                (listed,) = (await asyncio.to_thread(town.run, "voicemail", "list", "--json")).json
            finally:
                caller.close()
            assert (listed["mailbox"], listed["from"]) == ("mairie", "1001")
            assert server.recipients == ["accueil@valmont.example"]
            deleted = await asyncio.to_thread(town.run, "voicemail", "delete", "mairie", listed["id"])
            assert deleted.status == 0, deleted.err
            assert (await asyncio.to_thread(town.run, "voicemail", "list")).out == "no messages\n"
        assert list(Spool(town.settings.mail_dir).letters()) == []


async def _recorded(town: Town, caller: Party) -> None:
    """Speak until some three seconds of sound are on the disk."""
    folder = town.settings.voicemail_dir / "mairie"
    while not any(path.stat().st_size > 3 * 16_000 for path in folder.glob("*.wav")):
        await speak((caller,), 0.2)
