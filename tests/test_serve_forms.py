"""`metal-llm serve`: answers of a form that is asked for (JSON, calls of tools), texts as vectors, and what
/openapi.json says of all of it."""

import base64
import functools
import json
import re

import numpy
import openai
import pytest

import families
import models
from conftest import SEED
from json_schemas import is_valid, parse
from library import ROOT
from llm import LLM
from serve import Server
from test_cli import byte_tokens

CONFIG = families.Config(layers=2, context=2048, vocabulary=300)
TOKENIZER = models.small_tokenizer(300)
TEMPLATES = ROOT / "tests/chat_templates"
GREEDY = {"temperature": 0, "extra_body": {"ignore_eos": True}}
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 9},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Of a place.",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "maxLength": 8}, "unit": {"$ref": "#/$defs/unit"}},
            "required": ["place", "unit"],
            "additionalProperties": False,
            "$defs": {"unit": {"enum": ["C", "F"]}},
        },
    },
}
TIME = {"type": "function", "function": {"name": "time", "description": "Now."}}
TOOLS = [WEATHER, TIME]
CHAT = {"model": "any", "messages": [{"role": "user", "content": "How warm is it?"}]}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    random = numpy.random.default_rng(SEED)
    return families.write_gguf(
        tmp_path_factory.mktemp("served") / "model.gguf",
        CONFIG,
        families.random_model(CONFIG, random),
        tokenizer=TOKENIZER,
    )


@pytest.fixture(scope="module", params=["hermes_tools", "llama3_tools", "mistral_tools"])
def calling(path, request):
    """A server whose template writes calls in its own way."""
    template = TEMPLATES / f"{request.param}.jinja"
    server = Server(path, "--chat-template", template)
    server.form, server.template = request.param, template
    yield server
    assert server.stop()[0] == 0


@pytest.fixture(scope="module")
def plain(path):
    server = Server(path, "--chat-template", TEMPLATES / "chatml.jinja")
    yield server
    assert server.stop()[0] == 0


@functools.cache
def client_of(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)


def streamed(server, **options):
    """(content, calls, reason) of a stream's pieces."""
    content, calls, reason = "", [], None
    for chunk in client_of(server).chat.completions.create(**options, stream=True):
        (choice,) = chunk.choices
        content += choice.delta.content or ""
        calls += choice.delta.tool_calls or []
        reason = choice.finish_reason or reason
    assert [call.index for call in calls] == list(range(len(calls)))
    return content, [(call.function.name, json.loads(call.function.arguments)) for call in calls], reason


def whole(server, **options):
    """The same of a whole answer."""
    choice = client_of(server).chat.completions.create(**options).choices[0]
    calls = choice.message.tool_calls or []
    assert all(call.id and call.type == "function" for call in calls)
    assert (choice.message.content is None) <= bool(calls)
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in calls]
    return choice.message.content or "", calls, choice.finish_reason


# --- JSON ---


@pytest.mark.parametrize("seed", range(3))
def test_an_answer_by_a_schema(plain, seed):
    options = {
        "response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}},
        "seed": seed,
    }
    text, _, reason = whole(plain, **CHAT, **options)
    assert reason == "stop" and is_valid(parse(text.encode()), PERSON, PERSON)
    assert streamed(plain, **CHAT, **options) == (text, [], "stop")


def test_an_object_of_any_kind(plain):
    options = {"response_format": {"type": "json_object"}, "max_tokens": 300, "seed": 1}
    text, _, reason = whole(plain, **CHAT, **options)
    assert text.startswith("{") and reason in ("stop", "length")
    assert reason == "length" or isinstance(json.loads(text), dict)
    body = {"prompt": "A person: ", "max_tokens": 300, "seed": 1, "response_format": options["response_format"]}
    assert plain.post("/v1/completions", body)["choices"][0]["text"].startswith("{")


def test_text_is_any_text(plain):
    options = {"response_format": {"type": "text"}, "max_tokens": 9, **GREEDY}
    assert whole(plain, **CHAT, **options) == whole(plain, **CHAT, max_tokens=9, **GREEDY)


@pytest.mark.parametrize(
    "format, message",
    [
        ({"type": "json_schema", "json_schema": {"schema": {"type": "string", "pattern": "a"}}}, "pattern"),
        ({"type": "json_schema"}, "with a schema"),
        ({"type": "grammar"}, "its type is"),
        ("json", "its type is"),
    ],
)
@pytest.mark.parametrize("streams", [True, False])
def test_forms_that_are_refused(plain, format, message, streams):
    error = plain.refuse("/v1/chat/completions", CHAT | {"response_format": format, "stream": streams})
    assert error["param"] == "response_format" and message in error["message"]


# --- tools ---


def call_text(form, *calls):
    """As the template's model would write them."""
    key = "parameters" if form == "llama3_tools" else "arguments"
    texts = [json.dumps({"name": name, key: arguments}) for name, arguments in calls]
    if form == "mistral_tools":
        return "[TOOL_CALLS] [" + ", ".join(texts) + "]"
    if form == "hermes_tools":
        return "\n".join(f"<tool_call>\n{text}\n</tool_call>" for text in texts)
    return texts[0]


def reciter(calling, tmp_path, text, **options):
    """A server whose model answers CHAT with a text."""
    prompt = calling.post("/tokenize", CHAT | {"tools": TOOLS})["count"]
    script = byte_tokens(text.encode())
    context = -(-(prompt + len(script) + 1) // 128) * 128
    path = models.write_reciter(tmp_path / "reciter.gguf", script, TOKENIZER, start=prompt - 1, context=context)
    return Server(path, "--chat-template", calling.template), {
        "max_tokens": len(script),
        "tools": TOOLS,
        **options,
        **GREEDY,
    }


@pytest.mark.parametrize("before", ["", "I will look. "])
def test_calls_are_parsed(calling, tmp_path, before):
    calls = [("weather", {"place": "Zürich", "unit": "C"}), ("time", {})]
    if calling.form == "llama3_tools":  # one call, and nothing else
        calls = calls[:1]
        if before:
            pytest.skip("what stands before an object makes it text")
    server, options = reciter(calling, tmp_path, before + call_text(calling.form, *calls))
    assert whole(server, **CHAT, **options) == (before, calls, "tool_calls")
    assert streamed(server, **CHAT, **options) == (before, calls, "tool_calls")
    assert whole(server, **CHAT, **options, parallel_tool_calls=False)[1] == calls[:1]
    server.stop()


def test_what_is_no_call_is_text(calling, tmp_path):
    wrong = [("nonesuch", {}), ("weather", [1]), ("weather", "x")]
    text = call_text(calling.form, wrong[SEED % 3])
    server, options = reciter(calling, tmp_path, text)
    assert whole(server, **CHAT, **options) == (text, [], "length")
    assert streamed(server, **CHAT, **options) == (text, [], "length")
    server.stop()


def test_a_text_like_a_call(calling, tmp_path):
    """Its beginning alone, and at once: nothing is kept back for longer than it may be a call."""
    text = "An answer <tool [TOOL {"
    server, options = reciter(calling, tmp_path, text)
    assert whole(server, **CHAT, **options) == (text, [], "length")
    assert streamed(server, **CHAT, **options) == (text, [], "length")
    server.stop()


def test_digits_of_arguments(calling, tmp_path):
    """As the model has written them, and as the client sends them back: none is rounded."""
    numbers = '{"id": [1234567890123456789, -1000000000000000, 0.5, 3], "a\\"9": "12"}'
    text = call_text(calling.form, ("time", {})).replace("{}", numbers)
    server, options = reciter(calling, tmp_path, text)
    content, [(name, arguments)], reason = whole(server, **CHAT, **options)
    assert (content, name, arguments, reason) == ("", "time", json.loads(numbers), "tool_calls")
    assert [type(number) for number in arguments["id"]] == [int, int, float, int]
    assert streamed(server, **CHAT, **options) == (content, [(name, arguments)], reason)
    call = {"id": "call12345", "type": "function", "function": {"name": "time", "arguments": numbers}}
    messages = CHAT["messages"] + [{"role": "assistant", "content": "", "tool_calls": [call]}]
    prompt = server.post("/apply-template", {"messages": messages, "tools": TOOLS})["prompt"]
    assert "[1234567890123456789, -1000000000000000, 0.5, 3]" in prompt
    server.stop()


def test_a_prompt_that_begins_to_think(path, tmp_path):
    """Where it and a call begin alike, with <t, the mark of a call is whole all the same."""
    template = tmp_path / "thinks.jinja"
    source = (TEMPLATES / "hermes_tools.jinja").read_text()
    template.write_text(source.replace("'<|im_start|>assistant\\n'", "'<|im_start|>assistant\\n<think>\\n'"))
    thinking = Server(path, "--chat-template", template)
    thinking.form, thinking.template = "hermes_tools", template
    assert thinking.post("/apply-template", CHAT | {"tools": TOOLS})["prompt"].endswith("<think>\n")
    thoughts, calls = "So it is.</think>", [("time", {})]
    server, options = reciter(thinking, tmp_path, thoughts + call_text("hermes_tools", *calls))
    assert whole(server, **CHAT, **options) == (thoughts, calls, "tool_calls")
    assert streamed(server, **CHAT, **options) == (thoughts, calls, "tool_calls")
    server.stop()
    thinking.stop()


@pytest.mark.parametrize("seed", range(3))
def test_a_call_that_must_come(calling, seed):
    """A model of random weights calls as it should."""
    options = {"tools": TOOLS, "tool_choice": "required", "seed": seed}
    content, calls, reason = whole(calling, **CHAT, **options)
    ((name, arguments),) = calls
    assert (content, reason) == ("", "tool_calls") and name in ("weather", "time")
    parameters = WEATHER["function"]["parameters"]
    assert name == "time" or is_valid(parse(json.dumps(arguments).encode()), parameters, parameters)
    assert streamed(calling, **CHAT, **options) == (content, calls, reason)
    named = {"type": "function", "function": {"name": "weather"}}
    ((name, arguments),) = whole(calling, **CHAT, **options | {"tool_choice": named})[1]
    assert name == "weather" and arguments["unit"] in "CF"


def test_tools_that_may_not_be_called(calling):
    if calling.form == "hermes_tools":
        pytest.skip("the template cannot do without tools")
    without = calling.post("/v1/chat/completions", CHAT | {"max_tokens": 3})
    none = calling.post("/v1/chat/completions", CHAT | {"max_tokens": 3, "tools": TOOLS, "tool_choice": "none"})
    auto = calling.post("/v1/chat/completions", CHAT | {"max_tokens": 3, "tools": TOOLS})
    assert none["usage"]["prompt_tokens"] == without["usage"]["prompt_tokens"] < auto["usage"]["prompt_tokens"]


def test_calls_and_their_results_in_messages(calling):
    call = {"id": "call12345", "type": "function", "function": {"name": "weather", "arguments": '{"place": "Ulm"}'}}
    messages = CHAT["messages"] + [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call12345", "content": "15 degrees"},
    ]
    prompt = calling.post("/apply-template", {"messages": messages, "tools": TOOLS})["prompt"]
    assert '{"place": "Ulm"}' in prompt and "15 degrees" in prompt and '\\"' not in prompt
    wrong = dict(call, function={"name": "weather"})
    body = {"messages": CHAT["messages"] + [{"role": "assistant", "content": None, "tool_calls": [wrong]}]}
    assert calling.refuse("/v1/chat/completions", body)["param"] == "messages"


@pytest.mark.parametrize(
    "options, parameter",
    [
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "retrieval"}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "a", "parameters": 1}}]}, "tools"),
        ({"tools": TOOLS, "tool_choice": "any"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "nonesuch"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_tools_that_are_refused(calling, options, parameter):
    assert calling.refuse("/v1/chat/completions", CHAT | options)["param"] == parameter


def test_parameters_that_no_call_can_be_held_to(calling):
    tool = {
        "type": "function",
        "function": {
            "name": "a",
            "description": "",
            "parameters": {"type": "object", "properties": {"x": {"type": "string", "pattern": "b"}}},
        },
    }
    error = calling.refuse("/v1/chat/completions", CHAT | {"tools": [tool], "tool_choice": "required"})
    assert error["param"] == "tools" and "pattern" in error["message"]
    calling.post("/v1/chat/completions", CHAT | {"tools": [tool], "max_tokens": 2})


def defined(definitions, name="a"):
    """A tool whose parameters have definitions."""
    parameters = {"type": "object", "properties": {}, "$defs": definitions}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


def test_definitions_of_several_tools(calling):
    """They are compared in no more time than it takes to read them, however deep they are."""
    deep = {"type": "integer"}
    for _ in range(27):
        deep = {"type": "object", "properties": {"a": deep}}
    body = CHAT | {"tool_choice": "required", "max_tokens": 2}
    same = body | {"tools": [defined({"x": deep}), defined({"x": deep}, "b")]}
    status, _, reply = calling.request("POST", "/v1/chat/completions", same)
    assert status == 200 or reply["error"]["code"] == "context_length_exceeded"  # with much white space
    other = [defined({"x": deep}), defined({"x": {"type": "null"}}, "b")]
    assert "different $defs" in calling.refuse("/v1/chat/completions", body | {"tools": other})["message"]
    many = [defined({f"{name}{i}": True for i in range(3000)}, name) for name in "ab"]
    assert "more than 4096 $defs" in calling.refuse("/v1/chat/completions", body | {"tools": many})["message"]


def test_a_template_without_tools(plain):
    error = plain.refuse("/v1/chat/completions", CHAT | {"tools": TOOLS})
    assert error["code"] == "unsupported_by_model" and error["param"] == "tools"


# --- vectors ---


@pytest.mark.parametrize("format", ["float", "base64"])
@pytest.mark.parametrize("pooling", [None, "mean", "last"])
def test_embeddings(plain, path, format, pooling):
    texts = ["Where is the river?", "Ä", "a bear " * 200]
    extra = {"pooling": pooling} if pooling else {}
    reply = client_of(plain).embeddings.create(model="any", input=texts, encoding_format=format, extra_body=extra)
    with LLM(path, device="cpu") as model:
        ids = [model.encode(text) for text in texts]
        states = [model.hidden_states(row).astype(numpy.float64) for row in ids]
    assert reply.usage.prompt_tokens == reply.usage.total_tokens == sum(map(len, ids))
    for i, (item, rows) in enumerate(zip(reply.data, states, strict=True)):
        expected = rows[-1] if pooling == "last" else rows.mean(0)
        got = (
            numpy.array(item.embedding)
            if format == "float"
            else numpy.frombuffer(base64.b64decode(item.embedding, validate=True), "<f4")
        )
        assert item.index == i and got.shape == expected.shape
        assert numpy.abs(got - expected / numpy.linalg.norm(expected)).max() <= 1e-5


def test_embeddings_by_default(plain):
    """The client asks for base64, and decodes it."""
    reply = client_of(plain).embeddings.create(model="any", input="a text")
    assert abs(numpy.linalg.norm(reply.data[0].embedding) - 1) <= 1e-5
    ids = plain.post("/tokenize", {"prompt": "a text"})["tokens"]
    assert client_of(plain).embeddings.create(model="any", input=ids).data[0].embedding == reply.data[0].embedding


@pytest.mark.parametrize(
    "body, parameter",
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": [1, 300]}, "input"),
        ({"input": [1] * 2049}, "input"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "pooling": "max"}, "pooling"),
        ({"input": "a", "dimensions": 3}, "dimensions"),
        ({"input": "a", "n": 2}, "n"),
    ],
)
def test_embeddings_that_are_refused(plain, body, parameter):
    assert plain.refuse("/v1/embeddings", body)["param"] == parameter


# --- what /openapi.json says ---


def strings_of(source, name):
    """The texts of a C array."""
    body = re.search(rf"{name}\[\] = {{(.*?)NULL", source, re.S)[1]
    return set(re.findall(r'"(\w+)"', body))


def test_every_route_is_described(plain):
    status, headers, document = plain.get("/openapi.json")
    assert status == 200 and headers["Content-Type"] == "application/json"
    routes = re.findall(r'{"(GET|POST)", "([^"]+)"', (ROOT / "cli/serve/routes.c").read_text())
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == set(routes)


def test_every_parameter_is_described(plain):
    schemas = plain.get("/openapi.json")[2]["components"]["schemas"]
    source = (ROOT / "cli/serve/ask.c").read_text()
    sampling = strings_of(source, "sampling")
    assert set(schemas["Completion"]["properties"]) == sampling | strings_of(source, "of_completions")
    assert set(schemas["Chat"]["properties"]) == sampling | strings_of(source, "of_chats")


def test_its_references_lead_somewhere(plain):
    document = plain.get("/openapi.json")[2]
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        place = document
        for key in reference.split("/"):
            place = place[key]
