"""The version is that of metal-llm: a checkout has it in the library's header, an installed package in its metadata."""

import importlib.metadata
import pathlib
import re

HEADER = pathlib.Path(__file__).resolve().parents[2] / "include/metal_llm.h"


def _version() -> str:
    if not HEADER.exists():
        return importlib.metadata.version("metal-check")
    found = re.search(r'^#define LLM_VERSION "(.+)"', HEADER.read_text(), re.MULTILINE)
    assert found, f"{HEADER} has no LLM_VERSION"
    return found[1]


VERSION = _version()
