"""Requests of the same moment are answered together, and none is the worse for those beside it."""

import io
from pathlib import Path
from time import sleep
from typing import Any

import polars as pl
import pytest

from models.registry.releases import Part
from serving.request.bodies import ARROW
from tests.serving.inside import inside, logged
from tests.serving.running import PREDICT
from tests.serving.shop import Shop, planted

pytestmark = pytest.mark.slow

SLOW = 0.15  # seconds
TURNS = 3  # whether many come at once is known from the second on


def in_features(shop: Shop, orders: pl.DataFrame) -> list[dict[str, object]]:
    """Rows that nothing need be asked for."""
    return shop.features(orders).select("basket", "id", *shop.workspace.spec.features).to_dicts()


def test_each_gets_its_own_answer_by_its_own_side_of_a_release(copied: Shop) -> None:
    copied.release(Part(copied.trees, "canary", 0.4), Part(copied.constant, "shadow", 1.0))
    orders = copied.orders(90)
    scored, rows = copied.scored(orders), in_features(copied, orders)
    wanted = list(zip(scored["prediction"].to_list(), scored["version"].to_list(), strict=True))
    assert len(set(wanted)) > 60 and scored["version"].n_unique() == 2
    bodies = [rows[0], rows[1], *(rows[place : place + 4] for place in range(2, 90, 4))]
    with inside(copied) as client:
        for _ in range(TURNS):
            told = [answer.json() for answer in client.post_at_once(PREDICT, bodies)]
            flat = [each for part in told for each in (part if isinstance(part, list) else [part])]
            assert [(each["prediction"], each["version"]) for each in flat] == wanted
    found = logged(copied).filter(pl.col("role") != "shadow")
    assert found.height == TURNS * 90 and found["request_id"].n_unique() == TURNS * 90


def test_one_that_is_no_row_is_told_so_and_the_others_are_answered(copied: Shop) -> None:
    rows = in_features(copied, copied.orders(12))
    with inside(copied) as client:
        for _ in range(TURNS):
            answers = client.post_at_once(PREDICT, [*rows[:6], {"rain": "much"}, *rows[6:]])
            assert [each.status_code for each in answers] == [200] * 6 + [422] + [200] * 6


def test_where_rows_fail_together_each_is_answered_apart(copied: Shop, tmp_path: Path) -> None:
    registry, orders = copied.workspace.registry, copied.orders(20)
    expected, rows = copied.scored(orders)["prediction"].to_list(), in_features(copied, orders)
    one_by_one = planted(copied, tmp_path, (1, 1))
    at = registry.releases("orders")[-1].at
    registry.promote(one_by_one, over=copied.linear, why="", evidence={}, at=at, by="tests")
    with inside(copied) as client:
        for _ in range(TURNS):
            answers = client.post_at_once(PREDICT, rows)
            assert [each.json()["prediction"] for each in answers] == expected
        (failed,) = client.post_at_once(PREDICT, [rows[:2]])
        assert (failed.status_code, failed.json()["error"]) == (500, f"{one_by_one} could not answer")
    assert logged(copied)["error"].drop_nulls().len() == 2


def test_where_a_canary_fails_each_of_its_rows_is_counted_once(copied: Shop, tmp_path: Path) -> None:
    orders = copied.orders(30)
    expected, rows = copied.scored(orders)["prediction"].to_list(), in_features(copied, orders)
    broken = planted(copied, tmp_path)
    release = copied.release(Part(broken, "canary", 0.5))
    sides = [release.part_for(f"[{basket}]").role for basket in orders["basket"]]
    assert 5 < sides.count("canary") < 25
    with inside(copied) as client:
        for _ in range(TURNS):
            answers = [each.json() for each in client.post_at_once(PREDICT, rows)]
            assert [each["prediction"] for each in answers] == expected
            assert {each["version"] for each in answers} == {copied.linear}
    failed = logged(copied).filter(pl.col("error").is_not_null())
    assert failed["version"].unique().to_list() == [broken]
    assert failed.height == TURNS * sides.count("canary")


def test_a_champion_is_not_slow_for_its_canarys_sake(copied: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one at once, in a list, and in a stream: the latencies that a release is judged by."""
    copied.release(Part(copied.trees, "canary", 0.5))
    orders = copied.orders(30)
    rows = in_features(copied, orders)
    with inside(copied) as client:
        in_force = client.service.current.in_force
        assert in_force is not None
        client.post_at_once(PREDICT, rows)
        for way in ("answer", "predict"):
            slowed(monkeypatch, in_force.versions[copied.trees].model, way)
        client.post_at_once(PREDICT, rows[:16])
        client.post(PREDICT, json=rows)
        written = io.BytesIO()
        pl.DataFrame(rows).write_ipc_stream(written)
        client.post(PREDICT, content=written.getvalue(), headers={"content-type": ARROW})
    found = logged(copied)
    assert found.height == 30 + 16 + 30 + 30
    later = found.slice(30)  # they are in their order
    slow, quick = (later.filter(pl.col("version") == one)["seconds"] for one in (copied.trees, copied.linear))
    assert slow.len() > 20 and quick.len() > 20
    assert slow.min() >= SLOW > quick.max()


def slowed(monkeypatch: pytest.MonkeyPatch, model: Any, way: str) -> None:
    own = getattr(model, way)

    def slow(rows: Any) -> Any:
        sleep(SLOW)
        return own(rows)

    monkeypatch.setattr(model, way, slow)
