"""Where the service is measured: a home with the year of flights, a champion, a key, and rows."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.runs import run
from core.settings import Settings
from models.registry.versions import Version
from models.runtime.model import Model
from serving.access.keys import Keys
from stages.workspace import Workspace, open_workspace

PROJECT = "flights"
LATER = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "departed_at", "arrived_at", "late")
UNLIMITED = 1e9  # requests a second


@dataclass(frozen=True, slots=True)
class Home:
    """What is served, to whom. The `rows` are of features, as models take them; of the first there are the
    fields as they were delivered, `raw`, and with what ingestion has `prepared` of them.
    """

    workspace: Workspace
    champion: Version
    graph: Path
    key: str = field(repr=False)
    rows: pl.DataFrame = field(repr=False)
    raw: Mapping[str, Any]
    prepared: Mapping[str, Any]

    @property
    def row(self) -> dict[str, Any]:
        """The first row of features."""
        return self.rows.row(0, named=True)

    @property
    def body(self) -> bytes:
        """It as JSON."""
        return json.dumps(self.row).encode()

    def model(self) -> Model:
        """The champion's graph, loaded."""
        return Model.open(self.graph, self.champion.files[self.graph_name])

    @property
    def graph_name(self) -> str:
        """The file that serves."""
        return f"{self.champion.metrics['serves']}.onnx"


def made(folder: Path) -> Home:
    """A copy of the home that is set, if it has a champion, else one that the demo makes."""
    set_up, home = Settings(), folder / "home"
    if (set_up.home / "registry.db").exists() and open_workspace(PROJECT, set_up).registry.champion(PROJECT):
        print(f"on a copy of {set_up.home}", flush=True)
        shutil.copytree(set_up.home, home, ignore=shutil.ignore_patterns("prefect", "wandb", "serving", "up"))
    else:
        print("on a home that the demo makes: some minutes", flush=True)
        run("flows", ["demo", "--project", PROJECT], home)
    os.environ["PERENNIAL_HOME"] = str(home)
    workspace = open_workspace(PROJECT, Settings().apply())
    champion = workspace.registry.champion(PROJECT)
    assert champion is not None
    graph = workspace.registry.file(champion, f"{champion.metrics['serves']}.onnx")
    return Home(workspace, champion, graph, _key(workspace), *_rows(workspace))


def _key(workspace: Workspace) -> str:
    keys = Keys(workspace.settings.registry, PROJECT)
    return keys.create(
        f"benchmark-{datetime.now(UTC):%Y%m%d%H%M%S}",
        ["predict", "outcomes", "admin"],
        rate=UNLIMITED,
        at=datetime.now(UTC),
        by="make bench-serving",
    )


def _rows(workspace: Workspace) -> tuple[pl.DataFrame, dict[str, Any], dict[str, Any]]:
    """The newest rows that lack no feature; of the first, the fields that are known when it is asked for."""
    spec = workspace.spec
    rules = spec.datasets[spec.events]
    rows = workspace.lake.scan("features").select(*{*rules.key, *spec.features}).drop_nulls()
    newest = rows.tail(50_000).collect()
    this = [pl.col(name) == newest[0, name] for name in rules.key]
    event = workspace.lake.scan(f"raw/{spec.events}").filter(this).drop("batch", *LATER).collect()
    prepared = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in event.row(0, named=True).items()
    }
    raw = {name: value for name, value in prepared.items() if name in rules.columns}
    return newest.select(*spec.features), raw, prepared
