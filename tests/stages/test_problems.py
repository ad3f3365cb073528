"""Every kind of problem lives through the same stages: trained, gated, scored, judged, made again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models.answers import from_column
from models.gate.judge import GateReport
from models.problem import problem_of, shape_of
from models.rows import Rows
from reports.headlines import name_of
from stages.champion.promote import promote
from stages.models.cards import card_path
from stages.models.reproduce import reproduce
from stages.monitoring.monitor import Judged, judge_batch
from stages.reports.lifecycle import lifecycle_report, summary
from stages.reports.site import site_report
from stages.score import score, served
from stages.workspace import Workspace
from tests.models.wandb_runs import environment, folders
from tests.models.wandb_runs import summary as read
from tests.stages.orders import OUTCOMES, fits, make_orders

pytestmark = pytest.mark.slow

FAMILIES = {"families": ["constant", "linear", "lightgbm"], "parameters": {"lightgbm": {"rounds": 60}}}


@dataclass(frozen=True)
class Lived:
    """A project of one kind of problem that has lived through four months."""

    workspace: Workspace
    report: GateReport
    judged: Judged
    as_of: datetime


@pytest.fixture(scope="module", params=OUTCOMES)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    with environment():
        gate = {"slices": ["city"], "max_calibration_error": 0.15}
        root = tmp_path_factory.mktemp(request.param)
        workspace = make_orders(root, request.param, training=FAMILIES, gate=gate)
        march, april = workspace.batch("2013-03"), workspace.batch("2013-04")
        trained = march.end + timedelta(days=1)
        report = promote(workspace, fits(workspace, trained), trained)
        score(workspace, april, april.end + timedelta(days=1))
        judged = judge_batch(workspace, april, april.end + timedelta(days=1))
        assert judged is not None
        yield Lived(workspace, report, judged, april.end + timedelta(days=1))


def test_what_tells_something_is_released_and_the_constant_is_not(lived: Lived) -> None:
    champion = lived.workspace.registry.champion("orders")
    assert lived.report.accepted, lived.report.reasons
    assert champion is not None
    assert champion.family in ("linear", "lightgbm")
    assert champion.metrics["holdout"]["relative_loss"] < 0.9
    families = {each.family: each for each in lived.workspace.registry.versions("orders")}
    assert families["constant"].metrics["holdout"]["relative_loss"] == pytest.approx(1, abs=0.02)


def test_predictions_are_what_the_champions_file_answers(lived: Lived) -> None:
    workspace, champion = lived.workspace, lived.workspace.registry.champion("orders")
    assert champion is not None
    predictions = workspace.lake.scan("predictions", ["2013-04"]).collect()
    features = workspace.lake.scan("features", ["2013-04"]).collect()
    assert predictions.height == features.height > 500
    aligned = predictions.select("id").join(features, on="id", maintain_order="left")
    answers = served(workspace, champion).predict(aligned)
    np.testing.assert_array_equal(from_column(predictions["prediction"]), answers)


def test_realised_measures_are_those_of_predictions_and_labels(lived: Lived) -> None:
    workspace = lived.workspace
    outcomes = workspace.lake.scan("outcomes", ["2013-04"]).collect().select("id", "label")
    predictions = workspace.lake.scan("predictions", ["2013-04"]).collect()
    joined = predictions.join(outcomes, on="id", maintain_order="left").sort("event_time")
    rows, problem = Rows.of(joined, workspace.spec.outcome), problem_of(workspace.spec)
    expected = problem.measures(rows, from_column(joined["prediction"]))
    assert {name: lived.judged.measures[name] for name in expected} == pytest.approx(expected)
    low, high = lived.judged.intervals["relative_loss"]
    assert low < lived.judged.measures["relative_loss"] < high
    assert lived.judged.decision in ("nothing", "watch")  # the world did not change
    assert set(lived.judged.baseline) == set(expected)
    assert lived.judged.prediction_drift  # chance alone moves answers of any kind a little


def test_every_version_has_a_card_and_is_made_again(lived: Lived) -> None:
    workspace = lived.workspace
    for version in workspace.registry.versions("orders"):
        told = json.loads(card_path(workspace, version).with_suffix(".json").read_text())
        assert told["use"]["problem"] == workspace.spec.problem
        if version.family != "constant":
            assert reproduce(workspace, version).same


def test_the_page_of_the_lifecycle_tells_the_problems_own_measures(lived: Lived) -> None:
    facts = summary(lived.workspace, lived.as_of)
    told = {batch["batch"]: batch for batch in facts["batches"]}["2013-04"]
    first, _ = facts["headlines"]
    assert told["measures"][first] == pytest.approx(lived.judged.measures[first])
    page = lifecycle_report(lived.workspace, lived.as_of, 1.0).read_text()
    assert f"{lived.judged.measures[first]:.3f}" in page
    rates = "Mean predicted against observed rate" in page
    assert rates == (lived.workspace.spec.problem == "binary")


def test_the_site_tells_the_problems_own_measures(lived: Lived) -> None:
    page = site_report(lived.workspace, lived.as_of)
    assert page == lived.workspace.reports / "index.html"
    first, _ = summary(lived.workspace, lived.as_of)["headlines"]
    told = page.read_text()
    assert f"Newest {name_of(first)}" in told and f"{lived.judged.measures[first]:.3f}" in told
    kept = json.loads(page.with_name("summary.json").read_text())
    champion = lived.workspace.registry.champion("orders")
    assert champion and kept["reigns"] == [
        {"version": champion.id, "since": champion.lineage.as_of.isoformat(), "until": None}
    ]
    (duel,) = kept["duels"]
    assert duel["accepted"] and duel["gain"]["low"] > duel["limit"]
    made = {each["version"]: each for each in kept["made"]}[champion.id]
    assert made["code"] == champion.lineage.code and made["tables"] == champion.lineage.tables
    assert made["holdout"][first]["value"] == pytest.approx(champion.metrics["holdout"][first])


def test_every_fit_is_a_tracked_run_that_is_whole_on_the_disk(lived: Lived) -> None:
    runs = [read(folder) for folder in folders(lived.workspace.settings.home)]
    assert sorted(run["config"]["family"] for run in runs) == ["constant", "lightgbm", "linear"]
    kind = lived.workspace.spec.problem
    drawn = {
        "binary": "roc",
        "multiclass": "confusion",
        "regression": "residuals",
        "ranking": "importance_chart",
    }
    for run in runs:
        assert run["state"] == "finished"
        found = run["summary"]["holdout"]
        assert {"loss", "relative_loss"} <= set(found)
        assert set(run["summary"]["holdout_interval"]) <= set(found)
        assert any(name.startswith(drawn[kind]) for name in run["summary"]), sorted(run["summary"])


def test_a_graph_says_what_it_takes_and_gives(lived: Lived) -> None:
    workspace, champion = lived.workspace, lived.workspace.registry.champion("orders")
    assert champion is not None
    model = served(workspace, champion)
    assert model.output == problem_of(workspace.spec).output
    assert model.says["version"] == champion.metrics["made_from"]
    assert set(model.columns.names) == set(workspace.spec.features)
    empty = workspace.lake.scan("features").head(0).collect()
    assert model.predict(empty).shape == shape_of(problem_of(workspace.spec), 0)
    strange = pl.DataFrame(
        {"city": [None, "Ύδρα"], "rain": [None, float("inf")], "load": [1e30, float("nan")]}
    )
    assert np.isfinite(model.predict(strange)).all()
