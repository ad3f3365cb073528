"""The document of the service holds: whatever fits it, or does not, is answered as it says."""

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving.request.limits import TIMEOUT
from tests.serving.running import Running

pytestmark = pytest.mark.slow

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = (
    "POST /v1/orders/predict",
    "POST /v1/orders/outcomes",
    "GET /v1/orders/model",
    "GET /v1/orders/traffic",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
)


def test_the_document_has_these_operations(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    told = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert told == set(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("label", OPERATIONS)
def test_what_is_generated_from_the_document_is_answered_by_it(
    service: Running, client: httpx.Client, label: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    operation = schema.find_operation_by_label(label)
    assert operation is not None
    examples = 60 if label.startswith("POST") else 5
    if mode == GenerationMode.NEGATIVE and not list(operation.iter_parameters()) and not operation.body:
        pytest.skip("nothing is taken that could be wrong")

    @settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        answer = case.call(base_url=service.url)
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 500:  # what is no failure: a client's own deadline, a machine that is busy
            hurried = answer.status_code == 504 and case.headers and TIMEOUT in case.headers
            assert hurried or (answer.status_code == 503 and "retry-after" in answer.headers), answer.text

    ask()
