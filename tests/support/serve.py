"""`metal-llm serve` as a process, and requests to it that no client library would send."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import weakref

from library import COMMAND

ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS", "METAL_LLM_API_KEY")}


EXACT = ["--device", "cpu", "--cache", "f32", "--integer-products", "off"]  # as the class LLM has it


class Server:
    """Runs until `stop`; `url` is what it says that it is served at."""

    def __init__(self, model, *options, environment={}):
        self.process = subprocess.Popen(
            [os.environ.get("SERVER", COMMAND), "serve", "-m", str(model), "--port", "0", *EXACT, *map(str, options)],
            env=ENVIRONMENT | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        weakref.finalize(self, self.process.kill)  # when a test has failed
        line = self.process.stdout.readline()
        if " is served at http://" not in line:
            raise RuntimeError(self.process.communicate()[1])
        self.name, self.url = line.strip().split(" is served at ")
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        self.address = host.strip("[]"), int(port)

    def stop(self, signal=signal.SIGTERM):
        """The exit code, and what it has said."""
        self.process.send_signal(signal)
        try:
            err = self.process.communicate(timeout=60)[1]
        finally:
            self.process.kill()
        return self.process.returncode, err

    # --- requests ---

    def request(self, method, path, body=None, headers={}):
        """(status, headers, body), which is read as JSON where it is that."""
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        with contextlib.closing(connection):
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            given = {"Content-Type": "application/json"} if body is not None else {}
            given |= headers
            connection.request(method, path, body, {k: v for k, v in given.items() if v is not None})
            reply = connection.getresponse()
            data = reply.read()
        is_json = reply.headers.get("Content-Type") == "application/json"
        return reply.status, reply.headers, json.loads(data) if is_json and data else data

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, **headers):
        """The JSON of a reply that is none of an error."""
        status, _, reply = self.request("POST", path, body, headers)
        assert status == 200, reply
        return reply

    def refuse(self, path, body, status=400):
        """The error that a request is refused with."""
        got, _, reply = self.request("POST", path, body)
        assert got == status, reply
        assert set(reply) == {"error"} and set(reply["error"]) == {"message", "type", "param", "code"}
        return reply["error"]

    def connect(self):
        """A socket, to be closed."""
        return socket.create_connection(self.address, timeout=60)

    def metrics(self):
        lines = self.get("/metrics")[2].decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name.removeprefix("metal_llm_"): float(value) for name, value in pairs}


def post_bytes(path, body, *headers):
    """A request as it goes over the wire."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_all(connection):
    """What comes until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            data += piece
    return data


def wait_until(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
