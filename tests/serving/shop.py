"""A small project that can be served: orders, whose features need what other rows, and cities, say."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import onnx
import polars as pl
from onnx import TensorProto, helper

from core.settings import Settings
from models.registry.releases import Part, Release
from models.registry.releasing import release
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.features.publish import publish
from stages.score import score
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import CITIES, fits, lay_orders, taken_in, write_spec

NOW = datetime(2013, 6, 1, tzinfo=UTC)
"""Where the history ends, and the service stands."""
SINCE = datetime(2013, 5, 12, tzinfo=UTC)
"""From when on the online store knows all that a window reaches back to."""
SUITE = """
name: cities
version: 1
expectations:
  - {type: expect_column_values_to_be_unique, severity: critical, kwargs: {column: city}}
"""
CHANGES: dict[str, dict[str, Any]] = {
    "datasets": {
        "cities": {
            "source": {"kind": "files", "path": "cities.csv"},
            "columns": {"city": "string", "founded": "integer"},
            "key": ["city"],
        }
    },
    "features": {
        "weekday": {"from": "time", "column": "at", "part": "weekday", "timezone": "UTC"},
        "founded": {
            "from": "lookup",
            "dataset": "cities",
            "column": "founded",
            "kind": "number",
            "by": {"city": "city"},
        },
        "late_7d": {"from": "trailing", "by": ["city"], "value": "late", "statistic": "rate", "over": "7d"},
        "rain_7d": {"from": "trailing", "by": ["city"], "value": "rain", "statistic": "mean", "over": "7d"},
        "orders_7d": {"from": "trailing", "by": ["city"], "statistic": "count", "over": "7d"},
    },
    "training": {
        "families": ["constant", "linear", "lightgbm"],
        "parameters": {"lightgbm": {"rounds": 20}},
        "first_batches": 2,
    },
}
BEFORE = ":before"
RULES: dict[str, Any] = {"entity": ["basket"], "max_rows": 1_000, "max_body_mb": 0.5}
COLUMNS = ("id", "basket", "at", "city", "rain", "load")
"""The columns of an order that are known when it comes."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The project with its versions: the constant, the linear one, which is the champion, and the trees."""

    settings: Settings
    constant: str
    linear: str
    trees: str

    @property
    def workspace(self) -> Workspace:
        """The project, opened anew."""
        return open_workspace("orders", self.settings)

    def copied(self, root: Path) -> "Shop":
        """The same in another folder, for who breaks it."""
        runs = shutil.ignore_patterns("wandb")
        shutil.copytree(self.settings.home.parent, root, ignore=runs)
        return shop_in(root)

    def ruled(self, **rules: Any) -> None:
        """Write into the spec how it is served."""
        write_spec(self.settings, "binary", **CHANGES, serving=RULES | rules)

    def orders(self, count: int = 50, seed: int = 1) -> pl.DataFrame:
        """Some orders of the last days, as they came, with the instants of their decisions."""
        there = self.workspace.lake.scan("raw/orders", ["2013-05"]).filter(pl.col("at") >= SINCE)
        return there.select(*COLUMNS, decision_time="at").collect().sample(count, seed=seed, shuffle=True)

    def rows(self, count: int = 50, seed: int = 1) -> list[dict[str, Any]]:
        """The same as JSON has them."""
        return sent(self.orders(count, seed))

    def features(self, orders: pl.DataFrame) -> pl.DataFrame:
        """The features that were made of such orders, in their order."""
        made = self.workspace.lake.scan("features", ["2013-05"]).collect()
        return orders.select("basket", "id").join(made, on=["basket", "id"], maintain_order="left")

    def scored(self, orders: pl.DataFrame) -> pl.DataFrame:
        """What batch scoring says to them, by the release in force."""
        workspace = self.workspace
        score(workspace, workspace.batch("2013-05"), NOW)
        found = workspace.lake.scan("predictions", ["2013-05"]).collect()
        return orders.select("basket", "id").join(found, on=["basket", "id"], maintain_order="left")

    def release(self, *others: Part, hours: int = 1) -> Release:
        """Put others beside the champion."""
        registry = self.workspace.registry
        before = registry.releases("orders")[-1]
        at = before.at + timedelta(hours=hours)
        return release(registry, "orders", *others, over=before, action="canary", why="", at=at, by="tests")


def sent(orders: pl.DataFrame) -> list[dict[str, Any]]:
    """Orders as JSON has them."""
    instants = pl.col("at", "decision_time").dt.strftime("%Y-%m-%dT%H:%M:%S.%6fZ")
    return orders.with_columns(instants).to_dicts()


def make_shop(root: Path, problem: str = "binary") -> Shop:
    """The project, ingested and featurised, with three versions, in a folder of its own."""
    settings = lay_orders(root, problem, **CHANGES, serving=RULES)
    pl.DataFrame({"city": CITIES, "founded": [948, 1070, -1100, 500]}).write_csv(
        settings.projects / "orders" / "cities.csv"
    )
    (settings.suites / "orders" / "cities.yaml").write_text(SUITE)
    workspace = open_workspace("orders", settings)
    for item in pending(workspace, "cities", []):
        deliver(workspace, "cities", item, NOW)
    ingest(workspace, "cities", None, NOW)
    taken_in(workspace, NOW + timedelta(days=1))
    trained = workspace.batch("2013-03").end + timedelta(days=1)
    constant, linear, trees = fits(workspace, trained)
    workspace.registry.promote(linear, over=None, why="", evidence={}, at=trained, by="tests")
    publish(workspace, NOW)
    return Shop(settings, constant, linear, trees)


def shop_in(root: Path) -> Shop:
    """The project that lies in a folder."""
    settings = Settings(home=root / "state", projects=root / "projects", suites=root / "expectations")
    return Shop(settings, *(f"orders/{number}" for number in (1, 2, 3)))


def planted(shop: Shop, folder: Path, shape: Sequence[int] = (7, 13)) -> str:
    """A version whose graph loads, and fails unless its answers can be of that shape."""
    wanted = helper.make_tensor(":shape", TensorProto.INT64, [len(shape)], shape)
    return like_the_linear(shop, folder, [wanted], [("Reshape", [BEFORE, ":shape"])])


def silent(shop: Shop, folder: Path, least: float) -> str:
    """A version that answers as the linear one does, and says no number where it rains less."""
    facts = [
        helper.make_tensor(name, TensorProto.FLOAT, [1], [value])
        for name, value in ((":least", least), (":nothing", 0.0))
    ]
    return like_the_linear(
        shop,
        folder,
        facts,
        [
            ("Sub", ["rain", ":least"]),
            ("Sqrt", [":0"]),
            ("Mul", [":1", ":nothing"]),
            ("Add", [BEFORE, ":2"]),
        ],
    )


def like_the_linear(
    shop: Shop, folder: Path, facts: Sequence[TensorProto], nodes: Sequence[tuple[str, list[str]]]
) -> str:
    """The linear version's graph with nodes, and what they need, after its answer, which they call BEFORE."""
    registry = shop.workspace.registry
    like = registry.version(shop.linear)
    name = f"{like.metrics['serves']}.onnx"
    for each, digest in like.files.items():
        (folder / "files" / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / "files" / each).write_bytes(registry.kept(digest, each).read_bytes())
    model = onnx.load(folder / "files" / name)
    (given,) = model.graph.output
    last = next(node for node in model.graph.node if given.name in node.output)
    last.output[list(last.output).index(given.name)] = BEFORE
    model.graph.initializer.extend(facts)
    names = [*(f":{place}" for place in range(len(nodes) - 1)), given.name]
    model.graph.node.extend(
        helper.make_node(kind, taken, [name]) for (kind, taken), name in zip(nodes, names, strict=True)
    )
    onnx.save(model, folder / "files" / name)
    return registry.register("orders", "linear", folder / "files", like.metrics, like.lineage).id
