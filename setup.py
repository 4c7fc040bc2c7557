"""What pyproject.toml can't say: there is C to compile, where there is a compiler, and pages to carry."""

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).parent
PAGES = "softphone_web/pages"


class BuildExtension(build_ext):
    """Compiles, except for an editable install: `scripts/setup` puts its product into the environment."""

    def finalize_options(self) -> None:
        """See setuptools. An editable install would leave the product in the tree."""
        super().finalize_options()
        if self.editable_mode:
            self.extensions = []


class BuildPython(build_py):
    """Puts the built pages beside their package; an editable install has them in its environment."""

    def run(self) -> None:
        """See setuptools."""
        super().run()
        if not self.editable_mode:
            copy_pages(Path(self.build_lib) / PAGES)


class SourceDistribution(sdist):
    """Carries the built pages: who installs from it has no Node.js."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """See setuptools."""
        super().make_release_tree(base_dir, files)
        copy_pages(Path(base_dir) / PAGES)


def built_pages() -> Path:
    """Return where they are: as BEFFROI_PAGES says, with the sources, or where scripts/pages puts them."""
    places = [HERE / PAGES, HERE / ".venv/pages"]
    named = os.environ.get("BEFFROI_PAGES")
    for place in [Path(named)] if named else places:
        if (place / "index.html").is_file():
            return place
    raise SystemExit("the web pages aren't built: run scripts/setup, or scripts/pages, then build again")


def copy_pages(target: Path) -> None:
    """Copy them, in place of any that are there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(built_pages(), target)


setup(
    cffi_modules=["media/native/build.py:ffibuilder"],
    cmdclass={"build_ext": BuildExtension, "build_py": BuildPython, "sdist": SourceDistribution},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},  # one wheel for every Python
)
