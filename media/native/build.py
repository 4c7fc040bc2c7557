"""How the C data plane becomes the module `beffroi_plane`: by cffi, for every Python from 3.11 on (abi3).

`setup.py` names this file, and `scripts/setup` has it compiled into the environment. Where there is no
compiler nothing is made, nothing fails, and packets are moved by Python.
"""

from pathlib import Path

from cffi import FFI

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]

ffibuilder = FFI()
ffibuilder.cdef(
    "\n".join(line for line in (_HERE / "plane.h").read_text().splitlines() if not line.startswith("#"))
)
ffibuilder.set_source(
    "beffroi_plane",
    '#include "plane.h"',
    sources=[str((_HERE / "plane.c").relative_to(_ROOT))],
    depends=[str((_HERE / "plane.h").relative_to(_ROOT))],
    include_dirs=[str(_HERE.relative_to(_ROOT))],
    extra_compile_args=["-std=gnu11", "-O2", "-pthread", "-fvisibility=hidden"],
    extra_link_args=["-pthread"],
    py_limited_api=True,
    optional=True,
)
