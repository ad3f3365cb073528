"""A fit of any kind of problem is described by its holdout rows, in words that JSON can hold."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.plain import plain
from models.card.curve import curve
from models.card.describe import ROWS, describe
from models.fit import fit
from models.measures.intervals import drawn_blocks
from models.split import split

Plant = Callable[..., Any]
KINDS = ["binary", "multiclass", "regression", "quantiles", "ranking"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exact", [True, False])
def test_every_problem_is_described(kind: str, exact: bool, plant: Plant) -> None:
    made = plant(kind, exact)
    found = describe(made.fit, made.split, made.spec)
    told = plain(found)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert found.measures.keys() >= {"loss"}
    assert found.sampled <= ROWS
    assert found.cost.seconds == 1.5
    assert found.parts["holdout"].rows == len(made.holdout)
    assert [each.column for each in found.slices] == ["airline"]
    label = found.parts["train"].label
    if kind == "multiclass":
        assert list(label) == list(made.spec.outcome.classes)
        assert sum(label.values()) == pytest.approx(1)
    else:
        assert label == pytest.approx(made.split.train.labels.mean())


def test_a_description_is_the_same_when_made_again(plant: Plant) -> None:
    made = plant("binary", exact=False)
    one, other = (plain(describe(made.fit, made.split, made.spec)) for _ in range(2))
    del one["cost"], other["cost"]
    assert one == other


@pytest.mark.parametrize("kind", KINDS)
def test_sensitive_attributes_are_slices_and_have_groups(kind: str, plant: Plant) -> None:
    made = plant(kind)
    fairness = made.spec.gate.fairness.model_copy(update={"attributes": ("route", "airline")})
    gate = made.spec.gate.model_copy(update={"fairness": fairness})
    found = describe(made.fit, made.split, made.spec.model_copy(update={"gate": gate}))
    assert [each.column for each in found.slices] == ["airline", "route"]
    groups = [each for each in found.fairness if each.attribute == "airline"]
    assert sum(each.rows for each in groups) == len(made.holdout)
    assert all(each.judged == (each.rows >= fairness.min_rows) for each in groups)
    assert groups[0].rates
    assert json.dumps(plain(found.fairness), allow_nan=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_curve_holds_what_was_said_against_what_was_so(kind: str, plant: Plant) -> None:
    made = plant(kind)
    points = curve(made.fit.problem, made.holdout, made.answers, drawn_blocks(made.holdout, made.spec), 0.95)
    each = len(points) if kind == "quantiles" else 1  # a point of quantiles stands for all rows
    assert sum(point.rows for point in points) == each * len(made.holdout)
    said = [point.predicted for point in points]
    assert said == sorted(said)
    near = [point.observed.low <= point.predicted <= point.observed.high for point in points]
    if kind == "quantiles":
        assert [point.observed.value for point in points] == pytest.approx(said, abs=0.05)
    elif kind == "ranking":
        assert points[-1].observed.value > points[0].observed.value + 1
    else:  # the labels are drawn by the answers: of 15 intervals of 95 % hardly any misses
        assert np.mean(near) > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "lightgbm", "torch"])
def test_real_families_are_described(name: str, rows_frame: pl.DataFrame, spec: Any) -> None:
    """Where a family gives SHAP values they are whole: what they sum to, less the margin, is one constant."""
    parts = split(rows_frame, spec, rows_frame["known_at"].max())
    made = fit(name, parts, spec, lambda step, losses: None)
    found = describe(made, parts, spec)
    assert {each.feature for each in found.effects} == set(made.columns.names)
    assert {"wind", "airline"} & {each.feature for each in found.effects[:3]}
    bases = [each.base for each in found.examples if each.base is not None]
    assert len(bases) in (0, 5)
    assert np.ptp(bases or [0.0]) < 1e-6
