"""Limits on how far groups may differ: refused beyond the limit and chance, told with numbers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import SpecError
from core.gating import Fairness
from core.spec import Spec
from models.gate.fairness import Group, groups
from models.gate.judge import Contender, GateReport
from models.measures.intervals import drawn_blocks
from models.problem import problem_of

Gate = Callable[..., GateReport]


def failed(report: GateReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


def found(report: GateReport, name: str) -> Any:
    return next(check for check in report.checks if check.name == name)


def limited(spec: Spec, *attributes: str, **limits: Any) -> Spec:
    fairness = Fairness(attributes=attributes, **limits)
    return spec.model_copy(update={"gate": spec.gate.model_copy(update={"fairness": fairness})})


def shown(stage: Any, attribute: str = "airline", **limits: Any) -> dict[str, Group]:
    spec, rows = limited(stage.spec, attribute, **limits), stage.world.rows
    blocks = drawn_blocks(rows, spec)
    told = groups(problem_of(spec), rows, stage.challenger.answers, attribute, blocks, spec.gate)
    return {group.group: group for group in told}


@pytest.mark.parametrize(
    "limit", ["max_selection_gap", "max_true_positive_gap", "max_false_positive_gap", "max_calibration_gap"]
)
def test_a_group_that_fares_otherwise_is_refused(
    gate: Gate, spec: Spec, world: Any, challenger: Contender, champion: Contender, limit: str
) -> None:
    hawaii = (world.rows.frame["airline"] == "HA").to_numpy()
    favoured = np.where(hawaii, challenger.answers**0.4, challenger.answers)
    strict = limited(spec, "airline", min_rows=100, **{limit: 0.15})
    report = gate(replace(challenger, answers=favoured), champion, spec=strict)
    assert "fairness" in failed(report)
    check = found(report, "fairness")
    assert "of airline HA is 0." in check.detail and "at most 0.15" in check.detail
    assert check.value > 0.15 == check.limit and check.low > 0


def test_groups_that_fare_alike_pass(
    gate: Gate, spec: Spec, world: Any, challenger: Contender, champion: Contender
) -> None:
    coin = pl.Series("coin", np.random.default_rng(1).choice(["heads", "tails"], len(world.rows)))
    rows = replace(world.rows, frame=world.rows.frame.with_columns(coin))
    alike = dict.fromkeys(("max_selection_gap", "max_true_positive_gap", "max_calibration_gap"), 0.0)
    report = gate(challenger, champion, rows=rows, spec=limited(spec, "coin", **alike))
    assert failed(report) == set()
    check = found(report, "fairness")
    assert check.value > check.limit and check.low < 0  # beyond the limit, and no more than chance


def test_a_limit_holds_though_the_champion_breaks_it_too(
    gate: Gate, spec: Spec, challenger: Contender, champion: Contender
) -> None:
    report = gate(challenger, champion, spec=limited(spec, "airline", max_selection_gap=0.05))
    assert failed(report) == {"fairness"}
    assert "; by flights/1 0." in found(report, "fairness").detail


def test_few_rows_are_shown_and_not_judged(
    gate: Gate, spec: Spec, challenger: Contender, champion: Contender, stage: Any
) -> None:
    few = limited(spec, "airline", min_rows=1_000, max_selection_gap=0.0)
    assert "airline HA" not in found(gate(challenger, champion, spec=few), "fairness").detail
    none = limited(spec, "airline", min_rows=5_000, max_selection_gap=0.0)
    assert found(gate(challenger, champion, spec=none), "fairness").passed
    told = shown(stage, min_rows=len(stage.world.rows) // 4)
    assert [told[name].judged for name in ("UA", "B6", "HA")] == [True, True, False]


def test_by_chance_alone_many_groups_differ_seldom(gate: Gate, spec: Spec, make_world: Any) -> None:
    """Twelve groups that fare alike: 66 pairs and three rates, of which one in 20 worlds may differ."""
    strict = limited(
        spec,
        "gate",
        min_rows=100,
        max_selection_gap=0.01,
        max_true_positive_gap=0.01,
        max_calibration_gap=0.01,
    )
    quick = strict.model_copy(update={"gate": strict.gate.model_copy(update={"draws": 300})})
    refused = 0
    for seed in range(40):
        month = make_world(seed=seed)
        gates = pl.Series("gate", np.random.default_rng(seed + 1_000).integers(0, 12, len(month.rows)))
        rows = replace(month.rows, frame=month.rows.frame.with_columns(gates))
        pair = month.model("flights/2", 0.2, seed), month.model("flights/1", 1, seed + 100)
        refused += not found(gate(*pair, rows=rows, spec=quick), "fairness").passed
    assert refused <= 6


def test_each_kind_of_problem_tells_the_rates_that_it_has(stage: Any) -> None:
    rates = {name.split(" of ")[0] for name in shown(stage)["UA"].rates}
    decided = {"selection_rate", "true_positive_rate", "false_positive_rate"}
    known = {"ranking": decided, "regression": {"calibration_gap"}, "quantiles": {"calibration_gap"}}
    assert rates == known.get(stage.world.kind, decided | {"calibration_gap"})
    if stage.world.kind == "multiclass":
        assert "selection_rate of late" in shown(stage)["UA"].rates


def test_the_rates_are_those_of_counting(stage: Any) -> None:
    if stage.world.kind != "binary":
        return
    rows, said = stage.world.rows, stage.challenger.answers >= 0.5
    group = (rows.frame["airline"] == "B6").to_numpy()
    told, late = shown(stage)["B6"], rows.labels > 0
    assert told.rows == group.sum()
    assert told.rates["selection_rate"].value == pytest.approx(said[group].mean())
    assert told.rates["true_positive_rate"].value == pytest.approx(said[group & late].mean())
    assert told.rates["false_positive_rate"].value == pytest.approx(said[group & ~late].mean())
    off = stage.challenger.answers - rows.labels
    gap = told.rates["calibration_gap"]
    assert gap.value == pytest.approx(off[group].mean()) and gap.low < gap.value < gap.high


def test_the_threshold_is_that_of_the_costs(gate: Gate, stage: Any) -> None:
    if stage.world.kind != "binary":
        return
    objective = stage.spec.objective.model_copy(update={"costs": {"missed": 9.0, "false_alarm": 1.0}})
    spec, rows = stage.spec.model_copy(update={"objective": objective}), stage.world.rows
    blocks, answers = drawn_blocks(rows, spec), stage.challenger.answers
    first, *_ = groups(problem_of(spec), rows, answers, "airline", blocks, spec.gate)
    ours = (rows.frame["airline"] == first.group).to_numpy()
    assert first.rates["selection_rate"].value == pytest.approx((answers[ours] >= 0.1).mean())


def test_missing_values_are_a_group_and_numbers_are_cut_into_bands(stage: Any) -> None:
    frame = stage.world.rows.frame
    airline = pl.when(pl.col("airline") == "HA").then(None).otherwise("airline").alias("airline")
    other = replace(stage.world, rows=replace(stage.world.rows, frame=frame.with_columns(airline)))
    assert set(shown(replace(stage, world=other))) == {"UA", "B6", "missing"}
    bands = shown(stage, "wind")
    assert len(bands) == 5
    assert all(" to " in name for name in bands)
    with pytest.raises(SpecError, match=r"gate\.fairness\.attributes: the rows have no column 'age'"):
        shown(stage, "age")
