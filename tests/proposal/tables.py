"""A small table whose truth is known: orders over eight months, some of which come back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from core.secrets import Secrets
from proposal.ask import Ask
from proposal.delivered import delivered
from proposal.located import located
from proposal.plan import Plan, planned

ROWS = 1_200


def orders(rows: int = ROWS) -> pl.DataFrame:
    """Orders in order of time: what is bought, where, and whether it comes back."""
    luck = np.random.default_rng(7)
    minutes = np.sort(luck.integers(0, 240 * 1440, rows))
    price, city = luck.normal(size=rows).round(3), luck.choice(["Århus", "Bergen", "Dôle"], rows)
    back = luck.random(rows) < 1 / (1 + np.exp(1.0 - 1.5 * price - (city == "Bergen")))
    at = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=int(each)) for each in minutes]
    return pl.DataFrame(
        {"order": np.arange(rows) + 1, "at": at, "price": price, "city": city, "back": back.astype(int)}
    )


def knowing(table: pl.DataFrame) -> pl.DataFrame:
    """The orders with columns that know whether they come back, each in another way."""
    luck, back = np.random.default_rng(8), table["back"].to_numpy()
    some = (luck.random(table.height) < 0.4) & (back == 1)
    return table.with_columns(
        refunded=pl.Series(back * 20.0 + luck.normal(size=table.height)),
        reason=pl.Series(["broken" if each else None for each in some]),
        returned_at=pl.col("at") + pl.duration(days=9),
        is_back=pl.when(pl.col("back") == 1).then(pl.lit("y")).otherwise(pl.lit("n")),
        twice=pl.col("price") * 2 + luck.normal(size=table.height),
        opened_at=pl.col("at") - pl.duration(days=pl.Series(luck.integers(1, 400, table.height))),
    )


def plan_of(
    table: pl.DataFrame, folder: Path, label: str = "back", time: str | None = "at", **more: object
) -> Plan:
    """What is proposed for a table that lies in a CSV file."""
    path = folder / "table.csv"
    table.write_csv(path)
    return plan_at(str(path), folder, label, time, **more)


def plan_at(data: str, folder: Path, label: str = "back", time: str | None = "at", **more: object) -> Plan:
    """What is proposed for a table that lies at `data`."""
    ask = Ask("orders", data, label, time, **more)  # type: ignore[arg-type]
    source = located(data, folder, folder, folder / "elsewhere")
    return planned(ask, delivered(source, folder, folder / "staging", Secrets()))
