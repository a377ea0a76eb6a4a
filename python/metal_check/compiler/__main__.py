"""clang++, as far as metal-check calls it, by the clang in ziglang.

A kernel calls nothing but what metal-check itself has, so it is linked with no library: there need be none to link with.
"""

import os
import pathlib
import sys

import ziglang

HERE = pathlib.Path(__file__).parent


def main() -> None:
    zig = pathlib.Path(ziglang.__file__).parent
    os.environ["METAL_CHECK_ZIG"] = str(zig / "zig")
    arguments = sys.argv[1:]
    if arguments == ["-dumpversion"] or arguments == ["--version"]:
        os.execv(zig / "zig", ["zig", "clang", *arguments])
    flags = ["-isystem", str(zig / "lib" / "include")]
    if "-shared" in arguments:
        arguments.remove("-lm")
        flags += ["-nostdlib", f"--ld-path={HERE / 'ld.lld'}"]
    os.execv(zig / "zig", ["zig", "clang", "--driver-mode=g++", *flags, *arguments])


main()
