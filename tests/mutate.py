"""Mutation test: every barrier, bounds guard and initialiser of kernels/ is taken out in turn, and
metal-check must notice, on the kernels of the file or of those that include it.

    python tests/mutate.py [--shapes 100] [--one-in 1] [--verbose] [FILE …]

A mutant counts as equivalent only if the compiler makes the same object code of it, or if
tests/mutants.txt proves it. Of the others 95% must be caught; those that are not are printed. The seed
is printed; set SEED to repeat a run.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent / "support"))

import checker
import launches
from library import ROOT
from toolchain import KERNELS, bind, clangxx, kernel_files, kernels_of

PASS = 0.95
PROOFS = ROOT / "tests/mutants.txt"


@dataclasses.dataclass
class Mutant:
    kind: str
    line: int  # from 1
    before: str  # the line, without blanks at its ends
    after: str
    text: str  # the whole file

    def __str__(self):
        return f"{self.kind}: {self.before}  →  {self.after}"


# --- making mutants ---


def closing(text, at):
    """Where the parenthesis that opens at text[at] closes."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i
    raise ValueError("unbalanced parentheses")


def split_top(text, separator):
    """text at each separator outside of parentheses."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        if depth == 0 and text.startswith(separator, i):
            parts.append(text[start:i])
            start = i + len(separator)
    return [*parts, text[start:]]


def barriers(code):
    """Spans and what takes their place."""
    for match in re.finditer(r"\b(threadgroup|simdgroup)_barrier(?=\()", code):
        yield match.start(), closing(code, match.end()) + 1, ""


def guards(code):
    """Conditions of if that compare with <, <=, > or >= and either return or protect an access: the
    whole condition, and each part of one that has several."""
    for match in re.finditer(r"\bif (?=\()", code):
        begin, end = match.end(), closing(code, match.end())
        condition, rest = code[begin + 1 : end], code[end + 1 :]
        returns = re.match(r"\s*return;", rest)
        protects = re.match(r"\s*\{?\s*\w+\[", rest)
        if not (returns or protects) or not re.search(r"[<>]", condition):
            continue
        yield begin, end + 1, "(false)" if returns else "(true)"
        parts = split_top(condition, " || " if returns else " && ")
        for i in range(len(parts) if len(parts) > 1 else 0):
            if not re.search(r"[<>]", parts[i]):
                continue
            others = (" || " if returns else " && ").join(parts[:i] + parts[i + 1 :])
            yield begin, end + 1, f"({others})"


def clamps(code):
    """An index that is kept inside by min(index, size − 1)."""
    for match in re.finditer(r"\bmin(?=\()", code):
        end = closing(code, match.end())
        parts = split_top(code[match.end() + 1 : end], ", ")
        if len(parts) == 2 and re.fullmatch(r"\w+ - 1", parts[1]):
            yield match.start(), end + 1, f"({parts[0]})"


TYPES = r"(?:float|uint|int|ulong|long|half|bool|ushort|uchar)"
POINTERS = r"(?:device|threadgroup|constant|thread)(?: const)? \w+ \*(?=\w+ =)"


def initialisers(code):
    """What a variable or an array element starts with: declarations, also several at once and those in
    for, and an array's assignments of a constant. (Setting a variable back is no initialiser: without
    that a kernel computes something else, but breaks no rule.)"""
    for match in re.finditer(rf"\b{TYPES} (?=\w+ =)|{POINTERS}", code):
        if re.search(r"const(expr)? $", code[: match.start()]):
            continue
        end = code.index(";", match.end())
        at = match.end()
        for part in split_top(code[at:end], ","):
            name, equals, _ = part.partition(" = ")
            if equals:
                yield at + len(name), at + len(part), ""
            at += len(part) + 1
    for match in re.finditer(r"(?<=[;{}\n)])\s*([\w]+(?:\[[^\]=]+\])+) = (-?[\w.]+);", code):
        if re.fullmatch(r"-?(INFINITY|[\d.]+f?)", match.group(2)):
            yield match.start(1), match.end() - 1, ""


def without_comments(text):
    """Comments become blanks, so that offsets stay."""
    return re.sub(r"//[^\n]*", lambda match: " " * len(match.group()), text)


def make_mutants(text):
    code = without_comments(text)
    start = max(0, code.find("using namespace metal;"))  # which a header has not
    body = " " * start + code[start:]
    for kind, find in [
        ("barrier", barriers),
        ("guard", guards),
        ("guard", clamps),
        ("initialiser", initialisers),
    ]:
        for begin, end, insert in find(body):
            newlines = "\n" * text.count("\n", begin, end)
            mutated = text[:begin] + insert + newlines + text[end:]
            line = text.count("\n", 0, begin)
            lines = [without_comments(t).splitlines()[line].strip() for t in (text, mutated)]
            yield Mutant(kind, line + 1, *lines, mutated)


# --- judging them ---


def users(path):
    """The .metal files that a mutant of this file changes: itself, or those that include the header."""
    if path.suffix == ".metal":
        return [path]
    name = f'#include "{path.relative_to(KERNELS)}"'
    including = [file for file in source_files() if name in file.read_text()]
    return sorted({user for file in including for user in users(file)})


def source_files():
    return kernel_files() + sorted(KERNELS.glob("*/*.h"))


def copy_kernels(folder, path=None, text=None):
    """kernels/ in a folder of its own, one file of it replaced."""
    shutil.copytree(KERNELS, folder)
    if path:
        (folder / path.relative_to(KERNELS)).write_text(text)


def object_code(folder, path):
    """Assembler of the optimised kernels, without debug information or the folder's name; None if they do
    not compile."""
    source = folder / "object.cpp"
    source.write_text(bind("source", folder / path.relative_to(KERNELS), kernels=folder))
    msl = ROOT / "msl"
    command = [
        clangxx(),
        "--config",
        msl / "simt/flags",
        "-O2",
        "-g0",
        "-w",
        f"-I{msl}/simt",
        f"-I{msl}/common",
    ]
    command += ["-DMSL_PREFIX=simt", "-S", "-o", "-", source]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        return None
    return re.sub(r"\n\s*\.(file|ident)[^\n]*", "", result.stdout).replace(str(folder), "")


def read_proofs():
    """The proven mutants: {(file, before, after): proof}."""
    proofs = {}
    for entry in PROOFS.read_text().split("\n\n"):
        lines = [line for line in entry.splitlines() if not line.startswith("#")]
        if lines:
            file, before, after, *proof = lines
            assert proof, f"{PROOFS}: no proof for {before}"
            proofs[file, before.strip(), after.strip()] = " ".join(proof)
    return proofs


def catch(folder, targets, random, shapes):
    """The first finding on random launches of the targets, (file, kernel) each; None if there is none."""
    for shape in range(shapes):
        for path, kernel in targets:
            launch = launches.random_launch(kernel, random, folder / path.relative_to(KERNELS))
            found = checker.check(
                launch, "--seeds", 1 + shape % 2, "--seed", int(random.integers(2**32)),
                "--cache", folder.parent / "cache", "--time-limit", 5, kernels=folder,
            )  # fmt: skip
            if found:
                return found[0]
    return None


def judge(path, mutant, originals, proofs, random, shapes, folder):
    """caught, identical, proven or survived, and what tells."""
    copy_kernels(folder, path, mutant.text)
    changed = [user for user in users(path) if object_code(folder, user) != originals[user]]
    if not changed:
        return "identical", ""
    targets = [(user, kernel) for user in changed for kernel in affected(user, path, mutant.line)]
    found = catch(folder, targets, random, shapes)
    if found:
        return "caught", f"{found['kind']} in line {found['at']['line']}"
    proof = proofs.get((path.name, mutant.before, mutant.after))
    return ("proven", proof) if proof else ("survived", "")


def affected(user, path, line):
    """The kernels of a file that a mutant of this line of `path` may change: the one that holds the line, or
    all behind it when it is in a helper function; all when it is in a header."""
    starts = [(i, name) for name, _, i in kernels_of(user)]
    if path != user:
        return [name for _, name in starts]
    text = path.read_text().splitlines()
    head = line
    while head > 1 and not re.match(r"(kernel|static|template)\b", text[head - 1]):
        head -= 1
    inside = [name for i, name in starts if i == head]
    return inside or [name for i, name in starts if i > line] or [name for _, name in starts]


def mutate(path, proofs, seed, shapes, one_in, pool, folder):
    """The file's mutants with what became of each: (mutant, verdict, why)."""
    mutants = list(make_mutants(path.read_text()))[seed % one_in :: one_in]
    own_folder = lambda number: folder / f"{number:06}"  # of one length: messages hold the path
    copy_kernels(own_folder(0))
    originals = {user: object_code(own_folder(0), user) for user in users(path) if mutants}

    def judged(numbered):
        number, mutant = numbered
        random = numpy.random.default_rng([seed, *mutant.text[:999].encode(), mutant.line])
        verdict = judge(path, mutant, originals, proofs, random, shapes, own_folder(number))
        shutil.rmtree(own_folder(number))
        return mutant, *verdict

    yield from pool.map(judged, enumerate(mutants, 1))
    shutil.rmtree(own_folder(0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=int, default=100, help="random shapes that a mutant must survive")
    parser.add_argument("--one-in", type=int, default=1, help="of so many mutants one, by the seed")
    parser.add_argument("--verbose", action="store_true", help="print every mutant")
    parser.add_argument("files", nargs="*", help="all of kernels/ by default")
    options = parser.parse_args()
    seed = int(os.environ.get("SEED", secrets.randbits(32)))
    print(f"SEED={seed}")
    paths = [Path(file).resolve() for file in options.files] or source_files()
    proofs, total = read_proofs(), collections.Counter()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path in paths:
            for mutant, verdict, why in mutate(path, proofs, seed, options.shapes, options.one_in, pool, Path(folder)):
                total[mutant.kind, verdict] += 1
                if options.verbose or verdict == "survived":
                    print(f"{path.name}:{mutant.line}: {verdict}: {mutant} {why}", flush=True)
    verdicts = ["caught", "survived", "identical", "proven"]
    print(f"{'':12}" + "".join(f"{verdict:>10}" for verdict in verdicts))
    for kind in ["barrier", "guard", "initialiser"]:
        print(f"{kind:12}" + "".join(f"{total[kind, verdict]:10}" for verdict in verdicts))
    caught, survived = (sum(n for (_, v), n in total.items() if v == verdict) for verdict in verdicts[:2])
    score = caught / max(1, caught + survived)
    print(f"{caught} of {caught + survived} mutants caught: {100 * score:.1f}%")
    sys.exit(0 if score >= PASS else 1)


if __name__ == "__main__":
    main()
