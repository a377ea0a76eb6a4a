"""How programs and libraries are built: what makes a fault harder to exploit."""

import re
import subprocess
import sys

import pytest

from library import BUILD

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's")


@pytest.mark.parametrize("name", ["metal-llm", "metal-check", "libmetal-llm.so"])
def test_hardening(name):
    read = lambda *flags: (
        subprocess.run(["readelf", "-W", *flags, BUILD / name], capture_output=True, text=True, check=True).stdout
    )
    assert "GNU_RELRO" in read("-l")
    assert re.search(r"\bBIND_NOW\b|\bNOW\b", read("-d"))
    symbols = read("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert ("__snprintf_chk" in symbols) == ("__asan_init" not in symbols)
