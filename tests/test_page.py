"""`/inspect` and the page of `metal-llm serve`: what they tell against llm_inspect, and the page in a real browser,
which is left out aloud where there is no chromium, or nothing to check what it shows with."""

import base64
import dataclasses
import hashlib
import json
import re

import numpy
import pytest

import models
import vocabularies
from browser import Browser, axe_source, missing
from library import ROOT
from llm import LLM
from serve import Server, post_bytes, wait_until
from test_inspect import GPT2, TEXT, TOKENIZER
from test_sampling import distribution

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """A model without a chat template, one with, and one that reads long texts."""
    folder, random = tmp_path_factory.mktemp("pages"), numpy.random.default_rng(7)
    tensors = models.random_gpt2(GPT2, random)
    tensors["wpe.weight"] *= 10
    write = lambda name, **options: models.write_gguf(folder / name, GPT2, tensors, tokenizer=TOKENIZER, **options)
    plain, chat = write("plain.gguf"), write("chat.gguf", keys=lambda writer: writer.add_chat_template(TEMPLATE))
    config = dataclasses.replace(GPT2, context=4000)
    return (
        plain,
        chat,
        models.write_gguf(folder / "long.gguf", config, models.random_gpt2(config, random), tokenizer=TOKENIZER),
    )


@pytest.fixture(scope="module")
def server(paths):
    server = Server(paths[0])
    yield server
    code, err = server.stop()
    assert code == 0, err


# --- /inspect ---


def test_inspect(server, paths):
    off = dict(heads_off=[[0, 1], [2, 2]], mlps_off=[1])
    with LLM(paths[0], device="cpu") as model:
        ids = model.encode(TEXT)
        expected = model.inspect(ids, first=2, top=4, lens=2, token=3, token_count=2, head=(1, 2),
                                 heads_off=[(0, 1), (2, 2)], mlps_off=[1])  # fmt: skip
    for prompt in (TEXT, ids):
        seen = server.post("/inspect", dict(
            prompt=prompt, first=2, top=4, lens=2, attention=True, token=3, token_count=2, head=[1, 2], **off
        ))  # fmt: skip
        assert [token["id"] for token in seen["tokens"]] == ids and seen["off"] == {
            "heads": off["heads_off"],
            "mlps": [1],
        }
        assert [token["logprob"] for token in seen["tokens"][:3]] == [None] * 3
        assert numpy.allclose([token["logprob"] for token in seen["tokens"][3:]], expected["logprobs"], rtol=1e-3)
        assert seen["top"][:2] == [[], []]
        pick = lambda lists: numpy.array([[token["id"] for token in row] for row in lists[2:]])
        assert numpy.array_equal(pick(seen["top"]), expected["top"]["token"])
        assert numpy.array_equal(numpy.stack([pick(layer) for layer in seen["lens"]]), expected["lens"]["token"])
        assert seen["attention"]["token"] == 3 and (seen["head"]["layer"], seen["head"]["head"]) == (1, 2)
        assert abs(numpy.array(seen["attention"]["weights"]) - expected["attention"]).max() <= 5.1e-4
        assert abs(numpy.array(seen["head"]["weights"]) - expected["head_attention"]).max() <= 5.1e-4


@pytest.mark.parametrize("body, message", [
    ({}, "there is no prompt"),
    ({"prompt": ""}, "there is no prompt, or it is empty"),
    ({"prompt": [1, 307]}, "ids, which are below 307"),
    ({"prompt": [1, -1]}, "ids, which are below 307"),
    ({"prompt": [1] * 201}, "201 tokens, more than the context of 200"),
    ({"prompt": "a", "first": 9}, "first must be from 0 to 0"),
    ({"prompt": "a", "top": 21}, "top must be from 0 to 20"),
    ({"prompt": "a", "token": -1}, "token must be from 0 to 0"),
    ({"prompt": "a", "head": [1]}, "a head is a list of its layer and its number"),
    ({"prompt": "a", "head": [3, 0]}, "head 0 of layer 3, but there are 3 layers"),
    ({"prompt": "a", "heads_off": [[1, 2, 3]]}, "a head is a list of its layer and its number"),
    ({"prompt": "a", "heads_off": "no"}, "a head is a list of its layer and its number"),
    ({"prompt": "a", "mlps_off": [0.5]}, "mlps_off is a list of numbers of layers"),
    ({"prompt": "a", "mlps_off": [3]}, "the MLP of layer 3 is to be off"),
    ({"prompt": "a", "tops": 3}, "tops"),
    ({"messages": [{"role": "user", "content": "a"}]}, "template"),
], ids=str)  # fmt: skip
def test_inspect_refuses(server, body, message):
    assert message in server.refuse("/inspect", body)["message"]


def test_messages(paths):
    """As the model's template writes them; the page is a chat then."""
    server = Server(paths[1])
    messages = [{"role": "user", "content": "The river"}]
    with LLM(paths[1], device="cpu") as model:
        ids = model.encode("user: The river\nassistant:")
    assert [token["id"] for token in server.post("/inspect", {"messages": messages})["tokens"]] == ids
    assert server.post("/inspect/kernels", {"messages": messages})["tokens"] == len(ids)
    assert server.get("/inspect")[2]["chat"] is True
    assert server.stop()[0] == 0


def test_inspect_is_limited():
    """In the numbers of its reply, before anything is computed."""
    server = Server(ROOT / "models/tales.gguf")
    body = {"prompt": [1] * 500, "attention": True, "token": 0}
    assert "more than 4194304 numbers" in server.refuse("/inspect", body | {"token_count": 500})["message"]
    assert server.stop()[0] == 0


def test_token_ids(server, paths):
    """Whole and in events, as vLLM tells them."""
    body = dict(prompt=TEXT, max_tokens=9, temperature=0, ignore_eos=True, return_token_ids=True)
    with LLM(paths[0], device="cpu") as model:
        expected = model.generate(model.encode(TEXT), 9, ignore_end=True)
    choice = server.post("/v1/completions", body)["choices"][0]
    assert choice["token_ids"] == expected and choice["logprobs"] is None
    events = server.request("POST", "/v1/completions", body | {"stream": True})[2].decode()
    told = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: {")]
    assert [id for event in told for choice in event["choices"] for id in choice.get("token_ids", [])] == expected
    assert "token_ids" not in server.post("/v1/completions", body | {"return_token_ids": False})["choices"][0]


def test_facts_and_kernels(server, paths):
    facts = server.get("/inspect")[2]
    assert (facts["layers"], facts["heads"], facts["vocabulary"], facts["chat"]) == (3, 3, 307, False)
    with LLM(paths[0], device="cpu") as model:
        assert facts["ends"] == [i for i in range(307) if model.library.llm_is_end(model.handle, i)]
    for file, kernel in (("attention.metal", "attention_scores"), ("softmax.metal", "softmax_inplace")):
        assert facts["sources"][file] == (ROOT / "kernels" / file).read_text()
        assert f"kernel void {kernel}(" in facts["sources"][file] and kernel in facts["pages"][file]


def test_kernels(server, paths):
    """A step as llm_measure has it, with each kernel's source and what the docs say of it."""
    with LLM(paths[0], device="cpu") as model:
        ids = model.encode(TEXT)
        expected, calls = model.measure(ids)
    names = ("step", "shape", "kernel", "file", "why")
    told = lambda steps: [(*(step[name] for name in names), step["calls"], step["bytes"]) for step in steps]
    plan = server.post("/inspect/kernels", {"prompt": TEXT})
    texts = [
        {name: value.decode() if isinstance(value, bytes) else value for name, value in step.items()}
        for step in expected
    ]
    assert told(plan["steps"]) == told(texts) and plan["tokens"] == len(ids)
    assert [call["step"] for call in plan["calls"]] == [step for step, _ in calls]
    assert all(call["seconds"] > 0 for call in plan["calls"])
    total = sum(call["seconds"] for call in plan["calls"])
    assert sum(step["seconds"] for step in plan["steps"]) == pytest.approx(total)
    files = {step["file"] for step in plan["steps"]} - {""}
    assert set(plan["sources"]) == set(plan["pages"]) == files
    for file in files:
        assert plan["sources"][file] == (ROOT / "kernels" / file).read_text()
        assert (
            plan["pages"][file].startswith("## ") and f"(../../kernels/{file})" in plan["pages"][file].splitlines()[0]
        )
    one = server.get("/inspect/kernels")[2]  # behind a token, where none is given
    assert one["tokens"] == 1 and one["sources"] == plan["sources"]


@pytest.mark.parametrize("body, message", [
    ({}, "there is no prompt"),
    ({"prompt": [1] * 201}, "201 tokens, more than the context of 200"),
    ({"prompt": [307]}, "ids, which are below 307"),
    ({"prompt": "a", "top": 3}, "top"),
    ({"messages": [{"role": "user", "content": "a"}]}, "template"),
], ids=str)  # fmt: skip
def test_kernels_refuse(server, body, message):
    assert message in server.refuse("/inspect/kernels", body)["message"]


def test_every_parameter_is_described(server):
    """/inspect and /inspect/kernels take what openapi.json says."""
    schemas = server.get("/openapi.json")[2]["components"]["schemas"]
    for path, name in (("/inspect", "Inspect"), ("/inspect/kernels", "InspectKernels")):
        source = (ROOT / "cli/serve" / f"{path[1:].replace('/', '_')}.c").read_text()
        lists = re.findall(r"static const char \*const \w+\[\] = \{(.*?)NULL", source, re.S)
        assert set(schemas[name]["properties"]) == set(re.findall(r'"(\w+)"', "".join(lists)))
        assert "not_a_field" in server.refuse(path, {"prompt": "a", "not_a_field": 1})["message"]


def test_the_key(paths, tmp_path):
    """Nothing is seen without it, but for the page, which asks for it."""
    file = tmp_path / "key"
    file.write_text("a key of some length")  # without a newline: what is behind it in memory is not of the key
    server = Server(paths[0], "--api-key", file, environment={"MALLOC_PERTURB_": "165"})
    for method, path, body in [
        ("GET", "/inspect", None), ("POST", "/inspect", {"prompt": "a"}),
        ("GET", "/inspect/kernels", None), ("POST", "/inspect/kernels", {"prompt": "a"}),
    ]:  # fmt: skip
        for given in (None, "Bearer a key of some", "a key of some length"):
            status, headers, reply = server.request(method, path, body, {"Authorization": given})
            assert (status, headers["WWW-Authenticate"], set(reply)) == (401, "Bearer", {"error"})
        assert server.request(method, path, body, {"Authorization": "Bearer a key of some length"})[0] == 200
    assert server.get("/")[0] == 200
    assert server.stop()[0] == 0


def test_sizes(paths):
    """Bodies are limited as others' are, and who looks inside is one of those that there can be too many of."""
    server = Server(paths[2], "--body-limit", 1, "--parallel", 1, "--queue", 0, "--device", "simt")
    for path in ("/inspect", "/inspect/kernels"):
        with server.connect() as connection:  # it is told before it sends
            connection.sendall(post_bytes(path, {"prompt": "a" * (1 << 20)})[:1000])
            assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
    with server.connect() as stream:
        stream.sendall(
            post_bytes("/v1/completions", {"prompt": "a", "max_tokens": 3000, "ignore_eos": True, "stream": True})
        )
        wait_until(lambda: server.metrics()["requests_generating"] == 1)
        for method, path in (("POST", "/inspect"), ("POST", "/inspect/kernels"), ("GET", "/inspect/kernels")):
            body = {"prompt": "a"} if method == "POST" else None
            assert server.request(method, path, body)[0] == 429
    wait_until(lambda: server.metrics()["requests_generating"] == 0)
    assert server.post("/inspect", {"prompt": "a"})["tokens"]
    assert server.stop()[0] == 0


def test_hang_ups(paths):
    """Who leaves is noticed, and what was asked for not computed to its end."""
    server = Server(paths[2], "--device", "simt")
    connections = [server.connect() for _ in range(3)]
    for connection in connections:
        connection.sendall(post_bytes("/inspect", {"prompt": [1] * 4000, "lens": 5}))
    wait_until(lambda: server.metrics()["requests_generating"] == 3)
    for connection in connections:
        connection.close()
    wait_until(lambda: server.metrics()["requests_generating"] == 0)
    assert server.metrics()["hang_ups_total"] == 3
    assert server.post("/inspect", {"prompt": "a"})["tokens"]
    assert server.stop()[0] == 0


def test_policy(server):
    """The page's own script and style run, named by their hashes, and nothing else."""
    status, headers, page = server.get("/")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>".encode(), page, re.S)
        hash = base64.b64encode(hashlib.sha256(text).digest()).decode()
        assert f"{name} 'sha256-{hash}'" in policy
    assert policy.startswith("default-src 'none';") and b"{{" not in page.replace(b"{{ ", b"")
    assert server.get("/health")[1]["Content-Security-Policy"] == "default-src 'none'"
    assert b"innerHTML" not in page and b"http://" not in page and b"https://" not in page


# --- in a browser ---


@pytest.fixture(scope="module")
def axe():
    reason = missing()
    if reason:
        pytest.skip(reason)
    return axe_source()


def check(browser, axe, width):
    """Nothing that assistive technology stumbles over, and nothing wider than the screen."""
    if axe:
        found = browser.run(
            axe + "; const done = arguments[0]; axe.run().then(({ violations }) => done(violations));", wait=True
        )
        assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []
    assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width


STORY, CHAT = "story", "chat"  # the bundled model, and SmolLM2
SAID = {STORY: "Once upon a time there was a little cat", CHAT: "What is the capital of France?"}
IDLE = "!document.getElementById('send').disabled"
TOKENS = "document.querySelectorAll('.turn .token')"


def model_of(kind):
    return ROOT / "models/tales.gguf" if kind == STORY else vocabularies.smollm2()[0]


def until_written(browser, more="true"):
    browser.until(f"return {IDLE} && {TOKENS}.length > 2 && {more}")


def enter_key(browser, key):
    browser.until("return document.getElementById('key').open")
    browser.type("#key-text", key)
    browser.click("#key .button")


def set_slider(browser, name, value):
    browser.run(f"const s = document.getElementById('{name}'); s.value = {value}; s.dispatchEvent(new Event('input'))")


def write_and_force(browser, said, axe, width):
    """Write, look at a token, and put another in its place: on the card beside it, or in the panel."""
    force_from = "#panel" if width == 360 else "#peek"
    unseen = "return document.getElementById('peek').hidden"
    seen = "return !document.getElementById('peek').hidden && document.querySelectorAll('#peek .bar').length >= 10"
    set_slider(browser, "max_tokens", 10)
    set_slider(browser, "temperature", 0)
    browser.type("#say", said)
    browser.click("#send")
    until_written(browser)
    browser.hover(".turn .token:nth-of-type(2)")
    browser.until(seen)
    assert browser.run("""
        const box = (selector) => document.querySelector(selector).getBoundingClientRect();
        const card = box('#peek'), token = box('.turn .token:nth-of-type(2)');
        return card.top >= token.bottom || card.bottom <= token.top;""")
    check(browser, axe, width)
    browser.hover("h1")
    browser.until(unseen)
    browser.focus(".turn .token:nth-of-type(2)")
    browser.until(seen)
    browser.run("document.activeElement.blur()")
    browser.until(unseen)
    browser.click(".turn .token:nth-of-type(3)")
    browser.until("return document.querySelectorAll('#panel .bar').length >= 10")
    begins = f"[...{TOKENS}].slice(0, 3).map((token) => token.textContent).join('')"
    before = browser.run(f"return {begins}")
    if force_from == "#peek":
        browser.hover("h1")
        browser.hover(".turn .token:nth-of-type(3)")
        browser.until(seen)
    browser.click(f"{force_from} button.bar")
    until_written(browser, f"{begins} !== {json.dumps(before)}")


def check_samplers(browser, random):
    """The page computes what the samplers leave, as numpy does, where it knows all tokens."""
    V, ids = 12, list(range(12))
    for _ in range(30):
        logits, before = random.normal(0, 3, V), random.integers(0, V, 9).tolist()
        log_sum = float(numpy.log(numpy.exp(logits).sum()))
        drawing = dict(
            temperature=random.uniform(0.3, 2), top_k=int(random.integers(0, V + 2)), typical_p=random.choice([1, 0.8]),
            top_p=random.uniform(0.5, 1), min_p=random.uniform(0, 0.2), repetition_penalty=random.choice([1, 1.7]),
            presence_penalty=random.choice([0, 0.9]), frequency_penalty=random.choice([0, -0.6]),
        )  # fmt: skip
        tokens = sorted(({"id": i, "logprob": logits[i] - log_sum} for i in ids), key=lambda token: -token["logprob"])
        own = tokens[random.integers(0, V)]
        call = ", ".join(json.dumps(argument) for argument in (tokens, own, drawing, V, before, log_sum))
        shares = browser.run(f"return drawnShares({call})")
        n = numpy.bincount(before, minlength=V)
        changed = numpy.where(
            logits > 0, logits / drawing["repetition_penalty"], logits * drawing["repetition_penalty"]
        )
        changed = changed - drawing["presence_penalty"] - n * drawing["frequency_penalty"]
        expected = distribution(
            numpy.where(n, changed, logits), drawing["temperature"], min(drawing["top_k"], V) or None, drawing["top_p"],
            drawing["min_p"], drawing["typical_p"],
        )  # fmt: skip
        assert shares["likeliest"] == pytest.approx([expected[token["id"]] for token in tokens], abs=1e-9)
        assert shares["token"] == pytest.approx(expected[own["id"]], abs=1e-9)


def look_at_attention(browser):
    browser.click(".heads tr:nth-child(2) .head")
    browser.until("return document.querySelector('.large h3').textContent.startsWith('Layer 1, head 0: what')")
    browser.click(".large .token:nth-of-type(3)")
    browser.until(
        "return document.querySelectorAll('.large .token').length === 3 && document.querySelectorAll('.large .token')[2].matches('.here')"
    )
    browser.run("document.querySelectorAll('.computed details').forEach((details) => details.open = true)")
    shown = browser.run(
        "return [...document.querySelectorAll('.computed > details > pre')].map((source) => source.textContent)"
    )
    assert shown == [(ROOT / "kernels" / name).read_text() for name in ("attention.metal", "softmax.metal")]


def look_at_layers(browser):
    set = "const s = document.querySelector('.scrub input'); s.value = 0; s.dispatchEvent(new Event('input'));"
    assert browser.run(f"{set} return document.querySelector('.scrub output').textContent").startswith("0 of ")


def switch_off(browser):
    browser.click(".switches tbody tr:nth-child(2) .switch")
    browser.until("return document.querySelectorAll('.compare tbody tr').length >= 7")
    assert browser.run("return document.activeElement.getAttribute('aria-label')") == "head 0 of layer 1 off"
    browser.click(".result .chips .button")
    browser.until(
        "return [...document.querySelectorAll('.answers dd')].map((answer) => answer.textContent).join('|').match(/.+[|]/s)"
    )
    browser.run("work.abort()")


def read_a_kernel(browser):
    """Bars for each, its source and its page; the parts of a layer are told apart."""
    titles = "return [...document.querySelectorAll('.loop h3, .loop h4')].map((title) => title.firstChild.textContent)"
    assert browser.run(titles)[1:] == ["Attention", "MLP"]
    rows = browser.run("return document.querySelectorAll('.step').length")
    for kind, unit in (("seconds", r"[\d.]+ [mµn]?s"), ("bytes", r"[\d.]+ [GMk]?B")):
        texts = browser.run(
            f"return [...document.querySelectorAll('.step .meter.{kind}')].map((meter) => meter.textContent)"
        )
        assert len(texts) == rows and all(re.fullmatch(unit, text) for text in texts), texts
    browser.click(".step")
    shown = browser.run("return document.querySelector('.detail pre').textContent")
    assert shown == (ROOT / "kernels/embedding.metal").read_text()
    assert "embedding_forward" in browser.run("return document.querySelector('.detail .markdown h3').textContent")


def go_on(browser, kind):
    """The text goes on, or another question is answered; one token is chosen, of the last answer."""
    count = browser.run(f"return {TOKENS}.length")
    if kind == CHAT:
        browser.type("#say", "And then?")
    browser.click("#send")
    until_written(browser, f"{TOKENS}.length > {count}")
    chosen = browser.run(
        "return [...document.querySelectorAll('.turn .token[aria-pressed=true]')].map((token) => token.matches('.turn:last-child *'))"
    )
    assert chosen == [True]


def open_again(browser, url, turns):
    """What was kept is there again, all of it in colours, when the page is loaded anew."""
    browser.open(url + "/")
    browser.until("return document.querySelectorAll('#kept option').length > 1")
    browser.run("const k = document.getElementById('kept'); k.selectedIndex = 1; k.dispatchEvent(new Event('change'))")
    coloured = "[...document.querySelectorAll('.turn')].filter((turn) => turn.querySelector('.token')).length"
    browser.until(f"return {coloured} === {turns}")


def see_what_was_written(browser, said):
    """The end of a long text is in sight; what the reader wrote is told from what the model did."""
    own = "[...document.querySelectorAll('.turn .token.own')].map((token) => token.textContent).join('')"
    assert browser.run(f"return {own}") == said
    assert browser.run("""
        const box = (selector) => document.querySelector(selector).getBoundingClientRect();
        const token = box('.turn .token[aria-pressed=true]'), text = box('#turns');
        return token.top >= text.top && token.bottom <= text.bottom;""")


def go_by_keys(browser):
    """A card stays with its token where the text is scrolled to it, and what is chosen keeps the focus."""
    browser.run("document.getElementById('turns').scrollTop = 1e9")
    browser.run(f"{TOKENS}[1].focus()")  # which scrolls
    browser.run("return new Promise((done) => setTimeout(done, 300))")
    assert not browser.run("return document.getElementById('peek').hidden")
    browser.run("document.activeElement.blur()")
    browser.click("#tab-1")
    browser.until("return document.querySelectorAll('.large .token').length")
    browser.run("const token = document.querySelectorAll('.large .token')[3]; token.focus(); token.click()")
    browser.until("return document.querySelectorAll('.large .token').length === 4")
    browser.until("return document.activeElement.matches('.large .token.here')")


def leave_while_it_writes(browser, said):
    """Another conversation is begun in mid-answer: it stays empty, and the old one is kept. It goes when that is confirmed."""
    set_slider(browser, "max_tokens", 400)
    browser.click("#send")
    browser.until("return document.getElementById('status').textContent.startsWith('writing')")
    browser.click("#tab-2")
    browser.click("#new")
    browser.until(f"return {IDLE} && document.querySelector('.suggestions') && document.querySelector('.overview')")
    assert browser.run("return document.getElementById('forget').disabled")
    browser.run("const k = document.getElementById('kept'); k.selectedIndex = 1; k.dispatchEvent(new Event('change'))")
    browser.until(f"return {TOKENS}.length > 100")
    see_what_was_written(browser, said)
    for is_yes in (False, True):
        browser.click("#forget")
        browser.answer(is_yes)
        assert browser.run("return stored().length") == (0 if is_yes else 1)
    assert browser.run(
        "return document.getElementById('kept').disabled && document.querySelector('.suggestions') !== null"
    )


@pytest.mark.parametrize("width", [1440, 360])
def test_newcomer(width, axe):
    """What one who sees it for the first time does: a long text, keys, another conversation before the first is done."""
    server = Server(model_of(STORY))
    with Browser(width, "light") as browser:
        browser.open(server.url + "/")
        browser.until("return document.getElementById('talk-title').textContent !== '…'")
        browser.click(".suggestions .button")
        said = browser.run("return SUGGESTIONS.text[0]")
        until_written(browser, f"{TOKENS}.length > 100")
        see_what_was_written(browser, said)
        go_by_keys(browser)
        if width == 360:
            browser.run(f"{TOKENS}[{TOKENS}.length - 1].focus()")
            browser.until("return !document.getElementById('peek').hidden")
            browser.click("#peek .inside-link")
            browser.until("return document.getElementById('tabs').getBoundingClientRect().top < 200")
        check(browser, axe, width)
        leave_while_it_writes(browser, said)
        assert browser.errors() == []
    assert server.stop()[0] == 0


TABS = {
    "Attention": (".head canvas", look_at_attention), "Layers": (".layers .bar", look_at_layers),
    "Switch off": (".switch", switch_off), "Kernels": (".step", read_a_kernel),
}  # fmt: skip


@pytest.mark.parametrize("kind, width, scheme", [
    (STORY, 1440, "light"), (STORY, 360, "dark"), (CHAT, 1440, "dark"), (CHAT, 360, "light"),
])  # fmt: skip
def test_page(kind, width, scheme, axe, random, tmp_path):
    """A story is continued, or a question answered, and every tab looked at: no error, no request elsewhere."""
    key = tmp_path / "key"
    key.write_text("a key of some length")
    server = Server(model_of(kind), "--context", 256, *(["--api-key", key] if width == 360 else []))
    with Browser(width, scheme) as browser:
        browser.open(server.url + "/")
        if width == 360:
            enter_key(browser, "a key of some length")
        browser.until("return document.getElementById('talk-title').textContent !== '…'")
        check(browser, axe, width)
        seen = browser.run(r"return ['\v', ' ', ' a', '\n\t', '\u200b', ''].map(visible)")
        assert seen == ["␋", "␣", " a", "↵⇥", "U+200B", "∅"]  # each token has something to click on
        write_and_force(browser, SAID[kind], axe, width)
        check(browser, axe, width)
        for place, (name, (wanted, look)) in enumerate(TABS.items(), 1):
            browser.click(f"#tab-{place}")
            browser.until(f"return document.querySelector({json.dumps(wanted)})")
            assert browser.run("return document.querySelector('[role=tab][aria-selected=true]').textContent") == name
            look(browser)
            check(browser, axe, width)
        check_samplers(browser, random)
        go_on(browser, kind)
        open_again(browser, server.url, turns=1 if kind == STORY else 2)
        assert [line for line in browser.errors() if "401" not in line] == []
        assert {url for url in browser.requests() if not url.startswith((server.url, "data:"))} == set()
    code, err = server.stop()
    assert code == 0, err
