"""Textures, samplers and argument buffers in metal-check: image filters of our own, compared with numpy."""

import itertools
import re

import numpy
import pytest

import checker
from library import BUILD

pytestmark = pytest.mark.skipif(BUILD.name == "asan", reason="test_check.py looks at the checker's own memory")

HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"
AT = "uint2 at [[thread_position_in_grid]]"


class Empty:
    """An output that nothing is written to yet."""

    def __init__(self, dtype, *shape):
        self.text = f"empty:{checker.TYPES[numpy.dtype(dtype)]}:{'x'.join(map(str, shape))}"


@pytest.fixture
def run(tmp_path):
    """run(source, kernel, grid, textures) launches a kernel and returns {target: array} of what is Empty or
    named in `outputs`. There must be no finding."""

    def run(source, kernel, grid, textures=(), *, buffers=(), options=(), outputs=(), threads="4,4", findings=False):
        path = tmp_path / "kernel.metal"
        path.write_text(HEADER + source)
        bound, saved = [], {}
        for option, given in (("--texture", dict(textures)), ("--buffer", dict(buffers))):
            for target, content in given.items():
                name = f"{option[2:]}_{target}"
                if isinstance(content, numpy.ndarray):
                    numpy.save(tmp_path / f"{name}.npy", content)
                    bound += [option, f"{target}={tmp_path}/{name}.npy"]
                else:
                    bound += [option, f"{target}={getattr(content, 'text', content)}"]
                if isinstance(content, Empty) or target in outputs:
                    saved[target] = tmp_path / f"out_{name}.npy"
                    prefix = "texture:" if option == "--texture" and isinstance(target, int) else ""
                    bound += ["-o", f"{prefix}{target}={saved[target]}"]
        size = ",".join(map(str, grid))
        launch = ["--kernel", kernel, "--grid", size, "--threads", threads]
        report = checker.run(path, *launch, *bound, *options)
        found = [finding for finding in report["findings"] if finding["severity"] != "note"]
        if findings:
            return found
        assert found == []
        return {target: numpy.load(path) for target, path in saved.items()}

    return run


# --- numpy's own textures ---


def decoded(image):
    """Texels as a kernel sees them in a texture of float."""
    if image.dtype.kind == "f":
        return image.astype(numpy.float64)
    return numpy.maximum(image / numpy.iinfo(image.dtype).max, -1.0)


def wrapped(i, count, address):
    """The index of a texel, −1 for the border."""
    if address == "clamp_to_edge":
        return numpy.clip(i, 0, count - 1)
    if address == "repeat":
        return i % count
    if address == "mirrored_repeat":
        turn = i % (2 * count)
        return numpy.where(turn < count, turn, 2 * count - 1 - turn)
    return numpy.where((i < 0) | (i >= count), -1, i)


def sampled(image, at, *, linear=False, address="clamp_to_edge", pixel=False, border=0.0):
    """image[…, y, x, channel] at points whose coordinates are x, y, …"""
    axes = image.ndim - 1
    counts = image.shape[axes - 1 :: -1] if axes > 1 else image.shape[:1]
    values = decoded(image)
    at = [numpy.asarray(one, numpy.float64) * (1 if pixel else count) for one, count in zip(at, counts)]
    if not linear:
        corners = [([numpy.floor(one).astype(int) for one in at], 1.0)]
    else:
        first = [numpy.floor(one - 0.5).astype(int) for one in at]
        share = [one - 0.5 - low for one, low in zip(at, first)]
        corners = []
        for corner in itertools.product((0, 1), repeat=axes):
            weight = numpy.prod([part if step else 1 - part for part, step in zip(share, corner)], axis=0)
            corners.append(([low + step for low, step in zip(first, corner)], weight))
    total = 0.0
    for indices, weight in corners:
        indices = [wrapped(i, count, address) for i, count in zip(indices, counts)]
        outside = numpy.any([i < 0 for i in indices], axis=0)
        texel = values[tuple(reversed(indices))]
        texel = numpy.where(outside[..., None], border, texel)
        total = total + texel * numpy.asarray(weight)[..., None]
    return total


def close(found, expected, tolerance=1 / 256):
    assert found.shape == expected.shape
    assert not numpy.isnan(found).any()
    worst = numpy.abs(decoded(found) - expected).max()
    assert worst <= tolerance, worst


def image_of(random, *shape, dtype=numpy.float32):
    if numpy.dtype(dtype).kind == "f":
        return random.random(shape).astype(dtype)
    limits = numpy.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


# --- formats ---

COPY = """
template <typename T> kernel void copy(texture2d<T, access::read> in [[texture(0)]], texture2d<T, access::write> out [[texture(1)]],
    uint2 at [[thread_position_in_grid]]) { if (at.x < out.get_width() && at.y < out.get_height()) out.write(in.read(at), at); }
template [[host_name("copy_float")]] kernel decltype(copy<float>) copy<float>;
template [[host_name("copy_half")]] kernel decltype(copy<half>) copy<half>;
template [[host_name("copy_uint")]] kernel decltype(copy<uint>) copy<uint>;
template [[host_name("copy_int")]] kernel decltype(copy<int>) copy<int>;
template [[host_name("copy_ushort")]] kernel decltype(copy<ushort>) copy<ushort>;
"""


@pytest.mark.parametrize("type, dtypes", [
    ("float", "f4 f2 u1 u2 i1 i2"), ("half", "f2 u1"), ("uint", "u1 u2 u4"), ("int", "i1 i2 i4"), ("ushort", "u1 u2"),
])  # fmt: skip
def test_what_is_read_is_written(type, dtypes, run, random):
    """Every format of 1, 2 and 4 channels: the same bits, but for −128, which is −1 like −127."""
    for dtype, channels in itertools.product(dtypes.split(), (1, 2, 4)):
        image = image_of(random, 5, 7, channels, dtype=dtype)
        if type == "float" and dtype[0] == "i":
            image[image == numpy.iinfo(dtype).min] += 1
        out = run(COPY, f"copy_{type}", (8, 8), {0: image, 1: Empty(dtype, *image.shape)})[1]
        assert numpy.array_equal(out, image)


def test_a_format_that_is_narrower(run, random):
    """Rounded to the nearest, and no further than its ends; integers likewise."""
    image = (random.random((6, 5, 4)) * 4 - 2).astype(numpy.float32)
    for dtype, low in ((numpy.uint8, 0), (numpy.int16, -1)):
        out = run(COPY, "copy_float", (5, 6), {0: image, 1: Empty(dtype, 6, 5, 4)})[1]
        expected = numpy.rint(numpy.clip(image, low, 1) * numpy.float32(numpy.iinfo(dtype).max))
        assert numpy.abs(out - expected).max() <= 1
    image = random.integers(-(2**31), 2**31, (6, 5), numpy.int32)
    out = run(COPY, "copy_int", (5, 6), {0: image, 1: Empty(numpy.int8, 6, 5)})[1]
    assert numpy.array_equal(out, numpy.clip(image, -128, 127))


@pytest.mark.parametrize("channels, missing", [(1, [0, 0, 1]), (2, [0, 1])])
def test_channels_that_are_missing(channels, missing, run, random):
    image = image_of(random, 3, 3, channels)
    out = run(COPY, "copy_float", (3, 3), {0: image, 1: Empty(numpy.float32, 3, 3, 4)})[1]
    assert numpy.array_equal(out[..., :channels], image)
    assert (out[..., channels:] == missing).all()


# --- samplers ---

RESIZE = f"""
kernel void resize(texture2d<float> in [[texture(0)]], texture2d<float, access::write> out [[texture(1)]], sampler s [[sampler(0)]],
    constant float4 &range [[buffer(0)]], {AT}) {{
    out.write(in.sample(s, range.xy + (float2(at) + 0.5f) * range.zw), at);
}}
"""
RANGE = numpy.array([-0.7, -1.2, 0.17, 0.21], numpy.float32)


def points(scale=(1, 1), width=13, height=11, range=RANGE):
    x, y = numpy.meshgrid(numpy.arange(width) + 0.5, numpy.arange(height) + 0.5)
    return [(range[0] + x * range[2]) * scale[0], (range[1] + y * range[3]) * scale[1]]


@pytest.mark.parametrize("address", ["clamp_to_edge", "repeat", "mirrored_repeat", "clamp_to_zero", "clamp_to_border"])
@pytest.mark.parametrize("filter", ["nearest", "linear"])
def test_samplers(filter, address, run, random):
    image = image_of(random, 5, 6, 4, dtype=numpy.uint8)
    textures = {0: image, 1: Empty(numpy.float32, 11, 13, 4)}
    border = 1.0 if address == "clamp_to_border" else 0.0
    words = f"0={filter},{address}" + (",opaque_white" if border else "")
    out = run(RESIZE, "resize", (13, 11), textures, buffers={0: RANGE}, options=["--sampler", words])[1]
    close(out, sampled(image, points(), linear=filter == "linear", address=address, border=border))


def test_pixel_coordinates_and_axes(run, random):
    """Each axis may have its own address mode, also where the sampler is written in the kernel."""
    image = image_of(random, 5, 6, 4)
    range = RANGE * numpy.array([6, 5, 6, 5], numpy.float32)
    textures = {0: image, 1: Empty(numpy.float32, 11, 13, 4)}
    expected = sampled(image, points(range=range), linear=True, pixel=True)
    words = "0=filter::linear,coord::pixel"
    out = run(RESIZE, "resize", (13, 11), textures, buffers={0: range}, options=["--sampler", words])[1]
    close(out, expected)
    source = RESIZE.replace(", sampler s [[sampler(0)]]", "").replace(
        "kernel void", "constexpr sampler s(filter::linear, coord::pixel);\nkernel void"
    )
    close(run(source, "resize", (13, 11), textures, buffers={0: range})[1], expected)
    source = source.replace(
        "constexpr sampler s(filter::linear, coord::pixel);",
        "constexpr sampler s(s_address::repeat, t_address::mirrored_repeat, mag_filter::linear);",
    )
    out = run(source, "resize", (13, 11), textures, buffers={0: RANGE})[1]
    wide = numpy.concatenate([image, image[::-1]] * 3)  # mirrored in y, so that all of it repeats
    x, y = points()
    close(out, sampled(wide, [x, (y + 2) / 6], linear=True, address="repeat"))


def test_gather_offsets_and_levels(run, random):
    source = f"""
constexpr sampler s(filter::linear, address::clamp_to_edge);
kernel void k(texture2d<float> in [[texture(0)]], texture2d<float, access::write> out [[texture(1)]], {AT}) {{
    float2 uv = (float2(at) + 0.75f) / 4;
    out.write(in.gather(s, uv, int2(0), component::y), at);
    out.write(in.sample(s, uv, int2(1, -1)), uint2(at.x + 4, at.y));
    out.write(in.sample(s, uv, level(0), int2(-1, 2)) + in.get_num_mip_levels(), uint2(at.x + 8, at.y));
}}"""
    image = image_of(random, 4, 4, 4)
    out = run(source, "k", (4, 4), {0: image, 1: Empty(numpy.float32, 4, 12, 4)})[1]
    x, y = numpy.meshgrid(numpy.arange(4) + 0.75, numpy.arange(4) + 0.75)
    low, high = (lambda v: numpy.clip(v - 0.5, 0, 3).astype(int)), (lambda v: numpy.clip(v + 0.5, 0, 3).astype(int))
    gathered = [
        image[high(y), low(x), 1],
        image[high(y), high(x), 1],
        image[low(y), high(x), 1],
        image[low(y), low(x), 1],
    ]
    assert numpy.array_equal(out[:, :4], numpy.stack(gathered, -1))
    close(out[:, 4:8], sampled(image, [x + 1, y - 1], linear=True, pixel=True))
    assert numpy.abs(out[:, 8:] - 1 - sampled(image, [x - 1, y + 2], linear=True, pixel=True)).max() < 1 / 256


# --- image filters ---


def padded(image, by=1):
    return numpy.pad(image.astype(numpy.float64), [(by, by), (by, by)] + [(0, 0)] * (image.ndim - 2), mode="edge")


def window(image, dx, dy):
    return padded(image)[1 + dy : 1 + dy + image.shape[0], 1 + dx : 1 + dx + image.shape[1]]


CLAMPED = "uint2 size = uint2(in.get_width(), in.get_height());\n"


def test_blur_with_a_tile(run, random):
    """In threadgroup memory, with an edge of one texel."""
    source = """
constant float weights[3] = {0.25, 0.5, 0.25};
kernel void blur(texture2d<float, access::read> in [[texture(0)]], texture2d<float, access::write> out [[texture(1)]],
    uint2 at [[thread_position_in_grid]], uint2 t [[thread_position_in_threadgroup]], uint2 group [[threadgroup_position_in_grid]]) {
    threadgroup float4 tile[10][10];
    int2 size = int2(in.get_width(), in.get_height());
    for (uint y = t.y; y < 10; y += 8)
        for (uint x = t.x; x < 10; x += 8)
            tile[y][x] = in.read(uint2(clamp(int2(group * 8 + uint2(x, y)) - 1, int2(0), size - 1)));
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (at.x >= out.get_width() || at.y >= out.get_height()) return;
    float4 sum = 0;
    for (uint y = 0; y < 3; y++)
        for (uint x = 0; x < 3; x++) sum += weights[x] * weights[y] * tile[t.y + y][t.x + x];
    out.write(sum, at);
}"""
    image = image_of(random, 13, 19, 4, dtype=numpy.uint8)
    out = run(source, "blur", (24, 16), {0: image, 1: Empty(numpy.float16, 13, 19, 4)}, threads="8,8")[1]
    weights = [0.25, 0.5, 0.25]
    expected = sum(weights[x + 1] * weights[y + 1] * window(image / 255, x, y) for x in (-1, 0, 1) for y in (-1, 0, 1))
    close(out, expected, 1e-3)


def test_sobel(run, random):
    source = f"""
constant half3 luma = half3(0.2126h, 0.7152h, 0.0722h);
static half grey(texture2d<half, access::sample> in, int2 at) {{
    constexpr sampler s(coord::pixel, address::clamp_to_edge);
    return dot(in.sample(s, float2(at) + 0.5f).rgb, luma);
}}
kernel void sobel(texture2d<half, access::sample> in [[texture(0)]], texture2d<half, access::write> out [[texture(1)]], {AT}) {{
    int2 p = int2(at);
    half gx = 0, gy = 0;
    for (int i = -1; i <= 1; i++) {{
        half weight = i ? 1 : 2;
        gx += weight * (grey(in, p + int2(1, i)) - grey(in, p + int2(-1, i)));
        gy += weight * (grey(in, p + int2(i, 1)) - grey(in, p + int2(i, -1)));
    }}
    out.write(half4(half3(sqrt(gx * gx + gy * gy)), 1), at);
}}"""
    image = image_of(random, 9, 12, 4, dtype=numpy.uint8)
    grey = image[..., :3] / 255 @ [0.2126, 0.7152, 0.0722]
    gx = sum((1 if i else 2) * (window(grey, 1, i) - window(grey, -1, i)) for i in (-1, 0, 1))
    gy = sum((1 if i else 2) * (window(grey, i, 1) - window(grey, i, -1)) for i in (-1, 0, 1))
    out = run(source, "sobel", (12, 9), {0: image, 1: Empty(numpy.float16, 9, 12, 4)})[1]
    assert numpy.abs(out[..., 0] - numpy.hypot(gx, gy)).max() < 2e-2
    assert (out[..., 3] == 1).all()


def test_lookup_tables(run, random):
    """Tone curves in a texture1d, colours in a texture3d."""
    source = f"""
kernel void grade(texture2d<float, access::read> in [[texture(0)]], texture1d<float> curve [[texture(1)]], texture3d<float> lut [[texture(2)]],
    texture2d<float, access::write> out [[texture(3)]], {AT}) {{
    constexpr sampler s(filter::linear, address::clamp_to_edge);
    float4 c = in.read(at);
    c.rgb = float3(curve.sample(s, c.r).r, curve.sample(s, c.g).r, curve.sample(s, c.b).r);
    float3 n = float3(lut.get_width(), lut.get_height(), lut.get_depth());
    out.write(float4(lut.sample(s, (c.rgb * (n - 1) + 0.5f) / n).rgb, c.a), at);
}}"""
    image, curve, lut = image_of(random, 7, 9, 4), image_of(random, 16, 1), image_of(random, 3, 4, 5, 4)
    out = run(source, "grade", (9, 7), {0: image, 1: curve, 2: lut, 3: Empty(numpy.float32, 7, 9, 4)})[3]
    toned = sampled(curve, [image[..., :3].reshape(-1)], linear=True).reshape(7, 9, 3)
    counts = numpy.array([5, 4, 3])
    at = numpy.moveaxis((toned * (counts - 1) + 0.5) / counts, -1, 0)
    expected = sampled(lut, list(at), linear=True)
    expected[..., 3] = image[..., 3]
    close(out, expected)


def test_bayer(run, random):
    """RGGB to colours, from whole numbers of 16 bits."""
    source = """
kernel void demosaic(texture2d<uint, access::read> raw [[texture(0)]], texture2d<float, access::write> out [[texture(1)]],
    constant uint &white [[buffer(0)]], ushort2 at [[thread_position_in_grid]]) {
    ushort2 cell = ushort2(at.x & ~1, at.y & ~1);
    float r = raw.read(cell).r, g0 = raw.read(ushort2(cell.x + 1, cell.y)).r;
    float g1 = raw.read(ushort2(cell.x, cell.y + 1)).r, b = raw.read(ushort2(cell.x + 1, cell.y + 1)).r;
    out.write(float4(r, (g0 + g1) / 2, b, white) / white, at);
}"""
    raw = random.integers(0, 4096, (8, 10), numpy.uint16)
    out = run(source, "demosaic", (10, 8), {0: raw, 1: Empty(numpy.uint8, 8, 10, 4)}, buffers={0: "u32:4095"})[1]
    cells = (
        numpy.stack(
            [
                raw[::2, ::2],
                (raw[::2, 1::2] + raw[1::2, ::2].astype(int)) / 2,
                raw[1::2, 1::2],
                0 * raw[::2, ::2] + 4095,
            ],
            -1,
        )
        / 4095
    )
    close(out, cells.repeat(2, 0).repeat(2, 1))


def test_histogram(run, random):
    """Counted in threadgroup memory, normalised into a texture of one row by the last pass."""
    source = f"""
kernel void count(texture2d<half, access::read> in [[texture(0)]], device atomic_uint *bins [[buffer(0)]], {AT},
    uint t [[thread_index_in_threadgroup]], uint2 size [[threads_per_threadgroup]]) {{
    threadgroup atomic_uint own[16];
    for (uint i = t; i < 16; i += size.x * size.y) atomic_store_explicit(&own[i], 0, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (at.x < in.get_width() && at.y < in.get_height())
        atomic_fetch_add_explicit(&own[min(uint(in.read(at).r * 16), 15u)], 1, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint i = t; i < 16; i += size.x * size.y)
        atomic_fetch_add_explicit(&bins[i], atomic_load_explicit(&own[i], memory_order_relaxed), memory_order_relaxed);
}}"""
    image = image_of(random, 9, 11, dtype=numpy.uint8)
    bins = run(source, "count", (12, 12), {0: image}, buffers={0: numpy.zeros(16, numpy.uint32)}, outputs=[0])[0]
    levels = (image / numpy.float32(255)).astype(numpy.float16).astype(float) * 16
    assert numpy.array_equal(bins, numpy.bincount(numpy.minimum(levels.astype(int), 15).ravel(), minlength=16))


def test_bilateral(run, random):
    source = f"""
struct Settings {{ float space, range; int radius; }};
kernel void bilateral(texture2d<float, access::read> in [[texture(0)]], texture2d<float, access::write> out [[texture(1)]],
    constant Settings &settings [[buffer(0)]], {AT}) {{
    if (any(at >= uint2(in.get_width(), in.get_height()))) return;
    float centre = in.read(at).r, sum = 0, weights = 0;
    for (int dy = -settings.radius; dy <= settings.radius; dy++)
        for (int dx = -settings.radius; dx <= settings.radius; dx++) {{
            int2 p = int2(at) + int2(dx, dy);
            if (p.x < 0 || p.y < 0 || p.x >= int(in.get_width()) || p.y >= int(in.get_height())) continue;
            float value = in.read(uint2(p)).r;
            float w = exp(-(dx * dx + dy * dy) * settings.space - (value - centre) * (value - centre) * settings.range);
            sum += w * value;
            weights += w;
        }}
    out.write(sum / weights, at);
}}"""
    image = image_of(random, 8, 9)
    options = ["--bytes", "0=f32:0.4,8,i32:2"]
    out = run(source, "bilateral", (12, 8), {0: image, 1: Empty(numpy.float32, 8, 9)}, options=options)[1]
    sums, weights = numpy.zeros((8, 9)), numpy.zeros((8, 9))
    for y, x, dy, dx in itertools.product(range(8), range(9), range(-2, 3), range(-2, 3)):
        if 0 <= y + dy < 8 and 0 <= x + dx < 9:
            value = float(image[y + dy, x + dx])
            w = numpy.exp(-(dx * dx + dy * dy) * 0.4 - (value - float(image[y, x])) ** 2 * 8)
            sums[y, x] += w * value
            weights[y, x] += w
    close(out, sums / weights)


def test_layers(run, random):
    """A transpose of each layer of a texture2d_array, and sampling of one."""
    source = """
kernel void transpose_layers(texture2d_array<float, access::read> in [[texture(0)]], texture2d_array<float, access::write> out [[texture(1)]],
    uint3 at [[thread_position_in_grid]]) {
    if (at.x < out.get_width() && at.y < out.get_height() && at.z < in.get_array_size()) out.write(in.read(at.yx, at.z), at.xy, at.z);
}
kernel void last(texture2d_array<float> in [[texture(0)]], texture2d<float, access::write> out [[texture(1)]], uint2 at [[thread_position_in_grid]]) {
    out.write(in.sample(sampler(filter::linear), (float2(at) + 0.3f) / 4, 99), at);
}"""
    image = image_of(random, 3, 6, 5, 2)
    out = run(source, "transpose_layers", (8, 8, 4), {0: image, 1: Empty(numpy.float32, 3, 5, 6, 2)}, threads="4,4,2")[
        1
    ]
    assert numpy.array_equal(out, image.swapaxes(1, 2))
    out = run(source, "last", (4, 4), {0: image, 1: Empty(numpy.float32, 4, 4, 2)})[1]
    x, y = numpy.meshgrid(numpy.arange(4) + 0.3, numpy.arange(4) + 0.3)
    close(out, sampled(image[2], [x / 4, y / 4], linear=True))


def test_multisampled(run, random):
    """The mean of a texel's samples, and the least depth."""
    source = """
kernel void resolve(texture2d_ms<float> in [[texture(0)]], depth2d_ms<float> depth [[texture(1)]],
    texture2d<float, access::write> out [[texture(2)]], uint2 at [[thread_position_in_grid]]) {
    if (at.x >= in.get_width() || at.y >= in.get_height()) return;
    float4 sum = 0;
    float least = INFINITY;
    for (uint i = 0; i < in.get_num_samples(); i++) sum += in.read(at, i);
    for (uint i = 0; i < depth.get_num_samples(); i++) least = min(least, depth.read(ushort2(at), ushort(i)));
    out.write(float4(sum.xyz / in.get_num_samples(), least), at);
}"""
    image, depth = image_of(random, 4, 5, 7, 4), image_of(random, 2, 5, 7, 1)[..., 0]
    out = run(source, "resolve", (8, 8), {0: image, 1: depth, 2: Empty(numpy.float32, 5, 7, 4)}, threads="4,4")[2]
    close(out, numpy.concatenate([image.mean(0)[..., :3], depth.min(0)[..., None]], -1))


def test_volumes(run, random):
    source = """
kernel void turn(texture3d<float> in [[texture(0)]], texture3d<float, access::write> out [[texture(1)]], sampler s [[sampler(3)]],
    uint3 at [[thread_position_in_grid]]) {
    float3 n = float3(out.get_width(), out.get_height(), out.get_depth());
    out.write(in.sample(s, ((float3(at) + 0.5f) / n).yzx * 1.4f - 0.2f), at);
}"""
    volume = image_of(random, 4, 5, 6, 1, dtype=numpy.int16)
    z, y, x = numpy.meshgrid(*[(numpy.arange(n) + 0.5) / n for n in (3, 4, 5)], indexing="ij")
    for address in ("clamp_to_edge", "clamp_to_zero", "repeat"):
        options = ["--sampler", f"3=linear,{address}"]
        out = run(source, "turn", (5, 4, 3), {0: volume, 1: Empty(numpy.float32, 3, 4, 5, 1)}, options=options)[1]
        at = [one * 1.4 - 0.2 for one in (y, z, x)]
        close(out, sampled(volume, at, linear=True, address=address))


# A cube's faces: what is ahead, and where s and t grow.
FACES = numpy.array([
    [[1, 0, 0], [0, 0, -1], [0, -1, 0]], [[-1, 0, 0], [0, 0, 1], [0, -1, 0]], [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
    [[0, -1, 0], [1, 0, 0], [0, 0, -1]], [[0, 0, 1], [1, 0, 0], [0, -1, 0]], [[0, 0, -1], [-1, 0, 0], [0, -1, 0]],
])  # fmt: skip


def on_surface(face, i, j, n):
    """Where the centre of a texel lies on a cube from -1 to 1; what is beyond an edge is folded round it."""
    ahead, s, t = FACES[face].astype(float)
    u, v = 2 * (i + 0.5) / n - 1, 2 * (j + 0.5) / n - 1
    beyond = max(abs(u) - 1, abs(v) - 1, 0)
    return ahead * (1 - beyond) + s * numpy.clip(u, -1, 1) + t * numpy.clip(v, -1, 1)


def cube_texel(cube, face, i, j):
    """Of a face or beside it; at a corner the mean of the three."""
    n = cube.shape[1]
    outside = (i not in range(n)) + (j not in range(n))
    if outside == 2:
        near, k = numpy.clip([i, j], 0, n - 1), (i, j)
        return (
            cube_texel(cube, face, *near)
            + cube_texel(cube, face, k[0], near[1])
            + cube_texel(cube, face, near[0], k[1])
        ) / 3
    centres = numpy.array([[[on_surface(f, x, y, n) for x in range(n)] for y in range(n)] for f in range(6)])
    distance = numpy.abs(centres - on_surface(face, i, j, n)).sum(-1)
    return cube[numpy.unravel_index(distance.argmin(), distance.shape)]


def cube_place(direction, n):
    """The face that a direction meets, and where on it, in texels."""
    face = int((FACES[:, 0] @ direction).argmax())
    ahead, s, t = FACES[face] @ direction
    return face, (s / ahead + 1) / 2 * n, (t / ahead + 1) / 2 * n


def cube_sampled(cube, direction, linear):
    face, x, y = cube_place(direction, cube.shape[1])
    if not linear:
        return cube[face, int(y), int(x)]
    i, j = int(numpy.floor(x - 0.5)), int(numpy.floor(y - 0.5))
    a, b = x - 0.5 - i, y - 0.5 - j
    near, far = ((1 - a) * cube_texel(cube, face, i, k) + a * cube_texel(cube, face, i + 1, k) for k in (j, j + 1))
    return (1 - b) * near + b * far


@pytest.mark.parametrize("filter", ["nearest", "linear"])
def test_cubes(filter, run, random):
    """In random directions, and near edges and corners; of an array the last cube; a depth's comparison."""
    source = """
kernel void look(texturecube<float> one [[texture(0)]], texturecube_array<float> many [[texture(1)]], depthcube<float> depth [[texture(2)]],
    device const packed_float3 *directions [[buffer(0)]], device float4 *out [[buffer(1)]], sampler s [[sampler(0)]],
    uint i [[thread_position_in_grid]]) {
    float3 d = directions[i];
    out[3 * i] = one.sample(s, d);
    out[3 * i + 1] = many.sample(s, d, 9, level(0));
    out[3 * i + 2] = float4(depth.sample(s, d), depth.sample_compare(s, d, 0.5f), many.get_array_size(), one.get_width());
}"""
    n = 4
    one, many, depth = image_of(random, 6, n, n, 4), image_of(random, 12, n, n, 4), image_of(random, 6, n, n)
    directions = random.standard_normal((160, 3)).astype(numpy.float32)
    directions[80:] = numpy.sign(directions[80:]) * (1 - 0.2 * random.random((80, 3)))
    places = numpy.array([cube_place(d.astype(float), n)[1:] for d in directions])
    directions = directions[(numpy.abs(places - numpy.rint(places)) > 1e-3).all(1)][:96]  # none at the edge of a texel
    buffers = {0: directions, 1: Empty(numpy.float32, len(directions), 12)}
    options = ["--sampler", f"0={filter},compare_func::less"]
    textures = {0: one, 1: many, 2: depth}
    out = run(source, "look", (len(directions),), textures, buffers=buffers, options=options, threads="32")[1].reshape(
        -1, 3, 4
    )
    linear = filter == "linear"
    wide = directions.astype(float)
    close(out[:, 0], numpy.array([cube_sampled(one, d, linear) for d in wide]))
    close(out[:, 1], numpy.array([cube_sampled(many[6:], d, linear) for d in wide]))
    deep = depth[..., None].astype(float)
    close(out[:, 2, :1], numpy.array([cube_sampled(deep, d, linear) for d in wide]))
    if not linear:
        assert numpy.array_equal(out[:, 2, 1], [0.5 < cube_sampled(deep, d, False)[0] for d in wide])
    assert (out[:, 2, 2:] == [2, n]).all()


def test_other_kinds(run, random):
    """Lines, buffers, cubes and depth."""
    source = f"""
kernel void k(texture1d_array<float, access::read> lines [[texture(0)]], texture_buffer<uint, access::read> numbers [[texture(1)]],
    texturecube<float, access::read> cube [[texture(2)]], depth2d<float> depth [[texture(3)]], texture2d<float, access::write> out [[texture(4)]], {AT}) {{
    constexpr sampler s(filter::linear, compare_func::less);
    out.write(float4(lines.read(at.x, at.y).r, numbers.read(at.x).r, cube.read(at, 5).r + lines.get_array_size(), depth.read(at)), at);
    out.write(float4(depth.sample(s, float2(at) / 4), depth.sample_compare(s, (float2(at) + 0.5f) / 4, 0.5f), numbers.get_width(), 0), uint2(at.x, at.y + 4));
}}"""
    lines, numbers, cube, depth = (
        image_of(random, 4, 4, 1),
        random.integers(0, 99, 4, numpy.uint32),
        image_of(random, 6, 4, 4, 1),
        image_of(random, 4, 4),
    )
    out = run(source, "k", (4, 4), {0: lines, 1: numbers, 2: cube, 3: depth, 4: Empty(numpy.float32, 8, 4, 4)})[4]
    assert numpy.array_equal(out[:4, :, 0], lines[..., 0])
    assert (out[:4, :, 1] == numbers).all()
    assert numpy.array_equal(out[:4, :, 2], cube[5, ..., 0] + 4)
    assert numpy.array_equal(out[:4, :, 3], depth)
    x, y = numpy.meshgrid(numpy.arange(4) / 4, numpy.arange(4) / 4)
    close(out[4:, :, 0], sampled(depth[..., None], [x, y], linear=True)[..., 0])
    assert numpy.array_equal(out[4:, :, 1], depth > 0.5)
    assert (out[4:, :, 2] == 4).all()


def test_atomic_textures(run):
    source = f"""
kernel void k(texture2d<uint, access::read_write> bins [[texture(0)]], {AT}) {{
    bins.atomic_fetch_add(uint2(at.x % 3, 0), uint4(1));
    bins.atomic_fetch_max(uint2(at.y % 2, 1), uint4(at.x));
}}"""
    out = run(source, "k", (8, 8), {0: numpy.zeros((2, 3), numpy.uint32)}, outputs=[0])[0]
    assert out.tolist() == [[24, 24, 16], [7, 7, 0]]


# --- arrays, argument buffers ---


def test_an_array_of_textures_as_an_argument_buffer(run, random):
    source = f"""
kernel void k(constant array<texture2d<float, access::read>, 2> &images [[buffer(1)]], texture2d<float, access::write> out [[texture(0)]], {AT}) {{
    out.write(images[0].read(at) - images[1].read(at), at);
}}"""
    a, b = image_of(random, 4, 4, 4), image_of(random, 4, 4, 4)
    textures = {"1[0]": a, "1[1]": b, 0: Empty(numpy.float32, 4, 4, 4)}
    close(run(source, "k", (4, 4), textures)[0], a.astype(float) - b)


def test_arrays_of_textures(run, random):
    source = f"""
typedef texture2d<float, access::sample> Image;
template <uint N> float4 mean(const array<Image, N> images, uint2 at) {{
    float4 sum = 0;
    for (uint i = 0; i < images.size(); i++) sum += images[i].read(at);
    return sum / N;
}}
kernel void k(array<Image, 3> images [[texture(2)]], array<texture2d<float, access::write>, 2> out [[texture(0)]], {AT}) {{
    out[1].write(mean<3>(images, at), at);
    if (is_null_texture(out[0])) out[1].write(mean<3>(images, at), at);
}}"""
    images = {2 + i: image_of(random, 4, 4, 4) for i in range(3)}
    out = run(source, "k", (4, 4), images | {1: Empty(numpy.float32, 4, 4, 4)})[1]
    close(out, sum(image.astype(float) for image in images.values()) / 3, 1e-6)


NESTED = """
struct Inner { device const float *x; array<texture2d<float>, 2> images; sampler s; };
struct Scene { device float *out [[id(0)]]; uint n [[id(1)]]; device const float *rows[3] [[id(2)]]; constant Inner *inner [[id(9)]]; Inner direct; };
kernel void k(constant Scene &scene [[buffer(2)]], uint i [[thread_position_in_grid]]) {
    if (i >= scene.n) return;
    scene.out[i] = scene.rows[1][i] + scene.inner->x[i] + scene.inner->images[1].sample(scene.inner->s, float2(0.5)).x + scene.direct.images[0].read(uint2(1, 1)).x;
}"""


def nested(random):
    rows, x, image = image_of(random, 32), image_of(random, 32), image_of(random, 2, 2)
    buffers = {"2.rows[1]": rows, "2.inner.x": x, "2.out": Empty(numpy.float32, 32)}
    textures = {"2.inner.images[1]": image, "2.direct.images[0]": image}
    return buffers, textures, rows + x + image.mean() + image[1, 1]


def test_argument_buffers(run, random):
    buffers, textures, expected = nested(random)
    options = ["--bytes", "2.n=u32:32", "--sampler", "2.inner.s=linear"]
    out = run(NESTED, "k", (32,), textures, buffers=buffers, options=options, threads=32)["2.out"]
    assert numpy.abs(out - expected).max() < 1e-5


def test_members_are_checked_like_buffers(run, random):
    """One thread too many reads past the ends of two members, and writes past that of a third; two threads
    write the same place."""
    buffers, textures, _ = nested(random)
    source = NESTED.replace("scene.out[i] =", "scene.out[i == 5 ? 4 : i] =")
    options = ["--bytes", "2.n=u32:33", "--sampler", "2.inner.s=linear"]
    findings = run(source, "k", (33,), textures, buffers=buffers, options=options, threads=33, findings=True)
    found = {(finding["kind"], finding["memory"]["name"]) for finding in findings if finding["kind"] != "order"}
    assert found >= {("race", "scene.out"), ("never-written", "scene.out")}
    assert {name for kind, name in found if kind == "out-of-bounds"} == {"scene.out", "scene.rows[1]", "scene.inner.x"}
    assert {finding["at"]["line"] for finding in findings if finding["kind"] == "out-of-bounds"} == {8}


def test_arrays_of_argument_buffers(run, random):
    """Also of bare pointers, and with values in between."""
    source = """
struct Item { device const float *x; float scale; };
kernel void k(device const Item *items [[buffer(0)]], device float *const *outs [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    outs[1][i] = items[2].x[i] * items[2].scale;
}"""
    source = (
        source.replace("device float *const *outs", "constant Outs &o")
        .replace("outs[1][i]", "o.p[i]")
        .replace("struct Item", "struct Outs { device float *p; };\nstruct Item")
    )
    x = image_of(random, 32)
    buffers = {"0[2].x": x, "1.p": Empty(numpy.float32, 32)}
    out = run(source, "k", (32,), buffers=buffers, options=["--bytes", "0[2].scale=f32:3"], threads=32)["1.p"]
    assert numpy.array_equal(out, x * numpy.float32(3))


# --- findings ---


def kinds(findings):
    return [(finding["kind"], finding["at"]["line"]) for finding in findings if finding["kind"] != "order"]


def test_bounds(run):
    source = f"""kernel void k(texture2d<float, access::read> in [[texture(0)]], texture2d<float, access::write> out [[texture(1)]], {AT}) {{
    float4 c = in.read(at + 1);
    out.write(c, at);
}}"""
    textures = {0: "zeros:f32:4x4", 1: "zeros:f32:4x3"}
    findings = run(source, "k", (4, 4), textures, findings=True)
    assert kinds(findings) == [("out-of-bounds", 4), ("out-of-bounds", 5)]
    assert re.search(
        r"writes texel \(3,\d\) of 'out' \[\[texture\(1\)\]\], which has 3 × 4 texels$", findings[1]["message"]
    )
    array = (
        source.replace("texture2d<", "texture2d_array<").replace("at + 1)", "at, 2)").replace("(c, at)", "(c, at, 0)")
    )
    findings = run(array, "k", (4, 4), {0: "zeros:f32:2x4x4", 1: "zeros:f32:1x4x4"}, findings=True)
    assert kinds(findings) == [("out-of-bounds", 4)]
    assert "of layer 2 of 'in' [[texture(0)]], which has 4 × 4 texels in 2 layers" in findings[0]["message"]
    level = source.replace("at + 1)", "at, 1)")
    findings = run(level, "k", (3, 4), {0: "zeros:f32:4x4", 1: "zeros:f32:4x3"}, findings=True)
    assert kinds(findings) == [("out-of-bounds", 4)] and "level 1" in findings[0]["message"]


NEIGHBOUR = f"""kernel void k(texture2d<float, access::read_write> image [[texture(0)]], {AT}) {{
    image.write(float4(at.x), at);
    BARRIER;
    float4 c = image.read(uint2(at.x ^ 1, at.y));
    BARRIER;
    image.write(c, at);
}}"""


def test_races(run):
    """Between threads a barrier with mem_texture must stand; no other flag will do."""
    for barrier, lines in [
        ("threadgroup_barrier(mem_flags::mem_texture)", set()),
        ("threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_texture)", set()),
        ("threadgroup_barrier(mem_flags::mem_device)", {4, 6, 8}),
        ("threadgroup_barrier(mem_flags::mem_threadgroup)", {4, 6, 8}),
        ("image.fence()", {4, 6, 8}),
    ]:
        source = NEIGHBOUR.replace("BARRIER", barrier)
        findings = run(source, "k", (4, 4), {0: "zeros:f32:4x4"}, findings=True)
        races = [finding for finding in findings if finding["kind"] == "race"]
        assert {finding[who]["line"] for finding in races for who in ("at", "other")} == lines, barrier
        assert all(finding["memory"]["space"] == "texture" for finding in races)
        assert all(finding["memory"]["part"] in finding["message"] for finding in races)
        assert len(findings) == len(races) or lines


def test_fences(run):
    """A thread reads what it wrote itself only behind a fence."""
    source = f"""kernel void k(texture2d<float, access::read_write> image [[texture(0)]], {AT}) {{
    image.write(float4(at.x), at);
    FENCE
    image.write(image.read(at) + 1, at);
}}"""
    (finding,) = run(source.replace("FENCE", ""), "k", (4, 4), {0: "zeros:f32:4x4"}, findings=True)
    assert (finding["kind"], finding["at"]["line"], finding["other"]["line"]) == ("race", 6, 4)
    assert "no fence() of the texture" in finding["message"]
    out = run(
        source.replace("FENCE", "image.fence();"), "k", (4, 4), {0: numpy.zeros((4, 4), numpy.float32)}, outputs=[0]
    )[0]
    assert (out == numpy.arange(4) + 1).all()


def test_two_threads_write_a_texel(run):
    source = f"""kernel void k(texture2d<float, access::write> out [[texture(0)]], {AT}) {{
    out.write(float4(at.y), uint2(at.x, 0));
}}"""
    findings = run(source, "k", (4, 4), {0: "empty:f32:2x4"}, findings=True)
    assert {finding["kind"]: finding["severity"] for finding in findings} == {
        "race": "error",
        "order": "error",
        "never-written": "warning",
    }
    (unwritten,) = [finding for finding in findings if finding["kind"] == "never-written"]
    assert "texels 4-7 of 'out' [[texture(0)]] (4 of 8)" in unwritten["message"]
    source = source.replace("access::write", "access::read_write").replace(
        "out.write", "float4 c = out.read(at); out.write"
    )
    assert "unwritten" in {kind for kind, _ in kinds(run(source, "k", (4, 2), {0: "empty:f32:2x4"}, findings=True))}


# --- what is refused ---

PLAIN = f"kernel void k(texture2d<float> in [[texture(0)]], sampler s [[sampler(1)]], constant uint &n [[buffer(0)]], {AT}) {{ in.sample(s, float2(n)); }}"
GIVEN = {"--texture": "0=zeros:f32:4x4", "--sampler": "1=", "--bytes": "0=u32:4"}


@pytest.mark.parametrize("change, message", [
    ({"--texture": None}, "'in' needs a texture: --texture 0=CONTENT (it is a texture2d<float>)"),
    ({"--texture": "0=zeros:u32:4x4"}, "elements of type u32 in a texture2d<float>; give f32, f16, u8, u16, i8 or i16"),
    ({"--texture": "0=zeros:f32:4"}, "a texture2d<float> is height x width, or that x channels"),
    ({"--texture": "0=zeros:f32:4x4x3"}, "textures of 1, 2 and 4 channels, not of 3"),
    ({"--texture": "0=zeros:f32:4x0"}, "an extent of 0"),
    ({"--texture": "7=zeros:f32:4x4"}, "'in' needs a texture: --texture 0=CONTENT (it is a texture2d<float>)\nmetal-check: the kernel has no [[texture(7)]]"),
    ({"--texture": "128=zeros:f32:4x4"}, "with an index from 0 to 127"),
    ({"--sampler": "1=cubic"}, "'cubic' says nothing of a sampler"),
    ({"--sampler": "1=coord::linear"}, "'coord::linear' says nothing of a sampler"),
    ({"--sampler": None}, "'s' needs a sampler: --sampler 1=WORDS"),
    ({"--bytes": "0.n=u32:4"}, "'n' (uint) has no such part"),
    ({"--buffer": "3.p=zeros:f32:4"}, "the kernel has no [[buffer(3)]]"),
    ({"-o": "texture:4=x.npy"}, "-o: the kernel has no [[texture(4)]]"),
    ({"--constant": "0=1", "--strict": ""}, "--strict is not for files with textures"),
])  # fmt: skip
def test_what_does_not_suit_is_named(change, message, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text(HEADER + PLAIN)
    words = [word for option, text in (GIVEN | change).items() if text is not None for word in (option, text) if word]
    with pytest.raises(checker.Failed) as failure:
        checker.run(path, "--kernel", "k", "--grid", 4, "--threads", 4, *words)
    assert message in str(failure.value) and str(failure.value).count("\n") == 1 + message.count("\n")


@pytest.mark.parametrize("change, message", [
    ({"--buffer 2.q": "zeros:f32:4"}, "'scene' (Scene) has no such member"),
    ({"--buffer 2.rows[3]": "zeros:f32:4"}, "is past the end of its array"),
    ({"--buffer 2.rows[1]": "zeros:i32:4"}, "these are elements of type i32, but 'scene.rows[1]' is a float"),
    ({"--buffer 2.inner.s": "zeros:i32:4"}, "'scene.inner.s' is a sampler; give it as --sampler"),
    ({"--buffer 2.inner.images[0]": "zeros:f32:4"}, "'scene.inner.images[0]' is a texture2d<float>; give it as --texture"),
    ({"--texture 2.out": "zeros:f32:4"}, "'scene.out' is a float; give it as --buffer or --bytes"),
    ({"--bytes 2.n": "u32:1,2"}, "8 bytes are too many for 'scene.n', a uint"),
    ({}, "'scene' needs its members: --buffer 2.out=… (a float *), --bytes 2.n=… (a uint)"),
])  # fmt: skip
def test_members_that_do_not_suit_are_named(change, message, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text(HEADER + NESTED)
    words = [word for option, text in change.items() for word in (f"{option}={text}").split(" ", 1)]
    with pytest.raises(checker.Failed) as failure:
        checker.run(path, "--kernel", "k", "--grid", 4, "--threads", 4, *words)
    assert message in str(failure.value) and str(failure.value).count("\n") == 1


@pytest.mark.parametrize("line, message", [
    ("kernel void k(texture2d<float, access::read> t [[texture(0)]]) { t.write(float4(0), uint2(0)); }", "can be written"),
    ("kernel void k(texture2d<float, access::write> t [[texture(0)]]) { t.read(uint2(0)); }", "cannot be read"),
    ("kernel void k(texture2d<float, access::read> t [[texture(0)]]) { t.sample(sampler(), float2(0)); }", "can be sampled"),
    ("kernel void k(texture2d_ms_array<float> t [[texture(0)]]) {}", "texture2d_ms_array<float> is not supported"),
    ("kernel void k(texture2d<float> t [[texture(128)]]) {}", "expected an index from 0 to 127"),
    ("kernel void k(texture2d<float> t [[texture(1)]], texture2d<float> u [[texture(1)]]) {}", "have the same index"),
])  # fmt: skip
def test_what_the_language_has_not(line, message, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text(HEADER + line + "\n")
    with pytest.raises(checker.Failed) as failure:
        checker.run(path, "--kernel", "k", "--grid", 1, "--threads", 1, "--texture", "0=zeros:f32:1x1")
    assert f"{path}:3" in str(failure.value) and message in str(failure.value)
