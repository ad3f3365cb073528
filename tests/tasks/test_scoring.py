"""What a drift check shows in Prefect's UI: the decision, its reasons and numbers, and where to look."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from stages.champion.retraining import requests_of
from stages.workspace import Workspace
from tests.stages.orders import make_orders

pytestmark = pytest.mark.slow


@pytest.fixture
def lived(tmp_path: Path, inhabit: Callable[[Settings], AbstractContextManager[None]]) -> Iterator[Workspace]:
    """Orders with a champion, and one batch that it has scored."""
    from flows.retrain import retrain
    from flows.score import score

    restless = {"min_rows": 100, "auc_drop": 0.000001, "loss_rise": 0.000001, "drift": 0.00001}
    found = make_orders(tmp_path / "orders", monitoring=restless)
    with inhabit(found.settings):
        assert retrain("orders", found.batch("2013-04").end + timedelta(days=1)).accepted
        score("orders", "2013-05", found.batch("2013-05").end)
        yield found


def test_a_drift_check_shows_its_evidence_and_writes_the_pages(lived: Workspace) -> None:
    from prefect.client.orchestration import get_client

    from flows.monitor import monitor

    judged = monitor("orders", as_of=lived.batch("2013-05").end + timedelta(days=1))
    assert judged is not None
    with get_client(sync_client=True) as client:
        (shown,) = (each for each in client.read_latest_artifacts() if each.key == "orders-decision")
    told: Any = shown.data
    assert f"{judged.batch}: {judged.decision}" in told
    assert all(f"- {reason}" in told for reason in judged.reasons)
    assert all(f"| {name} |" in told for name, value in judged.numbers.items() if value is not None)
    page = lived.reports / "drift" / f"{judged.batch}.html"
    assert page.as_uri() in told and page.is_file()
    assert (lived.reports / "lifecycle" / "index.html").is_file()
    with get_client(sync_client=True) as client:
        (linked,) = (each for each in client.read_latest_artifacts() if each.key == "orders-site")
    assert (lived.reports / "index.html").as_uri() in str(linked.data)
    assert requests_of(lived).all()
