"""Chromium by its driver, in the words of the WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

import contextlib
import functools
import http.client
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

from serve import ENVIRONMENT  # without the sanitizers' allocator, of which neither a browser nor pip has use

AXE = "axe-playwright-python==0.1.8"  # of which only axe.min.js is taken
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def missing():
    """Why there is no browser; None if there is one."""
    absent = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"NO PAGE WAS TRIED: there is no {' and no '.join(absent)}" if absent else None


@functools.cache
def axe_source():
    """The text of axe.min.js, from PyPI; None, aloud, where it cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, AXE]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
        wheels = list(pathlib.Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            print(f"NO PAGE WAS CHECKED BY AXE: {done.stderr.strip()[-300:]}", file=sys.stderr)
            return None
        with zipfile.ZipFile(wheels[0]) as wheel:
            (name,) = [name for name in wheel.namelist() if name.endswith("axe.min.js")]
            return wheel.read(name).decode()


def free_port():
    with contextlib.closing(socket.socket()) as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


class Browser:
    """A window `width` wide, in a colour `scheme`."""

    def __init__(self, width, scheme):
        self.port = free_port()
        self.process = subprocess.Popen(
            ["chromedriver", f"--port={self.port}"],
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.until_ready()
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options = {"args": [*arguments, f"--window-size={max(width, 500)},900"], "binary": shutil.which("chromium")}
        logs = {"goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        timeouts = {"timeouts": {"script": 120_000}}  # milliseconds: axe looks at everything
        capabilities = {"browserName": "chrome", "goog:chromeOptions": options, **logs, **timeouts}
        self.session = ""
        value = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.session = f"/session/{value['sessionId']}"
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with contextlib.suppress(OSError, AssertionError):
            self.call("DELETE", "")
        self.process.terminate()
        self.process.wait()

    def until_ready(self):
        for _ in range(300):
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.port)).close()
            time.sleep(0.1)
        raise RuntimeError("chromedriver does not begin to listen")

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            path = path if path.startswith("/session") and not getattr(self, "session", "") else self.session + path
            connection.request(method, path, json.dumps(body or {}) if method == "POST" else None)
            reply = json.loads(connection.getresponse().read())
        assert not (isinstance(reply["value"], dict) and "error" in reply["value"]), reply["value"]["message"]
        return reply["value"]

    def devtools(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, wait=False):
        """What a script returns, or with `wait` what it hands to its last argument."""
        return self.call("POST", "/execute/async" if wait else "/execute/sync", {"script": script, "args": []})

    def until(self, script, seconds=600):
        """What a script returns once that is something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"in vain: {script}")

    def element(self, selector):
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.call("POST", f"/element/{self.element(selector)}/click")

    def hover(self, selector):
        """Point at the middle of an element."""
        move = {"type": "pointerMove", "duration": 0, "origin": {ELEMENT: self.element(selector)}, "x": 0, "y": 0}
        self.call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [move]}]})

    def type(self, selector, text):
        self.call("POST", f"/element/{self.element(selector)}/value", {"text": text})

    def answer(self, is_yes):
        """What the page asks before it goes on."""
        self.call("POST", "/alert/accept" if is_yes else "/alert/dismiss")

    def focus(self, selector):
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")

    def errors(self):
        """What the console has of warnings and errors."""
        return [
            entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"}) if entry["level"] != "INFO"
        ]

    def requests(self):
        """The addresses of all requests so far."""
        entries = self.call("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
