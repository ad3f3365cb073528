"""Asked one by one, in a list or in a stream, a row gets the very answer that batch scoring gave it."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from models.registry.releases import Part
from serving.request.bodies import ARROW
from tests.serving.inside import Inside, inside
from tests.serving.running import PREDICT
from tests.serving.shop import Shop, make_shop, sent

pytestmark = pytest.mark.slow

Said = float | list[float]


def said(answer: Mapping[str, Any]) -> Said:
    """An answer as the table of predictions holds it."""
    found = answer["prediction"]
    assert answer["degraded"] is False
    return list(found.values()) if isinstance(found, dict) else found


def streamed(client: httpx.Client | Inside, rows: pl.DataFrame) -> pl.DataFrame:
    written = io.BytesIO()
    rows.write_ipc_stream(written)
    answer = client.post(PREDICT, content=written.getvalue(), headers={"content-type": ARROW})
    assert answer.status_code == 200, answer.text
    return pl.read_ipc_stream(io.BytesIO(answer.content))


def test_a_process_answers_as_batch_scoring_does(client: httpx.Client, shop: Shop) -> None:
    orders = shop.orders(390)
    rows, expected = sent(orders), shop.scored(orders)["prediction"].to_list()
    assert len(set(expected)) > 300
    assert [said(client.post(PREDICT, json=row).json()) for row in rows] == expected
    assert [said(each) for each in client.post(PREDICT, json=rows).json()] == expected
    assert streamed(client, orders)["prediction"].to_list() == expected
    assert streamed(client, in_features(shop, orders))["prediction"].to_list() == expected
    given = in_features(shop, orders).drop("decision_time").to_dicts()
    assert [said(client.post(PREDICT, json=row).json()) for row in given[:100]] == expected[:100]


@pytest.mark.parametrize("problem", ["multiclass", "regression", "quantiles", "ranking"])
def test_so_does_the_app_for_each_kind_of_problem_and_each_side_of_a_release(
    problem: str, tmp_path: Path
) -> None:
    shop = make_shop(tmp_path / problem, problem)
    shop.release(Part(shop.trees, "canary", 0.4))
    orders = shop.orders(120)
    rows, scored = sent(orders), shop.scored(orders)
    expected, versions = scored["prediction"].to_list(), scored["version"].to_list()
    assert set(versions) == {shop.linear, shop.trees}
    with inside(shop) as client:
        singles = [client.post(PREDICT, json=row).json() for row in rows[:40]]
        assert [said(each) for each in singles] == expected[:40]
        assert [each["version"] for each in singles] == versions[:40]
        listed = client.post(PREDICT, json=rows).json()
        assert [said(each) for each in listed] == expected
        assert [each["version"] for each in listed] == versions
        for columns in (orders, in_features(shop, orders)):
            answered = streamed(client, columns)
            assert answered["prediction"].to_list() == expected
            assert answered["version"].to_list() == versions


def in_features(shop: Shop, orders: pl.DataFrame) -> pl.DataFrame:
    """The same orders by the features that were made of them."""
    made = shop.features(orders)
    return made.select("basket", "id", "decision_time", *shop.workspace.spec.features)
