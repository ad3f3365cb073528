"""Shadows score unseen, and a canary that fails costs nobody an answer."""

import io
from pathlib import Path

import polars as pl
import pytest

from models.registry.releases import Part
from serving.request.bodies import ARROW
from tests.serving.inside import inside, logged
from tests.serving.running import PREDICT, wait
from tests.serving.shop import Shop, planted, sent, silent

pytestmark = pytest.mark.slow


def test_a_shadow_scores_what_another_answers(copied: Shop) -> None:
    orders = copied.orders(40)
    expected = copied.scored(orders)["prediction"].to_list()
    copied.release(Part(copied.constant, "shadow", 1.0), Part(copied.trees, "canary", 0.5))
    with inside(copied) as client:
        answers = client.post(PREDICT, json=sent(orders)).json()
        wait(lambda: client.service.pool.busy == 0)
    found = logged(copied)
    assert {each["version"] for each in answers} == {copied.linear, copied.trees}
    seen = found.filter(pl.col("role") != "shadow")
    assert sorted(seen["request_id"]) == sorted(each["request_id"] for each in answers)
    told = {each["request_id"]: each["prediction"] for each in answers}
    assert all(told[row["request_id"]] == row["prediction"] for row in seen.to_dicts())
    linear = [each["prediction"] for each in answers if each["version"] == copied.linear]
    assert set(linear) <= set(expected)
    shadowed = found.filter(pl.col("role") == "shadow")
    assert sorted(shadowed["request_id"]) == sorted(told)
    assert shadowed["version"].unique().to_list() == [copied.constant]
    assert shadowed["prediction"].n_unique() == 1 and shadowed["error"].null_count() == 40


def test_a_shadow_scores_the_rows_of_streams_too(copied: Shop) -> None:
    orders = copied.orders(30)
    copied.release(Part(copied.constant, "shadow", 1.0))
    with inside(copied) as client:
        for columns in (
            orders,
            copied.features(orders).select("basket", "id", *copied.workspace.spec.features),
        ):
            written = io.BytesIO()
            columns.write_ipc_stream(written)
            client.post(PREDICT, content=written.getvalue(), headers={"content-type": ARROW})
            wait(lambda: client.service.pool.busy == 0)
    counts = dict(logged(copied).group_by("version").len().iter_rows())
    assert counts == {copied.linear: 60, copied.constant: 60}


def test_where_a_canary_fails_its_users_get_the_champions_answer(copied: Shop, tmp_path: Path) -> None:
    orders = copied.orders(60)
    expected = copied.scored(orders)["prediction"].to_list()
    broken = planted(copied, tmp_path)
    release = copied.release(Part(broken, "canary", 0.5))
    sides = [release.part_for(f"[{basket}]").role for basket in orders["basket"]]
    counter = f'perennial_failed_rows_total{{version="{broken}"}}'
    with inside(copied) as client:
        before = counted(client.get("/metrics").text, counter)  # by other tests of this process
        for answers in (
            client.post(PREDICT, json=sent(orders)).json(),
            [client.post(PREDICT, json=row).json() for row in sent(orders)[:20]],
        ):
            assert [each["prediction"] for each in answers] == expected[: len(answers)]
            assert {each["version"] for each in answers} == {copied.linear}
        columns = copied.features(orders).select("basket", "id", *copied.workspace.spec.features)
        written = io.BytesIO()
        columns.write_ipc_stream(written)
        answer = client.post(PREDICT, content=written.getvalue(), headers={"content-type": ARROW})
        assert pl.read_ipc_stream(io.BytesIO(answer.content))["prediction"].to_list() == expected
        told = client.get("/metrics").text
    found = logged(copied)
    failed = found.filter(pl.col("error").is_not_null())
    assert failed["version"].unique().to_list() == [broken]
    assert failed["prediction"].null_count() == failed.height
    assert failed.height == 2 * sides.count("canary") + sides[:20].count("canary")
    assert counted(told, counter) - before == failed.height
    assert found.filter(pl.col("error").is_null()).height == 140
    scored = copied.scored(orders)  # so it is in batches
    assert scored["prediction"].to_list() == expected
    assert scored["version"].unique().to_list() == [copied.linear]


def test_where_a_canary_says_no_number_the_champion_answers(copied: Shop, tmp_path: Path) -> None:
    orders = copied.orders(60)
    expected = copied.scored(orders)["prediction"].to_list()
    dry = float(orders["rain"].drop_nulls().median())  # type: ignore[arg-type]
    version = silent(copied, tmp_path, dry)
    release = copied.release(Part(version, "canary", 0.5), Part(copied.constant, "shadow", 1.0))
    told = [
        release.part_for(f"[{basket}]").version == version and rain is not None and rain >= dry
        for basket, rain in orders.select("basket", "rain").iter_rows()
    ]
    assert 5 < sum(told) < 25
    versions = [version if canary else copied.linear for canary in told]
    columns = copied.features(orders).select("basket", "id", *copied.workspace.spec.features)
    written = io.BytesIO()
    columns.write_ipc_stream(written)
    with inside(copied) as client:
        for answers in (
            client.post(PREDICT, json=sent(orders)).json(),
            [client.post(PREDICT, json=row).json() for row in columns.to_dicts()],
            [each.json() for each in client.post_at_once(PREDICT, columns.to_dicts())],
        ):
            assert [each["prediction"] for each in answers] == expected
            assert [each["version"] for each in answers] == versions
        answer = client.post(PREDICT, content=written.getvalue(), headers={"content-type": ARROW})
        streamed = pl.read_ipc_stream(io.BytesIO(answer.content))
        assert streamed["prediction"].to_list() == expected
        assert streamed["version"].to_list() == versions
        wait(lambda: client.service.pool.busy == 0)
    found = logged(copied).filter(pl.col("role") != "shadow")
    failed = found.filter(pl.col("error").is_not_null())
    of_canary = [release.part_for(f"[{basket}]").version == version for basket in orders["basket"]]
    assert failed["error"].unique().to_list() == ["NotFinite"]
    assert failed["prediction"].null_count() == failed.height == 4 * (sum(of_canary) - sum(told))
    assert found.filter(pl.col("error").is_null())["prediction"].is_finite().sum() == 4 * 60
    scored = copied.scored(orders)
    assert (scored["prediction"].to_list(), scored["version"].to_list()) == (expected, versions)


def test_where_the_champion_says_no_number_that_is_told(copied: Shop, tmp_path: Path) -> None:
    registry = copied.workspace.registry
    version = silent(copied, tmp_path, 1e9)
    at = registry.releases("orders")[-1].at
    registry.promote(version, over=copied.linear, why="", evidence={}, at=at, by="tests")
    with inside(copied) as client:
        answer = client.post(PREDICT, json=copied.rows(1)[0])
    assert (answer.status_code, answer.json()["error"]) == (500, f"{version} could not answer")
    assert logged(copied)["error"].to_list() == ["NotFinite"]


def test_where_the_champion_fails_that_is_told_and_nothing_of_the_row(
    copied: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = copied.workspace.registry
    before = registry.releases("orders")[-1]
    broken = planted(copied, tmp_path)
    registry.promote(broken, over=copied.linear, why="", evidence={}, at=before.at, by="tests")
    (row,) = copied.rows(1)
    with inside(copied) as client:
        answer = client.post(PREDICT, json=row | {"city": "Ingeborg"})
        assert (answer.status_code, answer.json()["error"]) == (500, f"{broken} could not answer")
    (found,) = logged(copied).to_dicts()
    assert (found["version"], found["prediction"], found["error"]) == (broken, None, "RuntimeError")
    assert "Ingeborg" not in caplog.text


def counted(metrics: str, counter: str) -> float:
    """What a counter stands at; nothing, where it has not counted yet."""
    found = [line.split()[-1] for line in metrics.splitlines() if line.startswith(f"{counter} ")]
    return sum(map(float, found))
