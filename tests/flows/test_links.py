"""A retraining run and the drift check that opened it show each other."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from monitoring.retraining.requests import Ask, Requests

pytestmark = pytest.mark.slow


def test_each_run_has_the_tag_of_the_request_and_a_link_to_the_other(backends: None, tmp_path: Path) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    from flows.instants import run_id
    from flows.links import tell, tie

    requests = Requests(f"sqlite:///{tmp_path}/registry.db", "flights")

    def opened() -> str:
        ask = Ask("2013-03", datetime(2013, 4, 3, tzinfo=UTC), "recalibrate", ("AUC fell",), {}, run_id())
        tell(requests.ask(ask, None), run_id())
        return run_id()

    def answered() -> str:
        tie(requests.all()[0], run_id())
        return run_id()

    def told(run: str) -> tuple[str, list[str]]:
        with get_client(sync_client=True) as client:
            wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(run)]))
            artifacts = client.read_artifacts(artifact_filter=wanted)
            return "\n".join(str(each.data) for each in artifacts), client.read_flow_run(UUID(run)).tags

    as_flow: Callable[[Callable[[], str]], str] = lambda function: flow(function)()  # noqa: E731
    check, answer = as_flow(opened), as_flow(answered)
    (of_check, check_tags), (of_answer, answer_tags) = told(check), told(answer)
    assert f"runs/flow-run/{answer}" in of_check and "recalibrate" in of_check
    assert f"runs/flow-run/{check}" in of_answer and "- 2013-03: AUC fell" in of_answer
    assert "request-1" in check_tags and "request-1" in answer_tags


def test_a_run_of_another_server_stops_nothing(backends: None, tmp_path: Path) -> None:
    from flows.links import tell

    ask = Ask("2013-03", datetime(2013, 4, 3, tzinfo=UTC), "recalibrate")
    request = Requests(f"sqlite:///{tmp_path}/registry.db", "flights").ask(ask, None)
    tell(request, "9f3c1b6e-8f7e-4c1d-9a58-0d0000000000")
    tell(request, "")
