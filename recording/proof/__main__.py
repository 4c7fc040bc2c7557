"""`python3 verify.pyz [PACKAGE]`: what a court's expert runs. The same as `beffroi recording verify PACKAGE`.

Without PACKAGE it looks at the folder that it lies in itself. It ends with 0 when all is as it was exported,
1 when it isn't, 2 when it was asked wrongly.
"""

from __future__ import annotations

import argparse
import json
import sys
from io import TextIOWrapper
from pathlib import Path

from recording.proof import package, pcap
from recording.proof.entries import EntryError
from recording.proof.sealed_file import Damage


def main(arguments: list[str], here: Path) -> int:
    """Return the exit status. here: the folder to look at where none is named."""
    parser = argparse.ArgumentParser(prog="verify.pyz", description="Verify an exported recording.")
    parser.add_argument("package", nargs="?", type=Path, default=here, help="the .zip, or its folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--node", default="", help="the fingerprint of the node's key, as it was published")
    parser.add_argument("--packets", type=Path, help="a new folder for the packets, as .pcap files")
    asked = parser.parse_args(arguments)
    try:
        checked = package.check(asked.package)
        if asked.node and asked.node.strip().lower() != checked.node:
            fault = package.Fault(package.NODE_KEY, -1, -1, -1.0, "isn't the key that was published")
            checked = checked._replace(faults=[*checked.faults, fault])
        if asked.packets is not None:
            pcap.write_all(asked.package, asked.packets)
    except OSError as error:
        sys.stderr.write(f"verify: {error.filename or asked.package}: {error.strerror or error}\n")
        return 2
    except (Damage, EntryError, ValueError) as error:
        sys.stderr.write(f"verify: the packets can't be read: {error}\n")
        return 1
    if asked.json:
        sys.stdout.write(json.dumps(package.printable(checked), ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in package.lines(checked))
    return 1 if checked.faults else 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that doesn't have every letter
    program = Path(sys.argv[0]).resolve()
    sys.exit(main(sys.argv[1:], program.parent))
