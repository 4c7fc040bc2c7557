"""How the C data plane becomes the module `beffroi_plane`: by cffi, for every Python from 3.11 on (abi3).

`setup.py` names this file, and `scripts/setup` has it compiled into the environment. Where there is no
compiler nothing is made, nothing fails, and packets are moved by Python. Where there are no headers of
OpenSSL, SRTP is Python's part.
"""

import shlex
import subprocess
import sysconfig
from pathlib import Path

from cffi import FFI

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_SOURCES = sorted(_HERE.glob("*.c"))
_HEADERS = sorted(_HERE.glob("*.h"))


def has_srtp() -> bool:
    """Say whether the compiler finds the headers of OpenSSL 3 (Debian's libssl-dev)."""
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    probe = [*compiler, "-E", "-include", "openssl/core_names.h", "-x", "c", "/dev/null"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False


_SRTP = has_srtp()
ffibuilder = FFI()
ffibuilder.cdef(
    "\n".join(line for line in (_HERE / "plane.h").read_text().splitlines() if not line.startswith("#"))
)
ffibuilder.set_source(
    "beffroi_plane",
    '#include "plane.h"',
    sources=[str(source.relative_to(_ROOT)) for source in _SOURCES],
    depends=[str(header.relative_to(_ROOT)) for header in _HEADERS],
    include_dirs=[str(_HERE.relative_to(_ROOT))],
    extra_compile_args=["-std=gnu11", "-O2", "-pthread", "-fvisibility=hidden"],
    extra_link_args=["-pthread"],
    define_macros=[("PLANE_SRTP", "1")] if _SRTP else [],
    libraries=["crypto"] if _SRTP else [],
    py_limited_api=True,
    optional=True,
)
