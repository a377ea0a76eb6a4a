"""docs/apple.md: beside everything of Apple's that the sources use stands a project that ships with the same, or the
document that says so. What is used is read from the sources; a row is neither missing nor left over."""

import re

import pytest

from library import ROOT

PAGE = (ROOT / "docs" / "apple.md").read_text()
PROJECTS = dict(re.findall(r"^\| \*\*(.+?)\*\* \| (.*) \|$", PAGE, re.MULTILINE))


def section(title):
    """The rows of a section's table as (first cell, last cell)."""
    text = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("|")
    ]
    return [(row[0], row[-1]) for row in rows[2:]]


def listed(title):
    """Everything in backticks in the first cells."""
    return [name for first, _ in section(title) for name in re.findall(r"`([^`]+)`", first)]


LANGUAGE, CALLS = "The language of the kernels", "Calls of Apple's frameworks"


@pytest.mark.parametrize("title", [LANGUAGE, CALLS])
def test_each_row_has_evidence(title):
    """A project of the list with a file of it, or a document."""
    for first, evidence in section(title):
        named = [name for name in PROJECTS if re.search(rf"\b{re.escape(name)}\b", evidence)]
        assert named and ("`" in evidence or {"Specification", "Documentation"} & set(named)), first


# --- the kernels' language ---


def kernel_text():
    """All of kernels/ without comments."""
    paths = sorted(path for path in (ROOT / "kernels").rglob("*") if path.suffix in (".metal", ".h"))
    return "\n".join(re.sub(r"//.*", "", path.read_text()) for path in paths)


def declared_by_metal():
    """Every name in what stands for Metal's headers in the strict check, which refuses all others."""
    texts = [(ROOT / "msl/strict" / name).read_text() for name in ("metal_stdlib", "metal_matrix", "metal_type_traits")]
    return set(re.findall(r"\b[A-Za-z_]\w*", re.sub(r"/\*.*?\*/", "", "".join(texts), flags=re.DOTALL)))


VECTOR = r"\b(?:bool|u?char|u?short|u?int|u?long|half|float)[234]?\b"
MATRIX = r"\bsimdgroup_(?:float|half)8x8\b"
WORDS = """kernel device constant threadgroup thread constexpr template typename decltype using namespace typedef
    struct enum static static_assert sizeof auto""".split()


def directives(text):
    for name, rest in re.findall(r"^[ \t]*#[ \t]*(\w+)(.*)", text, re.MULTILINE):
        first = re.match(r"[ \t]*(once|unroll(?:\()?|<metal_stdlib>|\")?", rest)[1] or ""
        yield f"#{name} {first}".strip().replace("unroll(", "unroll(n)").replace('"', '"…"')


def functions(text):
    """Called, not defined here, and of Metal."""
    called = set(re.findall(r"(?<![\w:])([a-z]\w*)\s*(?:<[\w, ]*>)?\s*\(", text))
    defined = set(re.findall(r"(?:^|[\w>*&]\s)\s*[*&]?(\w+)\s*\([^;{}]*\)\s*\{", text, re.MULTILINE))
    names = called & declared_by_metal() - defined - {*WORDS, "return"}
    return {name for name in names if not re.fullmatch(f"{VECTOR}|{MATRIX}", name)}


POINTER = re.compile(
    r"""(?P<open>\()? \b(?P<space>device|constant|threadgroup|thread) \s+ (?:const\s+)? [\w:]+ (?:<[\w,\s]*>)? \s*
        (?P<kind> \* \s* (?:const\s+)? thread \s* \* | \* | & | \(& \w* \) | \(\* \w* \))
        (?P<cast> \s* \) \s* [\w(&])?""",
    re.VERBOSE,
)


def pointers(text):
    """How parameters, variables and casts name memory: the type is T, const is left out."""
    for match in POINTER.finditer(text):
        space, kind = match["space"], match["kind"]
        if "thread" in kind:
            yield f"{space} T * thread *"
        elif kind[0] == "(":
            yield f"{space} T ({kind[1]})[n]"
        elif match["open"] and match["cast"]:
            yield f"({space} T *)"
        else:
            yield f"{space} T {kind}"


def language(text):
    yield from (f"[[{name}]]" for name in re.findall(r"\[\[(\w+)", text))
    yield from directives(text)
    yield from (word for word in WORDS if re.search(rf"\b{word}\b", text))
    yield from re.findall(VECTOR, text)
    yield from re.findall(rf"{MATRIX}|\b(?:INFINITY|NAN|FLT_MAX)\b|\bmem_flags::\w+", text)
    yield from re.findall(r"\b(?:precise|fast)::\w+", text)
    yield from (name + "()" for name in functions(text))
    yield from pointers(text)
    yield from ["enum : uint"] if re.search(r"enum\s*:\s*uint", text) else []


def test_the_language_is_listed():
    used, rows = set(language(kernel_text())), listed(LANGUAGE)
    assert sorted(used - set(rows)) == [] and sorted(set(rows) - used) == []
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(
    "text, construct",
    [
        ("float f(float x) { return sincospi(x); }\n", None),
        ("void f(threadgroup float (*rows)[4]);", "threadgroup T (*)[n]"),
        ("void f(thread float (&sum)[2][4]);", "thread T (&)[n]"),
        ("x = *(device const uint *)(bytes + 4);", "(device T *)"),
        ("#pragma unroll(4)", "#pragma unroll(n)"),
        ("uint i [[thread_position_in_grid]]", "[[thread_position_in_grid]]"),
        ("y = simd_prefix_inclusive_sum(x);", "simd_prefix_inclusive_sum()"),
        ("y = fast::pow(x, y);", "fast::pow"),
    ],
)
def test_a_construct_is_seen(text, construct):
    """Also one that no kernel uses yet."""
    found = set(language(text))
    assert construct in found if construct else not {name for name in found if name.endswith("()")}


# --- calls of the frameworks ---


def calls():
    """Classes, selectors, functions, structures and constants of src/device/metal_*.[ch]."""
    texts = {path.name: path.read_text() for path in sorted((ROOT / "src/device").glob("metal_*.[ch]"))}
    header = texts["metal_objc.h"]
    table = header.split("#define METAL_MESSAGES")[1].split("\n\n")[0].replace("\\\n", " ")
    table = re.sub(r'"\s+"', "", table)
    for owner, selector in re.findall(r'MESSAGE\(\s*(\w+),[^"]*?"([\w:]+)"', table):
        yield f"{owner} {selector}"
    for text in texts.values():
        yield from re.findall(r'metal_class\("(\w+)"\)', text)
        yield from re.findall(r"^(?:extern )?[\w ]+?\*?((?:objc_|sel_|MTL|MPS)\w+)\([^)]*\);", text, re.MULTILINE)
    yield from re.findall(r"^    M\w+ = [^,]*,\s*/\* (M\w+) \*/", header, re.MULTILINE)
    yield "MTLSize"


def test_the_calls_are_listed():
    used, rows = set(calls()), listed(CALLS)
    assert len(used) > 50
    assert sorted(used - set(rows)) == [] and sorted(set(rows) - used) == []
