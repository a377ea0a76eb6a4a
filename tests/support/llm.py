"""The public interface of include/metal_llm.h in Python: texts, lists of ids and numpy arrays.

    with LLM("gpt2.gguf", device="cpu") as llm:
        print(llm.decode(llm.generate(llm.encode("The meaning of life is"), 50)))

What the library reports as an error is raised as Failure.
"""

import ctypes
import os

import numpy

from library import Error, Tokens, load

# LLMStatus
ARGUMENT, FILE, FORMAT, MEMORY, DEVICE, CONTEXT, NUMERIC, BUSY = range(1, 9)

# LLMChoice, by the command's names
CHOICES = {None: 0, "metal": 1, "cuda": 2, "cpu": 3, "simt": 4, "flash": 17, "naive": 18, "plain": 19}
CHOICES |= {"on": 33, "off": 34, "f32": 49, "f16": 50, "stored": 51}

NO_BEGIN, PLAIN_TEXT = 1, 2  # LLMEncodeFlags

TOKEN_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)


class Options(ctypes.Structure):
    """LLMOptions of include/metal_llm.h."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        *[(name, ctypes.c_int) for name in ("device", "attention", "fusion", "cache", "weights", "integer_products")],
        ("threads", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("batch", ctypes.c_uint32),
        ("profile", ctypes.c_bool),
        ("no_mmap", ctypes.c_bool),
        ("kernels", ctypes.c_char_p),
        ("metal_device", ctypes.c_void_p),
        ("sessions", ctypes.c_size_t),
        ("cache_memory", ctypes.c_size_t),
        ("chat_template", ctypes.c_char_p),
    ]


TEXT_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t
)


class Logprob(ctypes.Structure):
    """LLMLogprob of include/metal_llm.h."""

    _fields_ = [("token", ctypes.c_uint32), ("logprob", ctypes.c_float)]


WAIT_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)

LOGPROBS_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(Logprob), ctypes.c_size_t)

ENDS = ["none", "count", "token", "stop", "context", "callback", "json"]  # LLMEnd


class LogitBias(ctypes.Structure):
    """LLMLogitBias of include/metal_llm.h."""

    _fields_ = [("token", ctypes.c_uint32), ("bias", ctypes.c_float)]


class Generation(ctypes.Structure):
    """LLMGeneration of include/metal_llm.h."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("seed", ctypes.c_uint64),
        ("temperature", ctypes.c_float),
        ("top_p", ctypes.c_float),
        ("top_k", ctypes.c_uint32),
        ("ignore_end", ctypes.c_bool),
        ("on_token", TOKEN_CALLBACK),
        ("user", ctypes.c_void_p),
        *[(name, ctypes.c_float) for name in ("min_p", "typical_p", "repetition_penalty")],
        *[(name, ctypes.c_float) for name in ("presence_penalty", "frequency_penalty")],
        ("penalty_window", ctypes.c_uint32),
        ("logit_bias", ctypes.POINTER(LogitBias)),
        ("logit_bias_count", ctypes.c_size_t),
        ("stops", ctypes.POINTER(ctypes.c_char_p)),
        ("stop_count", ctypes.c_size_t),
        ("on_text", TEXT_CALLBACK),
        ("on_logprobs", LOGPROBS_CALLBACK),
        ("ends", ctypes.POINTER(ctypes.c_int)),
        ("logprobs", ctypes.c_size_t),
        ("json_schema", ctypes.c_char_p),
        ("on_wait", WAIT_CALLBACK),
        ("shift", ctypes.c_size_t),
    ]


class Head(ctypes.Structure):
    """LLMHead of include/metal_llm.h."""

    _fields_ = [("layer", ctypes.c_uint32), ("head", ctypes.c_uint32)]


class Inspection(ctypes.Structure):
    """LLMInspection of include/metal_llm.h."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("first", ctypes.c_uint32),
        *[(name, ctypes.c_void_p) for name in ("logits", "logprobs", "log_sums", "top")],
        ("top_count", ctypes.c_size_t),
        ("lens", ctypes.c_void_p),
        ("lens_count", ctypes.c_size_t),
        ("token", ctypes.c_uint32),
        ("token_count", ctypes.c_uint32),
        ("attention", ctypes.c_void_p),
        ("head", Head),
        ("head_attention", ctypes.c_void_p),
        ("heads_off", ctypes.POINTER(Head)),
        ("heads_off_count", ctypes.c_size_t),
        ("mlps_off", ctypes.POINTER(ctypes.c_uint32)),
        ("mlps_off_count", ctypes.c_size_t),
        ("on_wait", WAIT_CALLBACK),
        ("user", ctypes.c_void_p),
    ]


LOGPROB = numpy.dtype([("token", numpy.uint32), ("logprob", numpy.float32)])  # LLMLogprob


class Info(ctypes.Structure):
    """LLMInfo of include/metal_llm.h."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("weights", ctypes.c_char_p),
        ("device", ctypes.c_char_p),
        ("layers", ctypes.c_uint32),
        ("heads", ctypes.c_uint32),
        ("channels", ctypes.c_uint32),
        ("inner", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("vocabulary", ctypes.c_uint32),
        ("parameters", ctypes.c_uint64),
        ("weight_bytes", ctypes.c_uint64),
        ("cache_bytes", ctypes.c_uint64),
        ("end_of_text", ctypes.c_uint32),
        ("begin_of_text", ctypes.c_uint32),
        ("head_size", ctypes.c_uint32),
        ("model_context", ctypes.c_uint32),
        ("step_bytes", ctypes.c_uint64),
        ("layer_weights", ctypes.c_uint64),
    ]


class PlanStep(ctypes.Structure):
    """LLMPlanStep of include/metal_llm.h."""

    _fields_ = [("size", ctypes.c_size_t), ("step", ctypes.c_char_p), ("shape", ctypes.c_char * 64)]
    _fields_ += [(name, ctypes.c_char_p) for name in ("kernel", "file", "why")]
    _fields_ += [("calls", ctypes.c_uint64), ("bytes", ctypes.c_double), ("seconds", ctypes.c_double)]


class Plan(ctypes.Structure):
    """LLMPlan of include/metal_llm.h."""

    _fields_ = [("size", ctypes.c_size_t), ("steps", ctypes.POINTER(PlanStep)), ("count", ctypes.c_size_t)]
    _fields_ += [("why", ctypes.c_char_p), ("tokens", ctypes.c_uint64)]
    _fields_ += [("order", ctypes.POINTER(ctypes.c_uint32)), ("seconds", ctypes.POINTER(ctypes.c_double))]
    _fields_ += [("calls", ctypes.c_size_t)]


class Timing(ctypes.Structure):
    """LLMTiming of include/metal_llm.h."""

    _fields_ = [("size", ctypes.c_size_t), ("kernel", ctypes.c_char_p), ("calls", ctypes.c_uint64)]
    _fields_ += [("seconds", ctypes.c_double), ("bytes", ctypes.c_double)]


class SessionInfo(ctypes.Structure):
    """LLMSessionInfo of include/metal_llm.h."""

    _fields_ = [("size", ctypes.c_size_t), ("ids", ctypes.POINTER(ctypes.c_uint32)), ("tokens", ctypes.c_size_t)]
    _fields_ += [("messages", ctypes.c_size_t), ("cached", ctypes.c_size_t), ("computed", ctypes.c_size_t)]
    _fields_ += [("left_out", ctypes.c_size_t)]


class Failure(Exception):
    """An LLMError: its status and its one line."""

    def __init__(self, error):
        super().__init__(error.message.decode())
        self.status = error.status


def prototypes(library):
    """Tell ctypes what the functions take and return."""
    pointer, size, error = ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(Error)
    tokens, generation = ctypes.POINTER(Tokens), ctypes.POINTER(Generation)
    floats = numpy.ctypeslib.ndpointer(numpy.float32, flags="C_CONTIGUOUS")
    signatures = {
        "llm_pipeline_open": (pointer, ctypes.c_char_p, ctypes.POINTER(Options), error),
        "pipeline_open": (pointer, ctypes.c_char_p, ctypes.POINTER(Options), pointer, error),
        "llm_pipeline_close": (None, pointer),
        "llm_info": (ctypes.POINTER(Info), pointer),
        "llm_encode": (Tokens, pointer, ctypes.c_char_p, ctypes.c_uint32, error),
        "llm_encode_bytes": (Tokens, pointer, ctypes.c_char_p, size, ctypes.c_uint32, error),
        "llm_is_end": (ctypes.c_bool, pointer, ctypes.c_uint32),
        "llm_decode": (pointer, pointer, tokens, error),
        "llm_token_bytes": (pointer, pointer, ctypes.c_uint32, ctypes.POINTER(size)),
        "llm_generate": (size, pointer, tokens, size, generation, error),
        "llm_generate_batch": (size, pointer, tokens, ctypes.c_uint32, size, generation, error),
        "llm_logits": (None, pointer, tokens, floats, error),
        "llm_losses": (None, pointer, tokens, floats, error),
        "llm_inspect": (None, pointer, tokens, ctypes.POINTER(Inspection), error),
        "llm_measure": (ctypes.POINTER(Plan), pointer, tokens, error),
        "llm_plan_free": (None, pointer),
        "llm_hidden_states": (None, pointer, tokens, floats, error),
        "llm_session_open": (pointer, pointer, error),
        "llm_session_close": (None, pointer),
        "llm_session_add_tokens": (None, pointer, tokens, error),
        "llm_session_add_text": (None, pointer, ctypes.c_char_p, ctypes.c_uint32, error),
        "llm_session_add_message": (None, pointer, ctypes.c_char_p, ctypes.c_char_p, error),
        "llm_session_forget": (None, pointer, size, size, error),
        "llm_session_generate": (size, pointer, size, generation, error),
        "llm_session_rewind": (None, pointer, size, error),
        "llm_session_reset": (None, pointer, error),
        "llm_session_fork": (pointer, pointer, error),
        "llm_session_save": (None, pointer, ctypes.c_char_p, error),
        "llm_session_load": (pointer, pointer, ctypes.c_char_p, error),
        "llm_session_info": (ctypes.POINTER(SessionInfo), pointer),
        "llm_timings": (size, pointer, ctypes.POINTER(ctypes.POINTER(Timing))),
        "llm_timings_reset": (None, pointer),
        "llm_tokens_free": (None, tokens),
        "llm_free": (None, pointer),
        "tokens_append": (ctypes.c_bool, tokens, ctypes.c_uint32, error),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def checked(function, *arguments):
    """Call a function whose last parameter is an LLMError; raise the error it reports."""
    error = Error()
    result = function(*arguments, ctypes.byref(error))
    if error.status:
        raise Failure(error)
    assert not error.message
    return result


class LLM:
    """A model on a device. The arguments are those of LLMOptions; None and 0 are its defaults, but for
    `integer_products`, `weights` and `cache`, off, as stored and f32 unless a test is of them: the others compare
    with exact weights, activations, keys and values. `dry`, the address of a DryRun, stands for a device."""

    def __init__(
        self,
        path,
        device=None,
        attention=None,
        context=0,
        batch=0,
        threads=0,
        fusion=None,
        cache="f32",
        integer_products="off",
        weights="stored",
        no_mmap=False,
        dry=None,
        sessions=0,
        cache_memory=0,
        chat_template=None,
        profile=False,
    ):
        self.handle = None
        self.library = prototypes(load(device))
        choices = dict(
            device=device, attention=attention, fusion=fusion, cache=cache, weights=weights,
            integer_products=integer_products,
        )  # fmt: skip
        options = Options(
            size=ctypes.sizeof(Options),
            **{name: CHOICES[choice] for name, choice in choices.items()},
            threads=threads,
            context=context,
            batch=batch,
            no_mmap=no_mmap,
            sessions=sessions,
            cache_memory=cache_memory,
            profile=profile,
            chat_template=chat_template and os.fsencode(chat_template),
        )
        self.handle = checked(self.library.pipeline_open, os.fsencode(path), ctypes.byref(options), dry)

    def close(self):
        self.library.llm_pipeline_close(self.handle)
        self.handle = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    @property
    def info(self):
        return self.library.llm_info(self.handle).contents

    def _tokens(self, ids):
        """A list of ids that the library may append to; free with llm_tokens_free."""
        tokens = Tokens()
        for id in ids:
            checked(self.library.tokens_append, ctypes.byref(tokens), id)
        return tokens

    def _taken(self, tokens):
        """The ids as a Python list; releases the C one."""
        ids = tokens.ids[: tokens.count]
        self.library.llm_tokens_free(ctypes.byref(tokens))
        return ids

    def encode(self, text, flags=0):
        """A str or bytes to ids."""
        data = text.encode() if isinstance(text, str) else text
        return self._taken(checked(self.library.llm_encode_bytes, self.handle, data, len(data), flags))

    def decode(self, ids):
        """Ids to bytes."""
        tokens = self._tokens(ids)
        try:
            text = checked(self.library.llm_decode, self.handle, ctypes.byref(tokens))
        finally:
            self.library.llm_tokens_free(ctypes.byref(tokens))
        result = ctypes.string_at(text)
        self.library.llm_free(text)
        return result

    def _generation(
        self, rows, on_token=None, on_text=None, on_logprobs=None, on_wait=None, logit_bias=None, stops=None, **options
    ):
        """LLMGeneration, and the array that tells why rows have ended."""
        if logit_bias:
            options["logit_bias"] = (LogitBias * len(logit_bias))(*logit_bias)
            options["logit_bias_count"] = len(logit_bias)
        if stops:
            options["stops"] = (ctypes.c_char_p * len(stops))(*stops)
            options["stop_count"] = len(stops)
        if on_token:
            options["on_token"] = TOKEN_CALLBACK(lambda _, row, token: on_token(row, token))
        if on_text:
            options["on_text"] = TEXT_CALLBACK(lambda _, row, bytes, size: on_text(row, bytes[:size]))
        if on_logprobs:
            pairs = lambda list, count: [(list[i].token, list[i].logprob) for i in range(count)]
            options["on_logprobs"] = LOGPROBS_CALLBACK(lambda _, row, list, count: on_logprobs(row, pairs(list, count)))
        if on_wait:
            options["on_wait"] = WAIT_CALLBACK(lambda _: on_wait())
        ends = (ctypes.c_int * rows)()
        return Generation(size=ctypes.sizeof(Generation), ends=ends, **options), ends

    def generate_batch(self, prompts, count, **options):
        """Continue lists of ids, side by side. Returns what was appended to each. `on_token(row, token)` and
        `on_text(row, bytes)` return whether the row goes on; `on_logprobs(row, pairs)`; `logit_bias` is a list of
        pairs, `stops` of bytes; `options` are the other fields of LLMGeneration. `ends` tells then why rows ended."""
        rows = (Tokens * len(prompts))(*map(self._tokens, prompts))
        generation, ends = self._generation(len(prompts), **options)
        try:
            appended = checked(
                self.library.llm_generate_batch,
                self.handle, rows, len(prompts), count, ctypes.byref(generation),
            )  # fmt: skip
        finally:
            texts = [self._taken(row) for row in rows]
            self.ends = [ENDS[end] for end in ends]
        added = [text[len(prompt) :] for text, prompt in zip(texts, prompts)]
        began_empty = sum(not prompt for prompt in prompts)  # with one end-of-text token each
        assert appended == sum(map(len, added)) - began_empty
        return added

    def generate(self, prompt, count, **options):
        """Continue a list of ids; returns what was appended."""
        return self.generate_batch([prompt], count, **options)[0]

    def _scored(self, function, ids, out):
        tokens = self._tokens(ids)
        try:
            checked(function, self.handle, ctypes.byref(tokens), out)
        finally:
            self.library.llm_tokens_free(ctypes.byref(tokens))
        return out

    def logits(self, ids):
        """logits[len(ids), vocabulary] of every position."""
        out = numpy.full((len(ids), self.info.vocabulary), numpy.nan, numpy.float32)
        return self._scored(self.library.llm_logits, ids, out)

    def losses(self, ids):
        """nats[len(ids) − 1] of every token but the first."""
        out = numpy.full(max(len(ids) - 1, 0), numpy.nan, numpy.float32)
        return self._scored(self.library.llm_losses, ids, out)

    def measure(self, ids):
        """The steps of llm_measure as dictionaries, and its calls as (step, seconds)."""
        tokens = self._tokens(ids)
        try:
            plan = checked(self.library.llm_measure, self.handle, ctypes.byref(tokens))
        finally:
            self.library.llm_tokens_free(ctypes.byref(tokens))
        names = [name for name, _ in PlanStep._fields_[1:]]
        steps = [{name: getattr(step, name) for name in names} for step in plan.contents.steps[: plan.contents.count]]
        count = plan.contents.calls
        calls = list(zip(plan.contents.order[:count], plan.contents.seconds[:count]))
        self.library.llm_plan_free(plan)
        return steps, calls

    def inspect(
        self, ids, first=0, top=0, lens=0, token=2**32 - 1, token_count=1, head=None, heads_off=(), mlps_off=(),
        on_wait=None,
    ):  # fmt: skip
        """All that llm_inspect has to show, as arrays by their names in LLMInspection."""
        info, n, m = self.info, len(ids), max(len(ids) - first, 0)
        arrays = {
            "logits": numpy.full((m, info.vocabulary), numpy.nan, numpy.float32),
            "logprobs": numpy.full(max(m - 1, 0), numpy.nan, numpy.float32),
            "log_sums": numpy.full(m, numpy.nan, numpy.float32),
            "top": numpy.zeros((m, top), LOGPROB),
            "lens": numpy.zeros((info.layers, m, lens), LOGPROB),
            "attention": numpy.full((info.layers, info.heads, token_count, n), numpy.nan, numpy.float32),
        }
        if head:
            arrays["head_attention"] = numpy.full((n, n), numpy.nan, numpy.float32)
        inspection = Inspection(
            size=ctypes.sizeof(Inspection),
            first=first,
            top_count=top,
            lens_count=lens,
            token=token,
            token_count=token_count,
            head=Head(*head) if head else Head(),
            heads_off=(Head * len(heads_off))(*heads_off),
            heads_off_count=len(heads_off),
            mlps_off=(ctypes.c_uint32 * len(mlps_off))(*mlps_off),
            mlps_off_count=len(mlps_off),
            on_wait=WAIT_CALLBACK((lambda _: on_wait()) if on_wait else 0),
            **{name: array.ctypes.data for name, array in arrays.items() if array.size},
        )
        tokens = self._tokens(ids)
        try:
            checked(self.library.llm_inspect, self.handle, ctypes.byref(tokens), ctypes.byref(inspection))
        finally:
            self.library.llm_tokens_free(ctypes.byref(tokens))
        return arrays

    def hidden_states(self, ids):
        """states[len(ids), channels] behind the last norm."""
        out = numpy.full((len(ids), self.info.channels), numpy.nan, numpy.float32)
        return self._scored(self.library.llm_hidden_states, ids, out)

    def take_timings(self):
        """Calls and bytes of each kernel since the last time; opened with `profile`."""
        timings = ctypes.POINTER(Timing)()
        count = self.library.llm_timings(self.handle, ctypes.byref(timings))
        taken = {
            timings[i].kernel.decode(): (timings[i].calls, timings[i].bytes) for i in range(count) if timings[i].calls
        }
        self.library.llm_timings_reset(self.handle)
        return taken

    def session(self, ids=()):
        session = Session(self, checked(self.library.llm_session_open, self.handle))
        session.add(ids)
        return session

    def load(self, path):
        return Session(self, checked(self.library.llm_session_load, self.handle, os.fsencode(path)))


class Session:
    """An LLMSession."""

    def __init__(self, model, handle):
        self.model, self.library, self.handle = model, model.library, handle

    def add(self, ids):
        tokens = self.model._tokens(ids)
        checked(self.library.llm_session_add_tokens, self.handle, ctypes.byref(tokens))
        self.library.llm_tokens_free(ctypes.byref(tokens))

    def add_text(self, text, flags=0):
        checked(self.library.llm_session_add_text, self.handle, text.encode(), flags)

    def say(self, content, role="user"):
        checked(self.library.llm_session_add_message, self.handle, role.encode(), content.encode())

    def forget(self, first, count):
        checked(self.library.llm_session_forget, self.handle, first, count)

    def answer(self, count, on_text=None, **options):
        """The text of the answer to the messages so far."""
        pieces = []
        generation, ends = self.model._generation(1, on_text=lambda row, text: pieces.append(text) or True, **options)
        checked(self.library.llm_session_generate, self.handle, count, ctypes.byref(generation))
        self.end = ENDS[ends[0]]
        return b"".join(pieces)

    def generate(self, count, **options):
        """What was appended; `end` tells then why it ended."""
        before, (generation, ends) = len(self.ids), self.model._generation(1, **options)
        try:
            checked(self.library.llm_session_generate, self.handle, count, ctypes.byref(generation))
        finally:
            self.end = ENDS[ends[0]]
        return self.ids[before:] if before else self.ids[1:]

    def rewind(self, count):
        checked(self.library.llm_session_rewind, self.handle, count)

    def reset(self):
        checked(self.library.llm_session_reset, self.handle)

    def fork(self):
        return Session(self.model, checked(self.library.llm_session_fork, self.handle))

    def save(self, path):
        checked(self.library.llm_session_save, self.handle, os.fsencode(path))

    def close(self):
        self.library.llm_session_close(self.handle)
        self.handle = None

    @property
    def info(self):
        return self.library.llm_session_info(self.handle).contents

    @property
    def ids(self):
        return self.info.ids[: self.info.tokens]

    @property
    def counted(self):
        """(cached, computed) tokens of the last generation."""
        return self.info.cached, self.info.computed
