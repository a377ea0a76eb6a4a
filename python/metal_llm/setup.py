"""The version is the library's: the header has it, and where that is missing, in an sdist, PKG-INFO."""

import pathlib
import re

from setuptools import setup

HERE = pathlib.Path(__file__).resolve().parent


def version() -> str:
    """Of the library that this package binds."""
    header = HERE.parents[1] / "include/metal_llm.h"
    if header.exists():
        return re.search(r'^#define LLM_VERSION "(.+)"', header.read_text(), re.MULTILINE)[1]
    return re.search(r"^Version: (.+)", (HERE / "PKG-INFO").read_text(), re.MULTILINE)[1]


setup(version=version())
