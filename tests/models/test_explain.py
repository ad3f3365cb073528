"""What matters comes first and points the right way, with SHAP values and without; sums are whole."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from models.card.examples import examples
from models.card.explain import Added, effects
from models.card.outside import Seen
from models.rows import Rows

Plant = Callable[..., Any]
KINDS = ["binary", "multiclass", "regression", "quantiles", "ranking"]


def _seen(made: Any) -> Seen:
    return Seen.of(made.split.train.frame, made.fit.columns)


def _effects(made: Any) -> Any:
    fit = made.fit
    return effects(fit.problem, fit.model, fit.answers, made.holdout, _seen(made), made.spec)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exact", [True, False])
def test_what_the_model_goes_by_comes_first_and_points_the_right_way(
    kind: str, exact: bool, plant: Plant
) -> None:
    made = plant(kind, exact)
    method, found = _effects(made)
    assert method == ("shap" if exact else "permutation")
    assert [each.feature for each in found[:2]] == ["wind", "airline"]
    wind, airline, *others = found
    assert wind.weight.low > 0
    assert wind.output == made.fit.problem.outputs[0]
    assert wind.direction == pytest.approx(1)
    assert airline.direction is None
    assert airline.quantiles[0] >= 0 or not exact
    for each in others:
        assert each.weight.value == 0
        assert each.quantiles == (0, 0, 0, 0, 0)
        assert each.direction is None


def test_a_feature_that_lowers_the_answer_says_so(plant: Plant) -> None:
    made = plant("regression")
    frame = made.holdout.frame.with_columns(wind=-pl.col("wind"))
    turned = _Turned(made.fit.model)
    rows = Rows(frame, made.holdout.labels, made.holdout.times)
    _, found = effects(made.fit.problem, turned, turned.answers, rows, _seen(made), made.spec)  # type: ignore[arg-type]
    assert (found[0].feature, found[0].direction) == ("wind", pytest.approx(-1))


class _Turned:
    """The planted model, of the wind the other way round."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def margins(self, frame: pl.DataFrame) -> Any:
        return self.model.margins(frame.with_columns(wind=-pl.col("wind")))

    def contributions(self, frame: pl.DataFrame) -> Any:
        return self.model.contributions(frame.with_columns(wind=-pl.col("wind")))

    def answers(self, frame: pl.DataFrame) -> Any:
        return self.margins(frame)[:, 0]


def test_shap_weights_are_mean_sizes(plant: Plant) -> None:
    made = plant("binary")
    _, found = _effects(made)
    added = made.fit.model.contributions(made.holdout.frame)
    place = made.fit.columns.names.index("wind")
    assert found[0].weight.value == pytest.approx(np.abs(added[:, place, 0]).mean())
    assert found[0].quantiles[2] == pytest.approx(np.median(added[:, place, 0]))


def test_without_shap_a_margin_is_held_against_that_of_the_usual_value(plant: Plant) -> None:
    made = plant("binary", exact=False)
    seen = _seen(made)
    found = Added.of(made.fit.model, made.holdout.frame, seen)
    assert not found.exact
    wind = made.holdout.frame["wind"].fill_null(10.0).to_numpy()
    usual = made.split.train.frame["wind"].median()
    place = made.fit.columns.names.index("wind")
    assert found.values[:, place, 0] == pytest.approx(0.25 * (wind - usual), abs=0.01)
    most = made.split.train.frame["airline"].mode()[0]
    same = (made.holdout.frame["airline"] == most).to_numpy()
    assert (found.values[same, made.fit.columns.names.index("airline"), 0] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_of_an_example_sum_to_its_margin(kind: str, plant: Plant) -> None:
    made = plant(kind)
    for each in examples(
        made.fit.problem, made.fit.model, made.holdout, made.answers, _seen(made), made.spec
    ):
        assert each.base == pytest.approx(0)
        assert each.base + sum(part.added for part in each.parts) + each.rest == pytest.approx(each.margin)
        sizes = [abs(part.added) for part in each.parts]
        assert sizes == sorted(sizes, reverse=True)


def test_an_example_of_quantiles_tells_of_the_middle_one(plant: Plant) -> None:
    made = plant("quantiles")
    apart = _Apart(made.fit.model)
    for each in examples(made.fit.problem, apart, made.holdout, made.answers, _seen(made), made.spec):  # type: ignore[arg-type]
        row = made.holdout.frame.filter(pl.col("flight").cast(pl.String) == each.event["flight"])
        assert each.margin == pytest.approx(2 * made.fit.model.margins(row)[0, 1])


class _Apart:
    """The planted model, of whose margins each is twice, three times and so on what the one before is."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def margins(self, frame: pl.DataFrame) -> Any:
        found = self.model.margins(frame)
        return found * np.arange(1, found.shape[1] + 1)

    def contributions(self, frame: pl.DataFrame) -> Any:
        found = self.model.contributions(frame)
        return found * np.arange(1, found.shape[2] + 1)


def test_examples_are_the_ends_and_the_worst(plant: Plant) -> None:
    made = plant("binary")
    rows, answers = made.holdout, made.answers
    found = {
        each.role: each
        for each in examples(made.fit.problem, made.fit.model, rows, answers, _seen(made), made.spec)
    }
    assert list(found) == ["highest", "middling", "lowest", "furthest too high", "furthest too low"]
    assert found["highest"].answer == answers.max()
    assert found["lowest"].answer == answers.min()
    assert found["furthest too high"].answer == answers[rows.labels == 0].max()
    assert found["furthest too low"].answer == answers[rows.labels == 1].min()
    assert found["furthest too high"].actual == 0
    highest = rows.frame[int(answers.argmax())]
    assert found["highest"].event["flight"] == str(highest["flight"][0])
    told = {part.feature: part.value for part in found["highest"].parts}
    assert told["wind"] == pytest.approx(highest["wind"][0])
    assert told["airline"] == highest["airline"][0]


def test_an_example_of_classes_names_what_was_said_and_what_was_so(plant: Plant) -> None:
    made = plant("multiclass")
    rows, answers = made.holdout, made.answers
    found = {
        each.role: each
        for each in examples(made.fit.problem, made.fit.model, rows, answers, _seen(made), made.spec)
    }
    assert found["surest"].answer == answers.max()
    true = answers[np.arange(len(rows)), rows.labels.astype(int)]
    row = int(true.argmin())
    off = found["furthest off"]
    assert off.said == made.spec.outcome.classes[int(answers[row].argmax())]
    assert off.actual == made.spec.outcome.classes[int(rows.labels[row])]
    assert off.said != off.actual


def test_of_a_ranking_the_worst_are_those_at_the_wrong_end(plant: Plant) -> None:
    made = plant("ranking")
    rows, answers = made.holdout, made.answers
    found = {
        each.role: each
        for each in examples(made.fit.problem, made.fit.model, rows, answers, _seen(made), made.spec)
    }
    assert found["furthest too high"].answer == answers[rows.labels == 0].max()
    assert found["furthest too low"].answer == answers[rows.labels > 0].min()


def test_numbers_may_be_integers(plant: Plant) -> None:
    made = plant("binary", exact=False)
    frame = made.holdout.frame.with_columns(
        pl.col("distance").cast(pl.Int64), pl.col("wind").cast(pl.Float64)
    )
    changed = replace(made, split=replace(made.split, holdout=replace(made.holdout, frame=frame)))
    assert [each.weight for each in _effects(changed)[1]] == [each.weight for each in _effects(made)[1]]


def test_a_feature_that_is_always_missing_says_nothing_and_breaks_nothing(plant: Plant) -> None:
    made = plant("binary", exact=False)
    gone = {"wind": pl.lit(None, pl.Float32), "route": pl.lit(None, pl.String)}
    train = made.split.train.frame.with_columns(**gone)
    rows = replace(made.holdout, frame=made.holdout.frame.with_columns(**gone))
    fit, seen = made.fit, Seen.of(train, made.fit.columns)
    _, found = effects(fit.problem, fit.model, fit.answers, rows, seen, made.spec)
    of = {each.feature: each for each in found}
    assert (of["wind"].weight.value, of["wind"].direction) == (0, None)
    told = examples(fit.problem, fit.model, rows, fit.answers(rows.frame), seen, made.spec)
    assert {part.feature for each in told for part in each.parts} == {"airline"}
