"""docs/kernels.md and docs/kernels/: their figures against their formulas, their commands run; links of all pages.

tests/test_kernels.py compares their numpy with the kernels.
"""

import re
import subprocess

import pytest

import launches
from library import BUILD, ROOT, kernel_table
from pages import FIRST, FORMATS, PAGES
from pages import TEXT as PAGE

GPT2 = {"L": 12, "C": 768, "nh": 12, "hs": 64, "inner": 3072, "V": 50257, "context": 1024}


# --- what is there ---


def sections():
    """Headings of the pages of kernels, and what is below them."""
    parts = re.split(r"^## (.*)\n", PAGE, flags=re.M)[1:]
    return {heading: text for heading, text in zip(parts[::2], parts[1::2]) if re.match(r"`\w+_", heading)}


def test_every_kernel_has_a_section():
    """In whose heading are its name, or the beginning of it, and its file; it has a row of costs."""
    for kernel, path in launches.kernel_files().items():
        mine = "".join(heading for heading in sections() if f"(../../{path.relative_to(ROOT)})" in heading)
        names = [name.removesuffix("_") for name in re.findall(r"`(\w+)\*?`", mine)]
        assert launches.longest_beginning(kernel, names), kernel
    assert all("| bytes | `" in text for text in sections().values())


def test_the_table_of_formats_has_their_kernels():
    for format, (_, weights, kernels) in FORMATS.items():
        named = {kernel for kernel in launches.kernel_files() if kernel.endswith(f"_{format}")}
        assert set(kernels) == named if weights > 1 else set(kernels) <= set(launches.kernel_files())


def test_the_first_page_lists_the_others():
    listed = re.findall(r"^\| \[[^]]*\]\((kernels/\w+\.md)\) \|", PAGES[FIRST], re.M)
    assert {FIRST, ROOT / "docs/kernels/targets.md"} | {FIRST.parent / name for name in listed} == set(PAGES)


# --- figures ---


def scaled(value, unit=""):
    """Three digits, a prefix, the unit: 12.3 kB."""
    for prefix in ("", "k", "M", "G"):
        if float(f"{value:.3g}") < 1000:
            break
        value /= 1000
    digits = f"{value:.3g}"
    return f"{digits} {prefix}{unit}".strip()


def at(T, format="f32"):
    """What the formulas of the pages may name. While decoding the cache holds 512 tokens, the new one
    included; seen: keys that the queries of one head see, all together."""
    block, weights, _ = FORMATS[format]
    seen = sum(range(1, T + 1)) if T > 1 else 512
    return GPT2 | {"T": T, "S": 512, "capacity": 1024, "seen": seen, "w": block / weights}


COSTS = re.findall(
    r"^\| GPT-2 124M \| \| T = (\d+) \| T = (\d+) \|\n.*\n"
    r"\| bytes \| `(.+)` \| (.+) \| (.+) \|\n"
    r"\| flops \| `(.+)` \| (.+) \| (.+) \|\n"
    r"\| flops per byte \| \| (.+) \| (.+) \|$",
    PAGE, re.M,
)  # fmt: skip


@pytest.mark.parametrize("cost", COSTS)
def test_costs(cost):
    """A column for each of two T; – where the kernel is not run."""
    for column in (0, 1):
        bytes, flops = (eval(formula, at(int(cost[column]))) for formula in (cost[2], cost[5]))
        ratio = f"{float(f'{flops / bytes:.2g}'):g}"
        shown = [cost[row + column] for row in (3, 6, 8)]
        assert shown in (["–"] * 3, [scaled(bytes, "B"), scaled(flops), ratio])


SIZES = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| ([^|]+) \|$", PAGE, re.M)


@pytest.mark.parametrize("label, formula, figure", SIZES)
def test_sizes(label, formula, figure):
    assert figure == scaled(eval(formula, at(1)), "B" if label.startswith("bytes") else "")


@pytest.mark.parametrize("format", FORMATS)
def test_bytes_of_formats(format):
    row = re.search(rf"^\| `{format}` \| .*$", PAGE, re.M)[0]
    assert row.endswith(f"| {scaled(eval('w * (12*L*C*C + V*C)', at(1, format)), 'B')} |")


# --- commands ---

COMMANDS = re.findall(r"^```console\n\$ (build/bind [^\n]*|build/metal-llm kernels)\n(.*?)^```", PAGE, re.M | re.S)


@pytest.mark.parametrize("command, shown", COMMANDS, ids=[command for command, _ in COMMANDS])
def test_commands_print_what_the_pages_show(command, shown):
    """Line after line; … stands for lines that are left out."""
    program, *arguments = command.split()
    words = [str(BUILD / program.removeprefix("build/")), *arguments]
    output = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    lines = iter(output.splitlines())
    for line in shown.splitlines():
        assert line == "…" or line in lines


# --- what runs where ---

AT_WORK = re.findall(r"^\| `(\w+\.metal)`: `(\w+)` \| `(-.*)` \|$", PAGE, re.M)


@pytest.mark.parametrize("file, kernel, options", AT_WORK)
def test_a_file_at_work(file, kernel, options, library):
    """Each row's command, on the model in the program."""
    assert kernel_table(library)[kernel].file.decode() == file
    command = [BUILD / "metal-llm", "run", "Once upon a time", "-n", "2", "--profile", *options.split()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    assert re.search(rf"^{kernel} +\d+ ", result.stderr, re.M), result.stderr


def test_a_prompt_that_is_dequantised():
    prompt = "Once upon a time there was a little girl. " * 20
    command = [
        BUILD / "metal-llm",
        "run",
        prompt,
        "-n",
        "1",
        "--profile",
        "--device",
        "cpu",
        "--integer-products",
        "off",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert re.search(r"^dequantise_q8_0 +\d+ ", result.stderr, re.M), result.stderr


# Which the program has no model of.
OF_OTHER_MODELS = {"rmsnorm.metal", "sandwich_norm.metal", "gated_activation.metal", "head_norm.metal", "rope.metal"}


def test_every_file_of_the_learning_path_is_at_work():
    files = {path.name for path in (ROOT / "kernels").glob("*.metal")}
    assert {file for file, _, _ in AT_WORK} | {"cross_entropy.metal", "dequantise.metal"} | OF_OTHER_MODELS == files


def test_every_primitive_that_a_target_replaces_is_on_a_page():
    """With the functions that its plain definition has, and whose they are."""
    replaced = {}
    for path in ROOT.glob("msl/*/parts/*.h"):
        replaced.setdefault(path.name, set()).add(str(path.relative_to(ROOT)))
    rows = re.findall(r"^\| \[parts/(\w+\.h)\]\(\.\./\.\./kernels/parts/\1\) \| (.*?): .* \| (.*) \|$", PAGE, re.M)
    assert {name for name, _, _ in rows} == set(replaced)
    for name, functions, targets in rows:
        plain = (ROOT / "kernels/parts" / name).read_text()
        assert set(re.findall(r"\]\(\.\./\.\./(msl/[^)]*)\)", targets)) == replaced[name]
        assert set(re.findall(r"`(\w+)`", functions)) == set(re.findall(r"\bstatic \w+ (\w+)\(", plain))


# --- links ---


def anchors(text):
    """The headings as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    plain = (re.sub(r"\]\([^)]*\)|[^\w\- ]", "", heading) for heading in headings)
    return {heading.lower().replace(" ", "-") for heading in plain}


PROSE = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").glob("*.md")]


@pytest.mark.parametrize("page", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text()
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not heading or heading in anchors(target.read_text()), link


# --- the kernels' files ---


def test_the_host_names_every_kernel():
    """None is left over: what is nowhere to be chosen is nowhere to be run."""
    command = ["cc", "-E", "-P", "-D_GNU_SOURCE", "-Isrc", "-Iinclude", "-I", BUILD, *ROOT.glob("src/ops/*.c")]
    host = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = set(re.findall(r'"(\w+)"', re.sub(r'"\s*"', "", host)))  # "linear_" "f16" is one
    assert set(launches.kernel_files()) - names == set()


def test_kernels_name_no_target():
    words = r"\b(CUDA|NVRTC|WAITS_ITSELF|KERNELS_OVERLAP|MSL_\w+|__\w+__)\b"
    for path in [*(ROOT / "kernels").rglob("*.metal"), *(ROOT / "kernels").rglob("*.h")]:
        assert not re.search(words, path.read_text()), path


MOST_LINES = 5900  # of all kernels; GPT-2 alone takes 3,000


def lines(paths):
    return {path.name: len(path.read_text().splitlines()) for path in paths}


def test_how_long_kernels_are():
    """A file of the learning path is read in five minutes, and all of them in an evening."""
    kernels = ROOT / "kernels"
    assert {name: n for name, n in lines(kernels.glob("*.metal")).items() if n > 100} == {}
    assert {name: n for name, n in lines(kernels.glob("fast/*")).items() if n > 200} == {}
    assert {
        name: n for name, n in lines([*kernels.glob("parts/*"), *kernels.glob("formats/*")]).items() if n > 110
    } == {}
    assert sum(len(path.read_text().splitlines()) for path in kernels.rglob("*.*")) <= MOST_LINES


def test_every_file_of_tests_is_on_the_page():
    page = (ROOT / "docs/testing.md").read_text()
    assert re.findall(r"\[(test_\w+\.py)\]", page) == sorted(path.name for path in (ROOT / "tests").glob("test_*.py"))


def test_every_command_of_the_page_is_there():
    page = (ROOT / "docs/testing.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`make ([\w-]+)", page))
    assert targets and {target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()
    steps = re.findall(r"^step make (.*)", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert {step.split()[0] for step in steps} <= targets
