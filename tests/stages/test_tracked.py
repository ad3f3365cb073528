"""What a fit is told to the tracker is all in its run, as W&B reads it back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import IntegrityError
from core.lake import Lake
from models.tracking import Artifact, dataset, track
from stages.models.tracked import Answers, Tracked, charts, record, tables_read
from tests.models.wandb_runs import environment, records, summary

RANDOM = np.random.default_rng(5)
LABELS = (RANDOM.random(400) < 0.3).astype(int)
ANSWERS = Answers(
    "binary",
    LABELS,
    np.clip(0.3 * LABELS + 0.6 * RANDOM.random(400), 0, 1),
    classes=("on time", "late"),
    threshold=0.4,
    calibration=(np.array([0.2, 0.6]), np.array([0.1, 0.7])),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def lake(home: Path) -> Lake:
    """A table that grew after the version that a fit read."""
    lake = Lake(str(home / "lake"), "flights")
    for batch, rows in {"2013-01": 3, "2013-02": 4, "2013-03": 5}.items():
        lake.write("features", batch, pl.DataFrame({"wind": np.ones(rows, np.float32)}))
    return lake


@pytest.fixture(scope="module")
def fit(home: Path, lake: Lake) -> Tracked:
    (home / "graph.onnx").write_text("the graph")
    version = lake.version("features") - 1
    return Tracked(
        data=dataset("flights-data", tables_read(lake, {"features": version}, ["2013-01", "2013-02"])),
        model=Artifact("flights-linear", "model", {"graph.onnx": home / "graph.onnx"}, metadata={"bytes": 9}),
        answers=ANSWERS,
        measures={"validation": {"auc": 0.8}, "holdout": {"auc": 0.75, "brier": float("nan")}},
        intervals={"auc": (0.7, 0.8)},
        importance={"wind": 0.25, "route": 0.75},
        contributions=[{"feature": "wind", "mean": 0.2, "q05": -0.5, "q95": 0.4}],
        slices=[{"slice": "origin JFK", "rows": 12, "auc": 0.7}],
        trials=[
            {"number": 0, "state": "complete", "loss": 0.5, "depth": 3, "rate": 0.2, "seconds": 1.5},
            {"number": 1, "state": "pruned", "loss": None, "depth": None, "rate": 0.1, "seconds": 0.5},
        ],
        results={"seconds": 12.5, "as_of": datetime(2013, 4, 1, tzinfo=UTC)},
    )


@pytest.fixture(scope="module")
def kept(home: Path, fit: Tracked) -> Iterator[Path]:
    with environment():
        with track("flights", "linear", "g", {"seed": 7}, [], home) as run:
            run.curve(0, {"loss": 0.5})
            record(run, fit)
        yield Path(run.folder)


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a table of the run."""
    file = folder / "files" / summary(folder)["summary"][name]["path"]
    content = json.loads(file.read_text())
    return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def artifact(folder: Path, name: str) -> dict[str, Any]:
    [found] = [
        each["artifact"]
        for each in records(folder)
        if each["type"] == "artifact" and each["artifact"]["name"] == name
    ]
    return dict(found)


@pytest.mark.slow
def test_results_and_their_intervals_are_in_the_summary(kept: Path) -> None:
    found = summary(kept)["summary"]
    assert found["holdout"] == {"auc": 0.75, "brier": None}
    assert found["validation"] == {"auc": 0.8}
    assert found["holdout_interval"] == {"auc": {"low": 0.7, "high": 0.8}}
    assert (found["seconds"], found["as_of"]) == (12.5, "2013-04-01T00:00:00+00:00")
    measures = {(row["rows"], row["measure"]): row for row in table(kept, "measures")}
    assert (measures["holdout", "auc"]["low"], measures["holdout", "auc"]["high"]) == (0.7, 0.8)
    assert measures["validation", "auc"]["low"] is None


@pytest.mark.slow
def test_why_and_where_and_how_it_was_tuned_are_tables(kept: Path, fit: Tracked) -> None:
    assert table(kept, "importance") == [
        {"feature": "route", "share": 0.75},
        {"feature": "wind", "share": 0.25},
    ]
    assert table(kept, "contributions") == list(fit.contributions)
    assert table(kept, "slices") == list(fit.slices)
    assert table(kept, "trials") == list(fit.trials)


@pytest.mark.slow
def test_the_app_finds_its_charts_and_their_tables(kept: Path) -> None:
    names = ("roc", "precision_recall", "confusion", "calibration", "importance_chart", "trials_chart")
    shown = {}
    for each in records(kept):
        changes = each.get("config", {}).get("update", {}) if each["type"] == "config" else {}
        shown |= {name: panel for name, panel in changes.items() if "visualize" in name}
    for name in names:
        assert any(name in panel for panel in map(str, shown.items())), name
        assert table(kept, f"{name}_table")
    cells = {(row["Actual"], row["Predicted"]): row["nPredictions"] for row in table(kept, "confusion_table")}
    called = np.where(ANSWERS.predictions >= 0.4, "late", "on time")
    assert cells["late", "on time"] == ((LABELS == 1) & (called == "on time")).sum()
    assert sum(cells.values()) == len(LABELS)
    lines = table(kept, "roc_table")
    assert [(row["step"], row["lineVal"]) for row in (lines[0], lines[-1])] == [(0, 0), (1, 1)]


@pytest.mark.slow
def test_the_data_is_a_reference_with_its_version_and_no_copy(kept: Path, lake: Lake) -> None:
    data = artifact(kept, "flights-data")
    assert (data["type"], data["use_after_commit"]) == ("dataset", True)
    parts = {part["path"]: part for part in data["manifest"]["contents"]}
    version = lake.version("features") - 1
    assert parts["features"]["ref"] == f"delta:{lake.path('features')}?version={version}"
    facts = json.loads(Path(parts["features.json"]["local_path"]).read_text())
    assert (facts["version"], facts["rows"], facts["batches"]) == (version, 7, ["2013-01", "2013-02"])
    assert facts["columns"] == {"wind": "Float32", "batch": "String"}
    assert set(parts) == {"features", "features.json"}


@pytest.mark.slow
def test_another_version_of_the_data_is_another_version_of_the_artifact(lake: Lake) -> None:
    found = [dataset("d", tables_read(lake, {"features": version}, ["2013-01"])) for version in (2, 3)]
    assert found[0].references != found[1].references


@pytest.mark.slow
def test_the_model_is_what_the_run_made(kept: Path) -> None:
    model = artifact(kept, "flights-linear")
    assert not model.get("use_after_commit") and not model.get("user_created")
    [part] = model["manifest"]["contents"]
    assert Path(part["local_path"]).read_text() == "the graph"
    assert Path(part["local_path"]).is_relative_to(kept)


@pytest.mark.slow
def test_the_machine_is_watched(kept: Path) -> None:
    watched = [each["stats"]["item"] for each in records(kept) if each["type"] == "stats"]
    assert any("proc.memory.rssMB" in item for item in watched)


def test_a_table_that_is_not_there_is_named(lake: Lake) -> None:
    with pytest.raises(IntegrityError, match="outcomes: no such table"):
        tables_read(lake, {"outcomes": 0}, ["2013-01"])


def drawn(answers: Answers) -> list[str]:
    return [name for name, _ in charts(answers)]


def test_each_problem_has_its_charts() -> None:
    shares = RANDOM.dirichlet(np.ones(12), 300)
    classes = tuple(f"class {each}" for each in range(12))
    labels = RANDOM.integers(12, size=300)
    assert drawn(ANSWERS) == ["confusion", "roc", "precision_recall", "calibration"]
    many = dict(charts(Answers("multiclass", labels.astype(float), shares, classes)))
    assert list(many) == ["confusion", "roc", "precision_recall"]
    assert len(getattr(many["roc"], "lines")) == 10  # noqa: B009
    assert drawn(Answers("regression", labels * 1.0, labels + 0.5)) == ["agreement", "residuals"]
    assert drawn(Answers("ranking", labels, labels * 0.5)) == []


def test_one_class_has_a_confusion_matrix_alone() -> None:
    assert drawn(Answers("binary", np.zeros(9), np.full(9, 0.2))) == ["confusion"]


@pytest.mark.slow
def test_answers_that_cannot_be_drawn_do_not_stop_a_fit(
    tmp_path: Path, fit: Tracked, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = Answers("regression", np.zeros(3), np.array([0.0, np.nan, 1.0]))
    with environment(), track("flights", "fit", "g", {}, [], tmp_path) as run:
        record(run, Tracked(fit.data, fit.model, wrong, {"holdout": {"rmse": 2.0}}))
    assert "1 of 3 predictions are not finite" in caplog.text
    found = summary(run.folder)
    assert (found["exit_code"], found["summary"]["holdout"]) == (0, {"rmse": 2.0})
    assert artifact(Path(run.folder), "flights-linear")
