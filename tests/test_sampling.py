"""The sampler against numpy: its random numbers, what it keeps, how often it draws each token."""

import numpy
import pytest

import launches
import reference
from device import InOut, Out, simdgroups, threadgroups
from device import threads as thread_grid
from toolchain import constants

NO_TOKEN = constants()["ARGMAX_NO_TOKEN"]
GROUPS = constants()["VOCABULARY_GROUPS"]
BIASED, MASKED = (constants()[f"SAMPLING_{name}"] for name in ("BIASED", "MASKED"))
LARGEST_U = [(8, 8456504), (9, 10455336)]  # (position, seed) that give u = 1 − 2⁻²⁴


# --- reference ---


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four words
    of 32 bits from counter[..., 4] and key[..., 2]."""
    words = lambda array: list(numpy.moveaxis(numpy.array(array, numpy.uint64), -1, 0))
    x, k = words(counter), words(key)
    low, half = numpy.uint64(0xFFFFFFFF), numpy.uint64(32)
    for _ in range(10):
        a, b = numpy.uint64(0xD2511F53) * x[0], numpy.uint64(0xCD9E8D57) * x[2]
        x = [b >> half ^ x[1] ^ k[0], b & low, a >> half ^ x[3] ^ k[1], a & low]
        k = [k[0] + numpy.uint64(0x9E3779B9) & low, k[1] + numpy.uint64(0xBB67AE85) & low]
    return numpy.stack(x, -1).astype(numpy.uint32)


def uniform(seed, positions):
    """What row b draws: 24 bits of Philox's first word, counter positions[b], key seed + b."""
    counter = numpy.zeros((len(positions), 4), numpy.uint32)
    counter[:, 0] = positions
    keys = numpy.uint64(seed) + numpy.arange(len(positions), dtype=numpy.uint64)
    key = numpy.stack([keys & numpy.uint64(0xFFFFFFFF), keys >> numpy.uint64(32)], -1)
    return (philox(counter, key)[:, 0] >> 8) / 2.0**24


def typical_part(p, typical):
    """What is kept of one row's weights: of the least |−ln p − entropy|, until they make up that much."""
    p = p / p.sum()
    surprise = -numpy.log(p, out=numpy.full(len(p), -numpy.inf), where=p > 0)
    distance = numpy.abs(surprise - numpy.sum(p[p > 0] * surprise[p > 0]))
    distance[p == 0] = numpy.inf
    nearest = numpy.argsort(distance, kind="stable")
    last = nearest[min(numpy.sum(numpy.cumsum(p[nearest]) < typical), numpy.sum(p > 0) - 1)]
    return numpy.where(distance <= distance[last], p, 0)


def distribution(logits, temperature=1.0, top_k=None, top_p=1.0, min_p=0.0, typical=1.0):
    """The probabilities of one row after temperature, top-k, typical, top-p and min-p, in that order; ties at a cut
    are all kept."""
    z = logits.astype(numpy.float64) / temperature
    p = numpy.exp(z - z.max())
    p[p < numpy.sort(p)[::-1][(top_k or len(p)) - 1]] = 0
    if typical < 1:
        p = typical_part(p, typical)
    descending = numpy.sort(p)[::-1]
    mass = numpy.cumsum(descending) / p.sum()
    p[p < descending[min(numpy.sum(mass < top_p), len(p) - 1)]] = 0
    p[p < min_p * p.max()] = 0
    return p / p.sum()


# --- running the kernel ---


def keep_typical(device, logits, typical, temperature=1.0, top_k=None, threads=0):
    """The logits with −∞ where a token is not kept."""
    B, V = logits.shape
    sampling = launches.row_sampling(B, V, temperature=temperature, top_k=top_k or V, typical=typical)
    return device.run(
        "keep_typical", threadgroups(B), InOut(logits.astype(numpy.float32)), sampling.data, Out((B, V)), V,
        threads=threads,
    )[0]  # fmt: skip


def draw(
    device, logits, positions, seed=0, temperature=1.0, top_k=None, top_p=1.0, min_p=0.0, typical=1.0, threads=0,
    shortlist=False,
):  # fmt: skip
    """One id for each row of logits[B,V]."""
    B, V = logits.shape
    if typical < 1:
        logits = keep_typical(device, logits, typical, temperature, top_k, threads)
    logits = logits.astype(numpy.float32)
    sampling = launches.row_sampling(
        B, V, method=launches.METHODS["SHORTLISTED" if shortlist else "DRAWN"], temperature=temperature,
        seed=numpy.uint64(seed) + numpy.arange(B, dtype=numpy.uint64), top_k=top_k or V, top_p=top_p, min_p=min_p,
    ).data  # fmt: skip
    counts = positions // 2  # a position is what was in the cache and what this pass added
    rest = [
        (positions - counts).astype(numpy.uint32),
        counts.astype(numpy.uint32),
        Out((B, V)),
        Out(B, numpy.uint32),
        V,
    ]
    if not shortlist:
        return device.run("top_k_top_p_sample", threadgroups(B), logits, sampling, *rest, threads=threads)[1]
    groups = device.run(
        "group_maxima",
        simdgroups(B * GROUPS),
        logits,
        sampling,
        Out((B, GROUPS)),
        Out((B, GROUPS)),
        B,
        V,
        threads=threads,
    )
    return device.run("shortlist_sample", threadgroups(B), logits, sampling, *groups, *rest, threads=threads)[1]


def check_quantiles(ids, logits, u, **options):
    """Every id is the one whose share of the running sum of probabilities holds that row's u. Of many floats the
    sum is less exact."""
    tolerance = 1e-6 * max(1, logits.shape[1] / 1000)
    for id, row, value in zip(ids, logits, u):
        p = distribution(row, **options)
        assert p[id] > 0
        end = numpy.cumsum(p)
        assert end[id] - p[id] - tolerance <= value <= end[id] + tolerance


def check_frequencies(ids, p):
    """Pearson's chi-square. The bound holds for a right sampler but once in 10⁶ times (Laurent &
    Massart 2000: P(χ²_k ≥ k + 2√(kx) + 2x) ≤ e⁻ˣ)."""
    expected = p * len(ids)
    counts = numpy.bincount(ids, minlength=len(p))
    assert counts[p == 0].sum() == 0
    rare = (expected < 10) & (p > 0)
    observed, expected = (numpy.append(x[expected >= 10], x[rare].sum()) for x in (counts, expected))
    observed, expected = observed[expected > 0], expected[expected > 0]
    k, x = max(len(expected) - 1, 1), 14
    chi_square = numpy.sum((observed - expected) ** 2 / expected)
    assert chi_square <= k + 2 * numpy.sqrt(k * x) + 2 * x


def repeated(row, B):
    return numpy.repeat(numpy.asarray(row, numpy.float32)[None], B, 0)


def spread(random, V):
    """Logits in random order that are all clearly apart."""
    return random.permutation(numpy.linspace(-3, 3, V)).astype(numpy.float32)


# --- random numbers ---


@pytest.mark.parametrize(
    "counter, key, words",
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_the_reference_is_philox(counter, key, words):
    """The known answers of Random123."""
    hexadecimal = lambda text: [int(word, 16) for word in text.split()]
    assert philox(hexadecimal(counter), hexadecimal(key)).tolist() == hexadecimal(words)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 3, 2**63 + 12345, 2**64 - 2])
def test_the_kernel_draws_philox(seed, device, random):
    """Of V = 4096 equal tokens, u takes number ⌊uV⌋."""
    positions = numpy.append(random.integers(0, 2**32, 37), [0, 1, 2**32 - 1])
    ids = draw(device, numpy.zeros((40, 4096)), positions, seed=seed)
    expected = numpy.floor(uniform(seed, positions) * 4096)
    assert ids.tolist() == expected.tolist()


def test_rows_and_positions_draw_different_numbers(device):
    ids = numpy.concatenate([draw(device, numpy.zeros((16, 8192)), numpy.full(16, n), seed=100 * n) for n in range(4)])
    assert len(set(ids.tolist())) >= 60  # of 64; two or more meet by chance now and then


# --- every draw ---


@pytest.mark.parametrize("threads", [0, 1, 31, 32, 33, 256, 1000, 1024])
@pytest.mark.parametrize("V", [1, 2, 31, 32, 33, 255, 257, 1000])
def test_every_draw_is_its_quantile(V, threads, device, random):
    logits = numpy.stack([spread(random, V) for _ in range(8)])
    positions, seed = random.integers(0, 1000, 8), int(random.integers(2**63))
    temperature = float(random.choice([0.3, 1.0, 4.0]))
    ids = draw(device, logits, positions, seed, temperature, threads=threads)
    check_quantiles(ids, logits, uniform(seed, positions), temperature=temperature)


@pytest.mark.parametrize("repetition", range(12))
def test_every_draw_is_its_quantile_after_the_cuts(repetition, device, random):
    V, seed = int(random.integers(2, 300)), int(random.integers(2**63))
    row, positions = spread(random, V), random.integers(0, 1000, 30)
    temperature, top_k = float(random.uniform(0.3, 5)), int(random.integers(1, V + 1))
    mass = numpy.cumsum(numpy.sort(distribution(row, temperature, top_k))[::-1])
    kept = random.integers(top_k)  # top_p halfway between two sums, where rounding decides nothing
    top_p = float((mass[kept] + (mass[kept - 1] if kept else 0)) / 2)
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    print(V, options)
    ids = draw(device, repeated(row, 30), positions, seed, threads=int(random.integers(1, 129)), **options)
    check_quantiles(ids, repeated(row, 30), uniform(seed, positions), **options)


def test_the_last_quantile(device, random):
    """What rounding leaves over must not run past the last token that has a probability."""
    for position, seed in LARGEST_U:
        assert uniform(seed, [position])[0] == 1 - 2.0**-24
        for V in (1, 2, 33, 5000):
            logits = numpy.append(random.normal(0, 0.1, V), numpy.full(V, -numpy.inf))
            for threads in (1, 32, 200):
                id = draw(device, logits[None], numpy.array([position]), seed, threads=threads)[0]
                assert V - V // 500 - 1 <= id <= V - 1


# --- how often ---


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.4},
        {"temperature": 2.5},
        {"top_k": 5},
        {"top_p": 0.8},
        {"temperature": 1.7, "top_k": 9, "top_p": 0.65},
        {"min_p": 0.1},
        {"temperature": 3, "min_p": 0.3},
        {"typical": 0.6},
        {"temperature": 1.7, "top_k": 9, "typical": 0.7, "top_p": 0.9, "min_p": 0.2},
    ],
    ids=str,
)
def test_frequencies(options, device, random):
    V, B = 13, 4000
    row, seed = spread(random, V), int(random.integers(2**63))
    ids = draw(device, repeated(row, B), random.integers(0, 2**20, B), seed, threads=32, **options)
    check_frequencies(ids, distribution(row, **options))


def test_frequencies_along_a_text(device, random):
    """The same row, position after position: what a generation draws."""
    row, seed = spread(random, 9), int(random.integers(2**63))
    positions = numpy.arange(1, 401)
    ids = [draw(device, row[None], positions[i : i + 1], seed, threads=32)[0] for i in range(400)]
    check_frequencies(numpy.array(ids), distribution(row))


def test_the_comparison_sees_a_wrong_frequency(random):
    p = distribution(spread(random, 13))
    ids = random.choice(13, 4000, p=p)
    check_frequencies(ids, p)
    with pytest.raises(AssertionError):
        check_frequencies(numpy.append(ids, [numpy.argmin(p)] * 100), p)
    with pytest.raises(AssertionError):
        check_frequencies(ids, distribution(numpy.log(p), temperature=1.5))


# --- what is kept ---

KEPT = {
    "everything": ([0.4, 0.3, 0.2, 0.1], {}, {0, 1, 2, 3}),
    "top-k": ([0.1, 0.4, 0.2, 0.3], {"top_k": 2}, {1, 3}),
    "top-k with a tie at the cut": ([0.4, 0.2, 0.2, 0.2], {"top_k": 2}, {0, 1, 2, 3}),
    "top-k with a tie above the cut": ([0.35, 0.35, 0.2, 0.1], {"top_k": 2}, {0, 1}),
    "top-k of everything": ([0.4, 0.3, 0.2, 0.1], {"top_k": 4}, {0, 1, 2, 3}),
    "top-p": ([0.1, 0.4, 0.2, 0.3], {"top_p": 0.6}, {1, 3}),
    "top-p just above a sum": ([0.4, 0.3, 0.2, 0.1], {"top_p": 0.701}, {0, 1, 2}),
    "top-p just below a sum": ([0.4, 0.3, 0.2, 0.1], {"top_p": 0.699}, {0, 1}),
    "top-p below the largest": ([0.4, 0.3, 0.2, 0.1], {"top_p": 1e-6}, {0}),
    "top-p with a tie at the cut": ([0.4, 0.2, 0.2, 0.2], {"top_p": 0.5}, {0, 1, 2, 3}),
    "min-p": ([0.1, 0.4, 0.2, 0.3], {"min_p": 0.6}, {1, 3}),
    "min-p of everything": ([0.4, 0.3, 0.2, 0.1], {"min_p": 0.24}, {0, 1, 2, 3}),
    "min-p of the likeliest": ([0.1, 0.4, 0.2, 0.3], {"min_p": 1.0}, {1}),
    "min-p of two likeliest": ([0.2, 0.4, 0.4], {"min_p": 1.0}, {1, 2}),
    "temperature before min-p": ([0.4, 0.3, 0.2, 0.1], {"temperature": 2, "min_p": 0.6}, {0, 1, 2}),
    # −ln p: 0.36, 2.3, 2.3, 2.3; the entropy is 0.94, so the likeliest is the most typical
    "typical": ([0.7, 0.1, 0.1, 0.1], {"typical": 0.5}, {0}),
    "typical with a tie": ([0.7, 0.1, 0.1, 0.1], {"typical": 0.71}, {0, 1, 2, 3}),
    # −ln p: 0.92, 1.2, 2.3 (three); the entropy is 1.41, so the likeliest is not the most typical
    "typical without the likeliest": ([0.4, 0.3, 0.1, 0.1, 0.1], {"typical": 0.2}, {1}),
    # of 0.4 and 0.3 alone the entropy is 0.68 and the first is nearest to it
    "top-k before typical": ([0.4, 0.3, 0.1, 0.1, 0.1], {"typical": 0.2, "top_k": 2}, {0}),
    # of 0.3 and 0.4 alone, what typical leaves, the likeliest makes up 57%
    "typical before top-p": ([0.4, 0.3, 0.1, 0.1, 0.1], {"typical": 0.5, "top_p": 0.5}, {0}),
    # of 0.4 and 0.3 alone the first makes up 57%; top-p before top-k would keep both
    "top-k before top-p": ([0.4, 0.3, 0.2, 0.1], {"top_k": 2, "top_p": 0.5}, {0}),
    # squared and normalised: 0.53, 0.3, 0.13, 0.03
    "temperature before top-p": ([0.4, 0.3, 0.2, 0.1], {"temperature": 0.5, "top_p": 0.5}, {0}),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_kept(case, device):
    p, options, kept = KEPT[case]
    logits = repeated(numpy.log(p) + 3, 600)
    ids = draw(device, logits, numpy.arange(600), seed=1, threads=32, **options)
    assert set(ids.tolist()) == kept  # the rarest is missed with probability 0.97⁶⁰⁰


@pytest.mark.parametrize("threads, V, top_k", [(1, 200, 23), (64, 200, 23), (1024, 1030, 2)])
def test_exactly_top_k_are_kept(threads, V, top_k, device, random):
    """Hot enough that all that are kept come up."""
    row, B = spread(random, V), 50 * top_k
    ids = draw(device, repeated(row, B), numpy.arange(B), top_k=top_k, temperature=1e4, threads=threads)
    assert set(ids.tolist()) == set(numpy.argsort(row)[-top_k:].tolist())


# --- edges ---


@pytest.mark.parametrize("threads", [1, 32, 77])
@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.5}, {"top_k": 3, "top_p": 0.5}])
def test_rows_that_are_not_numbers_give_no_token(options, threads, device, random):
    V = 70
    logits = numpy.stack([spread(random, V) for _ in range(9)])
    for row, column in ((1, 0), (3, 35), (5, V - 1)):
        logits[row, column] = numpy.nan
    logits[6] = numpy.nan
    logits[7] = -numpy.inf
    logits[8, 4] = numpy.inf
    positions = numpy.arange(9)
    ids = draw(device, logits, positions, threads=threads, **options)
    damaged = [1, 3, 5, 6, 7, 8]
    assert ids[damaged].tolist() == [NO_TOKEN] * len(damaged)
    good = [0, 2, 4]
    check_quantiles(ids[good], logits[good], uniform(0, positions)[good], **options)


@pytest.mark.parametrize("options", [{}, {"top_k": 50}, {"top_p": 0.999}])
def test_minus_infinity_is_never_drawn(options, device, random):
    row = spread(random, 64)
    row[random.permutation(64)[:40]] = -numpy.inf
    ids = draw(device, repeated(row, 1500), numpy.arange(1500), temperature=100, threads=32, **options)
    allowed = set(numpy.flatnonzero(numpy.isfinite(row)).tolist())
    assert set(ids.tolist()) <= allowed
    assert len(allowed - set(ids.tolist())) <= (1 if "top_p" in options else 0)


@pytest.mark.parametrize("temperature", [1e-30, 1e-6, 1e-3])
def test_the_limit_of_a_small_temperature_is_argmax(temperature, device, random):
    logits = numpy.stack([spread(random, 300) for _ in range(20)])
    ids = draw(device, logits, numpy.arange(20), temperature=temperature)
    assert ids.tolist() == logits.argmax(1).tolist()


def test_a_vocabulary_of_one(device):
    assert draw(device, numpy.array([[5.0]]), numpy.array([3])).tolist() == [0]


def test_large_logits(device):
    """Differences that overflow and sums that would, were the largest not subtracted."""
    logits = repeated([3e38, -3e38, 3e38, 0.0, -numpy.inf], 200)
    ids = draw(device, logits, numpy.arange(200), threads=32)
    assert set(ids.tolist()) == {0, 2}
    logits = repeated([1000.0, 999.0, -1000.0], 2000)
    ids = draw(device, logits, numpy.arange(2000), threads=32)
    check_frequencies(ids, distribution(logits[0]))


# --- by a shortlist ---

each_thread_count = pytest.mark.parametrize("threads", [0, 1, 31, 32, 33, 256, 1000, 1024])


def peaked(random, V):
    """A few likely tokens, neighbours among them, and many others that share a twentieth of the mass."""
    logits = random.normal(0, 1, V)
    likely = (random.integers(V) + numpy.append(numpy.arange(min(V, 9)), random.integers(0, V, 9))) % V
    logits[likely] += numpy.log(V) + 3
    return logits.astype(numpy.float32)


@each_thread_count
@pytest.mark.parametrize("V", [1, 33, 5000, 20_000])
def test_group_maxima(V, threads, device, random):
    """With a group of nothing but −∞, and one with a NaN."""
    logits, temperature = random.normal(0, 3, (3, V)).astype(numpy.float32), float(random.uniform(0.3, 3))
    logits[1, : 32 * random.integers(1, 4)] = -numpy.inf
    logits[2, random.integers(V)] = numpy.nan
    sampling = launches.row_sampling(3, V, method=launches.METHODS["SHORTLISTED"], temperature=temperature).data
    groups = device.run(
        "group_maxima", simdgroups(3 * GROUPS), logits, sampling, Out((3, GROUPS)), Out((3, GROUPS)), 3, V,
        threads=threads,
    )  # fmt: skip
    largest, sums = reference.group_maxima(logits, temperature, GROUPS)
    assert numpy.array_equal(groups[0], largest.astype(numpy.float32), equal_nan=True)
    numbers = ~numpy.isnan(largest)
    numpy.testing.assert_allclose(groups[1][numbers], sums[numbers], rtol=1e-5)


def apart(random, row, temperature, top_k):
    """A top_p halfway between two sums of probabilities, where rounding decides nothing."""
    mass = numpy.cumsum(numpy.sort(distribution(row, temperature, top_k))[::-1])
    steps = numpy.flatnonzero(numpy.diff(numpy.append(0, mass)) > 1e-4)
    kept = int(random.choice(steps))
    return float((mass[kept] + (mass[kept - 1] if kept else 0)) / 2)


KINDS = ["top-k", "top-k, top-p", "top-p", "min-p", "top-p, min-p", "many by top-k", "flat by top-p", "flat by min-p"]


@each_thread_count
@pytest.mark.parametrize("kind", KINDS)
def test_every_draw_from_a_shortlist_is_its_quantile(kind, threads, device, random):
    """many: too many to be compared with each other; flat: more than a shortlist has room for."""
    V, temperature = int(random.choice([1, 40, 1000, 9001, 20_000])), float(random.uniform(0.5, 1.5))
    row = spread(random, V) if kind.startswith(("many", "flat")) else peaked(random, V)
    options = {"temperature": temperature}
    if "top-k" in kind:
        options["top_k"] = min(V, 500 if kind.startswith("many") else int(random.integers(1, 100)))
    if "top-p" in kind:
        options["top_p"] = apart(random, row, temperature, options.get("top_k"))
    if "min-p" in kind:
        options["min_p"] = float(random.uniform(0.001, 0.01 if kind.startswith("flat") else 0.5))
    print(V, options)
    positions, seed = random.integers(0, 1000, 6), int(random.integers(2**63))
    ids = draw(device, repeated(row, 6), positions, seed, threads=threads, shortlist=True, **options)
    check_quantiles(ids, repeated(row, 6), uniform(seed, positions), **options)


@pytest.mark.parametrize("case", [case for case in KEPT if "typical" not in KEPT[case][1]])
def test_what_a_shortlist_keeps(case, device, random):
    """The same as of these tokens alone, wherever they lie among others that have no chance."""
    p, options, kept = KEPT[case]
    V, positions, logits = 3000, numpy.arange(40), numpy.log(p) + 3
    places = numpy.sort(random.permutation(V)[: len(p)])
    row = numpy.full(V, -60.0)
    row[places] = logits
    ids = draw(device, repeated(row, 40), positions, seed=1, threads=64, shortlist=True, **options)
    alone = draw(device, repeated(logits, 40), positions, seed=1, threads=64, **options)
    assert ids.tolist() == places[alone].tolist() and set(alone.tolist()) <= kept


@pytest.mark.parametrize("threads", [1, 32, 77])
@pytest.mark.parametrize("options", [{"top_k": 3}, {"top_p": 0.5}, {"min_p": 0.1}])
def test_rows_that_are_not_numbers_give_no_token_by_a_shortlist(options, threads, device, random):
    V = 9000
    logits = numpy.stack([peaked(random, V) for _ in range(6)])
    logits[0, 35], logits[1], logits[2, V - 1], logits[3] = numpy.nan, numpy.nan, numpy.inf, -numpy.inf
    logits[4, random.permutation(V)[: V // 2]] = -numpy.inf
    positions = numpy.arange(6)
    ids = draw(device, logits, positions, threads=threads, shortlist=True, **options)
    assert ids[:4].tolist() == [NO_TOKEN] * 4
    check_quantiles(ids[4:], logits[4:], uniform(0, positions)[4:], **options)


# --- typical ---


@pytest.mark.parametrize("threads", [0, 1, 31, 32, 33, 256, 1000, 1024])
@pytest.mark.parametrize("V", [1, 2, 31, 32, 33, 255, 257, 1000])
def test_typical(V, threads, device, random):
    """Against float64, where rounding decides nothing: the wanted share lies halfway between two sums."""
    logits = numpy.stack([spread(random, V) for _ in range(4)])
    temperature = float(random.choice([0.7, 1.0, 3.0]))
    top_k = int(random.integers(1, V + 1))
    p = distribution(logits[0], temperature, top_k)
    surprise = -numpy.log(p[p > 0])
    distance = numpy.abs(surprise - numpy.sum(p[p > 0] * surprise))
    order = numpy.argsort(distance)
    mass = numpy.append(0, numpy.cumsum(p[p > 0][order]))
    apart = numpy.append(numpy.diff(distance[order]), 1) > 1e-4  # and no two tokens are alike at the cut
    kept = int(random.choice(numpy.flatnonzero(apart & (numpy.diff(mass) > 2e-5))))
    typical = float((mass[kept] + mass[kept + 1]) / 2)
    print(V, temperature, top_k, typical)
    rows = repeated(logits[0], 3)
    result = keep_typical(device, rows, typical, temperature, top_k, threads)
    expected = typical_part(p, typical) > 0
    assert numpy.array_equal(numpy.isfinite(result), numpy.repeat(expected[None], 3, 0))
    assert numpy.array_equal(result[:, expected], rows[:, expected])


def test_rows_that_are_not_numbers_stay(device, random):
    """For the draw behind it to report."""
    logits = numpy.stack([spread(random, 70) for _ in range(4)])
    logits[0, 3], logits[1, 69], logits[2] = numpy.nan, numpy.inf, -numpy.inf
    result = keep_typical(device, logits, 0.5, threads=32)
    assert numpy.array_equal(result[:3], logits[:3], equal_nan=True)
    assert numpy.isinf(result[3]).any() and numpy.isfinite(result[3]).any()


# --- bias and penalties ---


def penalised(logits, texts, window, repetition, presence, frequency):
    """By the definition, in float64, of rows that go on behind these texts."""
    result = logits.astype(numpy.float64)
    for row, text in zip(result, texts):
        last = text[-window:]
        for token in set(last):
            row[token] = row[token] / repetition if row[token] > 0 else row[token] * repetition
            row[token] -= presence + frequency * last.count(token)
    return result


@pytest.mark.parametrize("threads", [0, 1, 31, 33, 256])
@pytest.mark.parametrize("window", [1, 2, 31, 64, 65, 300])
def test_penalties(window, threads, device, random):
    """Of texts that are empty, shorter than the window, longer, and as long as there is room for."""
    V, capacity = int(random.integers(3, 90)), 320
    lengths = [0, 1, window - 1, window, 200, capacity]
    texts = [random.integers(0, V, length).tolist() for length in lengths]
    history = random.integers(0, V, (len(texts), capacity + 1)).astype(numpy.uint32)
    for row, text in zip(history, texts):
        row[: len(text)] = text
    logits = random.normal(0, 3, (len(texts), V)).astype(numpy.float32)
    counts = numpy.array([length // 3 for length in lengths], numpy.uint32)
    values = [float(random.uniform(0.5, 2)), float(random.uniform(-2, 2)), float(random.uniform(-2, 2))]
    fields = dict(zip(["window", "repetition", "presence", "frequency"], [window, *values]))
    sampling = launches.row_sampling(len(texts), V, **fields).data
    result = device.run(
        "penalise_repeats", thread_grid(window, len(texts)), history, sampling, numpy.array(lengths, numpy.uint32) - counts,
        counts, InOut(logits), len(texts), V, capacity, threads=threads,
    )  # fmt: skip
    expected = penalised(logits, texts, window, *values)
    assert numpy.abs(result - expected).max() <= 1e-5 * (1 + numpy.abs(expected).max())
    untouched = expected == logits
    assert numpy.array_equal(result[untouched], logits[untouched])


def test_penalties_keep_what_is_no_number(device):
    """NaN stays visible, −∞ stays forbidden, the sentinel of a failed sample is no token."""
    history = numpy.array([[0, 1, 2, NO_TOKEN, 2, 9]], numpy.uint32)
    logits = numpy.array([[numpy.nan, -numpy.inf, 1, 1]], numpy.float32)
    one = numpy.ones(1, numpy.uint32)
    sampling = launches.row_sampling(1, 4, window=9, repetition=2, presence=0.25, frequency=0.5).data
    result = device.run("penalise_repeats", thread_grid(9, 1), history, sampling, 4 * one, one, InOut(logits), 1, 4, 5)
    assert numpy.isnan(result[0, 0]) and result[0, 1:].tolist() == [-numpy.inf, 0.5 - 0.25 - 1, 1]


@pytest.mark.parametrize("V", [1, 33, 1000])
def test_bias(V, device, random):
    logits, bias = random.normal(0, 3, (2, 3, V)).astype(numpy.float32)
    bias[:, random.integers(V)] = -numpy.inf
    bias[1] = numpy.nan  # nobody looks at it
    sampling = launches.row_sampling(3, V, flags=[BIASED, 3 - BIASED, 3]).data
    result = device.run("add_logit_bias", thread_grid(V, 3), logits, sampling, bias, Out((3, V)), 3, V)
    bias[1] = 0
    assert numpy.array_equal(result, logits + bias)


@pytest.mark.parametrize("V", [1, 31, 32, 33, 1000])
def test_mask(V, device, random):
    logits = random.normal(0, 3, (3, V)).astype(numpy.float32)
    logits[0, random.integers(V)] = numpy.nan
    allowed = random.integers(0, 2**32, (3, (V + 31) // 32), dtype=numpy.uint32)
    sampling = launches.row_sampling(3, V, flags=[MASKED, 3 - MASKED, 3]).data
    result = device.run("mask_tokens", thread_grid(V, 3), sampling, allowed, InOut(logits), 3, V)
    for b in range(3):
        for v in range(V):
            expected = logits[b, v] if b == 1 or int(allowed[b, v // 32]) >> v % 32 & 1 else -numpy.inf
            assert numpy.array_equal(result[b, v], expected, equal_nan=True)


# --- logprobs ---

SLOTS, TOLD_MOST = (constants()[f"SAMPLING_{name}"] for name in ("SLOTS", "TOLD_MOST"))


@pytest.mark.parametrize("threads", [0, 1, 31, 33, 256, 1024])
@pytest.mark.parametrize("V, N", [(1, 0), (1, 1), (2, 2), (33, 20), (257, 5), (1000, 20), (20, 20)])
def test_logprobs(V, N, threads, device, random):
    """Of logits with ties and −∞; in the slot of the position, and nothing beside it."""
    logits = random.integers(-3, 4, (4, V)).astype(numpy.float32) + numpy.float32(random.normal())
    logits[1, random.permutation(V)[: V // 2]] = -numpy.inf
    lengths, counts = random.integers(0, 100, 4).astype(numpy.uint32), random.integers(0, 9, 4).astype(numpy.uint32)
    ids = random.integers(0, V, 4).astype(numpy.uint32)
    shape, told = (4, SLOTS, TOLD_MOST), 1 + N
    sampling = launches.row_sampling(4, V, told=told).data
    tokens, logprobs = device.run(
        "top_logprobs", threadgroups(4), logits, sampling, lengths, counts, ids, Out(shape, numpy.uint32), Out(shape), V,
        threads=threads,
    )  # fmt: skip
    assert numpy.all(tokens[:, :, told:] == 2**32 - 1) and numpy.isnan(logprobs[:, :, told:]).all()
    tokens, logprobs = tokens[:, :, :told], logprobs[:, :, :told]
    for b, row in enumerate(logits.astype(numpy.float64)):
        slot = (lengths[b] + counts[b]) % SLOTS
        expected = row - row.max() - numpy.log(numpy.exp(row - row.max()).sum())
        order = [ids[b], *numpy.argsort(-row, kind="stable")[:N]]
        assert tokens[b, slot].tolist() == [int(id) for id in order]
        finite = numpy.isfinite(expected[order])
        assert numpy.abs(logprobs[b, slot][finite] - expected[order][finite]).max(initial=0) <= 1e-5
        assert numpy.all(logprobs[b, slot][~finite] == -numpy.inf)
        others = numpy.arange(SLOTS) != slot
        assert numpy.all(tokens[b, others] == 2**32 - 1) and numpy.isnan(logprobs[b, others]).all()
