"""Writes unicode_tables.c, from what this Python knows of Unicode: unicode_tables.py > unicode_tables.c"""

import unicodedata

CHARACTERS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def runs(members):
    """(first, last, stride) of sorted numbers, the strides 1 or 2."""
    result = []
    for c in members:
        if result:
            first, last, stride = result[-1]
            if (first == last and c - last <= 2) or c - last == stride:
                result[-1] = (first, c, c - last)
                continue
        result.append((c, c, 1))
    return result


def write_set(name, holds):
    print(f"const UnicodeRun unicode_{name}[] = {{")
    for first, last, stride in runs([c for c in CHARACTERS if holds(chr(c))]):
        print(f"    {{0x{first:x}, 0x{last:x}, {stride}, 0}},")
    print("    {UINT32_MAX, 0, 1, 0},\n};\n")


def write_mapping(name, change):
    deltas = {}
    long = []
    for c in CHARACTERS:
        to = change(chr(c))
        if len(to) > 1:
            long.append((c, to))
        elif to != chr(c):
            deltas.setdefault(ord(to) - c, []).append(c)
    all_runs = sorted((run, delta) for delta, members in deltas.items() for run in runs(members))
    # Runs of stride 2 interleave with others: those are cut into single characters.
    single = []
    for (first, last, stride), delta in all_runs:
        overlaps = any(o[0] <= last and first <= o[1] for o, d in all_runs if (o, d) != ((first, last, stride), delta))
        single += [((c, c, 1), delta) for c in range(first, last + 1, stride)] if overlaps else [((first, last, stride), delta)]
    print(f"const UnicodeRun unicode_{name}[] = {{")
    for (first, last, stride), delta in sorted(single):
        print(f"    {{0x{first:x}, 0x{last:x}, {stride}, {delta}}},")
    print("    {UINT32_MAX, 0, 1, 0},\n};\n")
    print(f"const UnicodeExpansion unicode_{name}_long[] = {{")
    for c, to in long:
        print(f"    {{0x{c:x}, {{{', '.join(hex(ord(x)) for x in to)}}}}},")
    print("    {UINT32_MAX, {0}},\n};\n")


def is_cased(c):
    return (c + "a").title()[-1] == "a"


def is_ignored(c):
    return ("A" + c + "Σ").lower()[-1] == "ς" and (" " + c + "Σ").lower()[-1] == "σ"


print(f"/* Unicode {unicodedata.unidata_version}; written by unicode_tables.py. */")
print('#include "unicode_tables.h"\n')
print(f'const char unicode_version[] = "{unicodedata.unidata_version}";\n')
write_mapping("upper", str.upper)
write_mapping("lower", lambda c: "σ" if c == "Σ" else c.lower())
write_mapping("title", str.title)
write_set("is_upper", str.isupper)
write_set("is_lower", str.islower)
write_set("is_alpha", str.isalpha)
write_set("is_decimal", str.isdecimal)
write_set("is_digit", str.isdigit)
write_set("is_numeric", str.isnumeric)
write_set("is_cased", is_cased)
write_set("is_ignored", is_ignored)
write_set("is_hidden", lambda c: not c.isprintable())
