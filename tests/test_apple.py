"""The Metal target (src/device/metal_*.c) against what stands in for Apple's frameworks on Linux (tests/apple/stand_in):
what it does where something fails, what it hands to Metal, and that the stand-in notices each mistake."""

import ctypes
import itertools
import re
import shutil
import subprocess

import numpy
import pytest

import device as device_module
import library as library_module
import llm as llm_module
import models
from device import Device, Error, Out, threads
from library import BUILD, METAL_STANDS_IN, ROOT
from llm import LLM
from models import Config
from stand_in import FAILED, Bool, Double, Int, Size, StandIn, Text, Thing, UInt, UInt32

pytestmark = pytest.mark.skipif(not METAL_STANDS_IN, reason="the stand-in for Metal is for Linux")

COMMAND = BUILD / "stand_in" / "metal-llm"
MODEL = ROOT / "models" / "tales.gguf"
X = numpy.ones(4, numpy.float32)
GELU = (threads(4), X, Out(4), 4)


@pytest.fixture
def stand_in():
    """Whatever the test does, nothing may be left of it."""
    stand_in = StandIn()
    before = stand_in.objects()
    yield stand_in
    stand_in.breaks("")
    stand_in.set_limits()
    stand_in.set_families()
    assert stand_in.complaints() == []
    assert stand_in.objects() == before


# --- the messages ---

ENCODINGS = {
    "id": "@", "id *": "^@", "SEL": ":", "void": "v", "bool": "C", "double": "d", "NSInteger": "q",
    "NSUInteger": "Q", "uint64_t": "Q", "uint32_t": "I", "void *": "^v", "const void *": "^rv",
    "const char *": "r*", "MTLSize": "{?=QQQ}",
}  # fmt: skip


def messages():
    """(class, selector, encodings of the result and the arguments) of src/device/metal_objc.h."""
    table = (ROOT / "src/device/metal_objc.h").read_text().split("#define METAL_MESSAGES")[1]
    table = table.split("\n\n")[0].replace("\\\n", " ")
    for text in re.findall(r"MESSAGE\(([^()]*)\)", table):
        text = re.sub(r'"\s+"', "", text)
        owner, result, _, selector, *arguments = (part.strip() for part in text.split(","))
        types = [re.sub(r"\w+$", "", argument).strip() for argument in arguments]
        yield owner, selector.strip('"'), [ENCODINGS[type] for type in (result, *types)]


@pytest.mark.parametrize("owner, selector, types", messages(), ids=lambda value: str(value)[:40])
def test_a_message_has_the_type_of_its_method(owner, selector, types, stand_in):
    """As C calls it, so Objective-C declares it; nothing returns a structure or takes a block."""
    assert selector.count(":") == len(types) - 1
    assert types[0][0] != "{" and "@?" not in types
    library = stand_in.library
    for name in ("class_getInstanceMethod", "class_getClassMethod", "method_getTypeEncoding"):
        getattr(library, name).restype = ctypes.c_void_p
    library.method_getTypeEncoding.restype = Text
    of = stand_in.named(owner).pointer or stand_in.named(f"StandIn{owner}").pointer
    of, name = ctypes.c_void_p(of), ctypes.c_void_p(library.sel_registerName(selector.encode()))
    method = library.class_getInstanceMethod(of, name) or library.class_getClassMethod(of, name)
    encoding = library.method_getTypeEncoding(ctypes.c_void_p(method)).decode()
    encoding = re.sub(r"\{\w*=", "{?=", encoding)
    wanted = types[0] + "@:" + "".join(types[1:])
    assert re.sub(r"\d+", "", encoding) == wanted


# --- what the stand-in does not let pass ---


class Metal:
    """A device with a queue, and one kernel ready to be encoded."""

    def __init__(self, stand_in):
        self.stand_in = stand_in
        self.pool = stand_in.named("NSAutoreleasePool")("new")
        self.device = stand_in.device()
        self.queue = self.device("newCommandQueue")
        self.buffer = self.device("newBufferWithLength:options:", UInt(64), UInt(0))
        self.library = self.compile()
        self.function = self.library("newFunctionWithName:", self.string("gelu_forward"))
        self.pipeline = self.device("newComputePipelineStateWithFunction:error:", self.function, None)
        self.commands = self.queue("commandBuffer")

    def string(self, text):
        return self.stand_in.named("NSString")("stringWithUTF8String:", Text(text.encode()))

    def compile(self, version=3 << 16, fast=False):
        options = self.stand_in.named("MTLCompileOptions")("new")
        options("setLanguageVersion:", UInt(version), result=None)
        options("setFastMathEnabled:", Bool(fast), result=None)
        source = self.string((ROOT / "kernels/activation.metal").read_text())
        library = self.device("newLibraryWithSource:options:error:", source, options, None)
        options("release", result=None)
        return library

    def encoder(self):
        encoder = self.commands("computeCommandEncoder")
        encoder("setComputePipelineState:", self.pipeline, result=None)
        return encoder

    def bind(self, encoder, input=0, count=4, out=32):
        """The kernel's three parameters: a buffer, another part of it, a number."""
        self.set_buffer(encoder, input, 0)
        self.set_buffer(encoder, out, 1)
        self.set_bytes(encoder, count, 2)
        return encoder

    def set_buffer(self, encoder, offset, index, buffer=None):
        encoder("setBuffer:offset:atIndex:", buffer or self.buffer, UInt(offset), UInt(index))

    def set_bytes(self, encoder, length, index):
        encoder("setBytes:length:atIndex:", Text(b"\x08\0\0\0" * 2000), UInt(length), UInt(index))

    def dispatch(self, encoder, groups=(1, 1, 1), threads=(8, 1, 1)):
        encoder("dispatchThreadgroups:threadsPerThreadgroup:", Size(*groups), Size(*threads), result=None)

    def end(self, encoder):
        encoder("endEncoding", result=None)

    def commit(self):
        self.commands("commit", result=None)

    def wait(self):
        self.commands("waitUntilCompleted", result=None)

    def matrix(self, rows, columns, row_bytes, type=0x10000020, offset=0, buffer=None):
        descriptor = self.stand_in.named("MPSMatrixDescriptor")(
            "matrixDescriptorWithRows:columns:rowBytes:dataType:",
            UInt(rows), UInt(columns), UInt(row_bytes), UInt32(type),
        )  # fmt: skip
        matrix = self.stand_in.named("MPSMatrix")("alloc")
        made = matrix("initWithBuffer:offset:descriptor:", buffer or self.buffer, UInt(offset), descriptor)
        return made.pointer and made("autorelease")

    def multiply(self, left, right, result):
        """Of [2,2] and [2,2], the right one transposed."""
        multiplication = self.stand_in.named("MPSMatrixMultiplication")("alloc")
        multiplication(
            "initWithDevice:transposeLeft:transposeRight:resultRows:resultColumns:interiorColumns:"
            "alpha:beta:",
            self.device, Bool(0), Bool(1), UInt(2), UInt(2), UInt(2), Double(1), Double(0),
        )  # fmt: skip
        multiplication("autorelease")
        multiplication(
            "encodeToCommandBuffer:leftMatrix:rightMatrix:resultMatrix:",
            self.commands, left, right, result, result=None,
        )  # fmt: skip

    def close(self):
        self.pool("drain", result=None)
        for thing in ("pipeline", "function", "library", "buffer", "queue", "device"):
            if getattr(self, thing).pointer:
                getattr(self, thing)("release", result=None)


@pytest.fixture
def metal(stand_in):
    metal = Metal(stand_in)
    yield metal
    metal.close()


def test_a_kernel_runs(metal):
    """Without any mistake there is no complaint, and the kernel has run."""
    contents = metal.buffer("contents").pointer
    values = numpy.ctypeslib.as_array((ctypes.c_float * 16).from_address(contents))
    values[:8] = 100
    encoder = metal.encoder()
    metal.dispatch(metal.bind(encoder))
    metal.end(encoder)
    metal.commit()
    metal.wait()
    assert metal.commands("status", result=UInt) == 4
    assert metal.commands("GPUEndTime", result=Double) > metal.commands("GPUStartTime", result=Double)
    assert values[8:16].tolist() == [100] * 8


MISTAKES = {}


def mistake(complaint):
    """Registers a function of Metal that commits one; the complaints must be this one."""

    def register(function):
        MISTAKES[function.__name__] = function, complaint
        return function

    return register


# of messages and objects


@mistake("StandInMTLDevice does not understand 'fly'")
def unknown_selector(metal):
    metal.device("fly")


@mistake("NSString does not understand 'alloc:'")
def unknown_selector_of_a_class(metal):
    metal.stand_in.named("NSString")("alloc:", None)


@mistake("'release' is sent to nil")
def message_to_nil(metal):
    Thing(metal.stand_in.library, None)("release")


@mistake("'release' is sent to an object that has been released")
def released_twice(metal):
    queue = metal.device("newCommandQueue")
    queue("release", result=None)
    queue("release", result=None)


@mistake("a NSString is autoreleased where there is no pool")
def no_pool(metal):
    metal.pool("drain", result=None)
    text = metal.string("alone")
    metal.pool = metal.stand_in.named("NSAutoreleasePool")("new")
    text("release", result=None)


@mistake("an autorelease pool is drained before those in it")
def pools_out_of_order(metal):
    inner = metal.stand_in.named("NSAutoreleasePool")("new")
    metal.pool("drain", result=None)
    metal.pool = inner


# of the life of encoders and command buffers


@mistake("setBytes: the encoder has ended")
def encoding_after_the_end(metal):
    encoder = metal.encoder()
    metal.end(encoder)
    metal.set_bytes(encoder, 4, 2)


@mistake("dispatchThreadgroups: the encoder has ended")
def dispatch_after_the_end(metal):
    encoder = metal.bind(metal.encoder())
    metal.end(encoder)
    metal.dispatch(encoder)


@mistake("endEncoding: the encoder has ended")
def ended_twice(metal):
    encoder = metal.encoder()
    metal.end(encoder)
    metal.end(encoder)


@mistake("commit: an encoder is still open")
def commit_without_end(metal):
    encoder = metal.encoder()
    metal.commit()
    metal.end(encoder)
    metal.wait()


@mistake("an encoder is released before its endEncoding")
def released_without_end(metal):
    pool = metal.stand_in.named("NSAutoreleasePool")("new")
    metal.encoder()
    pool("drain", result=None)


@mistake("computeCommandEncoder: another encoder is open")
def two_encoders(metal):
    encoder = metal.encoder()
    metal.commands("computeCommandEncoder")
    metal.end(encoder)


@mistake("computeCommandEncoder: the command buffer has been committed")
def encoding_after_commit(metal):
    metal.commit()
    metal.wait()
    metal.commands("computeCommandEncoder")


@mistake("commit: the command buffer has been committed before")
def committed_twice(metal):
    metal.commit()
    metal.commit()
    metal.wait()


@mistake("waitUntilCompleted: the command buffer has not been committed")
def waiting_without_commit(metal):
    metal.wait()


@mistake("GPUStartTime: the GPU is not done")
def times_before_the_end(metal):
    metal.commands("GPUStartTime", result=Double)


@mistake("commandBuffer: 64 are not done, and Metal waits for one of them")
def more_command_buffers_than_a_queue_has(metal):
    for _ in range(64):
        metal.queue("commandBuffer")


# of arguments


@mistake("gelu_forward: something is bound at 5, where it has nothing")
def index_that_the_kernel_lacks(metal):
    encoder = metal.bind(metal.encoder())
    metal.set_buffer(encoder, 0, 5)
    metal.dispatch(encoder)
    metal.end(encoder)


@mistake("setBuffer: there is no index 31")
def index_that_metal_lacks(metal):
    encoder = metal.encoder()
    metal.set_buffer(encoder, 0, 31)
    metal.end(encoder)


@mistake("gelu_forward: 'N' is not bound, at 2")
def binding_that_is_missing(metal):
    encoder = metal.encoder()
    metal.set_buffer(encoder, 0, 0)
    metal.set_buffer(encoder, 32, 1)
    metal.dispatch(encoder)
    metal.end(encoder)


@mistake("gelu_forward: 'in' is not bound, at 0")
def bindings_of_the_dispatch_before(metal):
    """Metal would keep them; whoever counts on that has forgotten something."""
    encoder = metal.bind(metal.encoder())
    metal.dispatch(encoder)
    metal.set_buffer(encoder, 32, 1)
    metal.set_bytes(encoder, 4, 2)
    metal.dispatch(encoder)
    metal.end(encoder)


@mistake("gelu_forward: 'N' is bound to 8 bytes")
def value_of_another_size(metal):
    encoder = metal.bind(metal.encoder(), count=8)
    metal.dispatch(encoder)
    metal.end(encoder)


@mistake("gelu_forward: 'out' is bound to 4 bytes")
def value_for_a_buffer(metal):
    encoder = metal.bind(metal.encoder())
    metal.set_bytes(encoder, 4, 1)
    metal.dispatch(encoder)
    metal.end(encoder)


@mistake("setBytes: 4097 bytes, at 2")
def too_many_bytes(metal):
    encoder = metal.encoder()
    metal.set_bytes(encoder, 4097, 2)
    metal.end(encoder)


@mistake("setBytes: 0 bytes, at 2")
def no_bytes(metal):
    encoder = metal.encoder()
    metal.set_bytes(encoder, 0, 2)
    metal.end(encoder)


@mistake("setBuffer: that is no buffer, at 0")
def something_else_for_a_buffer(metal):
    encoder = metal.encoder()
    metal.set_buffer(encoder, 0, 0, buffer=metal.queue)
    metal.end(encoder)


@mistake("setBuffer: the buffer is of another device, at 0")
def buffer_of_another_device(metal):
    other = metal.stand_in.device()
    buffer = other("newBufferWithLength:options:", UInt(64), UInt(0))
    encoder = metal.encoder()
    metal.set_buffer(encoder, 0, 0, buffer=buffer)
    metal.end(encoder)
    buffer("release", result=None)
    other("release", result=None)


@mistake("setBuffer: offset 64 of a buffer of 64 bytes, at 0")
def offset_past_the_end(metal):
    encoder = metal.encoder()
    metal.set_buffer(encoder, 64, 0)
    metal.end(encoder)


@mistake("gelu_forward: 'in' is misaligned")
def offset_within_an_element(metal):
    encoder = metal.bind(metal.encoder(), input=2)
    metal.dispatch(encoder)
    metal.end(encoder)


@mistake("dispatchThreadgroups: no pipeline state is set")
def no_pipeline(metal):
    encoder = metal.commands("computeCommandEncoder")
    metal.dispatch(encoder)
    metal.end(encoder)


@mistake("setComputePipelineState: that is no pipeline state")
def something_else_for_a_pipeline(metal):
    encoder = metal.commands("computeCommandEncoder")
    encoder("setComputePipelineState:", metal.function, result=None)
    metal.end(encoder)


@mistake("setThreadgroupMemoryLength: 8 bytes, at 0")
def threadgroup_memory_not_of_16(metal):
    encoder = metal.encoder()
    encoder("setThreadgroupMemoryLength:atIndex:", UInt(8), UInt(0), result=None)
    metal.end(encoder)


@mistake("gelu_forward: threadgroup memory at 1")
def threadgroup_memory_that_the_kernel_lacks(metal):
    encoder = metal.bind(metal.encoder())
    encoder("setThreadgroupMemoryLength:atIndex:", UInt(16), UInt(1), result=None)
    metal.dispatch(encoder)
    metal.end(encoder)


# of sizes


def dispatch_of(metal, **sizes):
    encoder = metal.bind(metal.encoder())
    metal.dispatch(encoder, **sizes)
    metal.end(encoder)


@mistake(r"gelu_forward: a threadgroup of 1025 threads, \d+ at most")
def threadgroup_too_large(metal):
    dispatch_of(metal, threads=(1025, 1, 1))


@mistake(r"gelu_forward: a threadgroup of 2048 threads, \d+ at most")
def threadgroup_too_large_in_y(metal):
    dispatch_of(metal, threads=(32, 64, 1))


@mistake(r"gelu_forward: a threadgroup of 0 threads, \d+ at most")
def threadgroup_without_threads(metal):
    dispatch_of(metal, threads=(32, 0, 1))


@mistake("gelu_forward: a grid without threadgroups")
def empty_grid(metal):
    dispatch_of(metal, groups=(1, 1, 0))


@mistake("gelu_forward: a grid of more than 2.32 threads")
def grid_of_threads_where_threadgroups_are_meant(metal):
    dispatch_of(metal, groups=(2**30, 1, 1))


# of buffers


@mistake("a buffer of 0 bytes is asked for")
def empty_buffer(metal):
    metal.device("newBufferWithLength:options:", UInt(0), UInt(0))


@mistake("a buffer of 65 bytes is asked for")
def buffer_above_the_limit(metal):
    metal.stand_in.set_limits(max_buffer=64)
    metal.device("newBufferWithLength:options:", UInt(65), UInt(0))


@mistake("a buffer has options 32, not shared storage")
def private_buffer(metal):
    metal.device("newBufferWithLength:options:", UInt(64), UInt(32))("release", result=None)


def wrap(metal, address, length, deallocator=None):
    metal.device(
        "newBufferWithBytesNoCopy:length:options:deallocator:",
        ctypes.c_void_p(address), UInt(length), UInt(0), deallocator,
    )("release", result=None)  # fmt: skip


@mistake("no copy: 0x10001000 with 16384 bytes are no whole pages")
def pages_of_4096_bytes(metal):
    wrap(metal, 0x10001000, 16384)


@mistake("no copy: 0x10000000 with 12288 bytes are no whole pages")
def length_that_is_no_whole_page(metal):
    wrap(metal, 0x10000000, 12288)


@mistake("no copy: a block is passed")
def deallocator_block(metal):
    wrap(metal, 0x10000000, 16384, metal.device)


@mistake("a buffer was written outside of its 64 bytes")
def written_behind_the_end(metal):
    buffer = metal.device("newBufferWithLength:options:", UInt(64), UInt(0))
    ctypes.memset(buffer("contents").pointer + 64, 0, 1)
    buffer("release", result=None)


# of compiling


@mistake("a library is compiled with fast-math")
def fast_math(metal):
    metal.compile(fast=True)("release", result=None)


@mistake("a library is not compiled as Metal 3.0")
def another_language(metal):
    metal.compile(version=(2 << 16) + 4)("release", result=None)


# of matrix products


@mistake("MPSMatrixMultiplication: another encoder is open")
def product_beside_an_encoder(metal):
    encoder = metal.encoder()
    metal.multiply(*[metal.matrix(2, 2, 8)] * 3)
    metal.end(encoder)


@mistake("the right matrix is 2 × 3, not 2 × 2")
def matrices_that_do_not_fit(metal):
    metal.multiply(metal.matrix(2, 2, 8), metal.matrix(2, 3, 12), metal.matrix(2, 2, 8))


@mistake("a product of matrices of types 0x10000010 and 0x10000020 to 0x10000020")
def matrices_of_two_types(metal):
    half = metal.matrix(2, 2, 4, type=0x10000010)
    metal.multiply(half, metal.matrix(2, 2, 8), metal.matrix(2, 2, 8))


@mistake("a matrix of 2 × 4 has rows of 8 bytes")
def rows_that_overlap(metal):
    metal.matrix(2, 4, 8)


@mistake("a matrix lies in what is no buffer")
def matrix_in_something_else(metal):
    metal.matrix(2, 2, 8, buffer=metal.queue)


@mistake("a matrix of 16 bytes at 52 exceeds its buffer of 64")
def matrix_past_the_end(metal):
    metal.matrix(2, 2, 8, offset=52)


@mistake("a matrix begins at 2, in the middle of an element")
def matrix_within_an_element(metal):
    metal.matrix(2, 2, 8, offset=2)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed(name, metal):
    commit_it, complaint = MISTAKES[name]
    commit_it(metal)
    complaints = metal.stand_in.complaints()
    assert len(complaints) == 1 and re.fullmatch(complaint, complaints[0]), complaints


def test_what_is_left_is_counted(stand_in):
    def left():
        entries = [entry.split() for entry in stand_in.objects().split(", ") if entry]
        return {name: int(count) for count, name in entries}.get("MTLDevice", 0)

    before = left()
    devices = [stand_in.device() for _ in range(3)]
    assert left() == before + 3
    for device in devices:
        device("release", result=None)
    assert left() == before


def test_a_program_that_leaves_something_fails():
    """Whatever it prints, its exit status says so."""
    code = "import stand_in; it = stand_in.StandIn(); it.device()('fly')"
    run = subprocess.run(["python3", "-c", code], cwd=ROOT / "tests/support", capture_output=True, text=True)
    assert run.returncode == FAILED
    assert run.stderr.splitlines()[-2:] == [
        "StandInMTLDevice does not understand 'fly'",
        "never released: 1 MTLDevice",
    ]


# --- what the Metal target does ---


def failure(**options):
    """The message of a device that does not open, or fails at its first kernel."""
    with pytest.raises(Error) as error:
        device = Device("metal", **options)
        try:
            device.run("gelu_forward", *GELU)
        finally:
            device.close()
    message = str(error.value)
    assert "\n" not in message and message.isprintable()
    return message


@pytest.mark.parametrize(
    "broken, message",
    [
        ("device", "there is no Metal device here; use the device cpu"),
        ("family", "this GPU is too old: Metal 3 is needed (M1, A14 or newer); use the device cpu"),
        ("MPS", "Metal Performance Shaders does not support this GPU; use the device cpu"),
        ("queue", "metal: no command queue"),
    ],
)
def test_a_gpu_that_does_not_do(broken, message, stand_in):
    stand_in.breaks(broken)
    assert failure() == message


@pytest.mark.parametrize(
    "broken, message",
    [
        ("pipeline", "metal: this GPU cannot run gelu_forward: Compiler encountered an internal error"),
        (
            "width",
            "gelu_forward: this GPU's simdgroups have 64 lanes, not 32; use the device cpu",
        ),
        ("function", "metal: the compiled file has no kernel 'gelu_forward'"),
        ("command buffer", "metal: no command buffer"),
        ("encoder", "metal: no encoder"),
        ("commands", "metal: a step failed: Caused GPU Hang Error (00000003)"),
    ],
)
def test_a_kernel_that_fails(broken, message, stand_in):
    device = Device("metal")
    stand_in.breaks(broken)
    with pytest.raises(Error) as error:
        device.run("gelu_forward", *GELU)
    assert str(error.value) == message
    assert device.run("gelu_forward", *GELU).shape == (4,)  # opened afresh it is as good as ever
    device.close()


# Numbers of MTLGPUFamily: the virtual GPU of GitHub's runners; a Mac with an AMD GPU; one from before Metal 3; an M3.
VIRTUAL = 1001, 1002, 1003, 1004, 1005, 3001, 3002, 3003, 5001
MAC2 = 2002, 3001, 3002, 3003, 5001
OLD = 1001, 1002, 1003, 1004, 3001, 3002
M3 = 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 2002, 3001, 3002, 3003, 5001


def test_the_cpu_instead_of_an_old_gpu(stand_in):
    """It is said why, in the line that names the device."""
    stand_in.set_families(*OLD)
    library = llm_module.prototypes(stand_in.library)
    options = llm_module.Options(size=ctypes.sizeof(llm_module.Options))
    llm = llm_module.checked(library.llm_pipeline_open, bytes(MODEL), ctypes.byref(options))
    info = library.llm_info(llm).contents
    assert re.fullmatch(r"cpu: .*; not metal: this GPU is too old: Metal 3 .*", info.device.decode())
    library.llm_pipeline_close(llm)


def goes_on_clearly(model, ids, count):
    """Whether the likeliest token leads by more than products of halves can change, and those after it do."""
    for _ in range(count):
        logits = model.logits(ids)[-1]
        best, second = numpy.sort(logits)[:-3:-1]
        if best - second < 0.1:
            return False
        ids = [*ids, int(logits.argmax())]
    return True


@pytest.fixture
def texts_of_a_batch(random, tmp_path):
    """What a device makes of three prompts, and its name."""
    path = models.write_gguf(tmp_path / "m.gguf", WIDE, models.random_gpt2(WIDE, random), type="F16")
    drawn = (random.integers(0, WIDE.vocabulary, 40).tolist() for _ in itertools.count())
    with LLM(path, device="cpu", integer_products="off") as model:
        prompts = list(itertools.islice((ids for ids in drawn if goes_on_clearly(model, ids, 4)), 3))

    def texts(device):
        with LLM(path, device=device, batch=3, integer_products="off") as model:
            return model.generate_batch(prompts, 4), model.info.device.decode()

    return texts


def test_a_newer_gpu_in_a_mac_of_8_gb(stand_in, texts_of_a_batch):
    expected, _ = texts_of_a_batch("cpu")
    stand_in.set_families(*M3)
    stand_in.set_limits(max_buffer=4 << 30, working_set=5_726_623_061)
    texts, device = texts_of_a_batch("metal")
    assert texts == expected and "matrix units" not in device


@pytest.mark.parametrize("families", [VIRTUAL, MAC2])
def test_a_gpu_without_matrix_units(families, stand_in, texts_of_a_batch):
    """The same ids by other kernels, and the device's line says so: those of simdgroup_matrix would not get a pipeline."""
    expected, device = texts_of_a_batch("cpu")
    texts, device = texts_of_a_batch("metal")
    assert texts == expected and "matrix units" not in device
    stand_in.set_families(*families)
    texts, device = texts_of_a_batch("metal")
    assert texts == expected and device.endswith(", without matrix units")
    device = Device("metal")
    device.prepare("linear_f16")
    with pytest.raises(Error, match="this GPU cannot run linear_batch_8: Encountered unlowered function call"):
        device.prepare("linear_batch_8")
    device.close()


@pytest.mark.parametrize("broken", ["descriptor", "multiplication", "matrix"])
def test_a_matrix_product_that_cannot_be_had(broken, stand_in):
    device = Device("metal")
    x = numpy.ones((3, 5), numpy.float32)
    stand_in.breaks(broken)
    with pytest.raises(Error, match=r"metal: no matrix product of \[3,5\] and \[3,5\]"):
        device.matmul(x, x)
    assert device.matmul(x, x).tolist() == [[5] * 3] * 3
    device.close()


def test_memory_has_limits(stand_in):
    device = Device("metal")
    stand_in.set_limits(max_buffer=1 << 20)
    with pytest.raises(Error, match=r"a buffer of 2.0 MiB is more than this GPU takes \(1.0\)"):
        device.run("gelu_forward", threads(4), numpy.ones(1 << 19, numpy.float32), Out(4), 4)
    stand_in.set_limits(working_set=3 << 20)
    large = numpy.ones(2 << 18, numpy.float32)
    with pytest.raises(Error, match="share of memory is full: 2.0 MiB are wanted, 2.0 of 3.0 are"):
        device.run("gelu_forward", threads(4), large, Out(large.shape), 4)
    stand_in.set_limits(working_set=0)  # not known, as of a virtual GPU
    assert device.run("gelu_forward", *GELU).shape == (4,)
    stand_in.breaks("buffer")
    with pytest.raises(Error, match="out of memory"):
        device.run("gelu_forward", *GELU)
    device.close()


def test_an_older_system_has_one_switch_for_math(stand_in):
    """Whichever it has, it is set: the stand-in complains of fast-math."""
    stand_in.breaks("math mode")
    device = Device("metal")
    device.run("gelu_forward", *GELU)
    device.close()


def test_a_folder_of_kernels(stand_in, tmp_path):
    shutil.copytree(ROOT / "kernels", tmp_path / "kernels")
    device = Device("metal", kernels=tmp_path / "kernels")
    assert device.run("gelu_forward", *GELU).shape == (4,)
    device.close()
    with (tmp_path / "kernels/activation.metal").open("a") as file:
        file.write("static float half_of(float x) { return x / 2 }\n")
    path = tmp_path / "kernels/activation.metal"
    expected = f"Metal cannot compile {path}:1:1: error: only the program's own kernels are there"
    assert failure(kernels=tmp_path / "kernels") == expected
    assert "fifty/activation.metal cannot be read" in failure(kernels=tmp_path / "fifty")


def test_a_device_of_the_caller(stand_in):
    """It is retained while it is used, and stays the caller's."""
    own = stand_in.device()
    device = Device("metal", metal_device=own.pointer)
    assert device.run("gelu_forward", *GELU).shape == (4,)
    assert stand_in.objects().count("MTLDevice") == 1
    device.close()
    assert own("supportsFamily:", Int(5001), result=Bool) == 1
    with pytest.raises(Error, match="a Metal device was given, but the device 'cpu' asked for"):
        Device("cpu", metal_device=own.pointer)
    own("release", result=None)


def test_a_build_without_metal(stand_in):
    options = llm_module.Options(size=ctypes.sizeof(llm_module.Options), device=llm_module.CHOICES["metal"])
    with pytest.raises(llm_module.Failure, match="Metal is Apple's, and not there; use cuda or cpu"):
        library = llm_module.prototypes(library_module.load())
        llm_module.checked(library.llm_pipeline_open, bytes(MODEL), ctypes.byref(options))


WIDE = Config(layers=2, heads=2, channels=128, inner=512, context=64, vocabulary=700)


def counted(stand_in, action):
    """How many objects of some classes `action` makes."""
    classes = ("MTLCommandBuffer", "MTLComputeCommandEncoder", "MPSMatrixMultiplication")
    before = [stand_in.made(name) for name in classes]
    action()
    return [stand_in.made(name) - count for name, count in zip(classes, before)]


def test_a_step_is_one_command_buffer(stand_in, random, tmp_path):
    path = models.write_gguf(tmp_path / "m.gguf", WIDE, models.random_gpt2(WIDE, random))
    with LLM(path, device="metal") as model:
        few, more = ([counted(stand_in, lambda: model.generate([1, 2], n))] for n in (4, 9))
    assert [b - a for a, b in zip(few[0], more[0])] == [5, 5, 0]


def test_products_of_one_shape_share_their_objects(stand_in, random, tmp_path):
    """Four matrices a layer, and the logits; an encoder ends where a product begins."""
    path = models.write_gguf(tmp_path / "m.gguf", WIDE, models.random_gpt2(WIDE, random))
    ids = random.integers(0, WIDE.vocabulary, 40).tolist()
    with LLM(path, device="metal") as model:
        first, again = (counted(stand_in, lambda: model.logits(ids)) for _ in range(2))
    assert first[2] == 5 and again[2] == 0
    assert again[:2] == first[:2]


@pytest.mark.parametrize("format", ["gguf", "huggingface"])
@pytest.mark.parametrize("copies", [False, True])
def test_large_weights_are_used_where_they_are(copies, format, stand_in, random, tmp_path):
    """Mapped from a file, or converted; and copied where Metal does not want the pages."""
    tensors = models.random_gpt2(WIDE, random)
    write = models.write_gguf if format == "gguf" else models.write_huggingface
    path = write(tmp_path / "m.gguf", WIDE, tensors)
    before = stand_in.made("MTLBufferNoCopy")
    if copies:
        stand_in.breaks("no copy")
    with LLM(path, device="metal") as model:
        large = sum(array.nbytes >= 1 << 16 for array in tensors.values())
        assert stand_in.made("MTLBufferNoCopy") - before == large - copies
        ids = model.generate([1, 2, 3], 6)
    with LLM(path, device="cpu") as model:
        assert model.generate([1, 2, 3], 6) == ids


@pytest.mark.parametrize(
    "grid, wanted, groups, size",
    [
        (threads(1000), 0, (4, 1, 1), 256),
        (threads(40, 3, 2), 0, (1, 3, 2), 64),
        (threads(40), 32, (2, 1, 1), 32),
        (device_module.simdgroups(33), 0, (9, 1, 1), 128),
        (device_module.simdgroups(33), 40, (17, 1, 1), 40),
        (device_module.threadgroups(5), 0, (5, 1, 1), 1024),
        (device_module.threadgroups(5, 4, 3), 0, (5, 4, 3), 256),
    ],
)
def test_grids(grid, wanted, groups, size, stand_in):
    """In threadgroups, and as many threads in each as the kernel's pipeline takes at most."""
    device = Device("metal")
    device.run("gelu_forward", grid, X, Out(4), 4, threads=wanted)
    sizes = (ctypes.c_size_t * 6)()
    stand_in.library.stand_in_last_sizes(sizes)
    most = 1024 - 192 * (len("gelu_forward") % 3)  # see maxTotalThreadsPerThreadgroup in Metal.m
    assert tuple(sizes) == (*groups, min(size, most), 1, 1)
    device.close()


def test_reading_behind_a_submission(stand_in):
    """It waits for that one, by itself."""
    device = Device("metal")
    library = device.library
    library.device_submit.restype = ctypes.c_uint64
    argument = device_module._Argument
    for value in range(20):
        x, out = (library.device_buffer_new(device.handle, 64) for _ in range(2))
        data = numpy.full(16, 100 + value, numpy.float32)
        library.device_write(x, 0, data.ctypes.data, 64)
        arguments = (argument * 3)(argument(buffer=x), argument(buffer=out), device_module.scalar(16))
        library.device_dispatch(device.handle, b"gelu_forward", threads(16), arguments, 3)
        submission = ctypes.c_uint64(library.device_submit(ctypes.c_void_p(device.handle)))
        got = numpy.zeros(16, numpy.float32)
        library.device_read_after(
            ctypes.c_void_p(device.handle), submission, ctypes.c_void_p(out), ctypes.c_size_t(0),
            ctypes.c_void_p(got.ctypes.data), ctypes.c_size_t(64),
        )  # fmt: skip
        device.check()
        assert got.tolist() == data.tolist()
        library.device_buffer_free(x)
        library.device_buffer_free(out)
    device.close()


def test_more_submissions_than_a_queue_has_room_for(stand_in):
    """The oldest is waited for: the stand-in complains of the 65th command buffer."""
    device = Device("metal")
    library, argument = device.library, device_module._Argument
    library.device_submit.restype = ctypes.c_uint64
    buffers = [library.device_buffer_new(device.handle, 64) for _ in range(2)]
    ones = numpy.ones(16, numpy.float32)
    library.device_write(buffers[0], 0, ones.ctypes.data, 64)
    for _ in range(100):
        arguments = (argument * 3)(*(argument(buffer=buffer) for buffer in buffers), device_module.scalar(16))
        library.device_dispatch(device.handle, b"gelu_forward", threads(16), arguments, 3)
        library.device_submit(ctypes.c_void_p(device.handle))
    device.check()
    for buffer in buffers:
        library.device_buffer_free(buffer)
    device.close()


def test_more_shapes_of_products_than_are_kept(stand_in):
    """The oldest goes; asked for again it is made anew."""
    device = Device("metal")
    for M in [*range(1, 71), 1, 70]:
        x = numpy.ones((M, 3), numpy.float32)
        assert (device.matmul(x, x) == 3).all()
    device.close()


def test_the_largest_grid(stand_in):
    device = Device("metal")
    with pytest.raises(Error, match="gelu_forward: a grid of more than 2.32 threads"):
        device.run("gelu_forward", device_module.simdgroups(2**32 - 1), X, Out(4), 4)
    device.close()


def run_command(*arguments):
    run = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr  # also that nothing is left, and nothing to complain of
    return run.stdout, run.stderr


def test_the_command_takes_metal_first():
    """It says so; every kernel's time is the GPU's own."""
    text, report = run_command("run", MODEL, "Once upon", "-n", 2, "--temp", 0, "--profile")
    assert text == "Once upon a time\n"
    assert "metal: stand-in, 10 GiB" in report and "linear_" in report
