"""examples/serve: nginx in front of two replicas, on loopback; the unit of systemd; what the container installs."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess

import numpy
import pytest

import families
import models
from conftest import SEED
from library import COMMAND, ROOT
from serve import Server, wait_until

EXAMPLES = ROOT / "examples/serve"
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
OS_RELEASE = pathlib.Path("/etc/os-release").read_text() if os.path.exists("/etc/os-release") else ""
CONFIG = families.Config(layers=1, context=2048, vocabulary=300)


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    tensors = families.random_model(CONFIG, numpy.random.default_rng(SEED))
    folder = tmp_path_factory.mktemp("served")
    path = families.write_gguf(folder / "model.gguf", CONFIG, tensors, tokenizer=models.small_tokenizer(300))
    servers = [Server(path, "--chat-template", "chatml", "--parallel", 2, "--queue", 0) for _ in range(2)]
    yield servers
    for server in servers:
        server.stop()


def run(*arguments):
    result = subprocess.run(arguments, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def proxy(replicas, tmp_path_factory):
    """nginx with the example's configuration, but for its ports and its user."""
    if not NGINX:
        pytest.skip("nginx is not installed")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    subject = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    run("openssl", "req", *subject, "-keyout", folder / "key.pem", "-out", folder / "certificate.pem")
    text = (EXAMPLES / "nginx.conf").read_text()
    for example, ours in zip((8443, 8081, 8082), (port, *(server.address[1] for server in replicas)), strict=True):
        assert str(example) in text
        text = text.replace(str(example), str(ours))
    folders = "".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = text.replace("http {", f"http {{ access_log off; {folders}")
    (folder / "nginx.conf").write_text(f"daemon off; pid {folder}/pid; error_log {folder}/log;\n" + text)
    process = subprocess.Popen([NGINX, "-e", folder / "log", "-p", folder, "-c", folder / "nginx.conf"])
    try:
        wait_until(lambda: process.poll() is not None or answers(port))
        assert process.poll() is None, (folder / "log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(60)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def answers(port):
    with contextlib.suppress(OSError):
        return ask(port, "GET", "/health")[0] == 200


def ask(port, method, path, body=None, **headers):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
    with contextlib.closing(connection):
        data = json.dumps(body) if body else None
        connection.request(method, path, data, {"Content-Type": "application/json"} | headers)
        reply = connection.getresponse()
        return reply.status, reply.read()


def prompt_tokens(replicas):
    return [server.metrics()["prompt_tokens_total"] for server in replicas]


def user(text):
    return {"role": "user", "content": text}


@pytest.mark.parametrize("streams", [True, False])
def test_a_conversation_stays_where_it_began(proxy, replicas, streams):
    before = prompt_tokens(replicas)
    messages = [{"role": "system", "content": f"Be brief, {os.urandom(8).hex()}. " * 12}]
    for turn in range(4):
        messages += [user(f"Question {turn}?")]
        body = {"messages": messages, "max_tokens": 2, "stream": streams, "ignore_eos": True}
        status, reply = ask(proxy, "POST", "/v1/chat/completions", body)
        assert status == 200 and (not streams or reply.endswith(b"data: [DONE]\n\n"))
        messages += [{"role": "assistant", "content": "An answer."}]
    asked = [after - count for after, count in zip(prompt_tokens(replicas), before)]
    assert sorted(asked)[0] == 0 < sorted(asked)[1]


def test_conversations_are_spread(proxy, replicas):
    before = prompt_tokens(replicas)
    for n in range(24):  # all on one side: 2 in 2²⁴
        by_header = {"X-Conversation": f"{os.urandom(8).hex()}"} if n % 2 else {}
        body = {"messages": [user("Hello" if n % 2 else f"Hello {os.urandom(8).hex()}")], "max_tokens": 1}
        assert ask(proxy, "POST", "/v1/chat/completions", body, **by_header)[0] == 200
    assert all(after > count for after, count in zip(prompt_tokens(replicas), before))


def test_a_replica_that_has_gone(proxy, replicas):
    """The other one answers for both. The last test: it stays away."""
    replicas[0].stop()
    for _ in range(8):
        body = {"messages": [user(f"Hello {os.urandom(8).hex()}")], "max_tokens": 1}
        assert ask(proxy, "POST", "/v1/chat/completions", body)[0] == 200


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_the_unit(tmp_path):
    text = (EXAMPLES / "metal-llm.service").read_text()
    (tmp_path / "metal-llm.service").write_text(text.replace("/usr/local/bin/metal-llm", "/bin/true"))
    result = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "metal-llm.service"], capture_output=True, text=True
    )
    assert "metal-llm.service" not in result.stderr, result.stderr


@pytest.mark.parametrize("file", ["metal-llm.service", "Containerfile"])
def test_options_that_there_are(file):
    text = (EXAMPLES / file).read_text()
    help = run(COMMAND, "serve", "--help")
    lines = [line for line in text.splitlines() if line.startswith(("ExecStart", "ENTRYPOINT"))]
    for option in re.findall(r"--[a-z-]+", " ".join(lines)):
        assert option in help


@pytest.mark.skipif("bookworm" not in OS_RELEASE, reason="the container is of Debian 12")
@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="the sanitizers bring libraries of their own")
def test_libraries_of_the_container():
    """It installs what the program asks for."""
    text = (EXAMPLES / "Containerfile").read_text().replace("\\\n", " ")
    installed = re.search(r"apt-get install -y --no-install-recommends(.*?)&&", text)[1].split()
    tags = subprocess.run(["readelf", "-d", COMMAND], capture_output=True, text=True, check=True).stdout
    libraries = [*re.findall(r"\(NEEDED\).*\[(.*)\]", tags), "libopenblas.so.0"]  # the last is opened when it runs
    assert len(libraries) > 4
    for library in libraries:
        found = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, text=True).stdout
        packages = {line.split(":")[0] for line in found.splitlines()}
        assert packages & {*installed, "libc6"}, f"{library} is of {packages}"
