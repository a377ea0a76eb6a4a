"""The SIMT runtime itself, on small kernels of its own (tests/simt/*.metal)."""

import time

import numpy
import pytest

import simt
from device import Device, Error, Out, threadgroups, threads
from library import ROOT

WIDTHS = [1, 2, 7, 32, 64]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Every file of tests/simt, compiled: programs["memory"].run("reverse", …)."""
    folder = tmp_path_factory.mktemp("simt")
    programs = {path.stem: simt.Program(path, folder) for path in ROOT.glob("tests/simt/*.metal")}
    yield programs
    for program in programs.values():
        program.close()


def simdgroups(count, group, width):
    """Slices of the threads of each simdgroup, when `count` threads run in groups of `group`."""
    for first in range(0, count, group):
        end = min(count, first + group)
        for lane0 in range(first, end, width):
            yield slice(lane0, min(end, lane0 + width))


# --- grids ---


@pytest.mark.parametrize(
    "grid, group",
    [((5, 3, 2), (2, 2, 2)), ((70, 1, 1), (64, 1, 1)), ((9, 9, 9), (4, 8, 16))],
)
def test_attributes(programs, grid, group):
    out = numpy.full((*grid[::-1], 15), 0xFFFFFFFF, numpy.uint32)
    programs["grids"].run("attributes", grid, group, out, simd_width=32)
    for z, y, x in numpy.ndindex(out.shape[:3]):
        at = numpy.array([x, y, z])
        groups = [-(-g // s) for g, s in zip(grid, group)]
        extent = numpy.minimum(group, numpy.array(grid) - at // group * group)
        index = numpy.dot(at % group, [1, extent[0], extent[0] * extent[1]])
        count = -(-int(numpy.prod(extent)) // 32)
        expected = [*(at % group), *extent, *(at // group), *groups, index, index, count]
        assert out[z, y, x].tolist() == [int(value) for value in expected]


def test_narrow_attributes(programs):
    out = numpy.zeros(6, numpy.uint32)
    programs["grids"].run("narrow_attributes", 6, 4, out)
    assert out.tolist() == [0, 10001, 20002, 30003, 100004, 110005]


def run_order(programs, seed, count=256, group=64):
    out = numpy.zeros(count, numpy.uint32)
    programs["grids"].run("order", count, group, numpy.zeros(1, numpy.uint32), out, seed=seed)
    assert sorted(out) == list(range(count))
    return out.tolist()


def test_order_follows_the_seed(programs):
    assert run_order(programs, 1) == run_order(programs, 1)
    orders = {tuple(run_order(programs, seed)) for seed in range(50)}
    assert len(orders) == 50


def test_order_of_threads_and_threadgroups_is_random(programs):
    """Each thread of a group, and each group, comes first in some run."""
    first_thread, first_group = set(), set()
    for seed in range(200):
        order = run_order(programs, seed, 32, 8)
        first_thread.add(order.index(min(order[:8])))
        first_group.add(order.index(0) // 8)
    assert first_thread == set(range(8))
    assert first_group == set(range(4))


def test_order_is_drawn_again_behind_a_barrier_and_a_simd_function(programs):
    out = numpy.zeros((2, 32), numpy.uint32)
    programs["grids"].run("order_behind", 32, 32, numpy.zeros(1, numpy.uint32), out, seed=5)
    barrier, simd = out.argsort(axis=1)
    assert sorted(out.ravel()) == list(range(64))
    assert barrier.tolist() != list(range(32))
    assert barrier.tolist() != simd.tolist()


# --- threadgroup memory, barriers, atomics ---


@pytest.mark.parametrize("group", [1, 2, 31, 32, 33, 255, 1024])
def test_barrier(programs, random, group):
    x = random.standard_normal(group * 3 + group // 2, numpy.float32)
    groups = numpy.split(x, [group, 2 * group, 3 * group])
    expected = numpy.concatenate([part[::-1] for part in groups])
    for kernel, scratch in (("reverse", ()), ("reverse_scratch", (4 * group, 4 * group))):
        out = numpy.full_like(x, numpy.nan)
        programs["memory"].run(kernel, x.size, group, x, out, scratch=scratch)
        assert numpy.array_equal(out, expected)


@pytest.mark.parametrize("group", [2, 48, 256])
def test_barriers_in_a_function(programs, random, group):
    x = random.standard_normal(group, numpy.float32)
    expected = x.astype(numpy.float64)
    programs["memory"].run("smooth", group, group, x, numpy.uint32(7), seed=group)
    for _ in range(7):
        for factor in (0.25, 0.5):
            expected = factor * (numpy.roll(expected, 1) + numpy.roll(expected, -1))
    assert numpy.abs(x - expected).max() <= 1e-5


def test_unwritten_threadgroup_memory_is_nan(programs):
    out = numpy.zeros((5 * 16, 2), numpy.float32)
    programs["memory"].run("unwritten", 5 * 16, 16, out)
    assert numpy.isnan(out).all()


def test_atomics(programs, random):
    x = random.integers(0, 1000, 1000, numpy.uint32)
    bins, sums = numpy.zeros(16, numpy.uint32), numpy.zeros(1, numpy.float32)
    extremes, odd = numpy.array([2**31 - 1, -1], numpy.int32), numpy.zeros(10, numpy.uint32)
    programs["memory"].run("histogram", 1000, 100, x, bins, extremes, sums, odd)
    assert bins.tolist() == numpy.bincount(x % 16, minlength=16).tolist()
    assert extremes.tolist() == [x.min(), x.max()]
    assert sums[0] == (x % 16).sum()
    assert odd.tolist() == (x % 2).reshape(10, 100).sum(axis=1).tolist()


def test_large_stack(programs):
    out = numpy.zeros(200, numpy.float32)
    programs["memory"].run("large_stack", 200, 200, out)
    assert out.tolist() == [50000 + 5 * i for i in range(200)]


# --- simdgroups ---


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("group", [1, 32, 45, 128])
def test_reductions(programs, random, width, group):
    x = random.integers(1, 9, 200, numpy.uint32)
    out = numpy.zeros((200, 12), numpy.uint32)
    programs["simdgroups"].run("reductions", 200, group, x, out, simd_width=width)
    for lanes in simdgroups(200, group, width):
        part = x[lanes]
        sums, products = part.cumsum(dtype=numpy.uint32), part.cumprod(dtype=numpy.uint32)
        bits = [f.reduce(part) for f in (numpy.bitwise_and, numpy.bitwise_or, numpy.bitwise_xor)]
        assert (out[lanes, :7] == [sums[-1], products[-1], part.min(), part.max(), *bits]).all()
        assert (out[lanes, 7] == sums).all()
        assert (out[lanes, 8] == sums - part).all()
        assert (out[lanes, 9] == products).all()
        assert (out[lanes, 10] == [1, *products[:-1]]).all()
        assert (out[lanes, 11] == sums[-1]).all()


@pytest.mark.parametrize("width", [8, 32, 64])
def test_shuffles(programs, random, width):
    """In the last, partial simdgroup a lane that is not there gives NaN."""
    count = 2 * width + width // 2 + 1
    x = random.standard_normal(count, numpy.float32)
    out = numpy.zeros((count, 8), numpy.float32)
    programs["simdgroups"].run("shuffles", count, count, x, out, simd_width=width)
    for lanes in simdgroups(count, count, width):
        part = numpy.full(width, numpy.nan, numpy.float32)
        part[: x[lanes].size] = x[lanes]
        lane = numpy.arange(width)
        sources = [
            numpy.full(width, 2),
            numpy.full(width, 0),
            lane // 2,
            lane ^ 1,
            numpy.where(lane < 3, lane, lane - 3),
            numpy.where(lane + 3 < width, lane + 3, lane),
            (lane - 5) % width,
            (lane + 5) % width,
        ]
        expected = numpy.stack([part[source] for source in sources], axis=1)[: x[lanes].size]
        assert numpy.array_equal(out[lanes], expected, equal_nan=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_votes(programs, random, width):
    x = random.integers(0, 2, 150, numpy.uint32)
    x[:64] = 1
    out = numpy.zeros((150, 7), numpy.uint64)
    programs["simdgroups"].run("votes", 150, 150, x, out, simd_width=width)
    for lanes in simdgroups(150, 150, width):
        part = x[lanes].astype(bool)
        ballot = sum(1 << i for i, odd in enumerate(part) if odd)
        every = (1 << part.size) - 1
        common = [ballot, every, part.any(), part.all()]
        for lane, row in enumerate(out[lanes]):
            assert row.tolist() == [*common, lane == 0, part.size == width, part.any()]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width, group", [(32, 64), (32, 50), (5, 17), (64, 128)])
def test_lanes_that_diverge_meet_again(programs, seed, width, group):
    count = 3 * group

    def run(kernel, columns):
        out = numpy.zeros((count, columns), numpy.uint32)
        program = programs["simdgroups"]
        program.run(kernel, count, group, out, simd_width=width, seed=seed)
        return out

    branches, detour, loops = run("branches", 2), run("detour", 2), run("loops", 2)
    calls = run("calls", 3)
    for lanes in simdgroups(count, group, width):
        size = branches[lanes].shape[0]
        lane = numpy.arange(size)
        third = (lane % 3 == 0).sum()
        assert (branches[lanes, 0] == numpy.where(lane % 3 == 0, third, size - third)).all()
        assert (detour[lanes, 0] == numpy.where(lane < 5, min(5, size), 0)).all()
        inside = [sum(size - 1 - round for round in range(n)) for n in lane]
        assert (loops[lanes, 0] == inside).all()
        for out in (branches, detour, loops):
            assert (out[lanes, 1] == size).all()
        few = min(7, size)
        assert (calls[lanes, 0] == numpy.where(lane < 7, few, size - few)).all()
        assert (calls[lanes, 1] == numpy.where(lane % 2 == 0, 2 * ((size + 1) // 2), 0)).all()
        assert (calls[lanes, 2] == size).all()


def test_lanes_that_returned_take_no_part(programs):
    out = numpy.zeros((64, 2), numpy.float32)
    programs["simdgroups"].run("returned", 64, 64, out, numpy.uint32(20))
    took_part = numpy.arange(64) % 32 < 20
    assert (out[took_part, 0] == 20).all() and numpy.isnan(out[took_part, 1]).all()
    assert (out[~took_part] == 0).all()


@pytest.mark.parametrize("width, group", [(32, 256), (32, 100), (16, 1000), (64, 65)])
def test_barriers_and_simd_functions_in_turn(programs, width, group):
    out = numpy.zeros(group, numpy.uint32)
    programs["simdgroups"].run("both", group, group, out, simd_width=width)
    assert (out == 3 * numpy.arange(group).sum() + 3 * group).all()


# --- faults ---

FAULTS = {
    "barrier_in_branch": "line 7 is reached by 10 of the 64 threads of threadgroup (0,0,0): 54 have",
    "barrier_after_return": "threadgroup_barrier in line 14 is reached by 63 of the 64 threads",
    "two_barriers": "54 wait elsewhere, at threadgroup_barrier in line 21",
    "barrier_in_loop": "is reached by 63 of the 64 threads of threadgroup (0,0,0): 1 have returned",
    "part_of_simdgroup_barrier": "simdgroup_barrier in line 34 is reached by",
    "behind_the_end": "wrote past the end of 'values' (128 bytes of threadgroup memory)",
    "too_much_memory": "32800 bytes of threadgroup memory; a threadgroup has at most 32768",
    "no_memory": "[[threadgroup(2)]] was given no memory",
    "too_much_stack": "needs more than 131072 bytes of stack",
}


@pytest.mark.parametrize("kernel", FAULTS)
def test_faults_are_reported(programs, kernel):
    with pytest.raises(simt.Error) as caught:
        programs["faults"].run(kernel, 64, 64, numpy.zeros(64, numpy.float32), seed=3)
    assert str(caught.value).startswith(f"{kernel}: ")
    assert FAULTS[kernel] in str(caught.value)


def test_a_write_before_the_start_is_reported(programs):
    x = numpy.ones(64, numpy.float32)
    programs["faults"].run("before_the_start", 64, 64, x, numpy.int32(0))
    with pytest.raises(simt.Error, match="wrote before the start of 'values'"):
        programs["faults"].run("before_the_start", 64, 64, x, numpy.int32(-1))


def test_a_write_behind_an_argument_is_reported(programs):
    x = numpy.ones(64, numpy.float32)
    with pytest.raises(simt.Error, match=r"past the end of '\[\[threadgroup\(1\)\]\]' \(252"):
        programs["memory"].run("reverse_scratch", 64, 64, x, x.copy(), scratch=(256, 252))


def test_the_runtime_survives_a_fault(programs, random):
    x = random.standard_normal(64, numpy.float32)
    with pytest.raises(simt.Error):
        programs["faults"].run("barrier_in_branch", 64, 64, x.copy())
    y = x.copy()
    programs["faults"].run("before_the_start", 64, 64, y, numpy.int32(0))
    assert numpy.array_equal(x, y)


@pytest.mark.parametrize(
    "grid, group, width, message",
    [
        (0, 32, 32, "empty grid"),
        (64, 0, 32, "empty grid"),
        (64, 1025, 32, "at most 1024"),
        (64, (64, 64, 1), 32, "at most 1024"),
        (64, 64, 65, "at most 64"),
    ],
)
def test_impossible_launches_are_refused(programs, grid, group, width, message):
    counter, out = numpy.zeros(1, numpy.uint32), numpy.zeros(64, numpy.uint32)
    with pytest.raises(simt.Error, match=message):
        programs["grids"].run("order", grid, group, counter, out, simd_width=width)


# --- the device ---


def test_the_device_reports_writes_outside_of_a_buffer():
    """100 elements too many reach beyond the test's own sentinel, into the device's fence."""
    device = Device("simt")
    x = numpy.ones(164, numpy.float32)
    with pytest.raises(Error, match="wrote outside of 'out': 0 bytes before its start, 144 past"):
        device.run("gelu_forward", threads(164), x, Out(64), 164)
    assert device.run("gelu_forward", threads(164), x, Out(164), 164).shape == (164,)
    device.close()


def test_the_test_reports_writes_outside_of_an_array():
    device = Device("simt")
    x = numpy.ones(65, numpy.float32)
    with pytest.raises(AssertionError, match="written past its end"):
        device.run("gelu_forward", threads(65), x, Out(64), 65)
    device.close()


def test_threads_cost_little(random):
    """64 rows of 768 with 256 threads: 300,000 changes from one to another, each of nanoseconds. Threads of the
    system's, or a call of it at each change, would take many seconds."""
    device = Device("simt")
    x, weight = random.standard_normal((64, 768), numpy.float32), numpy.ones(768, numpy.float32)
    arguments = (x, weight, weight, Out(x.shape), 768, 1e-5)
    start = time.process_time()
    device.run("layernorm_forward", threadgroups(64), *arguments, threads=256)
    device.close()
    assert time.process_time() - start < 3
