"""The Swift package, as far as a machine without Swift can tell: its sources, its module, its text."""

import re
import subprocess

from library import BUILD, ROOT
from toolchain import clangxx

PACKAGE = (ROOT / "Package.swift").read_text()
HEADER = (ROOT / "include/metal_llm.h").read_text()
MODULES = ["include", "swift/CJSON", "swift/PCRE2", "swift/UTF8Proc"]


def strings(argument):
    """The strings of a list in the package's target: exclude: ["…", …]."""
    found = re.search(rf"{argument}: \[(.*?)\]", PACKAGE, re.DOTALL)
    return re.findall(r'"([^"]*)"', found[1])


def package_sources():
    excluded = {ROOT / path for path in strings("exclude")}
    assert all(path.exists() for path in excluded)
    for path in map(ROOT.joinpath, strings("sources")):
        yield from set(path.rglob("*.c") if path.is_dir() else [path]) - excluded


def test_the_sources_are_those_of_the_library_for_ios():
    command = ["make", "--no-print-directory", "-s", "sources", "OS=iOS"]
    made = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    expected = {*made.split(), "swift/kernel_table.c"}
    assert {str(path.relative_to(ROOT)) for path in package_sources()} == expected


def test_the_kernels_are_those_of_the_program():
    ours, packaged = BUILD / "kernel_table.c", ROOT / "swift/kernel_table.c"
    assert ours.read_text() == packaged.read_text(), "the kernels have changed: run make swift"


def test_the_modules_compile(tmp_path):
    """Clang imports them as Swift's importer does."""
    source = tmp_path / "use.m"
    names = set(re.findall(r"\b(llm_\w+)\(", HEADER))
    uses = "".join(f"    used += (void *){name} != 0;\n" for name in sorted(names))
    imports = "@import MetalLLM;\n@import CJSON;\n@import PCRE2;\n@import UTF8Proc;\n"
    uses += "    used += (void *)cJSON_Delete != 0;\n    used += (void *)pcre2_match != 0;\n"
    uses += "    used += (void *)utf8proc_encode_char != 0;\n"
    source.write_text(f"{imports}int main(void) {{\n    int used = 0;\n{uses}    return used;\n}}\n")
    maps = [f"-fmodule-map-file={ROOT / folder}/module.modulemap" for folder in MODULES]
    clang = clangxx().replace("clang++", "clang")
    flags = ["-fmodules", f"-fmodules-cache-path={tmp_path}", "-fsyntax-only"]
    command = [clang, *flags, "-Werror", "-Wno-tautological-pointer-compare", *maps, source]
    assert len(names) > 10
    assert subprocess.run(command, capture_output=True, text=True).stderr == ""


def swift_texts():
    readme = (ROOT / "README.md").read_text()
    return [(ROOT / "examples/swift/main.swift").read_text(), *re.findall(r"```swift\n(.*?)```", readme, re.DOTALL)]


def test_the_examples_call_what_the_header_has():
    texts = swift_texts()
    assert len(texts) == 2
    for text in texts:
        calls = re.findall(r"\b(llm_\w+)\(([^()]*(?:\([^()]*\))?[^()]*)\)", text)
        assert len(calls) >= 5
        for name, arguments in calls:
            declared = re.search(rf"\b{name}\(([^)]*)\)", HEADER)
            assert declared, name
            assert arguments.count(",") == declared[1].count(","), name
