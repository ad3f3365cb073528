"""More than the service can do at once is refused at once, and what it takes on is done right."""

import asyncio
import time

import httpx
import pytest

from tests.serving.running import PREDICT, Running
from tests.serving.shop import Shop, sent

pytestmark = pytest.mark.slow


def test_of_many_at_once_some_are_refused_the_others_right_and_single_rows_go_on(
    service: Running, shop: Shop
) -> None:
    orders = shop.orders(80)
    rows = sent(orders)
    expected = shop.scored(orders)["prediction"].to_list()
    given = shop.features(orders[:1]).select(*shop.workspace.spec.features).to_dicts()[0]

    async def ask() -> tuple[list[httpx.Response], list[tuple[float, httpx.Response]]]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits) as client:
            bulk = [
                asyncio.create_task(client.post(PREDICT, json=rows, params={"explain": "true"}))
                for _ in range(60)
            ]
            single = []
            while not all(task.done() for task in bulk):
                started = time.monotonic()
                single.append((await client.post(PREDICT, json=given), time.monotonic() - started))
                await asyncio.sleep(0.05)
            return [await task for task in bulk], single

    bulk, single = asyncio.run(ask())
    statuses = [answer.status_code for answer in bulk]
    assert set(statuses) == {200, 503} and statuses.count(503) >= 60 - 36
    for answer in bulk:
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"] == "the service is at its limit: ask again later"
        else:
            assert [each["prediction"] for each in answer.json()] == expected
    answered = sorted(seconds for answer, seconds in single if answer.status_code == 200)
    assert len(answered) > len(single) / 2 and answered[len(answered) // 2] < 0.5
