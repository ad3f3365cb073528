"""Neither a secret nor what is somebody's own is told in a log, whatever goes wrong."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from serving.access.keys import Keys
from serving.log.tables import OUTCOMES, PREDICTIONS
from serving.request.bodies import ARROW
from tests.serving.running import PREDICT, running, wait
from tests.serving.shop import Shop, planted

pytestmark = pytest.mark.slow

OWN = "Ingeborg-Psilander-7719"
"""A value of a personal field, which nobody else has."""
BASKET = 771_900_553_311
AT = datetime(2013, 4, 1, tzinfo=UTC)


def test_nothing_that_was_sent_is_in_any_output_or_file_but_for_what_is_not_personal(
    copied: Shop, tmp_path: Path
) -> None:
    copied.ruled(personal=["city", "basket"])
    keys = given_keys(copied)
    with running(copied.settings, tmp_path / "outputs", open=False) as service:
        with service.client(headers={"x-token": OWN, "user-agent": OWN}) as client:
            right(client, copied, keys["web"])
            wrong(client, copied, keys)
            before = copied.workspace.registry.releases("orders")[-1]
            broken = planted(copied, tmp_path)
            copied.workspace.registry.promote(
                broken, over=copied.linear, why="", evidence={}, at=before.at, by="tests"
            )
            wait(lambda: broken in service.ready()["release"])
            client.headers["authorization"] = f"Bearer {keys['web']}"
            assert client.post(PREDICT, json=own(copied)).status_code == 500
            assert client.post(PREDICT, **in_columns(copied)).status_code == 500
        assert service.end() == 0
        secrets = [OWN, str(BASKET), *keys.values()]
        told = service.told()
        assert not [secret for secret in secrets if secret in told]
    assert not list(holding(copied.settings.home, secrets))
    lake = copied.workspace.lake
    found, outcomes = lake.scan(PREDICTIONS).collect(), lake.scan(OUTCOMES).collect()
    assert found["error"].null_count() == 5 and found.height == 7
    for shown in (found.to_dicts(), outcomes.to_dicts()):
        assert not [secret for secret in secrets if secret in str(shown)]
    assert found["entity"].n_unique() == 1 and all("rain" in each for each in found["features"])
    assert (outcomes.height, found["key"].n_unique()) == (1, 1)


def given_keys(shop: Shop) -> dict[str, str]:
    """A key for predictions and outcomes, one for all, and one that is revoked."""
    made = Keys(shop.settings.registry, "orders")
    scopes = {"web": ["predict", "outcomes"], "all": ["predict", "outcomes", "admin"], "old": ["predict"]}
    found = {name: made.create(name, opens, at=AT, by="tests", rate=1e6) for name, opens in scopes.items()}
    made.revoke("old", at=AT, by="tests")
    return found


def right(client: httpx.Client, shop: Shop, key: str) -> None:
    """What is answered: rows as JSON and as columns, and an outcome."""
    client.headers["authorization"] = f"Bearer {key}"
    row, outcome = own(shop), {"key": {"basket": BASKET, "id": 1}, "label": True}
    assert client.post(PREDICT, json=row, params={"durable": "true"}).status_code == 200
    assert client.post(PREDICT, json=[row, row], params={"features": "true"}).status_code == 200
    assert client.post(PREDICT, content=streamed(row), headers={"content-type": ARROW}).status_code == 200
    assert client.post(PREDICT, **in_columns(shop)).status_code == 200
    assert client.post("/v1/orders/outcomes", json=outcome).status_code == 202
    for body in ({"city": [OWN]}, {OWN: OWN}, {"rain": OWN}, [OWN], OWN, {"at": OWN}, {"id": OWN}):
        for path in (PREDICT, "/v1/orders/outcomes"):
            assert client.post(path, json=body).status_code == 422
    assert client.post(PREDICT, content=f'{{"city": "{OWN}'.encode()).status_code == 422
    assert client.post(PREDICT, content=OWN.encode(), headers={"content-type": ARROW}).status_code == 422
    assert client.post(f"/v1/{OWN}/predict", json=row).status_code == 404
    assert client.get("/v1/orders/model", params={"version": OWN}).status_code == 404


def wrong(client: httpx.Client, shop: Shop, keys: dict[str, str]) -> None:
    """Who may not ask, or not for this."""
    assert client.get("/metrics").status_code == 403
    for header in (f"Bearer {OWN}", f"Bearer {keys['old']}", f"Basic {keys['web']}", keys["web"], ""):
        client.headers["authorization"] = header
        assert client.post(PREDICT, json=own(shop)).status_code == 401
    client.headers["authorization"] = f"Bearer {keys['all']}"
    metrics = client.get("/metrics")
    assert metrics.status_code == 200 and OWN not in metrics.text


def own(shop: Shop) -> dict[str, Any]:
    """A row of somebody."""
    return shop.rows(1)[0] | {"city": OWN, "basket": BASKET}


def in_columns(shop: Shop) -> dict[str, Any]:
    """A request with the features of the same."""
    return {"content": streamed(features(shop)), "headers": {"content-type": ARROW}}


def features(shop: Shop) -> dict[str, Any]:
    orders = shop.orders(1)
    made = shop.features(orders).select("basket", "id", *shop.workspace.spec.features)
    return made.row(0, named=True) | {"city": OWN, "basket": BASKET}


def streamed(row: dict[str, Any]) -> bytes:
    written = io.BytesIO()
    frame = pl.DataFrame([row])
    instants = [name for name in ("at", "decision_time") if name in frame.columns]
    frame.with_columns(pl.col(instants).str.to_datetime(time_zone="UTC")).write_ipc_stream(written)
    return written.getvalue()


def holding(folder: Path, secrets: list[str]) -> Iterator[Path]:
    """The files that hold one of these as it is, or as UTF-16."""
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if any(secret.encode(how) in content for secret in secrets for how in ("utf-8", "utf-16-le")):
            yield path
