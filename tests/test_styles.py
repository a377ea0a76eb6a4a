"""Kernels as they are written in other fields (transforms, sorting, tables, grids, images, physics), compared with numpy.

They stand in tests/check/styles/, each file in the habits of its field; here they get their arguments.
"""

import numpy
import pytest

import checker
from library import BUILD, ROOT

pytestmark = pytest.mark.skipif(BUILD.name == "asan", reason="test_check.py looks at the checker's own memory")

FOLDER = ROOT / "tests/check/styles"
RELAXED = ("--suppress", "never-written")


@pytest.fixture
def run(tmp_path):
    """run(file, kernel, grid, threads, buffers) launches a kernel and returns {index: what the buffer holds then}. There
    must be no finding. Textures are {"t0": image}."""

    def run(file, kernel, grid, threads, buffers, *options):
        bound = []
        for target, content in buffers.items():
            option = "--texture" if str(target).startswith("t") else "--buffer"
            index = str(target).lstrip("t")
            numpy.save(tmp_path / f"{target}.npy", content)
            bound += [option, f"{index}={tmp_path}/{target}.npy"]
            bound += ["-o", f"{'texture:' if option == '--texture' else ''}{index}={tmp_path}/out_{target}.npy"]
        launch = ["--kernel", kernel, "--grid", grid, "--threads", threads]
        report = checker.run(FOLDER / f"{file}.metal", *launch, *bound, *options)
        found = [finding for finding in report["findings"] if finding["severity"] != "note"]
        assert found == []
        return {target: numpy.load(tmp_path / f"out_{target}.npy") for target in buffers}

    return run


def normal(random, *shape):
    return random.standard_normal(shape).astype(numpy.float32)


def zeros(*shape, dtype=numpy.float32):
    return numpy.zeros(shape, dtype)


def close(found, expected, tolerance=1e-4):
    """By the size of the largest value."""
    assert found.shape == numpy.shape(expected)
    error = numpy.abs(found - expected).max() / max(1, numpy.abs(expected).max())
    assert error <= tolerance, error


# --- transforms ---


@pytest.mark.parametrize("kernel, count, threads, extra", [
    ("fft_radix2", 256, 128, {}), ("fft_radix4", 64, 16, {2: numpy.int32([-1])}), ("fft_radix4", 64, 16, {2: numpy.int32([1])}),
])  # fmt: skip
def test_fft(kernel, count, threads, extra, run, random):
    x = normal(random, 3, count, 2)
    out = run("fft", kernel, 3 * threads, threads, {0: x, 1: zeros(3, count, 2)} | extra)[1]
    numbers = x[..., 0] + 1j * x[..., 1]
    inverse = extra and extra[2][0] > 0
    expected = numpy.fft.ifft(numbers) * count if inverse else numpy.fft.fft(numbers)
    close(out, numpy.stack([expected.real, expected.imag], -1))


def test_cosine_transform(run, random):
    """Blocks of 8 x 8, quantised, in zigzag; a value that lies between two levels may be either."""
    image = random.integers(0, 256, (16, 24), numpy.uint8)
    steps = random.integers(8, 40, 64).astype(numpy.uint16)
    out = run("video", "dct8x8", "24,16", "8,8", {"t0": image, 0: zeros(6, 64, dtype=numpy.int16), 1: steps})[0]
    k = numpy.arange(8)
    basis = numpy.cos((2 * k[None] + 1) * k[:, None] * numpy.pi / 16) / 2
    basis[0] /= numpy.sqrt(2)
    blocks = image.reshape(2, 8, 3, 8).swapaxes(1, 2).reshape(6, 8, 8) - 128.0
    levels = (basis @ blocks @ basis.T).reshape(6, 64) / steps
    zigzag = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))
    assert numpy.abs(out - levels[:, zigzag]).max() <= 0.5 + 1e-3


# --- sorting, scans, tables ---


def test_radix_sort(run, random):
    keys, values = random.integers(0, 2**32, (2, 200), numpy.uint32)
    sizes = numpy.uint32([200, 0, 1])
    out = run("sorting", "radix_scatter", 256, 256, {0: keys, 1: values, 2: 0 * keys, 3: 0 * keys, 4: sizes})
    order = numpy.argsort(keys & 15, kind="stable")
    assert numpy.array_equal(out[2], keys[order]) and numpy.array_equal(out[3], values[order])
    more = random.integers(0, 2**32, 1000, numpy.uint32)
    counts = run(
        "sorting",
        "radix_histogram",
        512,
        256,
        {0: more, 1: zeros(32, dtype=numpy.uint32), 2: numpy.uint32([1000, 8, 2])},
    )[1]
    assert numpy.array_equal(counts.reshape(16, 2).sum(1), numpy.bincount(more >> 8 & 15, minlength=16))


def test_scans(run, random):
    """Over threadgroups that wait for those before them; and within segments."""
    x = random.integers(0, 1000, 2000, numpy.uint32)
    arguments = {
        0: x,
        1: 0 * x,
        2: zeros(8, dtype=numpy.uint32),
        3: zeros(1, dtype=numpy.uint32),
        4: numpy.uint32([2000]),
    }
    assert numpy.array_equal(run("scan", "decoupled_look_back", 512, 128, arguments)[1], numpy.cumsum(x) - x)
    values, heads = normal(random, 128), random.integers(0, 8, 128, numpy.uint8)
    out = run("scan", "segmented_scan", 128, 128, {0: values, 1: heads, 2: 0 * values})[2]
    expected, total = [], 0.0
    for value, head in zip(values.astype(float), heads):
        total = value if head == 0 else total + value
        expected.append(total)
    close(out, numpy.array(expected))


def test_hash_table(run, random):
    """What is put in is found; what is not there is not."""
    keys = random.permutation(10000)[:300].astype(numpy.uint32)
    values = random.integers(0, 2**31, 300, numpy.uint32)
    table = run(
        "tables",
        "hash_insert",
        256,
        64,
        {0: keys[:200], 1: values[:200], 2: zeros(512, 2, dtype=numpy.uint32), 3: numpy.uint32([200])},
    )[2]
    out = run("tables", "hash_lookup", 320, 64, {0: keys, 1: table, 2: 0 * keys, 3: numpy.uint32([300])})[2]
    assert numpy.array_equal(out, numpy.where(numpy.arange(300) < 200, values, 2**32 - 1))


def test_locks(run):
    counts = run(
        "tables", "spin_lock_insert", 64, 32, {0: zeros(8, dtype=numpy.int32), 1: zeros(8, dtype=numpy.uint32)}
    )[1]
    assert (counts == 8).all()


# --- linear algebra ---


def test_products_of_matrices(run, random):
    a, b, c = normal(random, 50, 40), normal(random, 60, 40), normal(random, 50, 60)
    parameters = numpy.uint32([50, 60, 40, *numpy.float32([2, 0.5]).view(numpy.uint32)]).view(numpy.uint8)
    out = run("algebra", "sgemm_nt", "64,64", "16,16", {0: a, 1: b, 2: c, 3: parameters})[2]
    close(out, 2 * (a.astype(float) @ b.T) + c / 2)
    a, b = (random.standard_normal((2, 32, 32)) / 4).astype(numpy.float16)
    parameters = numpy.uint32([32, 32, 32, 0, 0]).view(numpy.uint8)
    arguments = {0: a, 1: b, 2: zeros(32, 32, dtype=numpy.float16), 3: parameters}
    out = run("algebra", "hgemm_simd", "128,2", "64,1", arguments, "--threadgroup-memory", "0=512")[2]
    close(out.astype(float), a.astype(float) @ b.astype(float), 4e-3)


def test_sparse_products(run, random):
    rows, columns = 37, 29
    dense = normal(random, rows, columns) * (random.random((rows, columns)) < 0.3)
    row, column = dense.nonzero()
    values, x = dense[row, column], normal(random, columns)
    row, column = row.astype(numpy.uint32), column.astype(numpy.uint32)
    starts = numpy.searchsorted(row, numpy.arange(rows + 1)).astype(numpy.uint32)
    expected = dense.astype(float) @ x
    arguments = {0: starts, 1: column, 2: values, 3: x, 4: zeros(rows), 5: numpy.uint32([rows])}
    close(run("algebra", "spmv_csr", 64 * ((rows + 1) // 2), 64, arguments)[4], expected)
    arguments = {0: row, 1: column, 2: values, 3: x, 4: zeros(rows), 5: numpy.uint32([len(row)])}
    close(run("algebra", "spmv_coo", (len(row) + 31) // 32 * 32, 32, arguments)[4], expected)


def test_tridiagonal(run, random):
    d = normal(random, 64)
    matrix = 4 * numpy.eye(64) - numpy.eye(64, k=1) - numpy.eye(64, k=-1)
    close(run("algebra", "tridiagonal", 64, 64, {0: d, 1: 0 * d})[1], numpy.linalg.solve(matrix, d))


def test_large_integers(run, random):
    a, b = random.integers(0, 2**32, (2, 32, 4), numpy.uint32)
    out = run("algebra", "multiply_128", 32, 32, {0: a, 1: b, 2: zeros(32, 8, dtype=numpy.uint32)})[2]
    number = lambda words: sum(int(word) << 32 * i for i, word in enumerate(words))
    assert [number(row) for row in out] == [number(x) * number(y) for x, y in zip(a, b)]


# --- images ---


def test_threshold(run, random):
    """Otsu's: the first level that parts a histogram best."""
    histogram = random.integers(0, 40, 256).astype(numpy.uint32)
    histogram[100] += 3000
    histogram[180] += 2000
    (found,) = run("video", "otsu", 256, 256, {0: histogram, 1: zeros(1, dtype=numpy.uint32)})[1]
    below, moment = numpy.cumsum(histogram.astype(float)), numpy.cumsum(numpy.arange(256) * histogram.astype(float))
    above = below[-1] - below
    with numpy.errstate(divide="ignore", invalid="ignore"):
        variance = below * above * (moment / below - (moment[-1] - moment) / above) ** 2
    assert variance[found] >= numpy.nanmax(variance) * (1 - 1e-4)


def test_life(run, random):
    world = (random.random((32, 32)) < 0.4).astype(numpy.uint8) * 255
    out = run("grids", "game_of_life", "32,32", "16,16", {"t0": world, "t1": 0 * world})["t1"]
    alive = world // 255
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y]
    around = sum(numpy.roll(alive, shift, (0, 1)) for shift in shifts)
    assert numpy.array_equal(out, numpy.where((around == 3) | ((around == 2) & (alive == 1)), 255, 0))


def test_integral_image(run, random):
    image = random.integers(0, 256, (4, 50), numpy.uint8)
    sums = run(
        "grids", "integral_rows", 128, 32, {"t0": image, 0: zeros(4, 50, dtype=numpy.uint32), 1: numpy.uint32([50])}
    )[0]
    assert numpy.array_equal(sums, image.cumsum(1, dtype=numpy.uint32))


# --- physics and geometry ---


def test_jacobi(run, random):
    u, f = normal(random, 20, 20), normal(random, 20, 20)
    out = run("grids", "jacobi", "18,18", "6,6", {0: u, 1: f, 2: 0 * u, 3: zeros(1, dtype=numpy.uint32)})
    wide = u.astype(float)
    inner = (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - f[1:-1, 1:-1]) / 4
    close(out[2][1:-1, 1:-1], inner)
    close(out[3].view(numpy.float32), [numpy.abs(inner - wide[1:-1, 1:-1]).max()])


def test_particles(run, random):
    """A structure with bit fields, vectors, packed halves and a matrix beside them."""
    particle = numpy.dtype({"names": ["x", "v", "mass", "flags", "colour"], "formats": ["3f4", "3f4", "f4", "u4", "4f2"],
                            "offsets": [0, 16, 32, 36, 40], "itemsize": 48})  # fmt: skip
    particles = numpy.zeros(100, particle)
    particles["x"], particles["v"] = normal(random, 100, 3) * 3, normal(random, 100, 3)
    particles["flags"] = random.integers(0, 4, 100)
    constants = numpy.zeros(36, numpy.float32)
    gravity, box = numpy.float32([0, -9.8, 0]), numpy.float32([-4, -4, -4, 0, 4, 4, 4, 0])
    constants[:3], constants[4:6], constants[8:16], constants[16:32] = gravity, [0.01, 0.1], box, numpy.eye(4).ravel()
    raw = particles.view(numpy.uint8)
    out = run("physics", "integrate", 128, 64, {0: raw, 1: constants, 2: numpy.uint32([100])})[0].view(particle)
    moves = particles["flags"] & 2 == 0
    v = (particles["v"].astype(float) + gravity * 0.01) * 0.9
    x = particles["x"] + v * 0.01
    low, high = x < -4, x > 4
    x, v = numpy.where(low, -8 - x, numpy.where(high, 8 - x, x)), numpy.where(low | high, -0.1 * v, v)
    close(out["x"], numpy.where(moves[:, None], x, particles["x"]))
    close(out["v"], numpy.where(moves[:, None], v, particles["v"]))
    assert numpy.array_equal(out["flags"], numpy.where(moves, particles["flags"] | 1, particles["flags"]))


def test_morton_codes(run, random):
    points = random.random((100, 3)).astype(numpy.float32)
    cells = (points.astype(float) * 1024).astype(int)
    codes = run(
        "physics",
        "morton_codes",
        128,
        64,
        {
            0: points,
            1: zeros(100, dtype=numpy.uint32),
            2: numpy.float32([0, 0, 0, 0, 1, 1, 1, 0]),
            3: numpy.uint32([100]),
        },
    )[1]
    spread = lambda v: sum((v >> i & 1) << 3 * i for i in range(10))
    assert numpy.array_equal(codes, spread(cells[:, 0]) << 2 | spread(cells[:, 1]) << 1 | spread(cells[:, 2]))


def test_clusters(run, random):
    centres = normal(random, 5, 4)
    points = centres[random.integers(0, 5, 96)] + 0.01 * normal(random, 96, 4)
    arguments = {
        0: points,
        1: centres,
        2: zeros(96, dtype=numpy.uint32),
        3: zeros(5, 4),
        4: zeros(5, dtype=numpy.uint32),
    }
    out = run("physics", "kmeans_assign", 96, 32, arguments)
    labels = ((points[:, None].astype(float) - centres) ** 2).sum(-1).argmin(1)
    assert numpy.array_equal(out[2], labels) and numpy.array_equal(out[4], numpy.bincount(labels, minlength=5))
    close(out[3], numpy.array([points[labels == k].astype(float).sum(0) for k in range(5)]))


def test_marching_cubes(run, random):
    field = normal(random, 9, 9, 9)
    out = run(
        "physics",
        "marching_cubes_count",
        "8,8,8",
        "4,4,4",
        {0: field, 1: zeros(8, 8, 8, dtype=numpy.uint32), 2: zeros(1, dtype=numpy.uint32), 3: numpy.float32([0.1])},
    )
    above = (field > numpy.float32(0.1)).astype(int)
    corners = [(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    index = sum(above[z : z + 8, y : y + 8, x : x + 8] << i for i, (z, y, x) in enumerate(corners))
    assert numpy.array_equal(out[1], index) and out[2][0] == ((index != 0) & (index != 255)).sum()


def test_group_norm(run, random):
    x = random.standard_normal((4, 96)).astype(numpy.float16)
    gamma, beta = random.standard_normal((2, 8)).astype(numpy.float16)
    arguments = {0: x, 1: 0 * x, 2: gamma, 3: beta, 4: numpy.uint32([96, 12]), 5: numpy.float32([1e-5])}
    out = run("statistics", "group_norm_f16", 256, 64, arguments)[1]
    wide = x.astype(float)
    expected = (wide - wide.mean(1, keepdims=True)) / numpy.sqrt(wide.var(1, keepdims=True) + 1e-5)
    close(out.astype(float), expected * gamma.astype(float).repeat(12) + beta.astype(float).repeat(12), 4e-3)
