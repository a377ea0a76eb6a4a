"""`/inspect` and the page of `metal-llm serve`: what they tell against llm_inspect, and the page in a real browser,
which is left out aloud where there is no chromium, or nothing to check what it shows with."""

import base64
import hashlib
import json
import re

import numpy
import pytest

import models
from browser import Browser, axe_source, missing
from library import ROOT
from llm import LLM
from serve import Server
from test_inspect import GPT2, TEXT, TOKENIZER

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """A model without a chat template, and one with."""
    folder, random = tmp_path_factory.mktemp("pages"), numpy.random.default_rng(7)
    tensors = models.random_gpt2(GPT2, random)
    tensors["wpe.weight"] *= 10
    write = lambda name, **options: models.write_gguf(folder / name, GPT2, tensors, tokenizer=TOKENIZER, **options)
    return write("plain.gguf"), write("chat.gguf", keys=lambda writer: writer.add_chat_template(TEMPLATE))


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
        assert [token["id"] for token in seen["tokens"]] == ids and seen["off"] == {"heads": off["heads_off"], "mlps": [1]}
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
    plan = server.get("/inspect/kernels")[2]
    assert {"embedding", "attention"} <= {step["step"] for step in plan["steps"]}
    assert all(bool(step["file"]) == (step["kernel"] != "matmul") for step in plan["steps"])
    for file in {step["file"] for step in plan["steps"]} - {""}:
        assert "#include <metal_stdlib>" in plan["sources"][file] and "kernel void" in plan["sources"][file]


def test_policy(server):
    """The page's own script and style run, named by their hashes, and nothing else."""
    status, headers, page = server.get("/")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        text, = re.findall(rf"<{tag}>(.*?)</{tag}>".encode(), page, re.S)
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
        found = browser.run(axe + "; const done = arguments[0]; axe.run().then(({ violations }) => done(violations));", wait=True)
        assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []
    assert browser.run("return document.documentElement.scrollWidth") <= width


def written(browser):
    return browser.run("return !document.getElementById('send').disabled && document.querySelectorAll('.turn .token').length")


@pytest.mark.parametrize("kind, width, scheme", [("chat", 1440, "light"), ("plain", 360, "dark")])
def test_page(kind, width, scheme, paths, axe):
    """Write, look at a token, force another, and go through the tabs; no error, no request elsewhere."""
    server = Server(paths[kind == "chat"])
    with Browser(width, scheme) as browser:
        browser.open(server.url + "/")
        browser.until("return document.getElementById('talk-title').textContent !== '…'")
        check(browser, axe, width)
        seen = browser.run(r"return ['\v', ' ', ' a', '\n\t', '\u200b', ''].map(visible)")
        assert seen == ["␋", "␣", " a", "↵⇥", "U+200B", "∅"] # each token has something to click on
        browser.run("const t = document.getElementById('max_tokens'); t.value = 24; t.dispatchEvent(new Event('input'))")
        browser.type("#say", "The river was")
        browser.click("#send")
        browser.until("return !document.getElementById('send').disabled && document.querySelectorAll('.turn .token').length > 2")
        before = written(browser)
        check(browser, axe, width)
        browser.focus(".turn .token:nth-of-type(2)")
        browser.click(".turn .token:nth-of-type(3)")
        browser.until("return document.querySelectorAll('#panel .bar').length >= 10")
        text = "return [...document.querySelectorAll('.turn .token')].slice(0, 3).map((token) => token.textContent).join('')"
        old = browser.run(text)
        browser.click("#panel button.bar")
        browser.until(f"{text.replace('return', 'return !document.getElementById(`send`).disabled && (')}) !== {json.dumps(old)}")
        browser.until("return !document.getElementById('send').disabled && document.querySelectorAll('.turn .token').length > 2")
        for tab, wanted in ((1, ".head canvas"), (2, ".layers .bar"), (3, "#mlp"), (4, ".step")):
            browser.click(f"#tab-{tab}")
            browser.until(f"return document.querySelector({json.dumps(wanted)})")
            if tab == 1:
                browser.click(".heads tr:nth-child(2) .head")
                browser.click(".chips .button")
            if tab == 3:
                browser.until("return document.querySelectorAll('.both .bar').length === 20")
            if tab == 4:
                browser.click(".step")
            check(browser, axe, width)
        assert before and browser.errors() == []
        assert {url for url in browser.requests() if not url.startswith((server.url, "data:"))} == set()
    code, err = server.stop()
    assert code == 0, err
