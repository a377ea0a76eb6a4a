"""docs/kernels.md and docs/kernels/: their numpy against the kernels, their figures against their formulas, their
commands run; links of all pages.

Each kernel has a numpy function of its own name there, whose parameters are named like the kernel's
(`in_` for `in`) and which returns what the kernel writes, in that order; the instances of a kernel
template, name_f32 and name_f16, share one. A weight format is a row of the table of formats and a
function dequantise_<format>.
"""

import inspect
import re
import subprocess

import numpy
import pytest

import launches
import models
import reference
from device import InOut, Out, simdgroups, threadgroups, threads
from library import BUILD, ROOT, Parameter, kernel_table

TOLERANCE = 1e-5
HALF_TOLERANCE = 1.1e-3  # the pages' numbers may be rounded to halves, too: one place apart
TILES_TOLERANCE = 6e-3  # of attention in halves, with scores of ten and more
FIRST = ROOT / "docs/kernels.md"
PAGES = {path: path.read_text() for path in [FIRST, *sorted((ROOT / "docs/kernels").glob("*.md"))]}
PAGE = "\n".join(PAGES.values())
GPT2 = {"L": 12, "C": 768, "nh": 12, "hs": 64, "inner": 3072, "V": 50257, "context": 1024}


def fenced(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def numpy_of_the_pages():
    functions = {}
    for code in fenced("python"):
        exec(code, functions)
    return functions


NUMPY = numpy_of_the_pages()


def formats_of_the_pages():
    """The rows of the table of formats: name → (bytes of a block, weights of a block, its kernels by what
    they are: linear, norm_linear, embedding_forward …)."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) bytes, (\d+) weights? \|.*$", PAGE, re.M)
    formats = {}
    for name, size, weights in rows:
        row = re.search(rf"^\| `{name}` \| .*$", PAGE, re.M)[0]
        names = re.findall(r"`([a-z]+_\w+)`", row)
        kernels = {kernel.removesuffix(f"_{name}"): kernel for kernel in names}
        formats[name] = int(size), int(weights), kernels
    return formats


FORMATS = formats_of_the_pages()


# --- random inputs of each kernel, by the names of its parameters; those of a template as floats ---

CASES = {}


def case(*kernels):
    """Registers a function random → (grid, inputs)."""

    def register(function):
        CASES.update(dict.fromkeys(kernels, function))
        return function

    return register


def normal(random, *shape):
    return random.normal(1, 2, shape).astype(numpy.float32)


def uints(values):
    return numpy.asarray(values, numpy.uint32)


def size(random, most):
    return int(random.integers(1, most + 1))


@case("layernorm_forward", "residual_layernorm")
def layernorm(random):
    N, C = size(random, 9), size(random, 300) + 9  # two may be so close that float32 allows less
    inputs = {name: normal(random, N, C) for name in ("x", "y")}
    inputs |= {name: normal(random, C) for name in ("weight", "bias", "y_bias")}
    return threadgroups(N), inputs | {"C": C, "epsilon": 1e-5}


@case("quantise_activations")
def quantise_activations(random):
    blocks = size(random, 40)
    return simdgroups(blocks), {"x": normal(random, 32 * blocks), "N": 32 * blocks}


@case("bias_gelu")
def bias_gelu(random):
    T, N = size(random, 9), size(random, 300)
    inputs = {"in_": normal(random, T, N), "bias": normal(random, N)}
    return threads(N, T), inputs | {"T": T, "N": N}


@case("gelu_forward", "convert_f16")
def elements(random):
    N = size(random, 1000)
    return threads(N), {"in_": normal(random, N), "N": N}


def attention_sizes(random):
    return {"T": size(random, 9), "nh": size(random, 3), "hs": 64, "capacity": 40, "B": size(random, 3)}


@case("split_heads")
def split_heads(random):
    sizes = attention_sizes(random)
    B, T, nh, hs, capacity = (sizes[name] for name in ("B", "T", "nh", "hs", "capacity"))
    inputs = {"qkv": normal(random, B, T, 3 * nh * hs), "bias": normal(random, 3 * nh * hs)}
    inputs |= {name: normal(random, B, nh, capacity, hs) for name in ("keys", "values")}
    inputs["lengths"] = uints(random.integers(0, capacity + 1, B))
    inputs["counts"] = uints(random.integers(0, T + 1, B))
    return threads(hs, T, B * nh), inputs | sizes


@case("merge_heads")
def merge_heads(random):
    sizes = attention_sizes(random)
    B, T, nh, hs = (sizes[name] for name in ("B", "T", "nh", "hs"))
    return threads(hs, T, B * nh), {"in_": normal(random, B, nh, T, hs)} | sizes


def attention(random):
    sizes = attention_sizes(random)
    B, T, nh, hs, capacity = (sizes[name] for name in ("B", "T", "nh", "hs", "capacity"))
    inputs = {name: normal(random, B, nh, capacity, hs) for name in ("keys", "values")}
    inputs["q"] = normal(random, B, nh, T, hs)
    inputs["counts"] = uints(random.integers(1, T + 1, B))
    inputs["lengths"] = uints(random.integers(0, capacity - T + 1, B))
    return inputs | sizes | {"S": capacity, "scale": hs**-0.5}


@case("attention_scores")
def attention_scores(random):
    inputs = attention(random)
    return threads(inputs["S"], inputs["T"], inputs["B"] * inputs["nh"]), inputs


@case("softmax_inplace")
def softmax(random):
    att = normal(random, 7, 1 + size(random, 300))
    att[3, 1:] = -numpy.inf
    return threadgroups(7), {"att": att, "S": att.shape[1]}


@case("attention_mix")
def attention_mix(random):
    inputs = attention(random)
    B, T, nh, hs, S = (inputs[name] for name in ("B", "T", "nh", "hs", "S"))
    inputs["att"] = random.uniform(0, 1, (B, nh, T, S)).astype(numpy.float32)
    return threads(hs, T, B * nh), inputs


@case("flash_attention")
def flash_attention(random):
    inputs = attention(random)
    return threadgroups(inputs["T"], inputs["nh"], inputs["B"]), inputs


@case("flash_attention_hs64")
def flash_attention_hs64(random):
    inputs = attention(random)
    return threadgroups(-(-inputs["T"] // 4), inputs["nh"], inputs["B"]), inputs


@case("flash_attention_prompt")
def flash_attention_prompt(random):
    inputs = attention(random)
    return threadgroups(-(-inputs["T"] // 32), inputs["nh"], inputs["B"]), inputs


@case("flash_attention_tiles")
def flash_attention_tiles(random):
    inputs = attention(random)
    return threadgroups(-(-inputs["T"] // 64), inputs["nh"], inputs["B"]), inputs


@case("decode_attention_hs64")
def decode_attention(random):
    B, nh, capacity = size(random, 3), size(random, 3), size(random, 90)
    inputs = {name: normal(random, B, nh, capacity, 64) for name in ("keys", "values")}
    inputs["qkv"] = normal(random, B, 3, nh, 64)
    lengths = random.integers(0, capacity, B)
    counts = numpy.maximum(random.integers(0, 2, B), lengths == 0)  # a row has something to see
    inputs |= {"lengths": uints(lengths), "counts": uints(counts)}
    return threadgroups(nh, B), inputs | {"capacity": capacity, "scale": 0.125}


@case("linear_batch", "linear_batch_gelu")
def linear_batch(random):
    T, K, N = 8 * size(random, 5), 32 * size(random, 9), 15 + size(random, 50)
    inputs = {"x": normal(random, T, K), "weight": normal(random, N, K), "bias": normal(random, N)}
    return threadgroups(-(-N // 16), -(-T // 8)), inputs | {"T": T, "K": K, "N": N}


@case("linear_batch_residual")
def linear_batch_residual(random):
    grid, inputs = linear_batch(random)
    return grid, inputs | {"out": normal(random, inputs["T"], inputs["N"])}


@case("norm_linear_batch", "norm_linear_batch_gelu")
def norm_linear_batch(random):
    _, inputs = linear_batch(random)
    inputs |= {"T": 3, "x": inputs["x"][:3], "epsilon": 1e-5}
    inputs |= {name: normal(random, inputs["K"]) for name in ("norm_weight", "norm_bias")}
    return threadgroups(-(-inputs["N"] // 16)), inputs


@case("last_token_rows")
def last_token_rows(random):
    B, T, C = size(random, 5), size(random, 9), size(random, 100)
    inputs = {"x": normal(random, B, T, C), "counts": uints(random.integers(0, T + 1, B))}
    return threads(C, B), inputs | {"B": B, "T": T, "C": C}


@case("argmax_sample")
def argmax(random):
    logits = normal(random, 5, size(random, 300) + 1)
    logits[1, 0] = numpy.nan
    logits[2] = 3
    return threadgroups(5), {"logits": logits, "V": logits.shape[1]}


@case("top_k_top_p_sample")
def top_k_top_p(random):
    V = 1 + size(random, 40)
    return threadgroups(2), {
        "logits": normal(random, 2, V), "lengths": uints(random.integers(0, 1000, 2)),
        "counts": uints([1, 7]), "V": V, "temperature": 0.8, "top_k": size(random, V), "top_p": 0.9,
        "seed": numpy.uint64(random.integers(2**63)),
    }  # fmt: skip


@case("cross_entropy_forward")
def cross_entropy(random):
    N, V = size(random, 9), 1 + size(random, 300)
    return threadgroups(N), {
        "logits": normal(random, N, V), "targets": uints(random.integers(0, V, N)), "V": V
    }  # fmt: skip


@case("advance_step")
def advance_step(random):
    B, capacity = size(random, 9), 20
    lengths = random.integers(0, capacity, B)
    return threads(B), {
        "ids": uints(random.integers(0, 99, B)), "lengths": uints(lengths),
        "counts": uints(random.integers(0, capacity - lengths + 1)),
        "history": uints(random.integers(0, 99, (B, capacity + 1))), "B": B, "capacity": capacity,
    }  # fmt: skip


# --- those of each weight format ---


def packed(random, format, rows, columns):
    """A random matrix as the kernels read it, and what it is by the pages' numpy."""
    block, _, kernels = FORMATS[format]
    data = models.quantise(normal(random, rows, columns), format.upper())
    if "dequantise" not in kernels:
        return data, data.view(numpy.float32).reshape(rows, columns)
    values = NUMPY[kernels["dequantise"]](data.reshape(-1, block))
    return data, values.reshape(rows, columns)


def columns(random, format):
    """Whole blocks."""
    return max(32, FORMATS[format][1]) * size(random, 9)


def linear_case(random, format):
    T, K, N = size(random, 9), columns(random, format), size(random, 70)
    data, weight = packed(random, format, N, K)
    inputs = {"x": normal(random, T, K), "bias": normal(random, N), "T": T, "K": K, "N": N}
    return simdgroups(N), inputs | {"weight": data}, NUMPY["linear"], inputs | {"weight": weight}


def integer_linear_case(random, format):
    grid, inputs, _, exact = linear_case(random, format)
    T, K = inputs["T"], inputs["K"]
    x = random.integers(0, 128, (T, K)).astype(numpy.int8)
    added = {"x": x, "x_offset": reference.offsets(x)}
    added["x_scale"] = random.uniform(2e-3, 4e-3, (T, K // 32)).astype(numpy.float32)
    return grid, inputs | added, NUMPY["integer_linear"], exact | added


def integer_matmul_case(random, format):
    _, inputs, _, exact = integer_linear_case(random, format)
    added = {"x_offset": reference.block_offsets(inputs["x"]), "x_scale": inputs["x_scale"]}
    return threadgroups(-(-inputs["N"] // 32)), inputs | added, NUMPY["integer_matmul"], exact | added


def linear_tile_case(random, format):
    grid, *inputs = linear_case(random, format)
    return simdgroups(-(-grid.x // 4)), *inputs


def norm_linear_case(random, format):
    _, inputs, _, exact = linear_case(random, format)
    added = {name: normal(random, inputs["K"]) for name in ("norm_weight", "norm_bias")}
    added |= {"gelu": int(random.integers(2)), "epsilon": 1e-5}
    return simdgroups(inputs["N"]), inputs | added, NUMPY["norm_linear"], exact | added


def linear_residual_case(random, format):
    _, inputs, _, exact = linear_case(random, format)
    grid = threadgroups(-(-inputs["N"] // 2))
    added = {"stream": normal(random, inputs["T"], inputs["N"])}
    return grid, inputs | added, NUMPY["linear_residual"], exact | added


def embedding_case(random, format):
    B, T, C, V, context = size(random, 3), size(random, 9), columns(random, format), 50, 12
    data, table = packed(random, format, V, C)
    inputs = {"T": T, "C": C, "V": V, "context": context, "position_table": normal(random, context, C)}
    inputs["ids"] = uints(random.integers(0, V + 5, (B, T)))
    inputs["lengths"] = uints(random.integers(0, context, B))
    tables = ({"token_table": t} for t in (data, table))
    return threads(C, T, B), inputs | next(tables), NUMPY["embedding_forward"], inputs | next(tables)


def dequantise_case(random, format):
    data, values = packed(random, format, 7, columns(random, format))
    weights, N = FORMATS[format][1], values.size
    grid = simdgroups(N // weights) if weights > 1 else threads(N)
    return grid, {"in_": data, "N": N}, lambda: values.reshape(-1), {}


FORMAT_CASES = {
    "linear": linear_case,
    "integer_linear": integer_linear_case,
    "integer_matmul": integer_matmul_case,
    "linear_tile": linear_tile_case,
    "norm_linear": norm_linear_case,
    "norm_linear_wide": norm_linear_case,
    "norm_linear_pair": norm_linear_case,
    "norm_linear_pair_wide": norm_linear_case,
    "linear_residual": linear_residual_case,
    "linear_residual_pair": linear_residual_case,
    "embedding_forward": embedding_case,
    "dequantise": dequantise_case,
}
KERNELS_OF_FORMATS = {
    kernel: (kind, format)
    for format, (_, _, kernels) in FORMATS.items()
    for kind, kernel in kernels.items()
}


# --- kernel and numpy ---

KERNELS = list(launches.kernel_files())


def described(kernel):
    """The name that a kernel has on its page: for an instance of a template, that of the template."""
    return kernel if kernel in NUMPY else re.sub("(_halves)?_f(32|16)$|_(8|16|32)$", "", kernel)


# Which instances have halves, by the template's name of the type and what is in theirs.
HALVES = {"KV": "_f16$", "KV4": "_f16$", "Out": "_f16$|_batch_gelu"}
HALVES |= dict.fromkeys(["Out2", "Out4"], "_halves_")


def is_half(kernel, parameter):
    type = parameter.type.decode()
    return type.startswith("half") or type in HALVES and re.search(HALVES[type], kernel)


def prepare(kernel, parameters, random):
    """Grid, the kernel's inputs, the pages' function, and its inputs."""
    if kernel in KERNELS_OF_FORMATS:
        kind, format = KERNELS_OF_FORMATS[kernel]
        return FORMAT_CASES[kind](random, format)
    grid, inputs = CASES[described(kernel)](random)
    for parameter in parameters:
        name = parameter.name.decode()
        if name in inputs and is_half(kernel, parameter):
            inputs[name] = inputs[name].astype(numpy.float16)
    return grid, inputs, NUMPY[described(kernel)], inputs


def widened(name, value):
    """Halves as well, but for the KV cache: what is written there is rounded."""
    types = [numpy.float32] if name in ("keys", "values") else [numpy.float32, numpy.float16]
    is_float = isinstance(value, numpy.ndarray) and value.dtype in types
    return value.astype(numpy.float64) if is_float else value


def expected(function, inputs):
    """What the pages' function returns, as a list."""
    wanted = inspect.signature(function).parameters
    result = function(**{name: widened(name, inputs[name]) for name in wanted if name in inputs})
    return list(result) if isinstance(result, tuple) else [result]


def run(device, kernel, parameters, grid, inputs, results):
    """What the kernel writes: arrays like those of `results`."""
    results, arguments = iter(results), []
    for parameter in parameters:
        name = parameter.name.decode()
        value = inputs.get(name + "_" if name == "in" else name)
        if parameter.kind == Parameter.WRITE:
            like = next(results)
            type = numpy.float32 if numpy.issubdtype(like.dtype, numpy.floating) else numpy.uint32
            type = like.dtype if like.dtype in ROUNDED else type
            type = numpy.float16 if is_half(kernel, parameter) else type
            value = Out(like.shape, type) if value is None else InOut(value)
        arguments.append(value)
    written = device.run(kernel, grid, *arguments)
    return list(written) if isinstance(written, tuple) else [written]


# What quantise_activations writes besides scales, and how far a value that is rounded the other way moves it.
ROUNDED = {numpy.dtype(numpy.int8): 1, numpy.dtype(numpy.int32): 128}


def tolerance(kernel, actual):
    if kernel.startswith("flash_attention_tiles"):
        return TILES_TOLERANCE
    if kernel.startswith("norm_linear_batch"):
        return HALF_TOLERANCE  # of what is normalised
    return HALF_TOLERANCE if actual.dtype == numpy.float16 else TOLERANCE


def check(actual, expected, tolerance):
    finite = numpy.isfinite(expected)
    assert numpy.array_equal(actual[~finite], expected[~finite])  # −∞ of masks
    error = numpy.abs(actual[finite].astype(numpy.float64) - expected[finite])
    if expected.dtype in ROUNDED:  # what lies half-way may go either way
        assert error.max() <= ROUNDED[expected.dtype] and numpy.sum(error > 0) <= 1 + 0.01 * error.size
        return
    is_float = numpy.issubdtype(expected.dtype, numpy.floating)
    largest = float(numpy.abs(expected[finite]).max()) if is_float else 0
    assert numpy.all(error <= tolerance * largest)


@pytest.mark.parametrize("repetition", range(5))
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_numpy_is_what_the_kernel_does(kernel, repetition, device, library, random):
    entry = kernel_table(library)[kernel]
    parameters = entry.parameters[: entry.parameter_count]
    grid, inputs, function, numpy_inputs = prepare(kernel, parameters, random)
    results = expected(function, numpy_inputs)
    written = run(device, kernel, parameters, grid, inputs, results)
    assert len(written) == len(results)
    for actual, result in zip(written, results):
        check(actual, result, tolerance(kernel, actual))


def test_every_kernel_is_on_a_page(library):
    assert set(KERNELS) == set(kernel_table(library))
    names = {described(kernel) for kernel in KERNELS if kernel not in KERNELS_OF_FORMATS}
    assert set(CASES) == names
    headings = "".join(re.findall(r"^## .*$", PAGE, re.M))
    assert names <= set(re.findall(r"`(\w+)`", headings))


def test_the_first_page_lists_the_others():
    listed = re.findall(r"^\| \[[^]]*\]\((kernels/\w+\.md)\) \|", PAGES[FIRST], re.M)
    assert {FIRST, ROOT / "docs/kernels/targets.md"} | {FIRST.parent / name for name in listed} == set(PAGES)


def test_every_file_of_kernels_is_in_a_heading():
    headings = "".join(re.findall(r"^## .*$", PAGE, re.M))
    linked = set(re.findall(r"\(\.\./\.\./(kernels/[\w/]+\.metal)\)", headings))
    assert linked == {str(path.relative_to(ROOT)) for path in (ROOT / "kernels").rglob("*.metal")}


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


def test_every_kernel_has_its_cost():
    sections = re.split(r"^## ", PAGE, flags=re.M)
    of_kernels = [s for s in sections if re.match(r"`\w+_", s)]
    assert of_kernels and all("| bytes | `" in section for section in of_kernels)


SIZES = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| ([^|]+) \|$", PAGE, re.M)


@pytest.mark.parametrize("label, formula, figure", SIZES)
def test_sizes(label, formula, figure):
    assert figure == scaled(eval(formula, at(1)), "B" if label.startswith("bytes") else "")


@pytest.mark.parametrize("format", FORMATS)
def test_bytes_of_formats(format):
    row = re.search(rf"^\| `{format}` \| .*$", PAGE, re.M)[0]
    assert row.endswith(f"| {scaled(eval('w * (12*L*C*C + V*C)', at(1, format)), 'B')} |")


# --- commands ---

COMMANDS = re.findall(
    r"^```console\n\$ (build/bind [^\n]*|build/metal-llm kernels)\n(.*?)^```", PAGE, re.M | re.S
)


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
    command = [BUILD / "metal-llm", "run", prompt, "-n", "1", "--profile", "--device", "cpu", "--integer-products", "off"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert re.search(r"^dequantise_q8_0 +\d+ ", result.stderr, re.M), result.stderr


def test_every_file_of_the_learning_path_is_at_work():
    files = {path.name for path in (ROOT / "kernels").glob("*.metal")}
    assert {file for file, _, _ in AT_WORK} | {"cross_entropy.metal", "dequantise.metal"} == files


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


def test_kernels_name_no_target():
    words = r"\b(CUDA|NVRTC|WAITS_ITSELF|KERNELS_OVERLAP|MSL_\w+|__\w+__)\b"
    for path in [*(ROOT / "kernels").rglob("*.metal"), *(ROOT / "kernels").rglob("*.h")]:
        assert not re.search(words, path.read_text()), path


def test_how_long_kernels_are():
    """A file of the learning path is read in five minutes; sampling takes a little longer."""
    long = {path.name for path in (ROOT / "kernels").glob("*.metal") if len(path.read_text().splitlines()) > 100}
    assert long <= {"sampling.metal"}
    assert not {p.name for p in (ROOT / "kernels/fast").glob("*") if len(p.read_text().splitlines()) > 200}
