"""The packets of a recording as capture files, for programs that aren't ours: Wireshark, tcpdump, any player.

Addresses and ports weren't kept, so those here stand for tracks: track N speaks from 192.0.2.(N + 1), RFC
5737's documentation network, port 40000 + 2 N, to 192.0.2.254. The format is libpcap's of 1998 with the link
type "raw IP"; times are those of arrival.
"""

from __future__ import annotations

import struct
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from recording.proof.entries import read
from recording.proof.parcel import unpack
from recording.proof.sealed_file import segments, unseal
from recording.proof.verifier import SUFFIX

_FILE: Final = struct.Struct("<IHHiIII")
_RECORD: Final = struct.Struct("<IIII")
_IP: Final = struct.Struct(">BBHHHBBH4s4s")
_UDP: Final = struct.Struct(">HHHH")
_RAW_IP: Final = 101
_MOST_DATA: Final = 65_535 - 28


def write_all(package: Path, folder: Path) -> list[Path]:
    """Write a file for each track of a package (or of its folder) into a new folder; returns them.

    Raises Damage, EntryError, ValueError for a key that is none, or OSError.
    """
    if not package.is_dir():
        with TemporaryDirectory() as name:
            unpack(package, Path(name))
            return write_all(Path(name), folder)
    sealed = next(iter(sorted(package.glob(f"*{SUFFIX}"))), None)
    if sealed is None:
        raise FileNotFoundError(2, "there is no recording in it", str(package))
    key = bytes.fromhex((package / "recording.key").read_text("ascii").strip())
    folder.mkdir()
    files: dict[int, BinaryIO] = {}
    with ExitStack() as opened:
        for segment in segments(sealed):
            for entry in read(unseal(segment, key, sealed), segment.begun):
                if not entry.packet:
                    continue
                if entry.track not in files:
                    path = folder / f"track-{entry.track}.pcap"
                    files[entry.track] = opened.enter_context(path.open("xb"))
                    files[entry.track].write(_FILE.pack(0xA1B2C3D4, 2, 4, 0, 0, 65_535, _RAW_IP))
                files[entry.track].write(_record(entry.at, entry.track, entry.packet[:_MOST_DATA]))
    return [folder / f"track-{track}.pcap" for track in sorted(files)]


def _record(at: int, track: int, data: bytes) -> bytes:
    """Return a packet as it would have come over IPv4 and UDP. at: Unix microseconds."""
    source, target = bytes([192, 0, 2, (track + 1) % 254]), bytes([192, 0, 2, 254])
    udp = _UDP.pack(40_000 + 2 * track, 40_000 + 2 * track, _UDP.size + len(data), 0) + data
    fields = (0x45, 0, _IP.size + len(udp), 0, 0, 64, 17)
    bare = _IP.pack(*fields, 0, source, target)
    # RFC 791 section 3.1: the ones' complement of the sum of all halves.
    total = sum(struct.unpack(">10H", bare))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    packet = _IP.pack(*fields, ~total & 0xFFFF, source, target) + udp
    return _RECORD.pack(at // 1_000_000 & 0xFFFF_FFFF, at % 1_000_000, len(packet), len(packet)) + packet
