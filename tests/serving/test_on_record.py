"""The log of predictions: what was acknowledged outlives a kill, and a full disk stops it alone."""

import resource
from pathlib import Path

import polars as pl
import pytest

from serving.log.tables import PREDICTIONS
from tests.serving.running import PREDICT, Running, running, wait
from tests.serving.shop import Shop

pytestmark = pytest.mark.slow


def test_what_was_acknowledged_is_there_after_all_processes_were_killed(copied: Shop, tmp_path: Path) -> None:
    rows = copied.rows(40)
    with running(copied.settings, tmp_path / "outputs") as service:
        with service.client() as client:
            told = [client.post(PREDICT, json=row, params={"durable": "true"}).json() for row in rows]
            listed = client.post(PREDICT, json=rows, params={"durable": "true"}).json()
            hasty = [client.post(PREDICT, json=row).json()["request_id"] for row in rows]
        service.kill()
    durable = {each["request_id"]: each["prediction"] for each in (*told, *listed)}
    assert len(durable) == 80 and all(each["durable"] is True for each in (*told, *listed))
    lake = copied.workspace.lake
    with running(copied.settings, tmp_path / "outputs"):
        wait(lambda: lake.exists(PREDICTIONS))
    found = lake.scan(PREDICTIONS).collect()
    kept = dict(zip(found["request_id"], found["prediction"], strict=True))
    assert len(kept) == found.height
    assert {name: kept[name] for name in durable} == durable
    assert set(kept) <= {*durable, *hasty}
    assert not list((copied.settings.home / "serving" / "orders" / "log").rglob("*.open"))


def test_a_full_disk_stops_the_log_and_not_the_answers(copied: Shop, tmp_path: Path) -> None:
    rows = copied.rows(30)
    with running(copied.settings, tmp_path / "outputs") as service, service.client() as client:

        def asked() -> list[bool]:
            answers = [client.post(PREDICT, json=row, params={"durable": "true"}) for row in rows]
            assert {answer.status_code for answer in answers} == {200}
            return [answer.json()["durable"] for answer in answers]

        assert all(asked())
        segments = (copied.settings.home / "serving" / "orders" / "log" / PREDICTIONS).glob("*.open")
        service.limit(max(path.stat().st_size for path in segments) + 100)
        assert not any(asked())
        wait(lambda: "cannot be written to" in str(service.ready()["troubles"].get("log")))
        wait(lambda: metric(service, 'perennial_trouble{what="log"}') == 1)
        assert service.ready()["ready"] is True
        plain = [client.post(PREDICT, json=row).json()["request_id"] for row in rows]
        service.limit(resource.RLIM_INFINITY)
        wait(lambda: all(asked()))
        wait(lambda: metric(service, 'perennial_trouble{what="log"}') == 0)
        assert service.ready()["troubles"] == {}
        assert metric(service, "perennial_log_waiting_rows") == 0
    found = copied.workspace.lake.scan(PREDICTIONS).collect()
    assert found["request_id"].n_unique() == found.height
    assert set(plain) <= set(found["request_id"])  # they waited for the disk
    assert found.select(pl.col("prediction").null_count()).item() == 0


def metric(service: Running, name: str) -> float:
    """The value of a metric."""
    with service.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)
