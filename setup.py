"""What pyproject.toml can't say: that there is C to compile, where there is a compiler."""

from setuptools import setup
from setuptools.command.build_ext import build_ext


class BuildExtension(build_ext):
    """Compiles, except for an editable install: `scripts/setup` puts its product into the environment."""

    def finalize_options(self) -> None:
        """See setuptools. An editable install would leave the product in the tree."""
        super().finalize_options()
        if self.editable_mode:
            self.extensions = []


setup(
    cffi_modules=["media/native/build.py:ffibuilder"],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},  # one wheel for every Python
)
