"""A calibration fitted anew is promoted where the base rate truly moved, and refused where it does harm."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import UnfitError
from models.gate.judge import GateReport
from models.registry.versions import Version
from stages.champion.promote import promote
from stages.models.cards import card_path
from stages.models.fitted import NATIVE
from stages.models.recalibrate import recalibrate
from stages.models.reproduce import reproduce
from stages.models.train import register
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import fits, make_orders, orders, write_spec

pytestmark = pytest.mark.slow

MONTHLY, RISEN = 1_500, 1.0


@pytest.fixture(autouse=True)
def _untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")


def after(workspace: Workspace, batch: str) -> datetime:
    return workspace.batch(batch).end + timedelta(days=1)


def championed(root: Path, kind: str = "binary", rows: pl.DataFrame | None = None, **spec: Any) -> Workspace:
    """Orders whose log-odds rise in April, with a champion that learnt from the months before."""
    rows = orders(MONTHLY, risen=RISEN) if rows is None else rows
    workspace = make_orders(root, kind, rows, **spec)
    report = promote(workspace, fits(workspace, after(workspace, "2013-03")), after(workspace, "2013-03"))
    assert report.accepted, report.reasons
    return workspace


def challenged(workspace: Workspace) -> tuple[Version, GateReport]:
    """The champion, calibrated anew after April, and the gate's answer about it."""
    at = after(workspace, "2013-04")
    (version,) = register(workspace, [recalibrate(workspace, at)])
    return version, promote(workspace, [version.id], at)


def failed(report: GateReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


@pytest.mark.parametrize(
    ("kind", "risen"),
    [("binary", RISEN), ("multiclass", 2 * RISEN), ("regression", RISEN), ("quantiles", RISEN)],
)
def test_one_that_follows_a_moved_base_rate_is_promoted_and_made_again_to_the_last_bit(
    tmp_path: Path, kind: str, risen: float
) -> None:
    """Of several classes it takes more: some hardly have margins of their own that could be scaled."""
    rows = orders(MONTHLY, risen=risen)
    workspace = championed(tmp_path, kind, rows, gate={"max_calibration_error": 0.1})
    champion = workspace.registry.champion("orders")
    assert champion is not None
    version, report = challenged(workspace)
    assert report.accepted, report.reasons
    made, before = version.lineage, champion.lineage
    assert (made.keeps, made.learnt_until) == (champion.id, before.learnt_until)
    assert made.learnt_until < made.calibrated_since < made.trained_until < made.as_of
    native = {name: digest for name, digest in champion.files.items() if name.startswith(NATIVE)}
    assert native.items() <= version.files.items()
    assert version.files["float32.onnx"] != champion.files["float32.onnx"]
    found = reproduce(workspace, version)
    assert found.same, found
    assert f"the fit of <code>{champion.id}</code>" in card_path(workspace, version).read_text()


def test_it_is_made_once_and_the_next_one_keeps_the_same_fit(tmp_path: Path) -> None:
    workspace = championed(tmp_path)
    version, _ = challenged(workspace)
    again = recalibrate(workspace, after(workspace, "2013-04"))
    assert (again.files, again.lineage) == (version.files, version.lineage)
    later = recalibrate(workspace, after(workspace, "2013-05"))
    assert later.lineage.keeps == "orders/1"
    assert later.lineage.trained_until > version.lineage.trained_until


@pytest.mark.parametrize("newer_margin", [0.0, 0.5])
def test_one_of_wrong_labels_is_refused(tmp_path: Path, newer_margin: float) -> None:
    """Also where newer knowledge may cost something: a calibration knows nothing new of the inputs."""
    rows = orders(MONTHLY)
    wrong = pl.col("at").is_between(pl.lit("2013-04-03"), pl.lit("2013-04-17"))
    drawn = pl.Series(np.random.default_rng(1).random(rows.height) < 0.6)
    planted = pl.when(wrong & drawn).then(pl.lit("true")).otherwise("late").alias("late")
    workspace = championed(tmp_path, rows=rows.with_columns(planted), gate={"newer_margin": newer_margin})
    version, report = challenged(workspace)
    assert failed(report) >= {"better"}
    assert workspace.registry.version(version).stage == "retired"
    champion = workspace.registry.champion("orders")
    assert champion is not None and champion.id == "orders/1"


def test_one_that_changes_nothing_is_refused(tmp_path: Path) -> None:
    _, report = challenged(championed(tmp_path, rows=orders(MONTHLY)))
    assert "better" in failed(report)


@pytest.mark.parametrize("family", ["lightgbm", "torch", "average", "stacking", "distilled"])
def test_fits_of_every_family_and_those_made_of_others_can_be_calibrated_anew(
    tmp_path: Path, family: str
) -> None:
    parameters = {
        "lightgbm": {"rounds": 20},
        "torch": {"epochs": 2},
        "average": {"members": ["linear", "lightgbm"]},
        "stacking": {"members": ["linear", "lightgbm"]},
        "distilled": {"teacher": "average"},
    }
    workspace = make_orders(
        tmp_path,
        "binary",
        orders(600, risen=RISEN),
        training={"families": [family], "parameters": parameters, "imbalance": "sampling"},
    )
    (made,) = fits(workspace, after(workspace, "2013-03"))
    first = workspace.registry.promote(
        made, over=None, why="for the test", evidence={}, at=after(workspace, "2013-03"), by="test"
    )
    version, _ = challenged(workspace)
    assert version.family == family
    assert version.metrics["validation"]["relative_loss"] < 1
    assert reproduce(workspace, version).same
    assert version.lineage.parameters == first.lineage.parameters


def test_where_it_cannot_be_done_the_reason_is_told(tmp_path: Path) -> None:
    workspace = make_orders(tmp_path / "binary")
    with pytest.raises(UnfitError, match="there is no champion"):
        recalibrate(workspace, after(workspace, "2013-04"))
    workspace = championed(tmp_path / "mae", "absolute")
    with pytest.raises(UnfitError, match="a model by mae has no calibration"):
        recalibrate(workspace, after(workspace, "2013-04"))
    same = pl.when(pl.col("at") > "2013-04").then(pl.lit("true")).otherwise("late").alias("late")
    workspace = championed(tmp_path / "one", rows=orders(MONTHLY).with_columns(same))
    with pytest.raises(UnfitError, match="of the newest labelled rows that orders/1 did not learn from"):
        recalibrate(workspace, after(workspace, "2013-04"))
    fewer = {"rain": {"from": "row", "column": "rain", "kind": "number"}}
    write_spec(workspace.settings, "binary", features=fewer | {"storm": fewer["rain"]})
    with pytest.raises(UnfitError, match="the features are no longer those of orders/1"):
        recalibrate(open_workspace("orders", workspace.settings), after(workspace, "2013-04"))
