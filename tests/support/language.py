"""What metal-check takes of the Metal Shading Language, part by part; docs/msl.md is made of it.

    python tests/support/language.py            try every part, write docs/msl.md

A part works if its expressions have the values beside them, or if its kernel of tests/check/right/
passes. A part that is not there must be refused with file and line.
"""

import dataclasses
import math
import pathlib
import tempfile

import numpy

import checker
from library import ROOT

PAGE = ROOT / "docs/msl.md"
RIGHT = ROOT / "tests/check/right"


@dataclasses.dataclass
class Part:
    name: str
    values: list = dataclasses.field(default_factory=list)  # (expression, its value) …
    kernel: str = ""  # of tests/check/right
    refused: str = ""  # a line that is refused


def v(*pairs):
    """Expressions and values in turn."""
    return list(zip(pairs[::2], pairs[1::2]))


nan, inf = math.nan, math.inf

PARTS = {
    "Kernels": [
        Part("`kernel void` and `[[kernel]] void`", kernel="template_instances"),
        Part("kernel templates, instantiated by `[[host_name(…)]]`", kernel="template_instances"),
        Part(
            "macros, `#include` of own headers, `__METAL_VERSION__` (320)",
            v("__METAL_VERSION__", 320),
        ),
        Part(
            "`[[function_constant(n)]]`, `is_function_constant_defined`",
            kernel="template_instances",
        ),
        Part("`device`, `constant` pointers and references `[[buffer(n)]]`", kernel="references"),
        Part("`threadgroup` pointers `[[threadgroup(n)]]`", kernel="tree_reduction"),
        Part("structs in `constant` and `device`, with padding", kernel="structs"),
        Part(
            "positions and sizes in grid, threadgroup and simdgroup, 1 to 3 components",
            kernel="guards",
        ),
        Part("the same of smaller threadgroups at the edges of the grid", kernel="transpose"),
        Part("`threadgroup` variables, several in one declaration", kernel="matrix_tiles"),
        Part("`constant` data at program scope", v("table[2]", 7)),
        Part("buffers without `[[buffer(n)]]`, numbered in their order", kernel="numbered_buffers"),
        Part("textures of 1, 2 and 3 axes, arrays of them, `access` and `fence()`", kernel="textures"),
        Part("samplers: filter, address, pixel and normalised coordinates", kernel="textures"),
        Part(
            "arrays of multisampled textures",
            refused="kernel void f(texture2d_ms_array<float> t [[texture(0)]]) {}",
        ),
        Part("cubes, by direction, also across their edges; depth textures", kernel="cubes"),
        Part("argument buffers: structures of pointers, textures, samplers", kernel="argument_buffers"),
        Part(
            "ray tracing",
            refused="kernel void f(raytracing::instance_acceleration_structure s [[buffer(0)]]) {}",
        ),
        Part(
            "indirect command buffers",
            refused="kernel void f(constant command_buffer &c [[buffer(0)]]) { c.reset(); }",
        ),
        Part(
            "MetalPerformancePrimitives, tensors",
            refused="#include <MetalPerformancePrimitives/MetalPerformancePrimitives.h>",
        ),
        Part(
            "vertex, fragment, mesh functions: left out, kernels of the same file run",
            kernel="other_stages",
        ),
        Part("kernels in namespaces, `[[host_name(…)]]` of any kernel", kernel="other_stages"),
        Part("variables of all functions: `uint i [[thread_position_in_grid]];`", kernel="other_stages"),
        Part("address spaces in overloads, specialisations and members", kernel="address_spaces"),
    ],
    "Types": [
        Part(
            "`bool`, 8 to 64 bit integers, `size_t`, `ptrdiff_t`",
            v("sizeof(long)", 8, "char(-1)", -1, "uchar(-1)", 255, "int16_t(-3)", -3),
        ),
        Part(
            "`half`, `float`, literals `1.0h`",
            v("float(half(1.0f / 3))", float(numpy.float16(1 / 3)), "float(0.5h)", 0.5),
        ),
        Part(
            "literals without a suffix are `float`",
            v("sizeof(1.0)", 4, "0.1 == 0.1f", 1, "sqrt(0x1p2)", 2),
        ),
        Part("`double`", refused="kernel void f(device float *x [[buffer(0)]]) { double y = 1; }"),
        Part(
            "`bfloat` and its vectors, literals `1.0bf`",
            v(
                "float(bfloat(1.0f / 3))",
                0.333984375,
                "bfloat4(1.5bf).z + 1.0bf",
                2.5,
                "sizeof(bfloat3)",
                8,
            ),
        ),
        Part(
            "vectors of 8 and 16 by `ext_vector_type`",
            v("sizeof(float8)", 32, "float8(half8(2.0h))[7]", 2),
        ),
        Part(
            "vectors of 2, 3 and 4 of every scalar",
            v(
                "float3(1, 2, 3)[1]",
                2,
                "sizeof(half3)",
                8,
                "uchar4(7).w",
                7,
                "bool2(true, false).y",
                0,
            ),
        ),
        Part(
            "vectors made of scalars and vectors, conversions",
            v(
                "float4(float2(1, 2), 3, 4).z",
                3,
                "int3(float3(1.9f)).y",
                1,
                "float2(int2(-3)).x",
                -3,
            ),
        ),
        Part(
            "swizzles to read: `v.xy`, `v.bgra`",
            v("vector.wzyx.x", 4, "vector.xyz.bgr.x", 3, "vector.yy.y", 2),
        ),
        Part("swizzles to write: `v.xz = …`, `v.xy *= …`", kernel="vectors"),
        Part(
            "operators on vectors: arithmetic, bits, comparison",
            v(
                "(vector * 2.0f + 1.0f).w",
                9,
                "(int2(12) & int2(10)).x",
                8,
                "all(vector > 0.5f)",
                1,
                "(-vector).x",
                -1,
                "(uint2(1) << 3u).y",
                8,
            ),
        ),
        Part(
            "`packed_float3` and its like: swizzles, conversions, operators",
            v(
                "sizeof(packed_float3)",
                12,
                "float3(packed_float3(1, 2, 3)).z",
                3,
                "(packed_float3(1, 2, 3).zy + float4(packed_char4(char4(-1))).xy).x",
                2,
            ),
        ),
        Part(
            "`float2x2` … `half4x4`: products, `transpose`, `determinant`",
            v(
                "(float2x2(float2(1, 2), float2(3, 4)) * float2(1, 1)).x",
                4,
                "transpose(float2x3(1.0f))[1][1]",
                1,
                "determinant(float3x3(2.0f))",
                8,
                "determinant(float4x4(2.0f))",
                16,
                "(float4x4(3.0f) * float4x4(2.0f))[2][2]",
                6,
            ),
        ),
        Part(
            "`metal::array`, `is_same_v`, `is_integral_v`, `enable_if_t`, `conditional_t` …",
            v(
                "sizeof(array<float, 3>)",
                12,
                "is_same_v<conditional_t<true, int, float>, int>",
                1,
                "is_floating_point_v<half>",
                1,
                "is_integral<float>::value",
                0,
            ),
        ),
        Part(
            "types of `<simd/simd.h>`: `simd_float4`, `simd::uint2`",
            v("sizeof(simd_float3) + simd::uint2(1, 2).y", 18),
        ),
        Part(
            "`as_type`",
            v("as_type<uint>(1.0f)", 0x3F800000, "float(as_type<half2>(0x3C00C000u).x)", -2),
        ),
        Part(
            "`numeric_limits`, `INFINITY`, `M_PI_F`, `FLT_MAX` …",
            v(
                "numeric_limits<int>::max()",
                2**31 - 1,
                "numeric_limits<float>::lowest()",
                -float(numpy.finfo(numpy.float32).max),
                "numeric_limits<uchar>::max()",
                255,
                "INFINITY",
                inf,
                "M_PI_F",
                math.pi,
            ),
        ),
    ],
    "Math": [
        Part(
            "`exp` `exp2` `exp10` `log` `log2` `log10` `pow` `powr`",
            v(
                "exp(0.5f)",
                math.exp(0.5),
                "exp2(3.0f)",
                8,
                "exp10(2.0f)",
                100,
                "log(2.0f)",
                math.log(2),
                "log2(8.0f)",
                3,
                "log10(1000.0f)",
                3,
                "pow(2.0f, 0.5f)",
                math.sqrt(2),
                "powr(3.0f, 2.0f)",
                9,
            ),
        ),
        Part(
            "`sin` `cos` `tan` `asin` `acos` `atan` `atan2` `sincos`",
            v(
                "sin(0.5f)",
                math.sin(0.5),
                "cos(0.5f)",
                math.cos(0.5),
                "tan(0.5f)",
                math.tan(0.5),
                "asin(0.5f)",
                math.asin(0.5),
                "acos(0.5f)",
                math.acos(0.5),
                "atan(0.5f)",
                math.atan(0.5),
                "atan2(1.0f, -1.0f)",
                math.atan2(1, -1),
                "sincos(0.5f, cosine) + cosine",
                math.sin(0.5) + math.cos(0.5),
            ),
        ),
        Part(
            "`sinh` `cosh` `tanh` `asinh` `acosh` `atanh` `sinpi` `cospi` `tanpi`",
            v(
                "sinh(0.5f)",
                math.sinh(0.5),
                "cosh(0.5f)",
                math.cosh(0.5),
                "tanh(0.5f)",
                math.tanh(0.5),
                "asinh(0.5f)",
                math.asinh(0.5),
                "acosh(1.5f)",
                math.acosh(1.5),
                "atanh(0.5f)",
                math.atanh(0.5),
                "sinpi(0.5f)",
                1,
                "cospi(1.0f)",
                -1,
                "tanpi(0.25f)",
                1,
            ),
        ),
        Part(
            "`sqrt` `rsqrt` `fma` `divide` `fmod` `fract` `modf` `frexp` `ldexp` `ilogb`",
            v(
                "sqrt(2.0f)",
                math.sqrt(2),
                "rsqrt(4.0f)",
                0.5,
                "fma(2.0f, 3.0f, 4.0f)",
                10,
                "divide(3.0f, 2.0f)",
                1.5,
                "fmod(-5.5f, 2.0f)",
                -1.5,
                "fract(-0.25f)",
                0.75,
                "modf(2.75f, whole) + whole",
                2.75,
                "frexp(6.0f, exponent) + exponent",
                3.75,
                "ldexp(0.5f, 3)",
                4,
                "ilogb(9.0f)",
                3,
            ),
        ),
        Part(
            "`floor` `ceil` `trunc` `round` `rint`",
            v(
                "floor(-1.5f)",
                -2,
                "ceil(-1.5f)",
                -1,
                "trunc(-1.5f)",
                -1,
                "round(2.5f)",
                3,
                "rint(2.5f)",
                2,
            ),
        ),
        Part(
            "`min` `max` `fmin` `fmax` `clamp` `saturate` `abs` `fabs` `sign` `copysign` `fdim`",
            v(
                "min(2.0f, nan_value)",
                2,
                "max(1, 2)",
                2,
                "fmax(3.0f, nan_value)",
                3,
                "clamp(5.0f, 0.0f, 1.0f)",
                1,
                "saturate(-3.0f)",
                0,
                "abs(-3)",
                3,
                "fabs(-2.5f)",
                2.5,
                "sign(-2.0f)",
                -1,
                "copysign(2.0f, -0.0f)",
                -2,
                "fdim(3.0f, 1.0f)",
                2,
            ),
        ),
        Part(
            "`mix` `step` `smoothstep` `min3` `max3` `median3` `nextafter`",
            v(
                "mix(1.0f, 3.0f, 0.25f)",
                1.5,
                "step(1.0f, 0.5f)",
                0,
                "smoothstep(0.0f, 1.0f, 0.25f)",
                0.15625,
                "min3(3, 1, 2)",
                1,
                "max3(3.0f, 1.0f, 2.0f)",
                3,
                "median3(3, 1, 2)",
                2,
                "nextafter(1.0f, 2.0f)",
                1 + 2**-23,
            ),
        ),
        Part(
            "`precise::` and `fast::`",
            v("precise::exp(1.0f)", math.e, "fast::sin(1.0f)", math.sin(1)),
        ),
        Part(
            "all of them on vectors and on `half`",
            v(
                "exp(float2(0, 1)).y",
                math.e,
                "float(sqrt(half2(4)).x)",
                2,
                "max(vector, 2.5f).x",
                2.5,
                "mix(vector, vector.wzyx, 0.5f).x",
                2.5,
                "fma(vector, vector, vector).y",
                6,
            ),
        ),
    ],
    "Integers": [
        Part(
            "`popcount` `clz` `ctz` `reverse_bits` `rotate` `extract_bits` `insert_bits`",
            v(
                "popcount(0xF0u)",
                4,
                "clz(1u)",
                31,
                "ctz(8u)",
                3,
                "clz(0u)",
                32,
                "reverse_bits(1u)",
                2**31,
                "rotate(0x80000001u, 1u)",
                3,
                "extract_bits(0xABCDu, 4u, 8u)",
                0xBC,
                "extract_bits(-1, 4u, 8u)",
                -1,
                "insert_bits(0u, 5u, 4u, 3u)",
                0x50,
            ),
        ),
        Part(
            "`mulhi` `madhi` `mul24` `mad24` `hadd` `rhadd` `absdiff`",
            v(
                "mulhi(0x80000000u, 6u)",
                3,
                "madhi(0x80000000u, 6u, 1u)",
                4,
                "mul24(3, -4)",
                -12,
                "mad24(3u, 4u, 5u)",
                17,
                "hadd(3u, 4u)",
                3,
                "rhadd(3, 4)",
                4,
                "absdiff(3u, 5u)",
                2,
            ),
        ),
        Part(
            "`addsat` `subsat`",
            v(
                "addsat(0xFFFFFFFFu, 2u)",
                2**32 - 1,
                "subsat(1u, 2u)",
                0,
                "addsat(INT_MAX, 1)",
                2**31 - 1,
                "subsat(INT_MIN, 1)",
                -(2**31),
            ),
        ),
    ],
    "Relational and geometric functions": [
        Part(
            "`isnan` `isinf` `isfinite` `isnormal` `signbit` `isordered` `isunordered`",
            v(
                "isnan(nan_value)",
                1,
                "isinf(-INFINITY)",
                1,
                "isfinite(1.0f)",
                1,
                "isnormal(0.0f)",
                0,
                "signbit(-0.0f)",
                1,
                "isordered(1.0f, nan_value)",
                0,
                "isunordered(1.0f, nan_value)",
                1,
            ),
        ),
        Part(
            "`any` `all` `select`",
            v(
                "any(vector > 3.5f)",
                1,
                "all(vector > 3.5f)",
                0,
                "select(1.0f, 2.0f, true)",
                2,
                "select(vector, -vector, vector > 1.5f).y",
                -2,
            ),
        ),
        Part(
            "`dot` `cross` `length` `length_squared` `distance` `normalize` `reflect`",
            v(
                "dot(vector, vector)",
                30,
                "cross(float3(1, 0, 0), float3(0, 1, 0)).z",
                1,
                "length(float2(3, 4))",
                5,
                "length_squared(vector)",
                30,
                "distance(vector, vector)",
                0,
                "normalize(float2(0, 3)).y",
                1,
                "reflect(float2(1, -1), float2(0, 1)).y",
                1,
            ),
        ),
    ],
    "Threads together": [
        Part(
            "`threadgroup_barrier` with `mem_threadgroup`, `mem_device`, `mem_none`",
            kernel="device_exchange",
        ),
        Part("`simdgroup_barrier`", kernel="simdgroup_memory"),
        Part(
            "atomics of `int`, `uint`, `float`, in `device` and `threadgroup` memory",
            kernel="atomics",
        ),
        Part(
            "`atomic_load` `store` `exchange` `compare_exchange_weak` `fetch_…` `_explicit`",
            kernel="atomics",
        ),
        Part(
            "`simd_sum` `product` `min` `max` `and` `or` `xor`, prefix sums and products",
            kernel="diverging_lanes",
        ),
        Part(
            "`simd_shuffle` `_xor` `_up` `_down` `_rotate_up` `_rotate_down`, `simd_broadcast`",
            kernel="shuffles",
        ),
        Part(
            "`simd_ballot` `simd_any` `simd_all` `simd_is_first`, `simd_vote`",
            kernel="diverging_lanes",
        ),
        Part("partial simdgroups, widths from 1 to 64 lanes", kernel="partial_simdgroup"),
        Part(
            "`simdgroup_float8x8`, `simdgroup_half8x8`, also mixed: load, store, multiply, accumulate, "
            "`thread_elements`",
            kernel="simdgroup_matrices",
        ),
        Part("`simdgroup_bfloat8x8`, `make_filled_simdgroup_matrix`", kernel="quadgroups"),
        Part(
            "quadgroups: `quad_sum` … `quad_ballot`; `simd_shuffle_and_fill_up` `_down`",
            kernel="quadgroups",
        ),
        Part("`atomic_thread_fence`; `atomic_ulong` min and max", kernel="address_spaces"),
        Part("`os_log`, which prints; `assert`, which is a finding", kernel="address_spaces"),
    ],
}

SOURCE = """#include <metal_stdlib>
using namespace metal;

constant float table[3] = {{5, 6, 7}};
typedef half half8 __attribute__((ext_vector_type(8)));
typedef float float8 __attribute__((ext_vector_type(8)));

kernel void values(device float *out [[buffer(0)]])
{{
    float4 vector = float4(1, 2, 3, 4);
    float nan_value = NAN, cosine, whole;
    int exponent;
{}
}}
"""


def differences(parts):
    """The expressions that do not have their values."""
    pairs = [pair for part in parts for pair in part.values]
    lines = [f"    out[{i}] = float({expression});" for i, (expression, _) in enumerate(pairs)]
    with tempfile.TemporaryDirectory() as name:
        path, out = pathlib.Path(name) / "values.metal", pathlib.Path(name) / "out.npy"
        path.write_text(SOURCE.format("\n".join(lines)))
        options = ["--kernel", "values", "--grid", 1, "--threads", 1, "--seeds", 1]
        checker.run(path, *options, "--buffer", f"0=empty:f32:{len(pairs)}", "-o", f"0={out}")
        found = numpy.load(out)
    expected = numpy.array([value for _, value in pairs], numpy.float64)
    close = numpy.isclose(found, expected, rtol=1e-6, atol=1e-7, equal_nan=True)
    return [f"{pairs[i][0]} is {found[i]}, not {expected[i]}" for i in numpy.flatnonzero(~close)]


def refusal(part):
    """What metal-check says to a part that it does not take; the line is 4."""
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name) / "refused.metal"
        path.write_text(f"#include <metal_stdlib>\nusing namespace metal;\n\n{part.refused}\n")
        try:
            checker.run(path, "--kernel", "f", "--grid", 1, "--threads", 1, "--buffer", "0=zeros:f32:1")
        except checker.Failed as failure:
            assert f"{path}:4:" in str(failure), failure
            return str(failure)
    return ""


def passes(kernel):
    path = RIGHT / f"{kernel}.metal"
    runs = [line[8:].split() for line in path.read_text().splitlines() if line.startswith("// run: ")]
    return all(not checker.run(path, *options)["findings"] for options in runs)


def works(part):
    if part.refused:
        return not refusal(part)
    if part.kernel:
        return passes(part.kernel)
    try:
        return not differences([part])
    except checker.Failed:
        return False


def table():
    """docs/msl.md, by trying everything."""
    lines = ["# What works of the Metal Shading Language", ""]
    lines += ["The compute parts of Metal 3.2 that [metal-check](metal-check.md) takes. This page is made by"]
    lines += [
        "`tests/support/language.py`, which tries every line of it; what does not work is refused with file and line."
    ]
    for section, parts in PARTS.items():
        lines += ["", f"## {section}", "", "| | |", "|---|---|"]
        lines += [f"| {part.name} | {'yes' if works(part) else 'no'} |" for part in parts]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(table())
    print(f"{PAGE} written")
