"""Labels that come late, early and again: what is said of a batch, when, and that nothing counts twice."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from models.problem import problem_of
from stages.champion.promote import promote
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.features.featurise import featurise
from stages.monitoring.monitor import judge_batch
from stages.score import score
from stages.workspace import Workspace
from tests.stages.orders import fits, make_orders

pytestmark = pytest.mark.slow

LATER = timedelta(days=40)


@pytest.fixture(scope="module", params=["binary", "quantiles"])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A champion of January and February that scored March and April."""
    root = tmp_path_factory.mktemp(request.param)
    workspace = make_orders(root, request.param, gate={"slices": ["city"], "max_calibration_error": 0.5})
    trained = workspace.batch("2013-02").end + timedelta(days=1)
    assert promote(workspace, fits(workspace, trained), trained).accepted
    for name in ("2013-03", "2013-04"):
        score(workspace, workspace.batch(name), workspace.batch(name).end)
    yield workspace


def due(workspace: Workspace, name: str) -> datetime:
    return workspace.batch(name).end + workspace.spec.outcome.maturity


def metrics(workspace: Workspace, name: str) -> pl.DataFrame:
    return workspace.lake.scan("metrics", [name]).collect()


def redeliver(workspace: Workspace, change: pl.Expr, known_later: bool) -> None:
    """The orders again, with other outcomes in April, known when they were or after all were due."""
    path = workspace.project.folder / "orders.csv"
    frame = pl.read_csv(path, infer_schema=False)
    april = pl.col("at").str.starts_with("2013-04")
    columns = [
        pl.when(april).then(change).otherwise(change.meta.root_names()[0]).alias(change.meta.root_names()[0])
    ]
    if known_later:
        columns.append(pl.when(april).then(pl.lit("2013-05-20T00:00:00Z")).otherwise("seen").alias("seen"))
    frame.with_columns(columns).write_csv(path)
    as_of = due(workspace, "2013-04") + LATER
    for item in pending(workspace, "orders", workspace.batches(as_of)):
        deliver(workspace, "orders", item, as_of)
    april_batch = workspace.batch("2013-04")
    ingest(workspace, "orders", april_batch, as_of)
    featurise(workspace, april_batch, as_of)


def test_early_labels_give_a_provisional_judgement_that_the_final_one_replaces(lived: Workspace) -> None:
    march = lived.batch("2013-03")
    early = judge_batch(lived, march, march.end)
    assert early is not None and not early.final
    assert 0 < early.labelled < early.scored and early.decision in ("nothing", "watch")
    assert any(reason.startswith("Provisional: the outcomes of") for reason in early.reasons)
    assert not any(each["error"] for each in early.estimates.values())
    told = metrics(lived, "2013-03")
    assert not told["final"].any() and (told["labelled_share"] == early.labelled / early.scored).all()
    final = judge_batch(lived, march, due(lived, "2013-03"))
    assert final is not None and final.final and final.labelled == final.scored
    after = metrics(lived, "2013-03")
    assert after["final"].all() and (after["labelled_share"] == 1).all()
    assert after.height == after.n_unique(["slice", "part", "measure"])
    again = judge_batch(lived, march, march.end)  # the clock went back
    assert again is not None and not again.final
    assert metrics(lived, "2013-03").equals(after)
    assert lived.ledger.result("monitor", "2013-03")["final"]


def test_slices_and_days_add_up_to_the_batch(lived: Workspace) -> None:
    judged = judge_batch(lived, lived.batch("2013-03"), due(lived, "2013-03"))
    told = metrics(lived, "2013-03")
    assert judged is not None
    cities = told.filter(pl.col("slice") == "city", pl.col("measure") == "loss")
    assert cities["part"].n_unique() == 4
    assert cities["rows"].sum() == judged.labelled == sum(block["rows"] for block in judged.blocks)
    if problem_of(lived.spec).kind == "binary":
        whole = told.filter(pl.col("slice").is_null(), pl.col("measure") == "loss")["value"].item()
        assert (cities["value"] * cities["rows"]).sum() / cities["rows"].sum() == pytest.approx(whole)
        blocks = judged.blocks
        assert sum(b["loss"] * b["rows"] for b in blocks) / judged.labelled == pytest.approx(whole)
    assert len({block["begins"][:10] for block in judged.blocks}) == len(judged.blocks) == 31
    assert (told["low"].drop_nulls() <= told["high"].drop_nulls()).all()


def test_an_estimate_knows_only_what_was_known_when_the_batch_ended(lived: Workspace) -> None:
    """Judged much later, with all labels of its own and of later batches in, it is the same."""
    march, april = lived.batch("2013-03"), lived.batch("2013-04")
    judge_batch(lived, march, due(lived, "2013-03"))
    first = judge_batch(lived, april, due(lived, "2013-04"))
    later = judge_batch(lived, april, due(lived, "2013-04") + timedelta(days=20))
    assert first is not None and later is not None and first.estimates
    name = "auc" if "auc" in first.estimates else "pinball"
    assert first.estimates[name] == later.estimates[name]
    told = first.estimates[name]
    assert told["value"] - told["error"] == pytest.approx(first.measures[name])
    march_had = lived.ledger.result("monitor", "2013-03")["measures"][name]
    assert told["naive"] == pytest.approx(march_had)  # the newest final batch, not the reference
    assert any(re.search("off by .*; that it stays as it was", reason) for reason in first.reasons)


def test_corrected_outcomes_change_the_final_metrics_and_count_once(lived: Workspace) -> None:
    april = lived.batch("2013-04")
    before = judge_batch(lived, april, due(lived, "2013-04"))
    assert before is not None
    label = lived.spec.outcome.label
    flip = (
        pl.when(pl.col(label) == "true").then(pl.lit("false")).otherwise(pl.lit("true"))
        if label == "late"
        else (pl.col(label).cast(float) + 30).cast(pl.String)
    )
    path = Path(lived.project.folder / "orders.csv")
    kept = path.read_bytes()
    redeliver(lived, flip, known_later=False)
    score(lived, april, april.end)
    after = judge_batch(lived, april, due(lived, "2013-04"))
    assert after is not None and after.final and after.labelled == before.labelled
    assert after.measures["loss"] > before.measures["loss"] + 0.1
    for name, each in after.estimates.items():  # made without the labels of the batch
        # But for the order in which rows are added up.
        assert each["value"] == pytest.approx(before.estimates[name]["value"], rel=1e-12)
    told = metrics(lived, "2013-04")
    assert told.height == told.n_unique(["slice", "part", "measure"])
    whole = told.filter(pl.col("slice").is_null(), pl.col("measure") == "loss")
    assert whole["value"].item() == after.measures["loss"]
    assert lived.ledger.result("monitor", "2013-04")["measures"]["loss"] == after.measures["loss"]
    path.write_bytes(kept)
    redeliver(lived, pl.col(label), known_later=True)
    score(lived, april, april.end)
    blind = judge_batch(lived, april, due(lived, "2013-04"))
    assert blind is not None and blind.labelled == 0  # what became known in May was not known then
    seeing = judge_batch(lived, april, due(lived, "2013-04") + LATER)
    assert seeing is not None and seeing.measures["loss"] == pytest.approx(before.measures["loss"])
