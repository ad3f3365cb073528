"""The whole loop on two real slices, through Prefect and Dask: tables, registry, report, and again."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from core.settings import Settings
from models.runtime.model import Model
from monitoring.policy import Action
from stages.reports import site
from stages.workspace import Workspace, open_workspace
from tests.pickles import holds_pickle

pytestmark = pytest.mark.slow

AS_OF = datetime(2014, 1, 1, tzinfo=UTC)
Inhabit = Callable[[Settings], AbstractContextManager[None]]


@dataclass(frozen=True)
class Lived:
    """A lifecycle of so many months that was run with these families, and what its flow returned."""

    workspace: Workspace
    page: Path
    summary: dict[str, Any]
    months: int
    families: list[str]


def small(document: dict[str, Any]) -> None:
    """Two batches to start with, a calm gate, and a restless monitor, so that each stage has work to do."""
    document["training"] = {**document.get("training", {}), "first_batches": 2}
    calm = {"draws": 200, "confidence": 0.6, "max_calibration_error": 0.5}
    document["gate"] = document.get("gate", {}) | calm
    document["monitoring"] = {**document.get("monitoring", {}), "min_rows": 200, "every": 1}


@pytest.fixture(
    scope="module",
    params=[
        (range(1, 5), "csv", ["linear", "lightgbm", "torch"]),
        (range(5, 8), "parquet", ["linear", "lightgbm"]),
    ],
    ids=["spring", "summer"],
)
def lived(
    request: pytest.FixtureRequest, make_project: Callable[..., Settings], inhabit: Inhabit
) -> Iterator[Lived]:
    """Months of flights, one in eight, lived through once."""
    from flows.lifecycle import lifecycle

    months, suffix, families = request.param

    def edit(document: dict[str, Any]) -> None:
        small(document)
        document["training"]["families"] = families

    settings = make_project(months, share=8, suffix=suffix, edit=edit)
    with inhabit(settings):
        page = lifecycle("flights", AS_OF)
        summary = json.loads((page.parent / "summary.json").read_text())
        yield Lived(open_workspace("flights"), page, summary, len(months), families)


def rows(workspace: Workspace, table: str) -> pl.DataFrame:
    return workspace.lake.scan(table).collect()


def test_every_delivered_row_is_accepted_or_quarantined(lived: Lived) -> None:
    delivered = lived.workspace.project.folder / "delivered"
    accepted = dict(rows(lived.workspace, "raw/flights")["batch"].value_counts().iter_rows())
    quarantined = dict(rows(lived.workspace, "quarantine/flights")["batch"].value_counts().iter_rows())
    assert len(accepted) == lived.months
    for facts in lived.summary["batches"]:
        batch = facts["batch"]
        file = next(delivered.glob(f"{batch}.*"))
        received = (
            pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema=False)
        )
        assert facts["received"] == received.height == accepted[batch] + quarantined.get(batch, 0)
        assert (facts["accepted"], facts["quarantined"]) == (accepted[batch], quarantined.get(batch, 0))


def test_features_outcomes_and_predictions_cover_the_accepted_rows(lived: Lived) -> None:
    key = list(lived.workspace.spec.datasets["flights"].key)
    raw, features = rows(lived.workspace, "raw/flights"), rows(lived.workspace, "features")
    assert features.select("batch", *key).sort(key).equals(raw.select("batch", *key).sort(key))
    outcomes = rows(lived.workspace, "outcomes")
    assert outcomes.height == raw.drop_nulls("late").height
    assert dict(outcomes.select(*key, "label").rows_by_key(key, unique=True)) == dict(
        raw.drop_nulls("late").select(*key, "late").rows_by_key(key, unique=True)
    )
    predictions = rows(lived.workspace, "predictions")
    scored = [facts["batch"] for facts in lived.summary["batches"] if facts["champion"]]
    assert len(scored) == lived.months - 2  # the batches after those of the first training
    wanted = features.filter(pl.col("batch").is_in(scored)).select(key).sort(key)
    assert predictions.select(key).sort(key).equals(wanted)


def test_predictions_are_the_answers_of_the_registered_file(lived: Lived) -> None:
    registry, predictions = lived.workspace.registry, rows(lived.workspace, "predictions")
    for (batch, name), told in predictions.group_by("batch", "version"):
        version = registry.version(str(name))
        file = f"{version.metrics['serves']}.onnx"
        model = Model.open(registry.file(version, file), version.files[file])
        features = lived.workspace.lake.scan("features", [str(batch)]).collect()
        key = list(lived.workspace.spec.datasets["flights"].key)
        answers = features.select(key).with_columns(prediction=model.predict(features))
        assert answers.sort(key).equals(told.select(*key, "prediction").sort(key))


def test_there_is_one_champion_and_every_version_is_complete(lived: Lived) -> None:
    project, registry = lived.workspace.project.name, lived.workspace.registry
    versions = registry.versions(project)
    assert [version.stage for version in versions].count("champion") == 1
    assert {version.family for version in versions} == set(lived.families)
    for version in versions:
        assert {"float32.onnx", "calibration.json", "reference.parquet"} <= set(version.files)
        card = lived.page.parent / next(
            each["card"] for each in lived.summary["versions"] if each["version"] == version.id
        )
        assert version.stage in card.read_text() and card.with_suffix(".json").is_file()
        for name in version.files:
            content = registry.file(version, name).read_bytes()  # once its hash is verified
            assert not holds_pickle(content), name
        assert all(variant["parity"]["holds"] for variant in version.metrics["variants"] if variant["kept"])
        assert version.lineage.tables.keys() == {"features", "outcomes"}
    tracked = [*lived.workspace.settings.home.glob("wandb/offline-run-*/run-*.wandb")]
    assert len(tracked) >= len(versions)
    crowned = [change for change in registry.transitions(project) if change.after == "champion"]
    assert all(change.evidence["gate"]["accepted"] for change in crowned if change.action != "rollback")


def test_no_version_saw_its_holdout_or_the_future(lived: Lived) -> None:
    for version in lived.workspace.registry.versions(lived.workspace.project.name):
        lineage = version.lineage
        assert lineage.trained_until < lineage.as_of
        last = lived.workspace.batch(lineage.batches[-1])
        assert last.end <= lineage.as_of


def test_realised_measures_are_those_of_the_joined_tables(lived: Lived) -> None:
    key = list(lived.workspace.spec.datasets["flights"].key)
    joined = rows(lived.workspace, "predictions").join(rows(lived.workspace, "outcomes"), on=key)
    for facts in lived.summary["batches"]:
        if facts["champion"] is None:
            assert facts["auc"] is None
            continue
        batch = joined.filter(pl.col("batch") == facts["batch"])
        assert facts["auc"] == pytest.approx(roc_auc_score(batch["label"], batch["prediction"]), abs=1e-12)
        assert facts["log_loss"] == pytest.approx(log_loss(batch["label"], batch["prediction"]), abs=1e-9)
        assert facts["decision"] in get_args(Action)
        assert facts["reasons"]


def test_the_baseline_is_of_another_family_than_the_champion(lived: Lived) -> None:
    families = {each["version"]: each["family"] for each in lived.summary["versions"]}
    first = lived.workspace.spec.training.families[0]
    for facts in lived.summary["batches"]:
        if facts["champion"]:
            assert bool(facts["baseline"]) is (families[facts["champion"]] != first)


def test_a_decision_to_retrain_led_to_the_gate(lived: Lived) -> None:
    decided = [facts for facts in lived.summary["batches"] if (facts["decision"] or "").startswith("retrain")]
    generations = {version["version"] for version in lived.summary["versions"]}
    assert len(generations) == len(lived.families) * (1 + len(decided))


def test_the_report_opens_without_a_network(lived: Lived) -> None:
    page = lived.page.read_text()
    assert lived.page == lived.workspace.settings.home / "reports/flights/lifecycle/index.html"
    assert "<svg" in page
    for loads in ('src="http', "src='http", "@import", 'rel="stylesheet"', "url(http"):
        assert loads not in page
    for facts in lived.summary["batches"]:
        assert facts["batch"] in page
        if facts["champion"]:
            assert (lived.page.parent / facts["drift_page"]).is_file()


def test_all_pages_are_made_again_from_the_lake_and_the_registry(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidently's by processes of their own, where there are more than a few."""
    folder, told = lived.page.parent.parent, lived.page.with_name("summary.json").read_text()
    shutil.rmtree(folder)
    monkeypatch.setattr(site, "FEW", 0)
    assert site.report(lived.workspace, AS_OF) == folder / "index.html"
    assert lived.page.with_name("summary.json").read_text() == told
    drawn = {path.stem for path in (folder / "drift").iterdir()}
    assert drawn == {facts["batch"] for facts in lived.summary["batches"] if facts["champion"]}
    assert len(list((folder / "models").glob("*.json"))) == len(lived.summary["versions"])


def test_the_same_again_does_no_work_and_tells_the_same(lived: Lived) -> None:
    from flows.lifecycle import lifecycle

    def state() -> tuple[object, ...]:
        registry, name = lived.workspace.registry, lived.workspace.project.name
        tables = (
            "raw/flights",
            "quarantine/flights",
            "features",
            "outcomes",
            "predictions",
            "metrics",
            "profiles",
        )
        return (
            {table: lived.workspace.lake.version(table) for table in tables},
            registry.versions(name),
            registry.transitions(name),
            json.loads((lived.page.parent / "summary.json").read_text()),
        )

    before = state()
    lifecycle("flights", AS_OF)
    assert state() == before
