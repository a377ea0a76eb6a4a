"""The wheel has the command inside: `make` builds it, and the wheel is named after the glibc that it wants.

METAL_CHECK_BINARY names a command that is built already, METAL_CHECK_LIBRARIES what lies beside it, separated by
blanks, METAL_CHECK_PLATFORM the platform it is for.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sysconfig

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from wheel.bdist_wheel import bdist_wheel

HERE = pathlib.Path(__file__).resolve().parent
WITH_SOURCES = HERE / "sources"  # in an sdist
ROOT = WITH_SOURCES if WITH_SOURCES.exists() else HERE.parent
SOURCES = ["Makefile", "setup.sh", "LICENSE", "include", "kernels", "msl", "src"]


def version() -> str:
    """That of metal-llm, which this is part of."""
    header = (ROOT / "include/metal_llm.h").read_text()
    return re.search(r'^#define LLM_VERSION "(.+)"', header, re.MULTILINE)[1]


def built_command() -> pathlib.Path:
    """metal-check, built if it is not there."""
    given = os.environ.get("METAL_CHECK_BINARY")
    if given:
        return pathlib.Path(given)
    subprocess.run(["make", "-C", str(ROOT), "build/metal-check"], check=True)
    return ROOT / "build" / "metal-check"


class BuildWithCommand(build_py):
    """The package's files, and the command."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        target = pathlib.Path(self.build_lib) / "metal_check" / "bin" / "metal-check"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(built_command(), target)
        target.chmod(0o755)
        for library in os.environ.get("METAL_CHECK_LIBRARIES", "").split():
            shutil.copy(library, target.parent)


class SourcesOfCommand(sdist):
    """Also what the command is built from."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        for name in SOURCES:
            source, target = ROOT / name, pathlib.Path(base_dir) / "sources" / name
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)


class WheelForSystem(bdist_wheel):
    """For any Python 3, but for one kind of system."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        platform = os.environ.get("METAL_CHECK_PLATFORM") or sysconfig.get_platform().replace("-", "_").replace(
            ".", "_"
        )
        return "py3", "none", platform


setup(
    version=version(),
    cmdclass={"sdist": SourcesOfCommand, "build_py": BuildWithCommand, "bdist_wheel": WheelForSystem},
)
