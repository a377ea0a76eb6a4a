"""The public interface from a program's side: NULL for every pointer, structures of other versions, calls at
the wrong moment, and programs in C and C++ that are compiled against the header."""

import ctypes
import os
import re
import shlex
import subprocess
from ctypes import byref, c_char_p, c_size_t, c_uint32, c_void_p

import pytest

import llm
import models
from library import BUILD, ROOT, Error, Tokens
from llm import LLM, Generation, Options
from models import Config
from toolchain import clangxx

CONFIG = Config(layers=2, heads=2, channels=32, context=64, vocabulary=300)
TOKENIZER = models.small_tokenizer(300)
HEADER = (ROOT / "include" / "metal_llm.h").read_text()


@pytest.fixture
def checkpoint(random, tmp_path):
    return models.write_gguf(tmp_path / "model.gguf", CONFIG, models.random_gpt2(CONFIG, random), tokenizer=TOKENIZER)


@pytest.fixture
def model(checkpoint):
    with LLM(checkpoint, device="cpu", batch=3, chat_template="chatml") as model:
        yield model


# --- NULL ---


def some_tokens(model, count=3):
    return model._tokens(range(1, count + 1))


def calls(model, path):
    """Every public function with arguments that are right: name, type of the result, arguments."""
    tokens, floats = some_tokens(model), (ctypes.c_float * (300 * 64))()
    options, generation = Options(size=ctypes.sizeof(Options)), Generation(size=ctypes.sizeof(Generation))
    options.device = llm.CHOICES["cpu"]
    inspection = llm.Inspection(size=ctypes.sizeof(llm.Inspection), token=0)
    size, timings, error = c_size_t(), c_void_p(), Error()
    handle, session = c_void_p(model.handle), c_void_p(model.session([1, 2]).handle)
    talk = c_void_p(model.session().handle)
    model.library.llm_session_save(session, path + b".session", None)
    return {
        "llm_pipeline_open": (c_void_p, [c_char_p(path), byref(options), byref(error)]),
        "llm_pipeline_open_shape": (
            c_void_p, [c_char_p(b"smollm2"), c_char_p(b"q4_0"), byref(options), byref(error)]
        ),
        "llm_pipeline_close": (None, [None]),
        "llm_info": (c_void_p, [handle]),
        "llm_tokens_free": (None, [byref(Tokens())]),
        "llm_encode": (Tokens, [handle, c_char_p(b"a text"), c_uint32(0), byref(error)]),
        "llm_encode_bytes": (Tokens, [handle, c_char_p(b"a text"), c_size_t(6), c_uint32(0), byref(error)]),
        "llm_decode": (c_void_p, [handle, byref(tokens), byref(error)]),
        "llm_free": (None, [None]),
        "llm_token_bytes": (c_void_p, [handle, c_uint32(5), byref(size)]),
        "llm_is_end": (ctypes.c_bool, [handle, c_uint32(5)]),
        "llm_generate": (c_size_t, [handle, byref(tokens), c_size_t(2), byref(generation), byref(error)]),
        "llm_generate_batch": (
            c_size_t, [handle, byref(tokens), c_uint32(1), c_size_t(2), byref(generation), byref(error)]
        ),
        "llm_logits": (None, [handle, byref(tokens), floats, byref(error)]),
        "llm_losses": (None, [handle, byref(tokens), floats, byref(error)]),
        "llm_inspect": (None, [handle, byref(tokens), byref(inspection), byref(error)]),
        "llm_hidden_states": (None, [handle, byref(tokens), floats, byref(error)]),
        "llm_session_open": (c_void_p, [handle, byref(error)]),
        "llm_session_close": (None, [None]),
        "llm_session_add_tokens": (None, [session, byref(tokens), byref(error)]),
        "llm_session_add_text": (None, [session, c_char_p(b"a text"), c_uint32(0), byref(error)]),
        "llm_session_add_message": (None, [talk, c_char_p(b"user"), c_char_p(b"a text"), byref(error)]),
        "llm_session_forget": (None, [talk, c_size_t(0), c_size_t(1), byref(error)]),
        "llm_session_generate": (c_size_t, [session, c_size_t(2), byref(generation), byref(error)]),
        "llm_session_rewind": (None, [session, c_size_t(1), byref(error)]),
        "llm_session_reset": (None, [session, byref(error)]),
        "llm_session_fork": (c_void_p, [session, byref(error)]),
        "llm_session_save": (None, [session, c_char_p(path + b".session"), byref(error)]),
        "llm_session_load": (c_void_p, [handle, c_char_p(path + b".session"), byref(error)]),
        "llm_session_info": (c_void_p, [session]),
        "llm_timings": (c_size_t, [handle, byref(timings)]),
        "llm_timings_reset": (None, [handle]),
        "llm_explain": (c_void_p, [c_char_p(path), byref(options), c_char_p(b"h200"), c_uint32(5), byref(error)]),
        "llm_measure": (c_void_p, [handle, byref(tokens), byref(error)]),
        "llm_plan_free": (None, [None]),
        "llm_machines": (c_void_p, []),
        "llm_version": (c_char_p, []),
    }  # fmt: skip


FUNCTIONS = re.findall(r"^\w[\w *]*?\b(llm_\w+)\(", re.sub(r"static inline.*?\n}", "", HEADER, flags=re.S), re.M)
OPTIONAL = {("llm_pipeline_open", 1), ("llm_generate", 3), ("llm_generate_batch", 4)}  # options, generation
OPTIONAL |= {("llm_session_generate", 2)}  # generation
OPTIONAL |= {("llm_pipeline_open_shape", 2), ("llm_explain", 1), ("llm_explain", 2)}  # options, machine


def is_pointer(argument):
    return not isinstance(argument, (c_uint32, c_size_t))


def called(model, path, name, null=None, failed=False):
    """Call a function, argument `null` as NULL, and `error` already set if `failed`: its result and error."""
    function = getattr(model.library, name)
    before = function.restype, function.argtypes
    result, arguments = calls(model, path)[name]
    error = arguments[-1]._obj if arguments and isinstance(getattr(arguments[-1], "_obj", None), Error) else None
    if failed and error:
        error.status, error.message = llm.FILE, b"the first error"
    if null is not None:
        arguments[null] = None
    function.restype, function.argtypes = result, None
    try:
        return function(*arguments), error
    finally:
        function.restype, function.argtypes = before


def is_nothing(result):
    return not (result.count if isinstance(result, Tokens) else result)


def test_every_function_is_called(model, checkpoint):
    assert sorted(FUNCTIONS) == sorted(calls(model, os.fsencode(checkpoint)))


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_null(model, checkpoint, name, failed):
    """Each pointer in turn. With `error` already set nothing happens, whatever else is NULL."""
    path = os.fsencode(checkpoint)
    for null, argument in enumerate(calls(model, path)[name][1]):
        if not is_pointer(argument):
            continue
        result, error = called(model, path, name, null, failed)
        if failed and error:
            assert (error.status, error.message) == (llm.FILE, b"the first error")
            is_error = null == len(calls(model, path)[name][1]) - 1
            assert is_nothing(result) or is_error
        elif error and (name, null) not in OPTIONAL and null < len(calls(model, path)[name][1]) - 1:
            assert error.status == llm.ARGUMENT and error.message and is_nothing(result)
        elif error:
            assert not error.status
        if name.startswith("llm_pipeline_open"):
            model.library.llm_pipeline_close(c_void_p(result))
        if name in ("llm_explain", "llm_measure"):
            model.library.llm_plan_free(c_void_p(result))
    assert len(model.generate([1, 2], 3, ignore_end=True)) == 3  # as good as before


def test_chain_after_an_error(model):
    """llm_encode(llm, llm_decode(…), 0, &error) with `error` already set."""
    error, tokens = Error(status=llm.FILE, message=b"the first error"), some_tokens(model)
    text = model.library.llm_decode(model.handle, byref(tokens), byref(error))
    assert text is None
    model.library.llm_encode.argtypes = None
    encoded = model.library.llm_encode(c_void_p(model.handle), text, c_uint32(0), byref(error))
    assert encoded.count == 0 and error.message == b"the first error"
    model.library.llm_tokens_free(byref(tokens))


def test_counts_without_ids_are_refused(model):
    tokens, error = Tokens(None, 3, 3), Error()
    assert model.library.llm_generate(model.handle, byref(tokens), 1, None, byref(error)) == 0
    assert error.status == llm.ARGUMENT


# --- structures of other versions ---


class Larger(ctypes.Structure):
    """LLMOptions of a later version, with a field more."""

    _fields_ = [("known", Options), ("more", ctypes.c_uint64)]


def opened(model, path, options):
    error = Error()
    library = model.library
    library.llm_pipeline_open.argtypes = None
    handle = library.llm_pipeline_open(c_char_p(os.fsencode(path)), byref(options), byref(error))
    library.llm_pipeline_close(c_void_p(handle))
    return error.message.decode()


def test_sizes_of_options(model, checkpoint):
    assert "the size of LLMOptions is 0: begin with LLM_OPTIONS" in opened(model, checkpoint, Options())
    smallest = Options(size=ctypes.sizeof(c_size_t), attention=99)  # which lies beyond that size
    assert opened(model, checkpoint, smallest) == ""
    larger = Larger(known=Options(size=ctypes.sizeof(Larger)))
    assert opened(model, checkpoint, larger) == ""
    larger.more = 1
    assert "LLMOptions has fields set" in opened(model, checkpoint, larger)
    absurd = Options(size=2**60)
    assert "the size of LLMOptions is 1152921504606846976" in opened(model, checkpoint, absurd)


def test_sizes_of_generation(model):
    for size, message in [(0, "the size of LLMGeneration is 0: begin with LLM_GENERATION"), (8, "")]:
        tokens, error = some_tokens(model), Error()
        generation = Generation(size=size, temperature=-1)
        model.library.llm_generate(model.handle, byref(tokens), 1, byref(generation), byref(error))
        model.library.llm_tokens_free(byref(tokens))
        assert message in error.message.decode() and bool(message) == bool(error.status)


def test_sizes_that_the_library_fills(model, checkpoint):
    assert model.info.size == ctypes.sizeof(llm.Info)


def test_wrong_choices(model, checkpoint):
    for field in ("device", "attention", "fusion", "cache", "weights", "integer_products"):
        for wrong in (-1, 5, 100, *({"device": [17], "cache": [51]}.get(field, []))):
            options = Options(size=ctypes.sizeof(Options), **{field: wrong})
            message = opened(model, checkpoint, options)
            assert message, f"{field} {wrong}"
    options = Options(size=ctypes.sizeof(Options), threads=4097)
    assert "4097 threads" in opened(model, checkpoint, options)


# --- text ---


def test_plain_text(model):
    text = "<|endoftext|>The river<|endoftext|>"
    special, plain = model.encode(text), model.encode(text, llm.PLAIN_TEXT)
    assert special[0] == special[-1] == TOKENIZER.end_of_text
    assert TOKENIZER.end_of_text not in plain
    assert model.decode(special) == model.decode(plain) == text.encode()
    with pytest.raises(llm.Failure, match="flags of encoding are LLM_NO_BEGIN and LLM_PLAIN_TEXT, not 0x4"):
        model.encode(text, 4)


def test_beginning_of_text(random, tmp_path):
    """A model that wants one gets one; it is no part of the text."""
    keys = lambda writer: writer.add_add_bos_token(True)
    tensors = models.random_gpt2(CONFIG, random)
    path = models.write_gguf(tmp_path / "model.gguf", CONFIG, tensors, tokenizer=TOKENIZER, keys=keys)
    begin = TOKENIZER.end_of_text
    with LLM(path, device="cpu") as model:
        ids = model.encode("The river")
        assert ids[0] == begin == model.info.begin_of_text
        assert model.encode("The river", llm.NO_BEGIN) == ids[1:]
        assert model.encode("") == [begin] and model.encode("", llm.NO_BEGIN) == []
        assert model.decode(ids) == model.decode(ids[1:]) == b"The river"
        assert model.decode([begin, *ids]) == b"<|endoftext|>The river"
        assert model.encode("<|endoftext|>", llm.PLAIN_TEXT)[0] == begin


def test_no_beginning_of_text(model):
    assert model.info.begin_of_text == 2**32 - 1
    assert model.decode(model.encode("<|endoftext|>a")) == b"<|endoftext|>a"


def test_end_tokens(model):
    ends = [id for id in range(310) if model.library.llm_is_end(model.handle, id)]
    assert ends == [model.info.end_of_text] == [TOKENIZER.end_of_text]


def test_padded_vocabulary(random, tmp_path):
    """Ids that the model has and the tokenizer has not: no text, and no error."""
    config = (
        CONFIG._replace(vocabulary=320)
        if hasattr(CONFIG, "_replace")
        else Config(layers=2, heads=2, channels=32, context=64, vocabulary=320)
    )
    tensors = models.random_gpt2(config, random)
    path = models.write_huggingface(tmp_path / "padded", config, tensors, tokenizer=TOKENIZER)
    with LLM(path, device="cpu") as model:
        assert model.info.vocabulary == 320
        ids = model.encode("The river")
        assert model.decode([300, *ids, 319, 310]) == b"The river"
        size = c_size_t(7)
        assert model.library.llm_token_bytes(model.handle, 310, byref(size)) and size.value == 0
        assert not model.library.llm_token_bytes(model.handle, 320, byref(size))
        with pytest.raises(llm.Failure, match="token 320 is not in the vocabulary of 320"):
            model.decode([320])


# --- at the wrong moment ---


def test_calls_from_a_callback(model):
    """Those that compute are refused and leave the outer text as it is; the others work."""
    tokens, statuses, texts = some_tokens(model), [], []
    floats = (ctypes.c_float * (300 * 64))()
    library, handle = model.library, model.handle
    library.llm_logits.argtypes = library.llm_losses.argtypes = library.llm_hidden_states.argtypes = None

    def on_token(row, token):
        for call in [
            lambda error: library.llm_generate(handle, byref(tokens), 1, None, error),
            lambda error: library.llm_generate_batch(handle, byref(tokens), 1, 1, None, error),
            lambda error: library.llm_logits(c_void_p(handle), byref(tokens), floats, error),
            lambda error: library.llm_losses(c_void_p(handle), byref(tokens), floats, error),
            lambda error: library.llm_hidden_states(c_void_p(handle), byref(tokens), floats, error),
        ]:
            error = Error()
            call(byref(error))
            statuses.append(error.status)
        texts.append(model.decode(model.encode("a text")))
        return True

    expected = model.generate([1, 2, 3], 10, ignore_end=True)
    assert model.generate([1, 2, 3], 10, ignore_end=True, on_token=on_token) == expected
    assert set(statuses) == {llm.BUSY} and len(statuses) == 50
    assert set(texts) == {b"a text"} and tokens.count == 3
    library.llm_tokens_free(byref(tokens))


def test_closed_from_a_callback(checkpoint):
    model = LLM(checkpoint, device="cpu")
    seen = []

    def on_token(row, token):
        seen.append(token)
        model.library.llm_pipeline_close(model.handle)
        return True

    with pytest.raises(llm.Failure, match="closed while it was at work") as failure:
        model.generate([1, 2, 3], 10, ignore_end=True, on_token=on_token)
    assert failure.value.status == llm.BUSY and len(seen) == 1


def test_the_same_tokens_twice(model):
    tokens = some_tokens(model)
    rows, error = (Tokens * 3)(tokens, Tokens(), tokens), Error()
    assert model.library.llm_generate_batch(model.handle, rows, 3, 5, None, byref(error)) == 0
    assert error.status == llm.ARGUMENT and b"rows 0 and 2 are the same list" in error.message
    assert rows[0].count == rows[2].count == 3 and rows[1].count == 0
    model.library.llm_tokens_free(byref(tokens))


def test_forked_child(checkpoint):
    """It cannot generate, and may close what its parent has open, also from a callback."""
    model = LLM(checkpoint, device="cpu", threads=3)
    expected = model.generate([1, 2, 3], 5, ignore_end=True)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            model.generate([1, 2, 3], 1)
        except llm.Failure as failure:
            status = 0 if "a forked child opens its own" in str(failure) else 2
        model.close()
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert model.generate([1, 2, 3], 5, ignore_end=True) == expected
    model.close()


# --- programs ---

PROGRAM = r"""
#include <metal_llm.h>
#include <stdio.h>

int main(int count, char **arguments) {
    LLMError error = {};
    LLMOptions options = LLM_OPTIONS, same = llm_options();
    LLMGeneration generation = LLM_GENERATION, equal = llm_generation();
    LLMInspection inspection = LLM_INSPECTION, last = llm_inspection();
    options.device = LLM_CPU;
    options.cache = LLM_AUTO;
    options.profile = true;
    generation.temperature = 0.5f;
    if (same.size != sizeof same || equal.size != sizeof equal || count != 2) return 2;
    if (last.size != sizeof last || last.token != inspection.token) return 6;
    LLMPipeline *llm = llm_pipeline_open(arguments[1], &options, &error);
    LLMTokens tokens = llm_encode(llm, "The river", LLM_NO_BEGIN | LLM_PLAIN_TEXT, &error);
    llm_generate(llm, &tokens, 3, &generation, &error);
    inspection.token = 1;
    llm_inspect(llm, &tokens, &inspection, &error);
    char *text = llm_decode(llm, &tokens, &error);
    const LLMTiming *timings;
    size_t kernels = llm_timings(llm, &timings);
    for (size_t i = 0; i < kernels; i++)
        if (llm_timing(timings, i)->size != sizeof *timings || !llm_timing(timings, i)->kernel) return 3;
    llm_timings_reset(llm);
    for (size_t i = 0; i < llm_timings(llm, &timings); i++)
        if (llm_timing(timings, i) != timings + i || timings[i].calls || !timings[i].kernel) return 5;
    if (!error.status && (!kernels || !text || llm_info(llm)->size != sizeof(LLMInfo))) return 4;
    printf("%s %s%s\n", llm_version(), LLM_VERSION, llm_error_message(&error));
    llm_free(text);
    llm_tokens_free(&tokens);
    llm_pipeline_close(llm);
    return error.status != LLM_OK;
}
"""

SANITIZER = ["-fsanitize=address,undefined"] if BUILD.name == "asan" else []
COMPILERS = {
    "C": [*shlex.split(os.environ.get("CC", "cc")), "-x", "c", "-std=c11"],
    "C++": ["c++", "-x", "c++", "-std=c++11"],
    "C by clang": [clangxx().replace("clang++", "clang"), "-x", "c", "-std=c11"],
    "C++ by clang": [clangxx(), "-x", "c++", "-std=c++20"],
}


@pytest.mark.parametrize("language", COMPILERS)
def test_programs(checkpoint, tmp_path, language):
    """The initialisers, in every language that has the header, without a warning."""
    source = tmp_path / "program"
    source.write_text(PROGRAM.replace("{};", "{0};") if language[:3] != "C++" else PROGRAM)
    program = tmp_path / "program.out"
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    command = [*COMPILERS[language], *warnings, "-I", ROOT / "include"]
    compiled = subprocess.run(
        [*map(str, command), "-c", source, "-o", tmp_path / "program.o"], capture_output=True, text=True
    )
    assert compiled.returncode == 0, compiled.stderr
    library = [BUILD / "libmetal-llm.so"]
    link = [*shlex.split(os.environ.get("CC", "cc")), *SANITIZER, tmp_path / "program.o", *library, "-o", program]
    subprocess.run(list(map(str, link)), check=True)
    # the library's name is of its version, under which it is installed
    needed = re.search(r"libmetal-llm\.so\.[\d.]+", subprocess.run(
        ["readelf", "-d", program], capture_output=True, text=True, check=True).stdout)[0]  # fmt: skip
    (tmp_path / needed).symlink_to(BUILD / "libmetal-llm.so")
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")}
    environment["LD_LIBRARY_PATH"] = str(tmp_path)
    out = subprocess.run([program, checkpoint], env=environment, capture_output=True, text=True)
    version = re.search(r'LLM_VERSION "(.*)"', HEADER)[1]
    assert (out.returncode, out.stdout) == (0, f"{version} {version}\n"), out.stderr


LAYOUT = r"""
#include <metal_llm.h>
#define ENDS_WITH(type, field) \
    _Static_assert(offsetof(type, field) + sizeof(((type *)0)->field) == sizeof(type), "padding behind " #field)
ENDS_WITH(LLMOptions, chat_template);
ENDS_WITH(LLMGeneration, shift);
ENDS_WITH(LLMInspection, user);
ENDS_WITH(LLMInfo, layer_weights);
ENDS_WITH(LLMPlanStep, seconds);
ENDS_WITH(LLMPlan, calls);
ENDS_WITH(LLMTiming, bytes);
_Static_assert(!offsetof(LLMOptions, size) && !offsetof(LLMGeneration, size), "size first");
_Static_assert(!offsetof(LLMInspection, size) && !offsetof(LLMInfo, size) && !offsetof(LLMTiming, size), "size first");
"""


def test_layout(tmp_path):
    """Nothing lies behind the last field, where a field of a later version could be taken for padding."""
    source = tmp_path / "layout.c"
    source.write_text(LAYOUT)
    command = [*COMPILERS["C"][:1], "-I", ROOT / "include", "-fsyntax-only", source]
    assert subprocess.run(list(map(str, command)), capture_output=True, text=True).stderr == ""
