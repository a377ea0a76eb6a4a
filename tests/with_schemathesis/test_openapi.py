"""What /openapi.json says of `metal-llm serve`, tried by schemathesis: requests that follow it and requests that
do not. LONG=1 tries many more."""

import json
import os

import pytest

hypothesis = pytest.importorskip("hypothesis")
schemathesis = pytest.importorskip("schemathesis")
from schemathesis.checks import CHECKS, load_all_checks  # noqa: E402

from serve import Server  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = 500 if "LONG" in os.environ else 12  # of each route

# Some of what follows the schema is refused all the same: ids beyond the vocabulary, a chat longer than the context.
load_all_checks()
TOO_STRICT = CHECKS.get_by_names(["positive_data_acceptance"])
OF_WRONG_REQUESTS = CHECKS.get_by_names(["negative_data_rejection"])


@pytest.fixture(scope="module")
def server():
    server = Server(os.path.join(ROOT, "models/tales.gguf"), "--chat-template", "chatml", "--context", 128)
    yield server
    code, errors = server.stop()
    assert code == 0, errors


@pytest.fixture
def api(server):
    return schemathesis.openapi.from_url(server.url + "/openapi.json")


def has_null(body):
    """A parameter that is null is as one that is absent, wherever the schema has another type."""
    return isinstance(body, dict) and None in body.values()


def is_json(response):
    return response.headers.get("content-type", [""])[0] == "application/json"


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@hypothesis.settings(max_examples=CASES, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_it_keeps_what_it_says(case):
    excluded = TOO_STRICT + (OF_WRONG_REQUESTS if has_null(case.body) else [])
    response = case.call()
    case.validate_response(response, excluded_checks=excluded)
    if response.status_code >= 400:
        error = json.loads(response.content)["error"]
        assert error["message"] and response.status_code in (400, 404, 405, 413, 415), error
