"""What a program or a library for Apple Silicon wants from the system, compared with what it should.

python tests/apple/symbols.py PROGRAM EXPECTED   it must want exactly the symbols of the list
python tests/apple/symbols.py LIBRARY EXPECTED   a static library: nothing that is not in the list
python tests/apple/symbols.py PROGRAM            write such a list: "library symbol" a line
"""

import difflib
import pathlib
import struct
import sys

MAGIC, CPU_ARM64, ARCHIVE = 0xFEEDFACF, 0x0100000C, b"!<arch>\n"
SYMTAB, LOAD_DYLIB, LOAD_WEAK_DYLIB, REEXPORT_DYLIB = 0x2, 0xC, 0x80000018, 0x8000001F
EXTERNAL, UNDEFINED = 0x01, 0x00


def commands(data):
    """Yields (kind, offset) of the load commands of a Mach-O file."""
    magic, cpu, _, _, count = struct.unpack_from("<5I", data)
    if (magic, cpu) != (MAGIC, CPU_ARM64):
        raise ValueError("no Mach-O file for arm64")
    offset = 32
    for _ in range(count):
        command, size = struct.unpack_from("<2I", data, offset)
        yield command, offset
        offset += size


def text(data, offset):
    return data[offset : data.index(b"\0", offset)].decode()


def libraries(data):
    """Names of the libraries in the order in which symbols count them, from 1."""
    kinds = (LOAD_DYLIB, LOAD_WEAK_DYLIB, REEXPORT_DYLIB)
    places = [offset for kind, offset in commands(data) if kind in kinds]
    paths = [text(data, at + struct.unpack_from("<I", data, at + 8)[0]) for at in places]
    return [pathlib.PurePosixPath(path).name for path in paths]


def external_symbols(data):
    """Yields (name, defined, number of the library) of what is not the file's own."""
    for command, at in commands(data):
        if command != SYMTAB:
            continue
        table, count, strings, _ = struct.unpack_from("<4I", data, at + 8)
        for i in range(count):
            name, kind, _, description, value = struct.unpack_from("<IBBHQ", data, table + 16 * i)
            if kind & EXTERNAL and not kind & 0xE0:
                defined = kind & 0x0E != UNDEFINED or value != 0
                yield text(data, strings + name), defined, description >> 8


def wanted_by_program(data):
    """Sorted lines "library symbol"; a library of which nothing is wanted stands alone."""
    names = libraries(data)
    lines = [f"{names[n - 1]} {name}" for name, defined, n in external_symbols(data) if not defined]
    return sorted(set(lines) | set(names) - {line.split()[0] for line in lines})


def members(data):
    """Yields the object files of a static library."""
    at = len(ARCHIVE)
    while at < len(data):
        name, size = data[at : at + 16].decode().strip(), int(data[at + 48 : at + 58])
        skipped = int(name[3:]) if name.startswith("#1/") else 0
        content = data[at + 60 + skipped : at + 60 + size]
        if struct.unpack_from("<I", content.ljust(4, b"\0"))[0] == MAGIC:
            yield content
        at += 60 + size + size % 2


def wanted_by_library(data):
    """The symbols that no member defines."""
    symbols = [symbol for member in members(data) for symbol in external_symbols(member)]
    return {name for name, defined, _ in symbols if not defined} - {name for name, defined, _ in symbols if defined}


def compare_program(path, found, expected):
    lines = pathlib.Path(expected).read_text().splitlines()
    difference = list(difflib.unified_diff(lines, found, expected, path, lineterm="", n=0))
    hint = f"If that is right: python {sys.argv[0]} {path} > {expected}"
    return "\n".join([*difference, hint]) if difference else ""


def compare_library(path, found, expected):
    known = {line.split()[-1] for line in pathlib.Path(expected).read_text().splitlines()}
    return "\n".join(f"{path}: {name} is not in {expected}" for name in sorted(found - known))


def main(path, expected=None):
    data = pathlib.Path(path).read_bytes()
    is_library = data.startswith(ARCHIVE)
    found = wanted_by_library(data) if is_library else wanted_by_program(data)
    if expected is None:
        return print("\n".join(found))
    if not found:
        sys.exit(f"{path}: no symbols")
    wrong = (compare_library if is_library else compare_program)(path, found, expected)
    if wrong:
        sys.exit(wrong)
    print(f"  {path}: the {len(found)} symbols that it wants are as expected")


if __name__ == "__main__":
    main(*sys.argv[1:])
