"""How many kernels of other people's projects metal-check takes.

    python tests/census.py [-I FOLDER] [-D NAME=VALUE] [-include FILE] [-v] FOLDER_OR_FILE…

Counted are kernel functions: of a template one instance is compiled and launched once, on arguments
made up here. One that is skipped counts as failed. The table has a row for each argument.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess

METAL_CHECK = pathlib.Path(os.environ.get("BUILD", "build")) / "metal-check"
SUFFIXES = {".metal", ".comp", ".msl"}
APART = re.compile(r"MetalPerformancePrimitives|metal_tensor|tensor_ops|raytracing")
SCRATCH = 32768
ELEMENTS = {"float": "f32", "half": "f16", "bfloat": "u16", "size_t": "u64"}
for bits, name in ((16, "short"), (32, "int"), (64, "long")):
    ELEMENTS |= {name: f"i{bits}", f"u{name}": f"u{bits}", f"int{bits}_t": f"i{bits}", f"uint{bits}_t": f"u{bits}"}


def call(path, *options, timeout=180):
    command = [METAL_CHECK, path, *map(str, options)]
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 2, "", "timeout")


def listed(path, flags):
    """What --list tells, or why it cannot."""
    result = call(path, "--list", "--json", *flags)
    return (json.loads(result.stdout), "") if result.returncode == 0 else (None, result.stderr)


# Extents of an image, and what its texels may be.
SHAPES = {
    "texture1d": "8", "texture1d_array": "4x8", "texture_buffer": "64", "texture2d": "8x8", "texture2d_array": "4x8x8",
    "texture3d": "4x8x8", "texturecube": "6x8x8", "texturecube_array": "12x8x8", "depth2d": "8x8", "depth2d_array": "4x8x8",
    "texture2d_ms": "4x8x8", "depth2d_ms": "4x8x8", "depthcube": "6x8x8", "depthcube_array": "12x8x8",
}  # fmt: skip
TEXELS = {"uint": "u32", "ushort": "u16", "int": "i32", "short": "i16"}
DEEPEST = 4


def image(type):
    """Zeros for a texture, as far as its type says what it is."""
    name, _, texel = re.sub(r"^(metal::)?(array<)?(metal::)?", "", type).partition("<")
    channels = "" if name.startswith("depth") else "x4"
    return f"zeros:{TEXELS.get(re.split('[,>]', texel)[0], 'f32')}:{SHAPES.get(name, '8x8')}{channels}"


def elements(type):
    element = re.sub(r"^(metal::)?(packed_|atomic_)?|([234]x)?[234]$", "", type)
    return f"zeros:{ELEMENTS.get(element, 'u8')}:65536"


def members(target, type, structs, depth=0):
    """Options that bind what an argument buffer leads to; its other members are zeros."""
    for member in structs.get(type.split("::")[-1], []) if depth < DEEPEST else []:
        count = member["count"] or 1
        for name in [f"{member['name']}[{i}]" for i in range(count)] if count > 1 else [member["name"]]:
            path = f"{target}.{name}"
            inner = member["type"].split("::")[-1] in structs
            if member["kind"] == "texture":
                yield from ("--texture", f"{path}={image(member['type'])}")
            elif member["kind"] == "sampler":
                yield from ("--sampler", f"{path}=linear")
            elif inner:
                yield from members(path, member["type"], structs, depth + 1)
            elif member["kind"] == "buffer":
                yield from ("--buffer", f"{path}={elements(member['type'])}")


def automatic(kernel, found):
    """Options that bind every parameter: zeros, and as much threadgroup memory as there is."""
    scratch = [p for p in kernel["parameters"] if p["kind"] == "threadgroup"]
    for parameter in kernel["parameters"]:
        index, type = parameter["index"], parameter["type"]
        extent = re.search(r"array<.*,\s*(\d+)>$", type)
        if parameter["kind"] == "threadgroup":
            yield from ("--threadgroup-memory", f"{index}={SCRATCH // len(scratch) // 16 * 16}")
        elif parameter["kind"] in ("texture", "sampler"):
            for i in range(index, index + int(extent.group(1) if extent else 1)):
                yield from (
                    ("--texture", f"{i}={image(type)}")
                    if parameter["kind"] == "texture"
                    else ("--sampler", f"{i}=linear")
                )
        else:
            yield from ("--buffer", f"{index}={elements(type)}")
            yield from members(index, type, found["structs"])
    for constant in found["constants"]:
        yield from ("--constant", f"{constant['index']}={0 if constant['type'] == 'bool' else 1}")


def launch(path, kernel, found, flags):
    """ "" if the kernel was compiled and launched, else why not."""
    if "refused" in kernel:
        return kernel["refused"]
    options = ["--grid", 32, "--threads", 32, "--seeds", 1, "--time-limit", 20]
    bound = list(automatic(kernel, found))
    for _ in range(4):  # of a template's textures only the compiler knows the texels
        result = call(path, "--kernel", kernel["name"], *options, *bound, *flags)
        other = re.search(
            r"--texture (\S+?)=zeros:\S*: .* in a (?:\S+)<(\w+)>; give (?:f32|(?:u8, u16 or )?(\w+))", result.stderr
        )
        texels = TEXELS.get(other.group(2), "f32") if other else ""
        if result.returncode in (0, 1) or not other:
            break
        bound = [
            re.sub(rf"^{re.escape(other.group(1))}=zeros:\w+:", f"{other.group(1)}=zeros:{texels}:", word)
            for word in bound
        ]
    return "" if result.returncode in (0, 1) else result.stderr


def functions(found):
    """One kernel of each function: of a template the first instance."""
    chosen = {}
    for kernel in found["kernels"]:
        chosen.setdefault(kernel["function"].split("<")[0], kernel)
    for name in found["templates"]:
        chosen.setdefault(name, {"name": name, "refused": "a template without instances"})
    return chosen.values()


def reason(text):
    lines = [line for line in text.splitlines() if ": error: " in line or line.startswith("metal-check: ")]
    return (lines or text.splitlines() or ["nothing"])[0].strip()


def files(argument):
    path = pathlib.Path(argument)
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES)


def census(argument, flags, pool):
    """(path, kernel's name, reason) of every kernel; of a file that cannot be read at all, of the file."""
    opened = {path: pool.submit(listed, path, flags) for path in files(argument)}
    runs = []
    for path, future in opened.items():
        found, error = future.result()
        if not found:
            if re.search(r"\bkernel\b|\[\[kernel", path.read_text(errors="replace")):
                runs.append((path, "", error))
            continue
        for kernel in functions(found):
            runs.append((path, kernel["name"], pool.submit(launch, path, kernel, found, flags)))
    return [(path, name, run if isinstance(run, str) else run.result()) for path, name, run in runs]


def is_apart(path):
    return bool(APART.search(path.read_text(errors="replace")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("-I", action="append", default=[])
    parser.add_argument("-D", action="append", default=[])
    parser.add_argument("-include", action="append", default=[])
    parser.add_argument("-v", action="store_true", help="each kernel that is not run, and why")
    parser.add_argument("-j", type=int, default=os.cpu_count())
    options = parser.parse_args()
    flags = [flag for folder in options.I for flag in ("-I", folder)]
    flags += [flag for macro in options.D for flag in ("-D", macro)]
    flags += [flag for path in options.include for flag in ("-include", path)]
    print("| project | kernels | launched | share | apart |\n|---|---|---|---|---|")
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        for argument in options.paths:
            runs = census(argument, flags, pool)
            apart = [run for run in runs if run[2] and is_apart(run[0])]
            counted = [run for run in runs if run not in apart]
            failed = [run for run in counted if run[2]]
            launched, share = len(counted) - len(failed), 1 - len(failed) / max(1, len(counted))
            row = [pathlib.Path(argument).name, len(counted), launched, f"{share:.1%}", len(apart)]
            print(f"| {' | '.join(map(str, row))} |", flush=True)
            if options.v:
                for path, name, why in failed:
                    print(f"    {path}: {name}: {reason(why)}")
                for why, count in collections.Counter(
                    re.sub(r"^\S+: ", "", reason(run[2])) for run in failed
                ).most_common(40):
                    print(f"    {count:4} × {why}")


if __name__ == "__main__":
    main()
