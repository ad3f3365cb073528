"""The log of a release as users would make it: entities that come back, a champion, a canary gone wrong."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl

from core.spec import Spec

CHAMPION, CANARY = "shop/4", "shop/5"
LIST = 10
START = datetime(2013, 12, 31, tzinfo=UTC)
CLASSES = ("bike", "car", "walk")
_KINDS: dict[str, dict[str, Any]] = {
    "binary": {"problem": "binary"},
    "regression": {"problem": "regression"},
    "multiclass": {"problem": "multiclass", "classes": CLASSES},
    "quantiles": {"problem": "regression", "quantiles": (0.1, 0.5, 0.9)},
    "ranking": {"problem": "ranking", "group": ("user",)},
}


@dataclass(frozen=True, slots=True)
class Log:
    """So many requests of returning entities, a share of which the canary answers; a third have a label."""

    kind: str = "binary"
    rows: int = 6_000
    share: float = 0.2
    labelled: float = 0.3
    entities: int = 3_000

    def frame(self, seed: int) -> pl.DataFrame:
        """The rows of `served/predictions` and their labels, in order of time; both versions are the same."""
        random = np.random.default_rng(seed)
        count = self.rows
        often = 1 / (np.arange(self.entities + 1) + 20)
        entity = random.choice(self.entities + 1, count, p=often / often.sum())
        if self.kind == "ranking":
            entity = np.repeat(entity[: count // LIST], LIST)
        canary = (random.random(self.entities + 1) < self.share)[entity]
        own = random.normal(0, 0.7, self.entities + 1)[entity] + random.normal(0, 1, count)
        prediction, label = self._answers(own, random)
        unknown = random.random(count) > self.labelled
        if self.kind == "ranking":
            unknown[:] = False
        return pl.DataFrame(
            {
                "request_id": [f"r{row // LIST if self.kind == 'ranking' else row}" for row in range(count)],
                "version": np.where(canary, CANARY, CHAMPION).tolist(),
                "role": np.where(canary, "canary", "champion").tolist(),
                "at": pl.Series(np.arange(count) * 250_000).cast(pl.Duration("us")) + START,
                "entity": [f"customer {code}" for code in entity],
                "region": np.array(["north", "south", "islands"])[random.choice(3, count, p=[0.5, 0.4, 0.1])],
                "prediction": prediction,
                "seconds": random.lognormal(-5.5, 0.4, count),
                "degraded": np.zeros(count, bool),
                "error": pl.Series([None] * count, dtype=pl.String),
                "label": label,
            }
        ).with_columns(label=pl.when(~pl.Series(unknown)).then("label"))

    def _answers(self, own: np.ndarray, random: np.random.Generator) -> tuple[pl.Series, pl.Series]:
        noise = random.normal(0, 1, len(own))
        match self.kind:
            case "binary":
                chance = 1 / (1 + np.exp(1 - 1.5 * own))
                return pl.Series(chance), pl.Series(random.random(len(own)) < chance)
            case "regression":
                return pl.Series(10 * own), pl.Series(10 * own + 10 * noise)
            case "quantiles":
                ends = 10 * own[:, None] + np.array([-12.8, 0.0, 12.8])
                return pl.Series(ends.tolist()), pl.Series(10 * own + 10 * noise)
            case "multiclass":
                margins = np.stack([own, -own, np.zeros(len(own))], axis=1)
                chances = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
                said = (random.random((len(own), 1)) > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)
                return pl.Series(chances.tolist()), pl.Series(np.array(CLASSES)[said])
        return pl.Series(own), pl.Series(np.clip(np.round(own + noise), 0, 3))


def spec(kind: str = "binary", **release: Any) -> Spec:
    """A project of a kind of problem, with some rules of its release."""
    asked = dict(_KINDS[kind])
    quantiles = {"quantiles": asked.pop("quantiles"), "metric": "pinball"} if "quantiles" in asked else {}
    outcome = {name: asked.pop(name) for name in ("classes", "group") if name in asked}
    calendar = {"every": "1mo", "timezone": "UTC", "start": date(2013, 1, 1), "end": date(2014, 1, 1)}
    table = {"source": {"kind": "files", "path": "sales.csv"}, "columns": {"sale": "integer"}}
    table["key"] = ["sale"]
    return Spec.model_validate(
        {
            "name": "shop",
            "title": "Sales",
            "objective": {"business": "fewer returns", "learning": "returned or not", **quantiles},
            **asked,
            "batches": calendar,
            "datasets": {"sales": table},
            "events": "sales",
            "decision": {"before": "event_time", "lead": "2h"},
            "outcome": {"label": "label", "known_at": "known_at", "maturity": "1d", **outcome},
            "features": {"region": {"from": "row", "column": "region", "kind": "category"}},
            "release": release,
        }
    )


def broken(rows: pl.DataFrame, **columns: pl.Expr) -> pl.DataFrame:
    """The rows with columns of the canary's as these expressions say."""
    canary = pl.col("version") == CANARY
    return rows.with_columns(
        pl.when(canary).then(made).otherwise(pl.col(name)).alias(name) for name, made in columns.items()
    )
