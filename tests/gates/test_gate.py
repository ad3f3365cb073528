"""The gate says no to planted bad challengers, each for the right reason, and yes to honest ones."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import PerennialError, SpecError
from core.spec import Spec
from models.gate.duel import worse
from models.gate.judge import Contender, GateReport, Served
from models.measures.paired import Interval

Gate = Callable[..., GateReport]


def failed(report: GateReport) -> set[str]:
    assert report.accepted == all(check.passed for check in report.checks)
    return {check.name for check in report.checks if not check.passed}


def found(report: GateReport, name: str) -> Any:
    return next(check for check in report.checks if check.name == name)


def with_gate(spec: Spec, **rules: Any) -> Spec:
    return spec.model_copy(update={"gate": spec.gate.model_copy(update=rules)})


# Honest challengers


def test_rows_from_the_very_instant_on_count_as_unseen(gate: Gate, world: Any, challenger: Contender) -> None:
    first = world.rows.times[0]
    assert found(gate(replace(challenger, fitted_until=first), None), "unseen rows").passed


def test_a_category_of_many_values_is_no_leak(gate: Gate, world: Any, challenger: Contender) -> None:
    names = pl.Series("airline", [f"N{row}" for row in range(world.rows.frame.height)])
    rows = replace(world.rows, frame=world.rows.frame.with_columns(names))
    assert found(gate(challenger, None, rows=rows), "leakage").passed


# Planted faults


def test_a_simpler_but_worse_one_is_not_better(
    gate: Gate, challenger: Contender, champion: Contender
) -> None:
    worse = replace(champion, id="flights/3", complexity=1)
    assert failed(gate(worse, challenger)) >= {"better", "ranking"}


def test_one_that_was_fitted_on_the_rows_is_refused(
    gate: Gate, challenger: Contender, champion: Contender
) -> None:
    ten_days_on = replace(challenger, fitted_until=challenger.fitted_until + timedelta(days=10))
    report = gate(ten_days_on, champion)
    assert failed(report) == {"unseen rows"}
    assert found(report, "unseen rows").value == 10 * 120
    assert (
        "flights/2 was fitted on 1200 of the 3600 rows (it says until 2013-03-11 00:00 UTC)"
        in report.reasons[0]
    )
    unfair = replace(champion, fitted_until=champion.fitted_until + timedelta(seconds=1))
    assert failed(gate(challenger, unfair)) == {"unseen rows"}


def test_a_miscalibrated_one_is_refused(gate: Gate, challenger: Contender, champion: Contender) -> None:
    raised = challenger.answers**0.7
    report = gate(replace(challenger, answers=raised), champion)
    assert "calibration" in failed(report)
    assert found(report, "ranking").passed  # for it ranks as well as before


def test_a_calibration_no_worse_than_the_champions_is_accepted(
    gate: Gate, challenger: Contender, champion: Contender
) -> None:
    raised = replace(challenger, answers=challenger.answers**0.7)
    worse = replace(champion, answers=champion.answers**0.6)
    assert found(gate(raised, worse), "calibration").passed


def test_swapped_classes_are_refused(gate: Gate, challenger: Contender, champion: Contender) -> None:
    swapped = replace(challenger, answers=1 - challenger.answers)
    assert failed(gate(swapped, champion)) >= {"better", "ranking", "calibration"}
    assert failed(gate(swapped, None)) >= {"better", "ranking"}


def test_no_better_than_the_base_rate_is_refused(gate: Gate, world: Any, challenger: Contender) -> None:
    guess = 0.3 + np.random.default_rng(4).normal(0, 0.02, 3600)
    assert failed(gate(replace(challenger, answers=guess), None)) == {"better", "ranking"}


@pytest.mark.parametrize("leak", ["number", "mirrored", "missing", "category"])
def test_a_feature_that_tells_the_label_is_refused(
    gate: Gate, world: Any, challenger: Contender, champion: Contender, leak: str
) -> None:
    late = pl.Series(world.labels > 0)
    planted = {
        "number": pl.select(pl.when(late).then(40.0).otherwise(-5.0).alias("wind")),
        "mirrored": pl.select(pl.when(late).then(-40.0).otherwise(5.0).alias("wind")),
        "missing": pl.select(pl.when(late).then(None).otherwise(world.rows.frame["wind"]).alias("wind")),
        "category": pl.select(pl.when(late).then(pl.lit("UA*")).otherwise(pl.lit("UA")).alias("airline")),
    }[leak]
    rows = replace(world.rows, frame=world.rows.frame.with_columns(planted.to_series()))
    report = gate(challenger, champion, rows=rows)
    assert "leakage" in failed(report)
    assert f"{planted.columns[0]} alone tells 1.0000" in found(report, "leakage").detail


def test_the_label_among_the_features_is_refused(
    gate: Gate, spec: Spec, challenger: Contender, champion: Contender
) -> None:
    named = spec.model_copy(update={"outcome": spec.outcome.model_copy(update={"label": "wind"})})
    assert failed(gate(challenger, champion, spec=named)) == {"leakage"}


@pytest.mark.parametrize("value", [-0.1, 1.1])
@pytest.mark.parametrize("who", ["challenger", "champion"])
def test_what_is_no_probability_is_refused(
    gate: Gate, challenger: Contender, champion: Contender, value: float, who: str
) -> None:
    pair = {"challenger": challenger, "champion": champion}
    pair[who] = replace(pair[who], answers=np.append(pair[who].answers[:-1], value))
    report = gate(pair["challenger"], pair["champion"])
    assert failed(report) == {"sanity"}
    assert f"{pair[who].id}: 1 of 3600 probabilities are not between 0 and 1" in report.reasons[0]


def test_too_few_days_or_one_outcome_are_no_evidence(gate: Gate, make_world: Any) -> None:
    short = make_world(days=6)
    better, other = short.model("flights/2", 0.2, 1), short.model("flights/1", 1, 2)
    assert failed(gate(better, other, rows=short.rows)) == {"evidence"}
    month = make_world()
    on_time = replace(month.rows, labels=np.zeros(3600, np.float32))
    assert failed(gate(month.model("flights/2", 0.2, 1), None, rows=on_time)) == {"evidence"}


def test_a_file_that_would_not_serve_well_is_refused(
    gate: Gate, challenger: Contender, champion: Contender, served: Served
) -> None:
    planted = {
        "parity": replace(served, name="int8", parity=False, difference=0.02),
        "latency": replace(served, name="int8", p99_us=9_000),
        "size": replace(served, name="int8", bytes=90_000_000),
    }
    for name, file in planted.items():
        report = gate(challenger, champion, files=(served, file))
        assert failed(report) == {name}
        assert "int8" in report.reasons[0]
    assert failed(gate(challenger, champion, files=())) == {"parity"}


def test_what_cannot_be_compared_is_an_error(gate: Gate, spec: Spec, challenger: Contender) -> None:
    short = replace(challenger, answers=challenger.answers[1:])
    with pytest.raises(PerennialError, match=r"flights/2 gave answers \(3599,\), and \(3600,\) are needed"):
        gate(short, None)
    with pytest.raises(SpecError, match=r"gate\.slices: the rows have no column 'airlin'"):
        gate(challenger, None, spec=with_gate(spec, slices=("airlin",)))


# How often it errs


def test_without_a_difference_it_seldom_promotes(gate: Gate, spec: Spec, make_world: Any) -> None:
    """2.5 % of 150 challengers that are no better may pass; over 11 has a chance of 1 in 1,000."""
    quick = with_gate(spec, draws=200, slices=())
    promoted = 0
    for seed in range(150):
        month = make_world(seed=seed, days=14, daily=40)
        pair = month.model("flights/2", 0.5, 1000 + seed), month.model("flights/1", 0.5, 2000 + seed)
        promoted += found(gate(*pair, rows=month.rows, spec=quick), "better").passed
    assert promoted <= 11


def test_a_clear_difference_is_mostly_seen(gate: Gate, spec: Spec, make_world: Any) -> None:
    quick = with_gate(spec, draws=200, slices=())
    seen = 0
    for seed in range(30):
        month = make_world(seed=seed, days=14, daily=40)
        pair = month.model("flights/2", 0.1, 1000 + seed), month.model("flights/1", 1.5, 2000 + seed)
        seen += found(gate(*pair, rows=month.rows, spec=quick), "better").passed
    assert seen >= 24


def test_a_loss_counts_when_it_exceeds_the_margin_and_chance() -> None:
    assert worse(Interval(-0.03, -0.04, -0.01), margin=0.02)
    assert not worse(Interval(-0.03, -0.07, 0.01), margin=0.02)
    assert not worse(Interval(-0.01, -0.015, -0.005), margin=0.02)


def test_the_answer_is_the_same_each_time(gate: Gate, challenger: Contender, champion: Contender) -> None:
    assert gate(challenger, champion) == gate(challenger, champion)


def test_blocks_are_days_of_the_projects_own_time_zone(
    gate: Gate, spec: Spec, world: Any, challenger: Contender
) -> None:
    local = spec.model_copy(
        update={"batches": spec.batches.model_copy(update={"timezone": "America/New_York"})}
    )
    assert gate(challenger, None).blocks == 30
    assert (
        gate(challenger, None, spec=local).blocks == 31
    )  # midnight in UTC is the evening before in New York
    weeks = with_gate(spec, block=timedelta(days=7))
    assert failed(gate(challenger, None, spec=weeks)) == {"evidence"}
