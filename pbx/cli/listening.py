"""`beffroi recording listen`, `last`, `export`, `verify`: recordings heard, handed out, and proved.

The recorder's process says who may hear what, and journals it; sound is made here, by whoever has the private
key. It never leaves this process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pbx.cli.application import ConfigurationOption, JsonOption
from pbx.cli.printing import clean, print_json, shown_time
from pbx.cli.reading import configured, fail, misused
from pbx.cli.recordings import AsOption, RecordingArgument, WhyOption, node_public_key, recording

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.x509 import Certificate

    from pbx.configuration import Configuration
    from recording.archive.requests import Answer, Opened, Request
    from recording.export.outline import Outline, Sealed
    from recording.export.sound_files import Format
    from recording.proof.sealed_file import Damage
    from recording.proof.verifier import Finding

KeyOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The private key. Default: beside the `key_file:` of recordings."),
]
MixOption = Annotated[bool, typer.Option("--mix", help="Everybody in one channel.")]
OutOption = Annotated[
    str,
    typer.Option(
        "-o", "--out", metavar="FILE", help="A new .wav, .flac or .opus file; - for a WAV to a pipe."
    ),
]
PlayOption = Annotated[bool, typer.Option("--play", help="Play it here, by aplay.")]


@recording.command()
def listen(
    name: RecordingArgument,
    person: AsOption,
    why: WhyOption,
    out: OutOption = "",
    play: PlayOption = False,
    mix: MixOption = False,
    key: KeyOption = None,
    configuration: ConfigurationOption = None,
) -> None:
    """Listen to a recording. Each party is in a channel of its own."""
    from recording.archive.requests import Open

    request = Open(person=person, why=why, recording=name)
    _listen(request, configured(configuration), key, out, play=play, mix=mix)


@recording.command()
def last(
    person: AsOption,
    why: WhyOption,
    line: Annotated[str, typer.Option(help="The last one of this service.")] = "",
    user: Annotated[str, typer.Option(help="The last one of this extension.")] = "",
    out: OutOption = "",
    play: PlayOption = False,
    mix: MixOption = False,
    seconds: Annotated[float, typer.Option(min=1, show_default=False, help="Only so much of its end.")] = 1e9,
    key: KeyOption = None,
    configuration: ConfigurationOption = None,
) -> None:
    """Listen to the last call of a line or a person, up to now where it still goes on."""
    from recording.archive.requests import Last

    if bool(line) == bool(user):
        misused("--line", "name either a --line or a --user")
    request = Last(person=person, why=why, line=line, user=user)
    _listen(request, configured(configuration), key, out, play=play, mix=mix, seconds=seconds)


@recording.command("ask-export")
def ask_export(
    name: RecordingArgument,
    person: AsOption,
    why: WhyOption,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask another listener to agree to an export, where the plan has two persons do it."""
    from recording.archive.requests import AskExport, ExportAsked

    asked = _ask(configured(configuration), AskExport(person=person, why=why, recording=name))
    assert isinstance(asked, ExportAsked)
    if as_json:
        print_json({"request": asked.request, "recording": asked.recording, "until": asked.until})
    else:
        typer.echo(
            f"request {asked.request}, good until {shown_time(asked.until)} UTC: another listener says"
        )
        typer.echo(f"beffroi recording approve {asked.request} --as EXTENSION --why REASON")


@recording.command()
def approve(
    request: Annotated[int, typer.Argument(metavar="REQUEST", help="Its number, as `ask-export` told.")],
    person: AsOption,
    why: WhyOption,
    configuration: ConfigurationOption = None,
) -> None:
    """Agree to an export that another listener has asked for."""
    from recording.archive.requests import ApproveExport, ExportAsked

    approved = _ask(configured(configuration), ApproveExport(person=person, why=why, request=request))
    assert isinstance(approved, ExportAsked)
    until = shown_time(approved.until)
    typer.echo(
        clean(f"{approved.by} may export {approved.recording} once, until {until} UTC: {approved.why}")
    )


@recording.command()
def export(
    name: RecordingArgument,
    person: AsOption,
    why: WhyOption,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="A new .zip file.")],
    kind: Annotated[str, typer.Option("--format", help="Of the sound: wav, flac or opus.")] = "wav",
    mix: MixOption = False,
    key: KeyOption = None,
    configuration: ConfigurationOption = None,
) -> None:
    """Export a recording: its sound, what explains and what proves it, in one package."""
    from tempfile import TemporaryDirectory

    from recording.archive.purge import path_of
    from recording.archive.requests import Journalled, Open, Packaged
    from recording.export import package

    settings = configured(configuration)
    if out.suffix != ".zip":
        misused("--out", "a package is a .zip")
    if out.exists():
        fail(f"{out}: File exists")
    wanted = package.Wanted(_format(kind), mix)
    private = private_key(settings, key)
    path = path_of(settings.recordings.directory, name)
    if path.is_file():  # before anybody's approval is used up
        with _told_in_a_sentence():
            _fail_if_other_key(path, private)
    node = package.Node(settings.recordings_journal, node_public_key(settings), _authorities_file(settings))
    opened = _opened(settings, Open(person=person, why=why, recording=name, purpose="export"))

    def journalled(sums: str) -> int:
        request = Packaged(person=person, why=why, recording=name, sums=sums, format=wanted.kind)
        entered = _ask(settings, request)
        assert isinstance(entered, Journalled)
        return entered.number

    with _told_in_a_sentence(), TemporaryDirectory(dir=out.parent, prefix=".export-") as work:
        sealed = _sealed(opened, private)
        _fail_if_damaged(sealed, opened.found.head)
        package.make(out, Path(work), sealed, wanted, node, journalled, _progress("sound"))
    typer.echo(f"{out}: verify it by `beffroi recording verify {out}`, or by the verify.pyz in it")


@recording.command()
def verify(
    what: Annotated[
        str, typer.Argument(metavar="[RECORDING|PACKAGE]", help="One recording, or an exported package.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="All recordings and their journal.")] = False,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The private key: have every segment opened as well."),
    ] = None,
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify that recordings are as they were written: a bit that turned is found, and where. Needs no node.

    Ends with 0 when all is whole, with 1 when something isn't.
    """
    if bool(what) == every:
        misused("RECORDING", "name a recording or a package, or say --all")
    if what and (Path(what).is_file() or Path(what).is_dir()):
        _verify_package(Path(what), as_json=as_json)
    settings = configured(configuration)
    with _told_in_a_sentence():
        private = private_key(settings, key) if key is not None else None
        if every:
            _verify_all(settings, private, as_json=as_json)
        _verify_one(settings, what, private, as_json=as_json)


def _listen(
    request: Request,
    settings: Configuration,
    key: Path | None,
    out: str,
    *,
    play: bool,
    mix: bool,
    seconds: float = 1e9,
) -> None:
    if bool(out) == play:
        misused("--out", "say where to: -o FILE, -o - for a pipe, or --play")
    kind = "wav" if out in ("", "-") else _format(Path(out).suffix.removeprefix("."))
    if out == "-" and sys.stdout.isatty():
        misused("--out", "a WAV is nothing for a terminal; pipe it into a player, or name a file")
    if out not in ("", "-") and Path(out).exists():
        fail(f"{out}: File exists")
    private = private_key(settings, key)
    opened = _opened(settings, request)
    from recording.export import outline
    from recording.export.package import Wanted
    from recording.proof.sealed_file import Damage

    with _told_in_a_sentence():
        sealed = _sealed(opened, private)
        try:
            seen = outline.outline(sealed)
        except Damage as damage:
            sealed = _before(sealed, damage)
            seen = outline.outline(sealed)
        seen = seen.last_seconds(seconds)
        if out in ("", "-"):
            _stream(sealed, seen, play=play, mix=mix)
            return
        from recording.export.package import write_sound

        write_sound(Path(out), sealed, seen, Wanted(kind, mix), _progress("sound"))
    length = f"{(seen.end - seen.begun) / 1e6:.1f} s"
    goes_on = ", still going on" if opened.found.ended is None else ""
    parties = ", ".join(seen.parties)
    typer.echo(clean(f"{opened.found.recording}: {length}{goes_on}, channels: {parties}"), err=True)


def _before(sealed: Sealed, damage: Damage) -> Sealed:
    """The recording up to where it is damaged, which is told; one that is damaged from its begin raises."""
    if damage.segment < 1:
        raise damage
    typer.echo(f"{damage}; what is before that is heard", err=True)
    return sealed._replace(end=damage.offset)


def _stream(sealed: Sealed, seen: Outline, *, play: bool, mix: bool) -> None:
    """Write a WAV to the standard output, or to aplay, as it is made."""
    import shutil
    import subprocess

    from recording.export import sound
    from recording.export.sound_files import wav_header

    parties, rate = seen.parties, seen.rate
    blocks = sound.blocks(sealed, seen, rate, sound.Unplaced())
    channels = len(parties)
    if mix or play or not channels:  # a loudspeaker has two channels at most
        blocks, channels = sound.mixed(blocks), 1
    header = wav_header(rate, channels, sound.length_of(seen, rate))
    if not play:
        sys.stdout.buffer.write(header)
        sys.stdout.buffer.writelines(block.astype("<i2").tobytes() for block in blocks)
        sys.stdout.buffer.flush()
        return
    player = shutil.which("aplay")
    if player is None:
        fail("there is no aplay here (Debian: alsa-utils); take -o FILE, or -o - into another player")
    with subprocess.Popen([player, "-q", "-"], stdin=subprocess.PIPE) as playing:  # noqa: S603
        assert playing.stdin is not None
        playing.stdin.write(header)
        playing.stdin.writelines(block.astype("<i2").tobytes() for block in blocks)
        playing.stdin.close()
    if playing.returncode:
        fail(f"aplay ended with {playing.returncode}")


# What is asked of the recorder's process


def _ask(settings: Configuration, request: Request) -> Answer:
    """Return the answer; a refusal ends the command."""
    from recording.archive.requests import Refused, Unanswered, ask

    try:
        answer = ask(settings.data_dir, request)
    except Unanswered as unanswered:
        mend = "; start `beffroi serve`" if unanswered.silent else ""
        fail(clean(f"{unanswered}{mend}: who listens is journalled by a running node"))
    if isinstance(answer, Refused):
        fail(clean(answer.why))
    return answer


def _opened(settings: Configuration, request: Request) -> Opened:
    from recording.archive.requests import Opened

    answer = _ask(settings, request)
    assert isinstance(answer, Opened)
    return answer


# Keys and files


def private_key(settings: Configuration, given: Path | None) -> X25519PrivateKey:
    from pbx.node.keys import private_of
    from recording.keys import KeyUnusable, read_private

    path = given or private_of(settings.recordings.key_file)
    if not path.exists():
        fail(
            f"{path}: the private key of recordings isn't here, so nothing can be opened; "
            "name it by --key. Recordings go on without it, and none was touched"
        )
    try:
        return read_private(
            path, lambda: str(typer.prompt(f"passphrase of {path}", hide_input=True, err=True))
        )
    except KeyUnusable as error:
        fail(error)


def _sealed(opened: Opened, private: X25519PrivateKey) -> Sealed:
    """The recording as it can be read; a key that isn't its own ends the command."""
    from recording.export import outline
    from recording.keys import KeyUnusable, unwrap

    path = Path(opened.path)
    _fail_if_other_key(path, private)
    try:
        key = unwrap(opened.key, opened.found.recording, private)
    except KeyUnusable as error:
        fail(error)
    return outline.opened(path, key)


def _fail_if_other_key(path: Path, private: X25519PrivateKey) -> None:
    from recording.keys import fingerprint
    from recording.proof.sealed_file import read_header

    header, this = read_header(path), fingerprint(private.public_key())
    if header.wrapped_for != this:
        fail(f"{header.recording} is sealed for the key {header.wrapped_for}, and this one is {this}")


def _authorities_file(settings: Configuration) -> Path | None:
    stamping = settings.recordings.timestamp
    return stamping.ca_file if stamping is not None else None


def _authorities(settings: Configuration) -> list[Certificate]:
    from recording.proof.stamp import StampError, authorities

    file = _authorities_file(settings)
    try:
        return authorities(file) if file is not None else []
    except StampError as error:
        fail(error)


def _format(name: str) -> Format:
    from recording.export.sound_files import FORMATS

    found = next((kind for kind in FORMATS if kind == name), None)
    if found is None:
        misused("--out", f'"{name[:20]}" is no format of ours; take wav, flac or opus')
    return found


def _progress(what: str) -> Callable[[float], None]:
    """What shows how far something is, where somebody looks."""
    if not sys.stderr.isatty():
        return lambda part: None

    def show(part: float) -> None:
        sys.stderr.write(f"\r{what} {part:4.0%} " + ("\n" if part >= 1 else ""))
        sys.stderr.flush()

    return show


@contextmanager
def _told_in_a_sentence() -> Iterator[None]:
    """What is wrong with a file or a disk ends the command with a sentence."""
    from recording.export.sound_files import TooManyChannels
    from recording.proof.entries import EntryError
    from recording.proof.parcel import ParcelTooLarge
    from recording.proof.sealed_file import Damage

    try:
        yield
    except Damage as damage:
        fail(f"{damage}; `beffroi recording verify` says more")
    except (EntryError, TooManyChannels, ParcelTooLarge) as error:
        fail(error)
    except BrokenPipeError:  # whoever listened has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        fail(f"{error.filename or 'recordings'}: {error.strerror or error}")


# Verifying


def _fail_if_damaged(sealed: Sealed, head: str) -> None:
    from recording.proof.verifier import verify_file

    findings = verify_file(sealed.path, head)
    if findings:
        fail(f"{_shown(findings[0])}: a damaged recording isn't exported as if it were whole")


def _verify_package(path: Path, *, as_json: bool) -> NoReturn:
    from recording.proof import package

    try:
        checked = package.check(path)
    except OSError as error:
        fail(f"{error.filename or path}: {error.strerror}")
    if as_json:
        print_json(package.printable(checked))
    else:
        for line in package.lines(checked):
            typer.echo(clean(line))
    raise typer.Exit(1 if checked.faults else 0)


def _verify_all(settings: Configuration, private: X25519PrivateKey | None, *, as_json: bool) -> NoReturn:
    from recording.proof.verifier import SUFFIX
    from recording.proof.verifier import verify as verify_files

    directory, journal = settings.recordings.directory, settings.recordings_journal
    if not journal.exists():
        fail(f"{journal}: there is no journal of recordings; nothing was recorded here yet")
    total = sum(path.stat().st_size for path in directory.rglob(f"*{SUFFIX}")) or 1
    show = _progress("verified")
    verified = verify_files(
        directory,
        journal,
        node_public_key(settings),
        _authorities(settings),
        lambda size: show(min(1.0, size / total)),
    )
    findings = list(verified.findings)
    damaged = {finding.recording for finding in findings}
    opened = 0
    if private is not None:
        for path in sorted(directory.rglob(f"*{SUFFIX}")):
            if path.name.removesuffix(SUFFIX) not in damaged:
                findings += _unopened(settings, path, private)
                opened += 1
    if as_json:
        print_json(
            {
                "whole": verified.whole,
                "running": verified.running,
                "purged": verified.purged,
                "bytes": verified.bytes,
                "opened": opened,
                "stamps": verified.stamps,
                "stamped_at": verified.stamped_at or None,
                "findings": [_printable(finding) for finding in findings],
            }
        )
    else:
        for finding in findings:
            typer.echo(_shown(finding), err=True)
        typer.echo(
            f"{verified.whole} whole, {verified.running} going on, {verified.purged} purged, "
            f"{len(findings)} findings in {verified.bytes / 1e6:.1f} MB"
        )
        if private is not None:
            typer.echo(f"{opened} opened, segment by segment")
        if verified.stamps:
            at = shown_time(verified.stamped_at)
            typer.echo(f"{verified.stamps} stamps of the journal hold, the last one of {at} UTC")
    raise typer.Exit(1 if findings else 0)


def _verify_one(
    settings: Configuration, name: str, private: X25519PrivateKey | None, *, as_json: bool
) -> NoReturn:
    from recording.archive.purge import path_of
    from recording.proof.journal import JournalDamage, entries
    from recording.proof.verifier import verify_file

    path = path_of(settings.recordings.directory, name)
    if "/" in name or not path.is_file():
        fail(clean(f"there is no recording and no package {name[:60]}"))
    head = ""
    try:
        for entry in entries(settings.recordings_journal, node_public_key(settings)):
            if entry.recording == name and entry.what in ("ended", "repaired"):
                head = str(entry.about["head"])
    except JournalDamage as damage:
        fail(f"{damage}; `beffroi recording verify --all` says more")
    if not head:
        fail(f"{name} hasn't ended: its end can't be verified yet")
    findings = verify_file(path, head)
    if private is not None and not findings:
        findings = _unopened(settings, path, private)
    if as_json:
        print_json({"recording": name, "findings": [_printable(finding) for finding in findings]})
    else:
        typer.echo(_shown(findings[0]) if findings else f"{name}: whole")
    raise typer.Exit(1 if findings else 0)


def _unopened(settings: Configuration, path: Path, private: X25519PrivateKey) -> list[Finding]:
    """What of a recording this private key doesn't open."""
    from recording.keys import KeyStore, KeyUnusable, NoKey, unwrap
    from recording.proof.sealed_file import Damage, segments, unseal, whole_end
    from recording.proof.verifier import SUFFIX, Finding

    name = path.name.removesuffix(SUFFIX)
    try:
        key = unwrap(KeyStore(settings.recording_keys_dir).get(name), name, private)
        for segment in segments(path, whole_end(path)):
            unseal(segment, key, path)
    except NoKey:
        return [Finding(name, path, -1, "its key isn't in the key store")]
    except KeyUnusable as error:
        return [Finding(name, path, -1, str(error))]
    except Damage as damage:
        return [Finding(name, path, damage.offset, f"segment {damage.segment} {damage.what}")]
    return []


def _shown(finding: Finding) -> str:
    place = f", byte {finding.offset}" if finding.offset >= 0 else ""
    return clean(f"{finding.recording or finding.path}{place}: {finding.what}")


def _printable(finding: Finding) -> dict[str, str | int | None]:
    return {
        "recording": finding.recording,
        "file": str(finding.path),
        "offset": finding.offset if finding.offset >= 0 else None,
        "what": finding.what,
    }
