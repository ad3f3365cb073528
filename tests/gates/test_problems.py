"""Of every kind of problem: planted bad challengers are refused for the right reason, honest ones pass."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.spec import Spec
from models.gate.judge import Contender, GateReport, Served
from models.problem import problem_of

EARLIER = timedelta(days=90)


def failed(report: GateReport) -> set[str]:
    assert report.accepted == all(check.passed for check in report.checks)
    return {check.name for check in report.checks if not check.passed}


def found(report: GateReport, name: str) -> Any:
    return next(check for check in report.checks if check.name == name)


def with_gate(spec: Spec, **rules: Any) -> Spec:
    return spec.model_copy(update={"gate": spec.gate.model_copy(update=rules)})


# Honest challengers


def test_a_truly_better_one_is_accepted(stage: Any) -> None:
    report = stage.judged(stage.challenger)
    assert failed(report) == set()
    better = found(report, "better")
    assert better.low == better.value > 0
    assert better.high is not None and better.high > better.low


def test_the_first_one_is_accepted_when_it_beats_the_best_constant(stage: Any) -> None:
    report = stage.judged(stage.challenger, None)
    assert failed(report) == set()
    assert report.champion is None
    assert "over the best constant" in found(report, "better").detail


def test_an_equal_and_simpler_one_is_accepted(stage: Any) -> None:
    report = stage.judged(nearly(stage.challenger, "flights/3", complexity=1), stage.challenger)
    assert failed(report) == set()
    assert "as it is simpler" in report.reasons[0]


@pytest.mark.parametrize("gained", [{"p99_us": 15}, {"bytes": 200_000}])
def test_an_equal_and_cheaper_one_is_accepted(stage: Any, served: Served, gained: dict[str, int]) -> None:
    small = nearly(stage.challenger, "flights/3", files=(replace(served, **gained),))
    report = stage.judged(small, stage.challenger)
    assert failed(report) == set()
    assert "as it is cheaper" in report.reasons[0]


def test_an_equal_and_newer_one_is_accepted_where_the_spec_prefers_it(stage: Any) -> None:
    newer = nearly(stage.challenger, "flights/3")
    champion = replace(stage.challenger, fitted_until=stage.challenger.fitted_until - EARLIER)
    assert failed(stage.judged(newer, champion)) == {"better"}
    moving = with_gate(stage.spec, newer_margin=0.002)
    report = stage.judged(newer, champion, spec=moving)
    assert failed(report) == set()
    assert "must be above -0.002, as it is newer" in report.reasons[0]
    for no_newer in (replace(newer, fitted_until=champion.fitted_until), replace(newer, complexity=3)):
        assert failed(stage.judged(no_newer, champion, spec=moving)) == {"better"}


# Planted faults


def test_a_newer_one_that_loses_more_than_the_spec_allows_is_refused(stage: Any) -> None:
    champion = replace(stage.challenger, fitted_until=stage.challenger.fitted_until - EARLIER)
    report = stage.judged(stage.champion, champion, spec=with_gate(stage.spec, newer_margin=0.002))
    assert "better" in failed(report)


def test_an_equal_one_that_saves_nothing_is_not_better(stage: Any, served: Served) -> None:
    assert failed(stage.judged(nearly(stage.challenger, "flights/3"), stage.challenger)) == {"better"}
    little = replace(served, bytes=400_000)
    dearer = replace(served, bytes=100_000, p99_us=60)
    for file in (little, dearer):
        same = nearly(stage.challenger, "flights/3", files=(file,))
        assert failed(stage.judged(same, stage.challenger)) == {"better"}


def test_a_copy_of_the_champion_is_refused_however_simple(stage: Any) -> None:
    copy = replace(stage.champion, id="flights/2", complexity=1)
    report = stage.judged(copy)
    assert failed(report) == {"scored afresh"}
    assert "flights/2 answers as flights/1 does, row by row: it is a copy" in report.reasons[0]


def test_the_wrong_way_round_is_refused(stage: Any) -> None:
    right = stage.challenger.answers
    swapped = {"binary": 1 - right, "multiclass": np.roll(right, 1, axis=-1)}.get(stage.world.kind, -right)
    wrong = replace(
        stage.challenger, answers=np.sort(swapped) if stage.world.kind == "quantiles" else swapped
    )
    assert "better" in failed(stage.judged(wrong))
    assert "better" in failed(stage.judged(wrong, None))


def test_one_lucky_day_is_not_enough(stage: Any) -> None:
    usual = nearly(stage.champion, "flights/2").answers
    known = stage.world.model("flights/2", noise=0.0, seed=5).answers
    lucky = np.where(_wide(stage.world.day == 12, usual), known, usual)
    report = stage.judged(Contender("flights/2", lucky, 2, stage.champion.fitted_until))
    assert failed(report) == {"better"}
    assert "gain +" in found(report, "better").detail  # although it is better on average


def test_one_that_is_worse_on_a_slice_is_refused(stage: Any) -> None:
    answers, small = stage.challenger.answers.copy(), stage.world.rows.frame["airline"] == "HA"
    places = small.arg_true().to_numpy()
    answers[places] = answers[np.random.default_rng(3).permutation(places)]
    report = stage.judged(replace(stage.challenger, answers=answers))
    assert "slices" in failed(report)
    told = found(report, "slices").detail
    assert "airline=HA" in told and "airline=UA" not in told


def test_a_miscalibrated_one_is_refused(stage: Any) -> None:
    right = stage.challenger.answers
    if stage.world.kind == "ranking":
        assert found(stage.judged(stage.challenger), "calibration").passed
        return
    wrong = {
        "binary": lambda: right**0.7,
        "regression": lambda: 1.2 * right,
        "quantiles": lambda: right[:, [1]] + 0.6 * (right - right[:, [1]]),  # too sure
        "multiclass": lambda: _flatter(right),
    }
    report = stage.judged(replace(stage.challenger, answers=wrong[stage.world.kind]()), None)
    assert failed(report) == {"calibration"}


def test_a_constant_is_refused_as_challenger_and_beaten_as_champion(stage: Any) -> None:
    constant = np.broadcast_to(stage.champion.answers[0], stage.champion.answers.shape).copy()
    assert failed(stage.judged(replace(stage.challenger, answers=constant))) == {"sanity"}
    assert failed(stage.judged(stage.challenger, replace(stage.champion, answers=constant))) == set()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("who", ["challenger", "champion"])
def test_what_is_no_number_is_refused(stage: Any, value: float, who: str) -> None:
    pair = {"challenger": stage.challenger, "champion": stage.champion}
    answers = pair[who].answers.copy()
    answers[-1] = value
    pair[who] = replace(pair[who], answers=answers)
    report = stage.judged(pair["challenger"], pair["champion"])
    assert failed(report) == {"sanity"}
    assert report.reasons[0].startswith(f"sanity: {pair[who].id}: 1 of ")


@pytest.mark.parametrize("leak", ["itself", "turned", "curved", "text"])
def test_a_feature_that_is_the_label_is_refused(stage: Any, leak: str) -> None:
    label = pl.Series(stage.world.labels)
    planted = {
        "itself": label,
        "turned": -3 * label + 7,
        "curved": label.exp(),
        "text": label.cast(pl.String),
    }
    name = "airline" if leak == "text" else "wind"
    if leak == "text" and stage.spec.problem == "regression":
        planted["text"] = label.round(1).cast(pl.String)
    frame = stage.world.rows.frame.with_columns(planted[leak].alias(name))
    quiet = with_gate(stage.spec, slices=())
    report = stage.judged(stage.challenger, rows=replace(stage.world.rows, frame=frame), spec=quiet)
    assert failed(report) == {"leakage"}
    assert f"{name} alone tells " in report.reasons[0]


def test_one_that_knows_the_label_is_too_good_to_be_true(stage: Any) -> None:
    labels, kind = stage.world.labels, stage.world.kind
    random = np.random.default_rng(2)
    told = labels + random.normal(0, 0.01, len(labels))
    if kind == "binary":
        told = np.clip(told * 0.9 + 0.05, 0, 1)
    if kind == "multiclass":
        told = _flatter(np.eye(3)[labels.astype(int)] + random.uniform(0.01, 0.02, (len(labels), 3)))
    if kind == "quantiles":
        told = told[:, None] + np.array([-0.02, 0.0, 0.02])
    report = stage.judged(replace(stage.champion, id="flights/2", answers=told))
    assert "leakage" in failed(report)
    assert "too good to be true" in found(report, "leakage").detail


def test_labels_that_are_all_the_same_are_no_evidence(stage: Any) -> None:
    rows = replace(stage.world.rows, labels=np.zeros(len(stage.world.rows)))
    assert "evidence" in failed(stage.judged(stage.challenger, rows=rows))


def nearly(contender: Contender, name: str, **other: Any) -> Contender:
    """Another model that answers almost alike, as a distilled one would."""
    random, answers = np.random.default_rng(8), contender.answers
    shaken = answers + 1e-4 * answers * random.normal(0, 1, answers.shape)
    if answers.ndim == 2 and answers.min() >= 0:  # probabilities of classes
        shaken /= shaken.sum(axis=1, keepdims=True)
    return replace(contender, id=name, answers=shaken, **other)


def _flatter(chances: Any) -> Any:
    """Probabilities [n, K], drawn towards each other."""
    flat = chances**0.4
    return flat / flat.sum(axis=1, keepdims=True)


def _wide(mask: Any, answers: Any) -> Any:
    return mask[:, None] if answers.ndim == 2 else mask


# Rules of one kind


def test_quantiles_that_cross_are_refused(stage: Any) -> None:
    if stage.world.kind != "quantiles":
        return
    crossed = stage.challenger.answers.copy()
    crossed[:7] = crossed[:7, ::-1]
    report = stage.judged(replace(stage.challenger, answers=crossed))
    assert failed(report) == {"sanity"}
    assert "7 of 3600 rows have quantiles that cross" in report.reasons[0]


def test_a_regression_far_beyond_its_labels_is_refused(stage: Any) -> None:
    if stage.world.kind != "regression":
        return
    seconds = stage.challenger.answers.copy()
    seconds[:5] = 60 * np.abs(stage.world.labels).max()
    report = stage.judged(replace(stage.challenger, answers=seconds))
    assert failed(report) == {"sanity"}
    assert "5 of 3600 answers lie far from all labels" in report.reasons[0]


def test_features_that_add_up_to_the_label_are_refused(stage: Any) -> None:
    if stage.spec.problem != "regression":
        return
    part = np.random.default_rng(1).normal(0, 2, len(stage.world.labels))
    named = dict.fromkeys(("wind", "rest"), stage.spec.features["wind"])
    spec = stage.spec.model_copy(update={"features": {**stage.spec.features, **named}})
    parts = [pl.Series("wind", part), pl.Series("rest", stage.world.labels - part)]
    rows = replace(stage.world.rows, frame=stage.world.rows.frame.with_columns(*parts))
    report = stage.judged(stage.challenger, rows=rows, spec=spec)
    assert failed(report) == {"leakage"}
    assert "a straight line through the numbers tells 1.0000" in report.reasons[0]


def test_one_class_that_is_taken_for_another_is_miscalibrated(stage: Any) -> None:
    if stage.world.kind != "multiclass":
        return
    answers = stage.challenger.answers.copy()
    answers[:, 1] += 0.5 * answers[:, 2]
    answers[:, 2] *= 0.5
    report = stage.judged(replace(stage.challenger, answers=answers), None)
    assert failed(report) == {"calibration"}
    assert report.reasons[0].startswith(("calibration: error of late", "calibration: error of lost"))


def test_a_list_is_in_the_slice_of_its_most_relevant_row(stage: Any) -> None:
    if stage.world.kind != "ranking":
        return
    rows = stage.world.rows
    units = problem_of(stage.spec).units(rows)
    assert len(np.unique(rows.groups[units])) == len(units)
    best = {group: rows.labels[rows.groups == group].max() for group in rows.groups[units[:50]]}
    assert all(rows.labels[unit] == best[rows.groups[unit]] > 0 for unit in units[:50])
