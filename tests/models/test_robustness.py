"""What the model needs hurts when it is gone or wrong; what it does not need does not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.plain import plain
from core.spec import Spec
from models.card.outside import Seen, outside
from models.card.robustness import UNSEEN, Trial, sources, trials
from models.card.sample import asked, spread
from models.rows import Columns, Rows

Plant = Callable[..., Any]
KINDS = ["binary", "multiclass", "regression", "quantiles", "ranking"]


def _trials(made: Any, rows: Rows | None = None, answers: Any = None) -> dict[tuple[str, str], Trial]:
    seen = Seen.of(made.split.train.frame, made.fit.columns)
    found = trials(made.fit.problem, answers or made.fit.answers, rows or made.holdout, seen, made.spec)
    return {(each.change, each.what): each for each in found}


@pytest.mark.parametrize("kind", KINDS)
def test_what_matters_hurts_when_it_is_missing_and_what_does_not_does_not(kind: str, plant: Plant) -> None:
    found = _trials(plant(kind))
    gone = found["missing", "wind"]
    assert gone.rise.low > 0
    assert gone.rise.value > 0.02
    assert gone.matters
    assert gone.largest_move > gone.mean_move > 0
    for change, what in (("missing", "distance"), ("noise 0.5", "late_rate"), ("unseen", "route")):
        nothing = found[change, what]
        assert (nothing.rise.value, nothing.mean_move, nothing.largest_move) == (0, 0, 0)
        assert not nothing.matters


def test_more_noise_hurts_more(plant: Plant) -> None:
    found = _trials(plant("regression"))
    assert 0 < found["noise 0.1", "wind"].rise.value < found["noise 0.5", "wind"].rise.value
    assert found["noise 0.5", "wind"].rise.value == pytest.approx(found["noise 0.5", "all"].rise.value)
    spread = 0.25 * float(plant("regression").split.train.frame["wind"].std())
    assert found["noise 0.5", "wind"].mean_move == pytest.approx(0.5 * spread * 0.8 * 0.9, rel=0.1)


def test_pushed_beyond_is_past_what_training_saw(plant: Plant) -> None:
    made = plant("regression")
    asked_of: list[pl.DataFrame] = []

    def answers(frame: pl.DataFrame) -> Any:
        asked_of.append(frame)
        return made.fit.answers(frame)

    found = _trials(made, answers=answers)
    assert found["beyond", "wind"].rise.value > found["noise 0.5", "wind"].rise.value
    train = made.split.train.frame["wind"].drop_nulls()
    reach = max(float(frame["wind"].drop_nulls().max()) for frame in asked_of)
    assert reach == pytest.approx(train.quantile(0.99) + 3 * train.std(ddof=0), rel=1e-4)
    assert found["clipped", "all"].mean_move < found["noise 0.1", "all"].mean_move
    assert any((frame["airline"] == UNSEEN).any() for frame in asked_of)


def test_what_hurts_matters_only_beyond_the_margin_and_beyond_chance(plant: Plant) -> None:
    made = plant("binary")
    wide = made.spec.gate.model_copy(update={"slice_margin": 10.0})
    none = made.spec.gate.model_copy(update={"slice_margin": 0.0})
    patient, strict = (
        replace(made, spec=made.spec.model_copy(update={"gate": gate})) for gate in (wide, none)
    )
    assert not any(trial.matters for trial in _trials(patient).values())
    found = _trials(strict)
    unsure = [trial for trial in found.values() if trial.rise.value > 0 and trial.rise.low < 0]
    assert unsure
    assert not any(trial.matters for trial in unsure)
    assert found["missing", "airline"].matters


def test_trials_are_the_same_when_made_again(plant: Plant) -> None:
    assert plain(_trials(plant("binary"))) == plain(_trials(plant("binary")))


def test_answers_that_are_no_numbers_matter(plant: Plant) -> None:
    made = plant("regression")

    def answers(frame: pl.DataFrame) -> Any:
        return np.where(frame["late_rate"].is_null().to_numpy(), np.nan, made.fit.answers(frame))

    rows = made.holdout.at(made.holdout.frame["late_rate"].is_not_null().to_numpy())
    found = _trials(made, rows, answers)
    assert found["missing", "late_rate"].matters
    assert not found["missing", "distance"].matters


def test_features_without_any_value_or_spread_are_not_tried(plant: Plant) -> None:
    made = plant("binary")
    train = made.split.train.frame.with_columns(wind=pl.lit(None, pl.Float32), distance=pl.lit(7.0))
    changed = replace(made, split=replace(made.split, train=replace(made.split.train, frame=train)))
    found = _trials(changed)
    tried = {what for change, what in found if change.startswith("noise")}
    assert tried == {"late_rate"}
    assert ("missing", "wind") in found


def test_the_features_of_a_source_fail_together(plant: Plant, spec: Spec) -> None:
    assert sources(spec) == {"weather": ("wind",), "the past of flights": ("late_rate",)}
    found = _trials(plant("binary"))
    assert found["missing", "weather"].rise == found["missing", "wind"].rise
    assert found["missing", "the past of flights"].rise.value == 0


def test_a_function_is_lost_with_its_inputs(spec: Spec) -> None:
    lookup = {"from": "lookup", "dataset": "planes", "column": "year", "kind": "number", "by": {"a": "a"}}
    declared = spec.model_dump(by_alias=True)
    declared["features"]["age"] = {
        "from": "function",
        "function": "age",
        "kind": "number",
        "inputs": {"built": lookup},
    }
    assert sources(Spec.model_validate(declared))["planes"] == ("age",)


def test_rows_unlike_training_are_told_apart(plant: Plant) -> None:
    made = plant("binary")
    frame = made.holdout.frame
    wind = frame["wind"].to_list()
    airline = frame["airline"].to_list()
    distance = frame["distance"].to_list()
    wind[:7], airline[7:9], distance[9] = [1e6] * 7, ["XX"] * 2, None  # training never lacked a distance
    odd = replace(
        made.holdout,
        frame=frame.with_columns(
            pl.Series("wind", wind, pl.Float32),
            pl.Series("airline", airline),
            pl.Series("distance", distance),
        ),
    )
    seen = Seen.of(made.split.train.frame, made.fit.columns)
    # Routes are drawn from a long tail, and some of the holdout's are not in training.
    known = frame["route"].is_in(made.split.train.frame["route"].to_list(), nulls_equal=True)
    inside = frame["wind"].is_between(*_ends(made, "wind")).fill_null(True)
    inside &= frame["late_rate"].is_between(*_ends(made, "late_rate")).fill_null(True)
    inside &= frame["distance"].is_between(*_ends(made, "distance"))
    already = ~(known & inside).to_numpy()
    already[:10] = True
    found = outside(made.fit.problem, odd, made.fit.answers(odd.frame), seen, made.spec)
    assert found.rows == already.sum()
    assert found.share == found.rows / len(odd)
    assert found.features["airline"] == 2 / len(odd)
    assert found.features["wind"] >= 7 / len(odd)
    assert list(found.features.values()) == sorted(found.features.values(), reverse=True)
    alone = made.fit.problem.measures(odd.at(~already), made.fit.answers(odd.frame)[~already])
    assert found.inside["log_loss"].value == pytest.approx(alone["log_loss"])


def test_rows_like_training_have_none_outside(plant: Plant) -> None:
    made = plant("binary")
    train = made.split.train
    seen = Seen.of(train.frame, made.fit.columns)
    found = outside(made.fit.problem, train, made.fit.answers(train.frame), seen, made.spec)
    assert (found.rows, found.share, found.features, found.outside) == (0, 0, {}, {})


def test_fewer_rows_are_of_all_of_the_time_and_lists_stay_whole(plant: Plant) -> None:
    made = plant("ranking")
    rows, problem = made.holdout, made.fit.problem
    places = spread(rows, problem, 240, 1)
    lists, sizes = np.unique(rows.groups[places], return_counts=True)
    assert (sizes == 12).all()
    assert len(lists) == 20
    alone = spread(rows, plant("binary").fit.problem, 100, 1)
    assert len(set(alone.tolist())) == 100
    assert np.abs(alone - np.linspace(0, len(rows), 101)[:-1]).max() < len(rows) / 100 + 1
    assert spread(rows, problem, 10_000, 1).tolist() == list(range(len(rows)))


@pytest.mark.parametrize("taken", [Columns(("distance", "wind"), ()), Columns((), ("airline", "route"))])
def test_a_model_may_take_numbers_alone_or_categories_alone(taken: Columns, plant: Plant) -> None:
    made = plant("binary")
    rows, seen = made.holdout, Seen.of(made.split.train.frame, taken)
    features = {name: each for name, each in made.spec.features.items() if name in taken.names}

    def answers(frame: pl.DataFrame) -> Any:
        assert set(frame.columns) == set(taken.names)
        missing = frame[taken.names[-1]].is_null().to_numpy()
        return np.where(missing, 0.9, 0.2)

    spec = made.spec.model_copy(update={"features": features})
    found = trials(made.fit.problem, answers, rows, seen, spec)
    assert {each.what for each in found if each.change == "missing"} >= {*taken.names, "all"}
    assert seen.strange(rows.frame).shape == (len(rows), 2)


def test_frames_that_are_asked_about_at_once_are_answered_one_by_one() -> None:
    frames = [pl.DataFrame({"x": [float(place), place + 0.5]}) for place in range(70)]
    found = list(asked(lambda frame: frame["x"].to_numpy(), iter(frames)))
    assert [each.tolist() for each in found] == [frame["x"].to_list() for frame in frames]


def _ends(made: Any, name: str) -> tuple[Any, Any]:
    values = made.split.train.frame[name]
    return values.min(), values.max()
