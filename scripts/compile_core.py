"""Builds the compiled core where `pbx.compiled` looks for it, from the sources as they are now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["BEFFROI_PURE"] = "1"  # a build that is in use can't be replaced by itself

from pbx import compiled

_SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
setup(name="core", packages=[], ext_modules=mypycify(sys.argv[3:], opt_level="3"), script_args=sys.argv[1:3])
"""


def main() -> int:
    """Build, unless that was done before; returns the exit status."""
    root, target = compiled.ROOT, compiled.BUILDS / compiled.fingerprint()
    if target.is_dir():
        print("the compiled core is up to date")
        return 0
    missing = _missing()
    if missing:
        print(f"scripts/compile: {missing} is missing; Debian: apt install gcc python3-dev", file=sys.stderr)
        return 1
    compiled.BUILDS.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=compiled.BUILDS, prefix=".") as scratch:
        built = build(root, Path(scratch) / "tree")
        former = [entry for entry in compiled.BUILDS.iterdir() if not entry.name.startswith(".")]
        built.rename(target)  # whole or not at all
    for entry in former:
        shutil.rmtree(entry)  # a node that runs from it has it mapped
    print(f"compiled: {len(compiled.sources())} modules")
    return 0


def build(root: Path, scratch: Path) -> Path:
    """Compile the sources under `root` in `scratch`; returns the folder that holds the result alone.

    Raises SystemExit with the compiler's words when it fails.
    """
    copied = ("sip", "dialplan", "media", "pbx")  # mypyc reads what the modules import
    for package in copied:
        shutil.copytree(root / package, scratch / package, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", _SETUP, "build_ext", "--inplace", *map(str, compiled.sources(scratch))]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"scripts/compile: mypyc failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    result = scratch.with_name("built")
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for file in [
        *scratch.glob(f"*{suffix}"),
        *scratch.glob(f"sip/**/*{suffix}"),
        *scratch.glob(f"dialplan/*{suffix}"),
    ]:
        place = result / file.relative_to(scratch)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)
    return result


def _missing() -> str:
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        return "a C compiler"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python.h"
    return ""


if __name__ == "__main__":
    sys.exit(main())
