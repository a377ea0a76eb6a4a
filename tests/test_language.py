"""The Metal Shading Language as other people write it: what kernels of our own compute, compared with numpy.

Each kernel is one that other compilers would refuse, or take in another sense.
"""

import re
import subprocess

import numpy
import pytest

import checker
from checker import METAL_CHECK
from library import BUILD

pytestmark = pytest.mark.skipif(BUILD.name == "asan", reason="test_check.py looks at the checker's own memory")

HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"
THREADS = 64


@pytest.fixture
def run(tmp_path):
    """run(source, kernel, buffers…) launches 64 threads and returns what each buffer holds then. There must be
    no finding."""

    def run(source, kernel, *buffers, options=(), grid=THREADS, threads=32):
        path = tmp_path / "kernel.metal"
        path.write_text(HEADER + source)
        bound = []
        for index, buffer in enumerate(buffers):
            numpy.save(tmp_path / f"{index}.npy", buffer)
            bound += ["--buffer", f"{index}={tmp_path}/{index}.npy", "-o", f"{index}={tmp_path}/out{index}.npy"]
        report = checker.run(path, "--kernel", kernel, "--grid", grid, "--threads", threads, *bound, *options)
        assert report["findings"] == [], report["findings"]
        return [numpy.load(tmp_path / f"out{index}.npy") for index in range(len(buffers))]

    return run


@pytest.fixture
def values(run):
    """values(expressions, setup) evaluates expressions as floats."""

    def values(expressions, setup="", before=""):
        lines = "".join(f"    out[{i}] = float({text});\n" for i, text in enumerate(expressions))
        source = f"{before}\nkernel void k(device float *out [[buffer(0)]]) {{\n{setup}\n{lines}}}\n"
        return run(source, "k", numpy.zeros(len(expressions), numpy.float32), grid=1, threads=1)[0]

    return values


def zeros(dtype=numpy.float32, count=THREADS):
    return numpy.zeros(count, dtype)


INDEX = numpy.arange(THREADS, dtype=numpy.float32)

# --- literals ---


def test_literals_are_floats(values):
    found = values(
        [
            "a == 0.1",
            "(a + 1e8) - 1e8",
            "sizeof(1.0)",
            "sizeof(1.)",
            "sizeof(.5e-1)",
            "sizeof(0x1p3)",
            "sqrt(2.0)",
            "HALF_OF(3)",
        ],
        "float a = 0.1f;",
        "#define HALF_OF(x) ((x) / 2.0)\n",
    )
    one = numpy.float32(0.1)
    expected = [1, (one + numpy.float32(1e8)) - numpy.float32(1e8), 4, 4, 4, 4, numpy.sqrt(numpy.float32(2)), 1.5]
    assert numpy.array_equal(found, numpy.array(expected, numpy.float32))


@pytest.mark.parametrize("type", ["double", "long double"])
def test_double_is_refused(type, tmp_path):
    """In the kernel that has it, and in a function for all."""
    path = tmp_path / "kernel.metal"
    kernels = "kernel void good(device float *o [[buffer(0)]]) { o[0] = 1; }\n"
    wrong = f"kernel void wrong(device float *o [[buffer(0)]]) {{ {type} x = 1; o[0] = x; }}\n"
    path.write_text(HEADER + kernels + wrong)
    options = ["--grid", 1, "--threads", 1, "--buffer", "0=zeros:f32:1"]
    assert checker.run(path, "--kernel", "good", *options)["findings"] == []
    with pytest.raises(checker.Failed, match=re.escape(f"{path}:4: Metal has no type '{type}'")):
        checker.run(path, "--kernel", "wrong", *options)
    path.write_text(HEADER + f"{type} half_of(float x) {{ return x / 2; }}\n" + kernels)
    with pytest.raises(checker.Failed, match=re.escape(f"{path}:3: Metal has no type '{type}'")):
        checker.run(path, "--kernel", "good", *options)


def test_operations_on_half_are_rounded(run):
    """Each of them, as on a GPU: 2048 + 1 is 2048."""
    expressions = [
        "a + b - a",
        "a * b * c",
        "(a + b) + c",
        "a + b > a ? 1 : 0",
        "twice(a + b) - 2 * a",
        "d",
        "a + b - 2048.0f",
    ]
    x = numpy.float16([2048, 1, 0.1])
    a, b, c = x
    lines = "".join(f"o[{i}] = {text};" for i, text in enumerate(expressions))
    source = f"""static half twice(half x) {{ return x + x; }}
kernel void k(device half *o [[buffer(0)]], device const half *x [[buffer(1)]]) {{
    half a = x[0], b = x[1], c = x[2], d = a; d += b; d -= a; {lines} }}"""
    out = run(source, "k", numpy.zeros(len(expressions), numpy.float16), x, grid=1, threads=1)[0]
    assert out.tolist() == [a + b - a, a * b * c, a + b + c, 0, 0, 0, 0]


# --- kernels ---

KERNELS = {
    "host names": (
        """#define NAME(t) "scale_" #t "_" "all"
template <typename T> [[kernel]] void scale(device T *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = T(2 * i); }
template [[host_name(NAME(float))]] [[kernel]] decltype(scale<float>) scale<float>;""",
        "scale_float_all", 2 * INDEX,
    ),
    "the host name of a plain kernel": (
        '[[host_name("nice")]] kernel void ugly(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = i; }',
        "nice", INDEX,
    ),
    "namespaces": (
        """namespace image { namespace filters {
constant float two = 2;
kernel void scale(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = two * i; }
} }""",
        "image::filters::scale", 2 * INDEX,
    ),
    "indices that are expressions": (
        """enum Slot : uint { First, Out = 3 - 3, Next };
#define BASE 2
kernel void k(device float *o [[buffer(Out)]], constant float &f [[buffer(Next * BASE - 1)]], uint i [[thread_position_in_grid]]) { o[i] = f + i; }""",
        "k", INDEX,
    ),
    "positions of types with other names": (
        """typedef unsigned int u32; using index_t = u32; using place = metal::uint2;
kernel void k(device float *o [[buffer(0)]], index_t i [[thread_index_in_simdgroup]], place p [[thread_position_in_grid]], place n [[threads_per_grid]]) { o[p.x] = 100 * i + n.x; }""",
        "k", 100 * (INDEX % 32) + 64,
    ),
    "stages that are no kernels": (
        """struct V { float4 p [[position]]; };
vertex V vs(uint i [[vertex_id]]) { V v; v.p = float4(i); return v; }
[[fragment]] float4 fs(V v [[stage_in]]) { return unknown_function(v.p); }
template <typename T> fragment T ft(V v [[stage_in]]) { return T(v.p); }
kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = i; }""",
        "k", INDEX,
    ),
    "a kernel beside one that cannot be bound": (
        """kernel int wrong(device float *o [[buffer(0)]]) { return unknown_function(o); }
kernel void also(device float **o [[buffer(0)]]) { }
template <typename T> kernel void never(device T *o [[buffer(0)]], unknown_type x) { o[0] = x; }
kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = i; }""",
        "k", INDEX,
    ),
    "program-scope inputs": (
        """uint gid [[thread_position_in_grid]];
uint3 inside [[thread_position_in_threadgroup]];
static float both() { return gid + 100 * inside.x; }
kernel void k(device float *o [[buffer(0)]]) { o[gid] = both(); }""",
        "k", INDEX + 100 * (INDEX % 32),
    ),
    "array parameters": (
        """static float sum(device const float x[3]) { return x[0] + x[1] + x[2]; }
static int last(constant const int (&x)[2]) { return x[1]; }
constant int table[2] = {4, 5};
kernel void k(device float o[1] [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = last(table) + i + 0 * sum(o + (i < 3 ? i : 0)); }""",
        "k", None,
    ),
    "attributes in function types": (
        """typedef void (fun)(device float *o, threadgroup float *x [[threadgroup(0)]], uint i);
kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = sizeof(fun *) + i; }""",
        "k", 8 + INDEX,
    ),
    "long template arguments": (
        """static void twice_with_a_name_as_long_as_they_are_in_files_that_people_have(thread float &x) { x *= 2; }
template <typename T, typename U, int N, void (*F)(thread float &)>
kernel void apply(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { float x = i; F(x); o[i] = x + sizeof(T) + N; }
template [[host_name("k")]] [[kernel]] void apply<metal::vec<float, 4>, device const float *, (3 > 2 ? 1 : 2), twice_with_a_name_as_long_as_they_are_in_files_that_people_have>(
    device float *, uint);""",
        "k", 2 * INDEX + 17,
    ),
    "qualified types": (
        "kernel void k(device metal::float2 *o [[buffer(0)]], metal::uint3 id [[thread_position_in_grid]]) { if (id.x < 32) o[id.x] = metal::float2(2 * id.x, ::as_type<int>(2 * id.x + 1)); }",
        "k", INDEX,
    ),
    "coherent": (
        "kernel void k(volatile coherent(device) device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = i; }",
        "k", INDEX,
    ),
    "threadgroup variables": (
        """template <int N> kernel void kk(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]]) {
    threadgroup metal::array<float, N> one; alignas(16) threadgroup float x[N == 0 ? 1 : N];
    threadgroup float y[sizeof(float) > 2 ? 32 : 1], z;
    x[t % 32] = i; y[t] = 1; one[t] = 2;
    if (t == 0) z = 3;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    o[i] = x[(t + 1) % 32] + y[31 - t] + one[31 - t] + z; }
template [[host_name("k")]] kernel decltype(kk<32>) kk<32>;""",
        "k", INDEX // 32 * 32 + (INDEX + 1) % 32 + 6,
    ),
    "pointers by reference": (
        """template <typename T> static void advance(device T *&p, uint n) { p += n; }
kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { advance(o, i); *o = i; }""",
        "k", INDEX,
    ),
    "members that return references": (
        """template <typename T, int N> struct Values {
    T x[N];
    thread Values &operator=(initializer_list<T> values) thread { auto at = values.begin(); for (size_t i = 0; i < values.size(); i++) x[i] = at[i]; return *this; }
    thread T &operator[](size_t i) thread { return x[i]; }
    constexpr const thread T &operator[](size_t i) const thread { return x[i]; }
    device T &operator[](size_t i) device { return x[i]; }
    constexpr const device T &operator[](size_t i) const device { return x[i]; }
};
kernel void k(device Values<float, 64> &o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    if (i > 64) __builtin_trap();
    Values<float, 2> own; own = {float(i), 1.0f}; o[i] = own[0] + own[1]; }""",
        "k", INDEX + 1,
    ),
    "matrices in braces": (
        """constant float4x4 four = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}, {13, 14, 15, 16}};
constant float3x3 three = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
constant half2x4 wide = {{1, 2, 3, 4}, {5, 6, 7, 8}};
kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    float2x2 plain = float2x2(1, 2, 3, 4);
    o[i] = i + four[3][1] + three[2][0] + float(wide[1][3]) + plain[1][0] + float3x3(three)[1][1] + float4x4(float4(1), float4(2), float4(3), float4(4))[2].x; }""",
        "k", INDEX + 14 + 7 + 8 + 3 + 5 + 3,
    ),
    "headers of Apple's systems": (
        """#include <TargetConditionals.h>
#if TARGET_OS_MAC && !TARGET_OS_SIMULATOR && !TARGET_OS_IPHONE
kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = i; }
#endif""",
        "k", INDEX,
    ),
    "vectors of integers": (
        """kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    int2 p = clamp(int2(i, i) - 9, 0, int2(20, 30)); ushort3 q = min(ushort3(i), ushort(7)); char2 c = abs(max(char2(-3), char2(-5, 4)));
    o[i] = p.x + 100 * p.y + q.z + c.x + c.y + dot(float4(i), 1) + distance(float2(3, 4), 0); }""",
        "k", numpy.clip(INDEX - 9, 0, 20) + 100 * numpy.clip(INDEX - 9, 0, 30) + numpy.minimum(INDEX, 7) + 7 + 4 * INDEX + 5,
    ),
    "os_log": (
        "#include <metal_logging>\nkernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { os_log_default.log(\"at %d\", i); o[i] = i; }",
        "k", INDEX,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in KERNELS if name not in ("array parameters",)])
def test_kernels(name, run):
    source, kernel, expected = KERNELS[name]
    buffers = [zeros()] + ([zeros(count=1)] if "&f" in source else [])
    assert numpy.array_equal(run(source, kernel, *buffers)[0], expected)


def test_values_beside_what_members_lead_to(run, tmp_path):
    """Of one structure, whose members have indices of their own."""
    source = """struct Scene { device float *o [[id(3)]]; constant uint &n [[id(1)]]; float k [[id(0)]]; metal::array<device const float *, 2> x [[id(4)]]; };
kernel void k(device float *whole [[buffer(0)]], constant Scene &s [[buffer(1)]], uint i [[thread_position_in_grid]]) { whole[i] = s.n; s.o[i] = s.k * s.x[i % 2][i]; }"""
    options = "--bytes 1=k=2 --bytes 1.n=u32:64 --buffer 1.x[0]=ones:f32:64 --buffer 1.x[1]=range:f32:64 --buffer 1.o=empty:f32:64"
    saved = ["-o", f"1.o={tmp_path}/o.npy"]
    assert (run(source, "k", zeros(), options=[*options.split(), *saved])[0] == 64).all()
    assert numpy.array_equal(numpy.load(tmp_path / "o.npy"), 2 * numpy.where(INDEX % 2, INDEX, 1))


def test_array_parameters(run):
    source = """static float sum(device const float x[3], constant const int64_t s[2]) { return x[0] + x[1] + x[2] + s[1]; }
kernel void k(device float *o [[buffer(0)]], device const float x[3] [[buffer(1)]], constant const int64_t shape[2] [[buffer(2)]],
              uint i [[thread_position_in_grid]]) { o[i] = sum(x, shape) + i; }"""
    found = run(source, "k", zeros(), numpy.float32([1, 2, 3]), numpy.int64([5, 6]))[0]
    assert numpy.array_equal(found, 12 + INDEX)


def test_many_parameters(run):
    names = range(27)
    parameters = ", ".join(f"device float *b{n} [[buffer({n})]]" for n in names)
    builtins = "uint i [[thread_position_in_grid]], uint t [[thread_position_in_threadgroup]], uint g [[threadgroup_position_in_grid]], uint n [[threads_per_threadgroup]], uint l [[thread_index_in_simdgroup]], uint s [[simdgroup_index_in_threadgroup]]"
    source = f"kernel void k({parameters}, {builtins}) {{ {' '.join(f'b{n}[i] = i + {n};' for n in names)} }}"
    for n, found in enumerate(run(source, "k", *[zeros() for _ in names])):
        assert numpy.array_equal(found, INDEX + n)


def test_function_constants(run):
    source = """#define BASE 300
enum { Flag = BASE };
constant bool flag [[function_constant(Flag)]];
constant uint3 shape [[function_constant(BASE + 1)]];
constant float scale [[function_constant(7)]];
constant int unset [[function_constant(65535)]];
constant bool is_set = is_function_constant_defined(unset);
kernel void k(device float *o [[buffer(0)]], device float *never [[buffer(1), function_constant(is_set)]], uint i [[thread_position_in_grid]]) {
    if (is_set) never[i] = 1;
    o[i] = flag ? shape.z * scale + i : 0; }"""
    options = ["--constant", "300=true", "--constant", "301=1,2,3", "--constant", "7=0.5"]
    assert numpy.array_equal(run(source, "k", zeros(), options=options)[0], 1.5 + INDEX)


# --- address spaces ---


def test_overloads_and_specialisations_of_address_spaces(run):
    source = """inline float head(device const float *p) { return p[0]; }
inline float head(threadgroup const float *p) { return 2 * p[0]; }
inline float head(constant float *p) { return 3 * p[0]; }
inline float head(thread const float *p) { return 4 * p[0]; }
template <typename T> struct space;
template <typename T> struct space<device T *> { static constexpr constant int value = 1; };
template <typename T> struct space<threadgroup T *> { static constexpr constant int value = 2; };
template <typename P> int space_of(P) { return space<P>::value; }
constant float one[1] = {1};
kernel void k(device float *o [[buffer(0)]], device const float *x [[buffer(1)]], threadgroup float *s [[threadgroup(0)]],
              uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]]) {
    float mine = 1;
    s[t] = 1;
    o[i] = head(x + i) + 10 * head(s + t) + 100 * head(one) + 1000 * head(&mine) + 10000 * space_of(o) + 20000 * space_of(s); }"""
    options = ["--threadgroup-memory", "0=128"]
    found = run(source, "k", zeros(), numpy.ones(THREADS, numpy.float32), options=options)[0]
    assert numpy.array_equal(found, numpy.full(THREADS, 1 + 20 + 300 + 4000 + 10000 + 40000))


def test_a_choice_between_address_spaces(run):
    """`?:` of a vector of the thread's and of one in constant memory, which C++ does not know."""
    source = """constant float4 table[2] = {float4(1), float4(2)};
kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { float4 v = i < 4 ? float4(i) : table[i % 2]; o[i] = v.z; }"""
    assert numpy.array_equal(run(source, "k", zeros())[0], numpy.where(INDEX < 4, INDEX, INDEX % 2 + 1))


def test_initialisers_of_threadgroup_variables(run):
    """They hold when the threadgroup starts: no thread that comes late undoes what another one wrote."""
    source = """kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]],
        uint s [[simdgroup_index_in_threadgroup]], uint l [[thread_index_in_simdgroup]]) {
    threadgroup float sums[32] = {0}, two[2] = {1, 2.5};
    float sum = simd_sum(float(t));
    if (l == 0) sums[s] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    o[i] = simd_sum(sums[l]) + two[1]; }"""
    found = run(source, "k", zeros(count=128), grid=128, threads=64)[0]
    assert numpy.array_equal(found, numpy.full(128, 64 * 63 / 2 + 2.5))


def test_members_in_address_spaces(run):
    source = """struct C {
    float r, i;
    C() thread : r(0), i(0) {}
    C() threadgroup = default;
    constexpr C(float x) thread : r(x), i{1} {}
    constexpr C(float x) device : r(x), i{1} {}
    template <typename T> C(T a, T b) thread : r(a), i(b) {}
    template <typename T> C(T a, T b) threadgroup : r(a), i(b) {}
    operator float() const thread { return r + i; }
    operator float() const device { return r + i; }
    operator float() const threadgroup { return r + i; }
    float get() const constant;
};
kernel void k(device float *o [[buffer(0)]], device C *c [[buffer(1)]], uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]]) {
    threadgroup C shared[32];
    shared[t] = C(float(i), 2.0f);
    c[i] = C(float(i));
    o[i] = C(c[i]) + shared[t]; }"""
    found, pairs = run(source, "k", zeros(), numpy.zeros((THREADS, 2), numpy.float32))
    assert numpy.array_equal(found, 2 * INDEX + 3)
    assert numpy.array_equal(pairs, numpy.stack([INDEX, numpy.ones(THREADS)], 1))


def test_argument_of_every_space_is_a_vector(run):
    source = """kernel void k(device float4 *o [[buffer(0)]], constant float4 *c [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    threadgroup float4 x;
    if (i == 0) {
        x = c[0]; x.xy += c[0].zw; o[0] = x; o[0].zw = o[0].xy * 2; o[1] = max(c[1], x); o[1].x++;
        device float4 &r = o[2]; r = o[0] + c[0]; o[3] = r[1]; o[3].w = dot(r, c[0]); }
}"""
    c = numpy.float32([[1, 2, 3, 4], [5, 6, 0, 0]])
    found = run(source, "k", numpy.zeros((4, 4), numpy.float32), c)[0]
    first = numpy.float32([4, 6, 8, 12])
    third = first + c[0]
    expected = [first, [6, 6, 3, 4], third, [third[1], third[1], third[1], third @ c[0]]]
    assert numpy.array_equal(found, numpy.float32(expected))


# With the second, what C++ refuses between address spaces, the file is compiled without them.
@pytest.mark.parametrize("choice", ["v", "(i > 99 ? table[0] : v)"])
def test_volatile_vectors(choice, run, random):
    source = f"""constant float4 table[1] = {{float4(1)}};
struct Block {{ float4 value; int3 counts; packed_float3 rgb; }};
static float4 twice(float4 v) {{ return 2 * v; }}
kernel void k(volatile device Block *blocks [[buffer(0)]], volatile device float4 *x [[buffer(1)]], device float4 *o [[buffer(2)]],
              uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]]) {{
    threadgroup volatile float4 shared[32];
    volatile device Block &block = blocks[i];
    shared[t] = x[i];
    shared[t] += block.value;
    float4 v = shared[t];
    volatile float2 own = v.xy;
    own -= 1;
    own.x *= 2;
    block.value = float4(20.0, own, v[3]);
    block.value.zw = x[i].yx * 3;
    block.counts = int3(v.x > 0, 5, 6);
    block.counts[2] = block.counts.y + 1;
    block.rgb = x[i].zyx;
    block.rgb += block.rgb.z; block.rgb = block.rgb * 1.0f + float3(0);
    float3 rgb = block.rgb;
    v = x[i];
    o[2 * i] = twice(x[i]) + dot(shared[t], x[i]) + {choice};
    o[2 * i + 1] = float4(rgb, all(x[i] == v) && any(x[i] != shared[t])); }}"""
    old, x = random.standard_normal((2, THREADS, 4)).astype(numpy.float32)
    block = numpy.zeros((THREADS, 12), numpy.float32)
    block[:, :4] = old
    found, same, out = run(source, "k", block, x, numpy.zeros((THREADS, 2, 4), numpy.float32))
    v = x + old
    rgb = x[:, 2::-1] + x[:, :1]
    value = numpy.stack([numpy.full(THREADS, 20), 2 * (v[:, 0] - 1), 3 * x[:, 1], 3 * x[:, 0]], 1)
    assert numpy.array_equal(same, x)
    assert numpy.allclose(found[:, :4], value, rtol=1e-5, atol=1e-5)
    counts = numpy.stack([v[:, 0] > 0, numpy.full(THREADS, 5), numpy.full(THREADS, 6)], 1)
    assert numpy.array_equal(found[:, 4:7].view(numpy.int32), counts)
    assert numpy.allclose(found[:, 8:11], rgb, rtol=1e-5, atol=1e-5)
    assert numpy.allclose(out[:, 0], 3 * x + (v * x).sum(1, keepdims=True), rtol=1e-5, atol=1e-4)
    assert numpy.allclose(out[:, 1], numpy.column_stack([rgb, numpy.ones(THREADS)]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["struct", "struct Tile", "union Tile"])
def test_threadgroup_structures_without_a_type_of_their_own(kind, run):
    """All threads of a threadgroup have the same one."""
    source = f"""struct Pair {{ float a, b; }};
kernel void k(device float *o [[buffer(0)]], uint t [[thread_index_in_threadgroup]], uint i [[thread_position_in_grid]]) {{
    threadgroup {kind} {{
        atomic_uint count; float x[32];
    }} shared, other[2];
    threadgroup struct Pair pair;
    if (t == 0) {{ atomic_store_explicit(&shared.count, 0u, memory_order_relaxed); pair = Pair{{1.5, 2.0}}; }}
    other[1].x[t] = t;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    atomic_fetch_add_explicit(&shared.count, 1u, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    o[i] = atomic_load_explicit(&shared.count, memory_order_relaxed) + 100 * other[1].x[31 - t] + pair.a * pair.b; }}"""
    assert numpy.array_equal(run(source, "k", zeros())[0], 35 + 100 * (31 - INDEX % 32))


SPELLINGS = [
    "float threadgroup NAME[32];", "array<float, 32>\n threadgroup NAME;", "float one; threadgroup decltype(one + 1) NAME[32];",
    "threadgroup float (NAME)[32];", "float threadgroup (NAME)[32];", "threadgroup array<float, 32> (NAME);",
    "static threadgroup float NAME[32];", "threadgroup static float NAME[32];", "static float threadgroup NAME[32];",
    "alignas(16) threadgroup float NAME[32];", "threadgroup alignas(16) float NAME[32];", "volatile threadgroup float NAME[32];",
    "[[maybe_unused]] threadgroup float NAME[32];", "threadgroup [[maybe_unused]] float NAME[32];",
    "threadgroup float NAME [[maybe_unused]] [32];", "threadgroup float NAME[32] __attribute__((aligned(16)));",
    "threadgroup __attribute__((aligned(16))) float NAME[32];", "threadgroup float some, (NAME)[32];",
    "threadgroup float *some, *NAME; threadgroup float room[32]; NAME = room;",
    "threadgroup float room[32]; threadgroup float (&NAME)[32] = *(threadgroup float (*)[32])room;",
    "using Tile = threadgroup float *; threadgroup float room[32]; Tile NAME = room;",
    "threadgroup struct { float x[32]; float at(int i) threadgroup const { return x[i]; } } room; threadgroup float *NAME = room.x;",
    "begin: float threadgroup NAME[32];",
]  # fmt: skip


def test_threadgroup_variables_in_every_spelling(run):
    blocks = "".join(f"""
    {{
        {spelling.replace("NAME", "shared")}
        shared[t] = t;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        float threadgroup *last = &shared[31];
        o[i * {len(SPELLINGS)} + {n}] = *(last - t);
    }}""" for n, spelling in enumerate(SPELLINGS))  # fmt: skip
    source = f"""kernel void k(device float *o [[buffer(0)]], uint t [[thread_index_in_threadgroup]], uint i [[thread_position_in_grid]]) {{{blocks}
}}"""
    out = run(source, "k", zeros(count=THREADS * len(SPELLINGS)))[0].reshape(THREADS, -1)
    for spelling, values in zip(SPELLINGS, out.T):
        assert numpy.array_equal(values, 31 - INDEX % 32), spelling


@pytest.mark.parametrize("place, declaration, message", [
    ("inside", "threadgroup float ((x)[32]);", "expected a variable as in 'threadgroup float tile[32];'"),
    ("inside", "threadgroup float *p, x[32];", "expected a variable as in 'threadgroup float tile[32];'"),
    ("inside", "using Tile = threadgroup float[32]; Tile x;", "'threadgroup' must stand where a variable does, not in a type's name"),
    ("before", "typedef threadgroup float Tile[32];", "'threadgroup' must stand where a variable does, not in a type's name"),
    ("before", "threadgroup float x[32];", "a threadgroup variable must be in a function"),
])  # fmt: skip
def test_other_threadgroup_variables_are_refused(place, declaration, message, tmp_path):
    """Each thread would have its own."""
    path = tmp_path / "kernel.metal"
    before, inside = (declaration, "") if place == "before" else ("", declaration)
    path.write_text(f"{HEADER}{before}\nkernel void k(device float *o [[buffer(0)]]) {{ {inside}\n o[0] = 1; }}\n")
    line = 3 if place == "before" else 4
    process = subprocess.run([METAL_CHECK, path, "--list"], capture_output=True, text=True)
    assert f"{path}:{line}: {message}\n" in process.stdout + process.stderr


def test_kernel_parameters_of_arrays(run, random):
    source = """kernel void k(device float (&o)[64] [[buffer(0)]], constant float (&c)[2] [[buffer(1)]], device const float (*rows)[2] [[buffer(2)]], threadgroup float (&x)[32] [[threadgroup(0)]],
    uint t [[thread_index_in_threadgroup]], uint i [[thread_position_in_grid]]) {
    x[t] = t * c[1];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    o[i] = x[31 - t] + sizeof(x) + c[0] + rows[t][1]; }"""
    c, rows = numpy.array([0.5, 2], numpy.float32), random.standard_normal((32, 2)).astype(numpy.float32)
    out = run(source, "k", zeros(), c, rows, options=["--threadgroup-memory", "0=128"])[0]
    assert numpy.allclose(out, 2 * (31 - INDEX % 32) + 128.5 + numpy.tile(rows[:, 1], 2))


@pytest.mark.parametrize("space", ["device", "threadgroup", "thread"])
def test_bit_fields_are_set_one_by_one(space, run):
    """What shares their bytes is read then, and written again."""
    variable = {
        "device": "device Two &two = mine[i];",
        "threadgroup": "threadgroup Two all[32]; threadgroup Two &two = all[t];",
        "thread": "Two two;",
    }[space]
    source = f"""struct Bits {{ uint a : 3; uint b : 7; uint c : 22; }};
struct Two {{ float x; Bits bits[2]; ushort kind : 1, count : 5; }};
kernel void k(device float *o [[buffer(0)]], device Two *mine [[buffer(1)]], uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]]) {{
    {variable}
    two.bits[0].a = i; two.bits[0].b = i + 1; two.bits[0].c = i << 4;
    two.bits[1].b = two.bits[0].b; two.x = 0.5; two.count = 3; two.kind = i; two.count += 4;
    o[i] = two.bits[0].a + two.bits[0].b + two.bits[0].c + two.bits[1].b + two.x + two.kind + two.count; }}"""
    options = ["--buffer", "1=empty:u8:1024", "--suppress", "never-written"]
    out = run(source, "k", zeros(), options=options)[0]
    assert numpy.array_equal(out, INDEX % 8 + 2 * (INDEX + 1) + 16 * INDEX + 0.5 + INDEX % 2 + 7)


def test_arrays_are_named_as_in_metal(tmp_path):
    """What an index is out of: neither clang's address spaces nor a name of ours."""
    path = tmp_path / "kernel.metal"
    path.write_text(
        HEADER
        + """typedef half4 Row;
kernel void k(device float *o [[buffer(0)]], constant uint &n [[buffer(1)]]) {
    threadgroup float x[4][8]; threadgroup Row rows[3]; const int three[3] = {1, 2, 3};
    o[0] = x[n][0];
    o[1] = rows[n].x;
    o[2] = three[n];
}
"""
    )
    options = ["--kernel", "k", "--grid", 1, "--threads", 1, "--buffer", "0=empty:f32:3", "--bytes", "1=u32:9"]
    details = [finding["message"] for finding in checker.run(path, *options)["findings"]]
    for name in ["float[4][8]", "half4[3]", "int[3]"]:
        assert any(detail.endswith(f"index 9 of an array of type {name}") for detail in details), name
    assert not any("_type" in detail or "__" in detail for detail in details)


def test_threadgroup_variables_of_lambdas(run):
    source = """template <typename F> float call(F f) { return f(); }
kernel void k(device float *o [[buffer(0)]], uint t [[thread_index_in_threadgroup]], uint i [[thread_position_in_grid]]) {
    o[i] = call([&]() {
        threadgroup float shared[32];
        shared[t] = (t + 1) * 2;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        return shared[31 - t]; }); }"""
    assert numpy.array_equal(run(source, "k", zeros())[0], 2 * (32 - INDEX % 32))


def test_vectors_are_counted_up_and_down(run, random):
    source = """kernel void k(device int4 *x [[buffer(0)]], device float *o [[buffer(1)]], uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]]) {
    threadgroup uint2 shared[32];
    shared[t] = 3; shared[t]++; ++shared[t].x;
    device int4 &mine = x[i];
    x[i]++; --x[i]; mine--; x[i].zw++; x[i].y--;
    int3 a = 5, b = a++ + ++a; uchar2 c = 255; c++;
    o[i] = shared[t].x * 1000 + shared[t].y * 100 + b.x + a.y + c.x; }"""
    x = random.integers(-9, 9, (THREADS, 4)).astype(numpy.int32)
    counted, out = run(source, "k", x, zeros())
    assert numpy.array_equal(counted, x + [-1, -2, 0, 0])
    assert numpy.array_equal(out, numpy.full(THREADS, 5419))


def test_matrices_times_numbers_of_any_type(values):
    expressions = ["(2 * m)[0][0]", "(m * 3u)[1][1]", "(0.5h * m)[0][1]", "(h * 2.0f)[1][0]", "(2 * m * v).y"]
    setup = "float2x2 m(float2(1, 2), float2(3, 4)); half2x2 h(half2(1, 2), half2(3, 4)); float2 v(1, 2);"
    assert list(values(expressions, setup)) == [2, 12, 1, 6, 20]


def test_swizzles_of_swizzles_are_assigned(run, random):
    source = """struct Row { float4 v; };
kernel void k(device Row *rows [[buffer(0)]], device float4 *o [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    float4 v = rows[i].v;
    v.xyz.x += 1;
    v.wzyx.xy = float2(10, v.xyz.z) * 2;
    v.xyz.zyx.z *= 3; v.bgr.gb.y++;
    rows[i].v.yzw . zx = v.xy;
    rows[i].v.zy.x -= v.bgra.a == v.xyzw.w;
    o[i] = float4(v.xyz.yz.y, v.wzy.xy, rows[i].v.yzw.x); }"""
    x = random.integers(-9, 9, (THREADS, 4)).astype(numpy.float32)
    rows, out = run(source, "k", x, numpy.zeros((THREADS, 4), numpy.float32))
    v = x.copy()
    v[:, 0] += 1
    v[:, [3, 2]] = numpy.stack([numpy.full(THREADS, 20), 2 * v[:, 2]], 1)
    v[:, 0] = 3 * v[:, 0] + 1
    expected = x.copy()
    expected[:, [3, 1]] = v[:, :2]
    expected[:, 2] -= 1
    assert numpy.array_equal(rows, expected)
    assert numpy.array_equal(out, numpy.stack([v[:, 2], v[:, 3], v[:, 2], expected[:, 1]], 1))


def test_members_that_are_called_as_swizzles_are(run, random):
    source = """struct Pixel { float4 rgb; float4 xy[2]; };
kernel void k(device float4 *x [[buffer(0)]], device float4 *o [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    Pixel p; p.rgb = x[i]; p.rgb.bg = float2(5, 6); p.rgb.a = 7; p.xy[1] = 0; p.xy[1].yx = p.rgb.ga; o[i] = p.rgb + p.xy[1]; }"""
    x = random.standard_normal((THREADS, 4)).astype(numpy.float32)
    out = run(source, "k", x, numpy.zeros_like(x))[1]
    expected = numpy.concatenate([x[:, :1], numpy.tile(numpy.float32([6, 5, 7]), (THREADS, 1))], 1)
    expected[:, :2] += [7, 6]
    assert numpy.allclose(out, expected)


@pytest.mark.parametrize(
    "statement", ["(v + v).xy = float2(1);", "v.xyz[0] = 1;", "Pixel p; p.rgb = v; float4(p.rgb).bg = v.xy;"]
)
def test_assignments_that_would_be_lost_are_refused(statement, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text(
        HEADER
        + f"struct Pixel {{ float4 rgb; }};\nkernel void k(device float4 *o [[buffer(0)]]) {{ float4 v = o[0]; {statement} o[0] = v; }}\n"
    )
    with pytest.raises(checker.Failed, match=re.escape(f"{path}:4:")):
        checker.run(path, "--kernel", "k", "--grid", 1, "--threads", 1, "--buffer", "0=ones:f32:4")


# --- types and the library ---


def test_bfloat(run, random):
    source = """template <typename T> T root(T x) { return static_cast<T>(metal::sqrt(metal::abs(x))); }
kernel void k(device bfloat *o [[buffer(0)]], device const bfloat *x [[buffer(1)]], device const float *y [[buffer(2)]], uint i [[thread_position_in_grid]]) {
    bfloat4 v = bfloat4(bfloat(y[i]));
    o[i] = x[i] * bfloat(2) + v.z + root(x[i]) + 1.0bf + as_type<bfloat>(ushort(0x4000)) - numeric_limits<bfloat>::epsilon(); }"""
    y = random.standard_normal(THREADS).astype(numpy.float32)
    bits = lambda a: (
        (numpy.float32(a).view(numpy.uint32) + 0x7FFF + (numpy.float32(a).view(numpy.uint32) >> 16 & 1)) >> 16
    )
    number = lambda b: (b.astype(numpy.uint32) << 16).view(numpy.float32)
    rounded = lambda a: number(bits(a))
    x = rounded(y[::-1])
    found = number(run(source, "k", zeros(numpy.uint16), bits(x).astype(numpy.uint16), y)[0])
    expected = rounded(rounded(x * 2 + rounded(y)) + rounded(numpy.sqrt(abs(x))))
    expected = rounded(rounded(rounded(expected + 1) + 2) - numpy.float32(2.0**-7))
    assert numpy.array_equal(found, expected)


def test_bfloats_that_are_volatile(run):
    """As an element of a vector is to its swizzles."""
    source = """kernel void k(volatile device bfloat *o [[buffer(0)]], volatile device bfloat2 *x [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    bfloat2 v = x[i], w = v + v.yx - v;
    bfloat last = o[i]; o[i] = last + w.x; x[i].xy = v.yx; }"""
    x = numpy.tile(numpy.uint16([0x4380, 0x3F80]), (THREADS, 1))  # 256 and 1
    ones = numpy.full(THREADS, 0x3F80, numpy.uint16)
    o, turned = run(source, "k", ones, x)
    assert (o == 0x3F80).all() and (turned == x[:, ::-1]).all()


@pytest.mark.parametrize("before, after", [
    ("struct __attribute__((packed)) Row", ""), ("struct [[gnu::packed]] Row", ""),
    ("#pragma pack(push, 1)\nstruct Row", "#pragma pack(pop)\n"),
])  # fmt: skip
def test_structures_without_padding(before, after, run, random):
    """Vectors in them, too, and they are used where they lie."""
    source = f"""{before} {{ uchar tag; packed_half3 h; float2 v; packed_short2 s; bfloat b; half4 w; }};
{after}kernel void k(device Row *rows [[buffer(0)]], device float *o [[buffer(1)]], uint i [[thread_position_in_grid]]) {{
    Row row = rows[i]; float2 v = rows[i].v;
    rows[i].v.y = row.s[1]; rows[i].h = half3(row.w.xyz); rows[i].tag++;
    o[i] = v.x + rows[i].v.y + float(rows[i].h.z) + sizeof(Row); }}"""
    types = [("tag", "u1"), ("h", "3f2"), ("v", "2f4"), ("s", "2i2"), ("b", "u2"), ("w", "4f2")]
    rows = numpy.zeros(THREADS, types)
    rows["v"], rows["w"] = random.integers(-99, 99, (THREADS, 2)), random.integers(-99, 99, (THREADS, 4))
    rows["s"] = random.integers(-99, 99, (THREADS, 2))
    found, out = run(source, "k", rows.view("u1"), zeros())
    found = found.view(types)
    assert (found["h"] == rows["w"][:, :3]).all() and (found["tag"] == 1).all()
    assert numpy.array_equal(out, rows["v"][:, 0] + rows["s"][:, 1] + rows["w"][:, 2] + 29)


def test_packed_vectors(run, random):
    source = """kernel void k(device packed_float3 *o [[buffer(0)]], device const packed_float3 *x [[buffer(1)]], device const packed_char4 *c [[buffer(2)]],
    uint i [[thread_position_in_grid]]) {
    packed_float3 a = x[i];
    a.xy += float2(c[i].zw);
    a += x[i] * 2.0f;
    o[i] = packed_float3(a.zyx + float4(c[i]).x) - x[i]; o[i].y = dot(a, x[i]); }"""
    x = random.standard_normal((THREADS, 3)).astype(numpy.float32)
    c = random.integers(-100, 100, (THREADS, 4), numpy.int8)
    found = run(source, "k", numpy.zeros_like(x), x, c)[0]
    a = 3 * x.astype(numpy.float64)
    a[:, :2] += c[:, 2:]
    expected = a[:, ::-1] + c[:, :1] - x
    expected[:, 1] = (a * x).sum(1)
    assert numpy.allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_extended_vectors(values):
    setup = "half8 h = 1.5h; float8 f = float8(h); f[7] = 3; f = f * 2.0f; int16_v w = 7;"
    before = "typedef half half8 __attribute__((ext_vector_type(8)));\nusing float8 = float __attribute__((ext_vector_type(8)));\ntypedef int int16_v __attribute__((ext_vector_type(16)));\n"
    assert list(values(["f[0]", "f[7]", "sizeof(float8)", "w[15]"], setup, before)) == [3, 6, 32, 7]


def test_quadgroups_and_fills(run, random):
    source = """kernel void k(device float *o [[buffer(0)]], device const float *x [[buffer(1)]], uint i [[thread_position_in_grid]],
    ushort q [[thread_index_in_quadgroup]], uint g [[quadgroup_index_in_threadgroup]], uint n [[quadgroups_per_threadgroup]]) {
    float v = x[i];
    device float *r = o + 12 * i;
    r[0] = quad_sum(v); r[1] = quad_max(v); r[2] = quad_shuffle_xor(v, 1); r[3] = quad_prefix_exclusive_sum(v);
    r[4] = quad_broadcast(v, 2); r[5] = quad_shuffle_rotate_down(v, 1); r[6] = float(ulong(quad_ballot(v > 0)));
    r[7] = q + 10 * g + 1000 * n; r[8] = simd_shuffle_and_fill_down(v, -v, 3); r[9] = simd_shuffle_and_fill_up(v, -v, 5, 8);
    r[10] = quad_shuffle_down(v, 2); r[11] = quad_prefix_inclusive_product(v); }"""
    x = random.standard_normal(THREADS).astype(numpy.float32)
    found = run(source, "k", zeros(count=12 * THREADS), x)[0].reshape(THREADS, 12)
    quads, lane, i = x.reshape(-1, 4), numpy.arange(THREADS) % 4, numpy.arange(THREADS)
    both = numpy.concatenate([x.reshape(-1, 32), -x.reshape(-1, 32)], 1)
    upper = numpy.concatenate([-x.reshape(-1, 8), x.reshape(-1, 8)], 1)
    expected = numpy.stack([
        numpy.repeat(quads.sum(1), 4), numpy.repeat(quads.max(1), 4), x[i ^ 1], (quads.cumsum(1) - quads).ravel(),
        numpy.repeat(quads[:, 2], 4), x[i // 4 * 4 + (lane + 1) % 4], numpy.repeat((quads > 0) @ [1, 2, 4, 8], 4),
        lane + 10 * (i % 32 // 4) + 8000, both[:, 3:35].ravel(), upper[:, 3:11].ravel(),
        numpy.where(lane < 2, x[(i + 2) % THREADS], x), quads.cumprod(1).ravel(),
    ], 1)  # fmt: skip
    assert numpy.allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("type, dtype", [("float", numpy.float32), ("half", numpy.float16), ("bfloat", None)])
def test_simdgroup_matrices(type, dtype, run, random):
    source = f"""kernel void k(device float *o [[buffer(0)]], device const {type} *a [[buffer(1)]], device const {type} *b [[buffer(2)]]) {{
    simdgroup_{type}8x8 x, y = make_filled_simdgroup_matrix<{type}, 8>({type}(0));
    simdgroup_matrix<float, 8, 8> d = make_filled_simdgroup_matrix<float, 8, 8>(1.f);
    simdgroup_load(x, a, 8, ulong2(0, 0), true);
    simdgroup_load(y, b);
    simdgroup_multiply_accumulate(d, x, y, d);
    simdgroup_store(d, o, 8); }}"""
    a, b = random.integers(-4, 5, (2, 8, 8))
    as_bits = lambda m: (
        m.astype(dtype) if dtype else (m.astype(numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16)
    )
    found = run(source, "k", numpy.zeros((8, 8), numpy.float32), as_bits(a), as_bits(b), grid=32)[0]
    assert numpy.array_equal(found, a.T @ b + 1)


def test_library(values):
    pairs = {
        "MAXHALF": 65504, "M_2_SQRTPI_F": 2 / numpy.sqrt(numpy.pi), "M_PI_4_F": numpy.pi / 4, "CHAR_BIT": 8,
        "fmax(0, fmin(1, 3.0f / 6 + 0.25))": 0.75, "fmin(1.5h, 2.0f)": 1.5, "pow(2, 0.5f)": 2**0.5, "max(3, 4u)": 4,
        "clamp(7, 0.0f, 5)": 5, "distance_squared(float3(1), float3(3))": 12, "mulhi(uint2(0x80000000u), uint2(6u)).y": 3,
        "mulhi(short(-32768), short(4))": -2, "addsat(char(100), char(100))": 127, "subsat(ushort(1), ushort(2))": 0,
        "reverse_bits(uchar(1))": 128, "popcount(short(-1))": 16, "clz(long(1))": 63, "rotate(int2(1), int2(4)).x": 16,
        "extract_bits(ushort(0xABCD), 4, 8)": 0xBC, "is_convertible_v<int, float>": 1, "is_same_v<make_unsigned_t<short>, ushort>": 1,
        "is_same_v<remove_cvref_t<const int &>, int>": 1, "disjunction_v<false_type, true_type>": 1, "is_arithmetic_v<half>": 1,
        "fmedian3(3.0f, 1.0f, 2.0f)": 2, "numeric_limits<bool>::max()": 1, "numeric_limits<half>::denorm_min() > 0": 1,
        "precise::fmin3(3.0f, 1.0f, 2.0f)": 1, "unpack_unorm4x8_to_float(0x00FF0000u).z": 1, "pack_float_to_snorm2x16(float2(1, -1))": 0x80017FFF,
        "unpack_unorm4x8_to_half(0x00FF0000u).z + unpack_snorm2x16_to_half(0x7FFFu).x": 2, "pack_half_to_unorm4x8(half4(0, 1, 0, 0))": 0xFF00,
        "unpack_unorm4x8_srgb_to_float(0xFF000080u).x": ((128 / 255 + 0.055) / 1.055) ** 2.4, "pack_float_to_srgb_unorm4x8(float4(0.5f, 0, 0, 0.2f))": 0x330000BC,
        "pack_float_to_unorm10a2(float4(0, 1, 0, 1.0f / 3))": (1 << 30) + (1023 << 10), "unpack_unorm10a2_to_float(0xC0000000u).w": 1,
        "pack_float_to_unorm565(float3(1, 0, 1))": 0xF81F, "unpack_unorm565_to_half(ushort(0x07E0)).y": 1,
        "step(.5, float2(.4, .6)).y + smoothstep(0., 1, half3(.5h)).z": 1.5, "pow(2, float3(3)).x + fmod(7.0, float2(4)).y": 11,
        "min(1., float3(2)).x + max(3, int2(1)).y + fmax(0.h, half2(4)).x": 8, "sizeof(simdgroup_half8x8::storage_type)": 4,
        "array<int, 3>{1, 2, 3}.back() + array<int, 3>{4, 5, 6}.front()": 7,
        "refract(float2(0, -1), float2(0, 1), 1.0f).y": -1, "select(float2(1), float2(2), int2(-1, 1)).y": 1,
        "make_uniform(3) / 2": 1, "uint4({1, 2, 3}).w + uint4({1, 2, 3}).z": 3,
        "any(isunordered(float2(1), float2(NAN)))": 1, "ilogb(float2(9)).x": 3, "sign(-3)": -1, "numeric_limits<int4>::lowest().w": -(2**31),
        "(int3(-8, 1, 2) >> uint3(1, 0, 1)).x": -4, "(short2(3) << uint2(1, 2)).y": 12, "vec_elements<float3>::value": 3,
    }  # fmt: skip
    found = values(list(pairs))
    expected = numpy.array(list(pairs.values()), numpy.float64)
    wrong = [f"{text}: {a}, not {b}" for text, a, b in zip(pairs, found, expected) if not abs(a - b) <= 1e-6 * abs(b)]
    assert not wrong


def test_integers_are_no_floats_to_the_library(values):
    """Functions of a kernel with the library's names, of vectors of integers."""
    before = """template <typename T, typename E = typename enable_if<is_integral<T>::value>::type>
T sign(T x) { return select(select(select(x, T(0), x == T(0)), T(1), x > T(0)), T(-1), x < T(0)); }
template <typename T, typename E = typename enable_if<is_integral<T>::value>::type> T fmod(T x, T y) { return x - y * (x / y); }
"""
    setup = "int4 v = sign(int4(-5, 0, 7, 1)); short2 w = fmod(short2(-7, 9), short2(4)); float2 f = sign(float2(-2.5f, 0));"
    assert list(values(["v.x", "v.y", "v.z", "w.x", "w.y", "f.x"], setup, before)) == [-1, 0, 1, -3, 1, -1]


def test_extents_of_any_type_are_deduced(run, random):
    """A vector's number of elements as uint, size_t, int; what is no vector's keeps its type."""
    source = """template <typename T, uint V, uint N> void copy(thread T (&to)[N], device const vec<T, V> (&from)[N]) {
    for (uint i = 0; i < N; i++) to[i] = reinterpret_cast<device const T &>(from[i]);
}
template <typename T, uint A, uint B, uint N>
enable_if_t<A != B> copy(thread vec<T, A> (&to)[N], device const vec<T, B> (&from)[N]) {
    for (uint i = 0; i < N; i++) to[i] = reinterpret_cast<device const vec<T, A> &>(from[i]);
}
template <typename T, size_t N> T last(metal::vec<T, N> v) { return v[N - 1]; }
template <typename T, int N> T second(vec<T, N> v) { return v[1]; }
template <typename T, unsigned int N> struct Counted { static float less(uint) { return N - 3 > 0 ? 1 : 0; } };
struct Block { float4 rows[3]; };
kernel void k(device Block *x [[buffer(0)]], device float *o [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    float first[3];
    float2 pairs[3];
    copy(first, x[i].rows);
    copy(pairs, x[i].rows);
    o[i] = first[2] + 10 * pairs[1].y + 100 * last(float3(1, 2, i)) + 1000 * second(pairs[0]) + Counted<float, 2>::less(i); }"""
    x = random.integers(-9, 9, (THREADS, 3, 4)).astype(numpy.float32)
    found = run(source, "k", x, zeros())[1]
    assert numpy.array_equal(found, x[:, 2, 0] + 10 * x[:, 1, 1] + 100 * INDEX + 1000 * x[:, 0, 1] + 1)


def test_a_simd_width_of_the_files_own(run):
    """SIMD_WIDTH is our macro where a file does not declare it."""
    body = "uint l [[thread_index_in_simdgroup]], uint i [[thread_position_in_grid]]) { threadgroup float s[SIMD_WIDTH]; s[l] = SIMD_WIDTH; o[i] = s[l]; }"
    for declaration, width in (("constant constexpr uint SIMD_WIDTH = 40;", 40), ("", 32)):
        source = f"{declaration}\nkernel void k(device float *o [[buffer(0)]], {body}"
        assert numpy.array_equal(run(source, "k", zeros(), threads=32)[0], numpy.full(THREADS, width))


def test_of_vectors_metals_functions_are_taken(values):
    """Not a kernel's templates of the same name: Metal's are none, and match as well."""
    alike = "".join(
        f"template <typename T> inline T {f}(T a, T b) {{ return T(100); }}\n" for f in ("max", "pow", "step", "fmod")
    )
    before = (
        alike
        + """template <typename T> inline float dot(T a, T b) { return 100; }
template <typename T> inline T clamp(T a, T b, T c) { return T(100); }
"""
    )
    setup = "float4 v(1, 2, 3, 4), w(5, 6, 7, 8); int3 a(1, 5, 3), b(4);"
    expressions = [
        "dot(v, w)",
        "max(v, w).x",
        "max(a, b).y",
        "pow(w, v).y",
        "step(v, w).x",
        "fmod(w, v).z",
        "clamp(w, v, v).w",
    ]
    assert numpy.allclose(values(expressions, setup, before), [70, 5, 5, 36, 1, 1, 4])


def test_functions_of_a_kernel_are_taken_before_ours(values):
    """Templates with the names and parameters of the library's."""
    integers = "template <typename T, typename E = typename enable_if<is_integral<T>::value>::type>"
    before = f"{integers} T sign(T x) {{ return x + 40; }}\n{integers} float floor(T x) {{ return x - 1; }}\n"
    assert list(values(["sign(2)", "sign(-2.5f)", "floor(7u)", "floor(2.5f)"], "", before)) == [42, -1, 6, 2]


def test_fences_and_atomics_of_64_bits(run):
    source = """kernel void k(device atomic_ulong *o [[buffer(0)]], device atomic_uint *count [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    atomic_max_explicit(o, ulong(i) << 40, memory_order_relaxed);
    atomic_min_explicit(o + 1, ~(ulong(i) << 40), memory_order_relaxed);
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device); }"""
    found, count = run(source, "k", numpy.uint64([0, 2**64 - 1]), numpy.uint32([0]))
    assert found[0] == 63 << 40 and found[1] == ~numpy.uint64(63 << 40) and count[0] == 64


# --- what is printed ---


def test_log_and_assert(tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text(HEADER + """#include <metal_logging>
constant os_log logger("subsystem", "category");
kernel void k(device float *o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    if (i == 2) logger.log_debug("thread %u has %.2f", i, 0.5);
    assert(i < 3);
    o[i] = i; }
""")  # fmt: skip
    command = [METAL_CHECK, path, *"--kernel k --grid 4 --threads 4 --buffer 0=zeros:f32:4".split()]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and result.stderr == "thread 2 has 0.50\n"
    assert result.stdout.count("\n") == 1 and f"{path}:7: error: fault: k: " in result.stdout
    assert "assert(i < 3) does not hold" in result.stdout


def test_errors_show_the_line_as_written(tmp_path):
    """Once, for all instances of a template, without our macros."""
    path = tmp_path / "kernel.metal"
    line = "    device T *p = x; threadgroup float *q = p; o[i] = unknown(q); // as written"
    path.write_text(HEADER + f"""template <typename T> kernel void k(device float *o [[buffer(0)]], device T *x [[buffer(1)]], uint i [[thread_position_in_grid]]) {{
{line}
}}
template [[host_name("a")]] kernel decltype(k<float>) k<float>;
template [[host_name("b")]] kernel decltype(k<int>) k<int>;
""")  # fmt: skip
    command = [METAL_CHECK, path, *"--kernel a --grid 1 --threads 1".split()]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert re.findall(r":(\d+):\d+: error", result.stderr) == ["4", "4"]
    assert result.stderr.count(line) == 2 and "attribute" not in result.stderr and "__" not in result.stderr
    assert "'threadgroup float *'" in result.stderr


def test_includes_and_standard_input(tmp_path):
    (tmp_path / "types.h").write_text("typedef float real;\n")
    source = (
        HEADER
        + "kernel void k(device real *o [[buffer(0)]], uint i [[thread_position_in_grid]]) { o[i] = SCALE * i; }\n"
    )
    options = [
        *"--kernel k --grid 4 --threads 4 --buffer 0=zeros:f32:4 -D SCALE=3".split(),
        "-o",
        f"0={tmp_path}/o.npy",
    ]
    command = [METAL_CHECK, "-", "-include", tmp_path / "types.h", *options]
    result = subprocess.run(command, input=source, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert list(numpy.load(tmp_path / "o.npy")) == [0, 3, 6, 9]
    result = subprocess.run([METAL_CHECK, "-", *options], input=source, capture_output=True, text=True)
    assert result.returncode == 2 and "<stdin>:3:" in result.stderr and "real" in result.stderr


def test_vectors_that_are_constexpr(values):
    before = "constant constexpr float3 tint = float3(1, 2, 3);\nconstexpr constant half2x2 turn = half2x2(half2(0, 1), half2(2, 3));\nstatic constexpr constant uchar4 bytes[2] = {uchar4(1), uchar4(2, 3, 4, 5)};\n"
    setup = "constexpr float4 v = float4(tint * 2, 1); constexpr packed_float3 p = packed_float3(7);"
    before += "struct Sky { static constexpr constant float3 up = float3(0, 5, 0); constexpr static float2 size() { return float2(6); } float3 v; };\n"
    setup += "constexpr auto w = uint2(8, 9);"
    found = values(
        ["v.y", "turn[1][0]", "bytes[1].w", "p.z", "tint.b", "Sky::up.y", "Sky::size().x", "w.y"], setup, before
    )
    assert list(found) == [4, 2, 5, 7, 3, 5, 6, 9]


def test_constants_inside_of_functions(values):
    before = "static float3 side(int i) { static constexpr constant float3 sides[2] = {float3(1, 2, 3), float3(4)}; return sides[i]; }\n"
    assert list(values(["side(0).y", "side(1).x", "side(0).z"], "", before)) == [2, 4, 3]


def test_constants_by_what_the_kernel_reaches(tmp_path):
    """Values are asked for where the kernel can look at them, by way of functions, classes, and constants."""
    path = tmp_path / "kernel.metal"
    path.write_text(HEADER + """enum Index { FIRST = 3, NEXT = FIRST + 1 };
constant uint mine [[function_constant(FIRST << 1 | 1)]];
constant uint other [[function_constant(NEXT | 8)]];
constant uint third [[function_constant((1 << 4) ^ 3)]];
constant uint derived = third * 2;
template <typename T> static inline __attribute__((always_inline)) T with_other(T x) { return x + other; }
namespace deep { struct alignas(16) Helper { uint get() const { return derived; } uint pad[4]; }; }
kernel void f(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]]) { out[i] = mine; }
kernel void g(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]]) { out[i] = with_other<uint>(1); }
kernel void h(device uint *out [[buffer(0)]], uint i [[thread_position_in_grid]]) { deep::Helper q; out[i] = q.get(); }
""")  # fmt: skip
    for kernel, name, index in (("f", "mine", 7), ("g", "other", 12), ("h", "third", 19)):
        options = ["--kernel", kernel, "--grid", 4, "--threads", 4, "--buffer", "0=empty:u32:4"]
        with pytest.raises(checker.Failed, match=f"'{name}' in line .* --constant {index}="):
            checker.run(path, *options)
        assert checker.run(path, *options, "--constant", f"{index}=5")["findings"] == []


@pytest.mark.parametrize(
    "header, name",
    [
        ("MetalPerformancePrimitives/MetalPerformancePrimitives.h", "MetalPerformancePrimitives are"),
        ("metal_tensor", "tensors are"),
        ("metal_raytracing", "ray tracing is"),
    ],
)
def test_parts_that_are_missing_are_refused_by_name(header, name, tmp_path):
    path = tmp_path / "kernel.metal"
    path.write_text(HEADER + f"#include <{header}>\nkernel void k() {{}}\n")
    with pytest.raises(checker.Failed, match=re.escape(f"{path}:3:") + f".*{name} not supported"):
        checker.run(path, "--kernel", "k", "--grid", 1, "--threads", 1)
