"""A test of two versions ends when one is surely better, however often it was looked at, and not before."""

import math
from typing import Any

import polars as pl
import pytest

from core.errors import PerennialError
from monitoring.release.trial import Trial, TrialResult, result
from tests.monitoring.released import CANARY, CHAMPION, Log, broken, spec

A, B = CHAMPION, CANARY
EVEN = Log(rows=9_000, share=0.5, labelled=1.0)


def trial(**stated: Any) -> Trial:
    return Trial(A, B, **{"minimum": 200, "maximum": 900, **stated})


def ended(rows: pl.DataFrame, stated: Trial, kind: str = "binary") -> TrialResult:
    """The first result that ends a trial looked at after every 300 rows, or the last."""
    framed = spec(kind)
    for end in range(300, rows.height + 1, 300):
        found = result(stated, framed, rows[:end])
        if found.state != "collecting":
            return found
    return found


def test_of_two_that_are_the_same_none_is_better() -> None:
    """At 95 % 1 of 20 may be: more than 4 have a chance of 1 in 300."""
    states = [ended(EVEN.frame(seed), trial()).state for seed in range(20)]
    assert states.count("no difference found") >= 16
    assert "collecting" not in states


def test_the_one_that_loses_less_is_better_whichever_it_is() -> None:
    rows = broken(EVEN.frame(1), prediction=pl.col("prediction") / 2)
    found = ended(rows, trial())
    assert found.state == "a better"
    assert found.difference.low > 0
    assert found.reason.endswith(f"{A} is surely better")
    assert ended(rows, Trial(B, A, minimum=200)).state == "b better"


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_by_the_outcome_the_higher_one_is_better(kind: str) -> None:
    label = pl.col("label") | (pl.int_range(pl.len()) % 4 == 0) if kind == "binary" else pl.col("label") + 6
    found = ended(broken(Log(kind, 9_000, 0.5, 1.0).frame(1), label=label), trial(metric="label"), kind)
    assert found.state == "b better"
    assert found.means[1] > found.means[0]
    assert "The mean outcome of" in found.reason


@pytest.mark.parametrize(
    ("kind", "worse"),
    [
        ("multiclass", pl.col("prediction").list.reverse()),
        ("ranking", -pl.col("prediction")),
        ("quantiles", pl.col("prediction").list.eval(pl.element() + 30)),
    ],
)
def test_every_kind_of_problem_is_tested_by_its_loss(kind: str, worse: pl.Expr) -> None:
    rows = broken(Log(kind, 9_000, 0.5, 1.0).frame(1), prediction=worse)
    assert ended(rows, trial(), kind).state == "a better"


def test_before_the_minimum_nothing_is_said_however_clear_it_is() -> None:
    rows = broken(EVEN.frame(1), prediction=1 - pl.col("prediction"))
    found = result(trial(minimum=500), spec(), rows[:600])
    assert found.state == "collecting"
    assert found.reason.endswith("500 of each are needed")
    assert ended(rows, trial(minimum=500)).state == "a better"
    assert min(ended(rows, trial(minimum=500)).entities) >= 500


def test_without_outcomes_it_waits() -> None:
    found = result(trial(), spec(), EVEN.frame(1).with_columns(label=pl.lit(None, pl.Boolean)))
    assert (found.state, found.entities, found.rows) == ("collecting", (0, 0), (0, 0))
    assert math.isnan(found.difference.value) and math.isnan(found.means[0])


def test_the_answers_of_an_entity_count_as_one() -> None:
    found = result(trial(), spec(), EVEN.frame(1))
    known = EVEN.frame(1)
    assert found.entities == tuple(known.filter(version=each)["entity"].n_unique() for each in (A, B))
    assert sum(found.rows) == known.height


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"minimum": 900, "maximum": 100}, "the minimum should be 1 or more, and no more than the maximum"),
        ({"minimum": 0}, "the minimum should be 1 or more"),
        ({"confidence": 95}, "confidence of 95 should be above 0.5, below 1"),
    ],
)
def test_what_cannot_be_a_trial_is_refused(stated: dict[str, Any], told: str) -> None:
    with pytest.raises(PerennialError, match=told):
        trial(**stated)


def test_a_version_is_not_tested_against_itself() -> None:
    with pytest.raises(PerennialError, match="name two versions"):
        Trial(A, A)


def test_what_has_no_mean_outcome_or_no_outcomes_is_refused() -> None:
    with pytest.raises(PerennialError, match="multiclass problem have no mean"):
        result(trial(metric="label"), spec("multiclass"), Log("multiclass").frame(1))
    with pytest.raises(PerennialError, match="lack the columns \\['label'\\]"):
        result(trial(), spec(), EVEN.frame(1).drop("label"))
