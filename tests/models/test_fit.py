"""Splitting by what is known and by time, and fits that never see the holdout."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.errors import PerennialError, SpecError
from core.spec import Spec, Training
from models.fit import fit
from models.split import Split, split

LATE = datetime(2014, 1, 1, tzinfo=UTC)


def local_days(part: pl.Series) -> list[date]:
    return part.dt.convert_time_zone("America/New_York").dt.date().unique().to_list()


def with_training(spec: Spec, **changes: object) -> Spec:
    return spec.model_copy(update={"training": Training.model_validate(changes)})


@pytest.fixture(scope="module")
def parts(rows_frame: pl.DataFrame, spec: Spec) -> Split:
    return split(rows_frame, spec, LATE)


def test_no_row_is_lost_or_in_two_parts_and_time_only_rises(parts: Split, rows_frame: pl.DataFrame) -> None:
    frames = [part.frame for part in (parts.train, parts.validation, parts.holdout)]
    kept = pl.concat(frames)["flight"]
    assert kept.equals(rows_frame["flight"].filter(rows_frame["flight"].is_in(kept.to_list())))
    lost = rows_frame.filter(~pl.col("flight").is_in(kept.to_list()))
    firsts = [part.frame["decision_time"][0] for part in (parts.validation, parts.holdout)]
    gaps = [
        rows_frame.filter((pl.col("known_at") > first) & (pl.col("event_time") < first + timedelta(hours=2)))
        for first in firsts
    ]
    assert lost["flight"].to_list() == pl.concat(gaps)["flight"].to_list()
    assert 0 < lost.height < 40  # five hours before each cut, a row every 19 minutes
    assert parts.train.times[-1] < parts.validation.times[0]
    assert parts.validation.times[-1] < parts.holdout.times[0]


def test_the_cuts_fall_between_local_days_near_the_shares(parts: Split) -> None:
    days = [set(local_days(part.times)) for part in (parts.train, parts.validation, parts.holdout)]
    assert not days[0] & days[1]
    assert not days[1] & days[2]
    one_day = 24 * 60 / 19  # rows: one every 19 minutes
    assert abs(len(parts.holdout) - 0.15 * 3_000) <= one_day / 2
    assert abs(len(parts.train) - 0.70 * 3_000) <= one_day / 2 + 16


def test_only_outcomes_that_were_known_count(rows_frame: pl.DataFrame, spec: Spec) -> None:
    as_of = rows_frame["known_at"][2_000]
    unknown = pl.col("known_at") > as_of
    turned = rows_frame.with_columns(label=pl.when(unknown).then(~pl.col("label")).otherwise("label"))
    for frame in (rows_frame, turned):
        found = split(frame, spec, as_of)
        assert found.validation.times[0] > found.train.times[-1]
        assert found.holdout.times[-1] == rows_frame["event_time"][2_000]


def test_the_window_limits_how_far_back_rows_reach(rows_frame: pl.DataFrame, spec: Spec) -> None:
    as_of = datetime(2013, 1, 31, tzinfo=UTC)
    found = split(rows_frame, with_training(spec, window="10d"), as_of)
    assert found.train.times[0] >= as_of - timedelta(days=10)
    assert found.train.times[0] - (as_of - timedelta(days=10)) < timedelta(minutes=19)


def test_the_order_of_delivery_does_not_matter(rows_frame: pl.DataFrame, spec: Spec, parts: Split) -> None:
    simultaneous = pl.col("event_time").dt.truncate("6h")
    frame = rows_frame.with_columns(event_time=simultaneous)
    shuffled = split(frame.sample(fraction=1, shuffle=True, seed=5), spec, LATE)
    assert shuffled.train.frame.equals(split(frame, spec, LATE).train.frame)


def test_a_list_of_a_ranking_is_in_one_part_or_in_none(rows_frame: pl.DataFrame, spec: Spec) -> None:
    outcome = spec.outcome.model_copy(update={"group": ("basket",)})
    ranked = spec.model_copy(update={"problem": "ranking", "outcome": outcome})
    # Lists of 7 rows in a row: the cuts between days fall into some of them.
    frame = rows_frame.with_columns(basket=pl.col("flight") // 7, label=pl.col("label").cast(pl.Int64))
    found = split(frame, ranked, LATE)
    parts = [set(part.frame["basket"]) for part in (found.train, found.validation, found.holdout)]
    assert not parts[0] & parts[1] and not parts[1] & parts[2]
    unlisted = split(frame, spec, LATE)
    for part, whole in zip(("train", "validation", "holdout"), parts, strict=True):
        assert 0 <= len(getattr(unlisted, part)) - len(getattr(found, part)) < 2 * 7
        assert len(whole) > 50


def test_a_single_day_is_cut_between_two_instants(rows_frame: pl.DataFrame, spec: Spec) -> None:
    minutes = pl.datetime(2013, 1, 5, 12, time_zone="UTC") + pl.duration(minutes=pl.int_range(pl.len()) // 10)
    times = dict.fromkeys(("event_time", "decision_time", "known_at"), minutes)
    found = split(rows_frame[:300].with_columns(**times), spec, LATE)
    assert len(found.train) == 210
    assert found.validation.times[-1] < found.holdout.times[0]


def test_too_few_rows_and_one_class_are_said(rows_frame: pl.DataFrame, spec: Spec) -> None:
    with pytest.raises(PerennialError, match=r"validation part .* has \d+ rows.*at least 20"):
        split(rows_frame[:60], spec, LATE)
    with pytest.raises(PerennialError, match=r"train part .* has 0 rows"):
        split(rows_frame, spec, datetime(2012, 1, 1, tzinfo=UTC))
    with pytest.raises(PerennialError, match="it takes both classes"):
        split(rows_frame.with_columns(label=pl.lit(False)), spec, LATE)


def test_an_infinite_number_is_named(rows_frame: pl.DataFrame, spec: Spec) -> None:
    broken = rows_frame.with_columns(wind=pl.when(pl.col("flight") == 7).then(np.inf).otherwise("wind"))
    with pytest.raises(PerennialError, match=r"\['wind'\] hold infinite numbers"):
        split(broken, spec, LATE)


def test_a_fit_is_calibrated_and_measured(parts: Split, spec: Spec) -> None:
    curve: list[int] = []
    found = fit("linear", parts, spec, lambda step, losses: curve.append(step))
    assert (found.family, found.complexity) == ("linear", 1)
    assert curve
    assert set(found.measures) == {"validation", "holdout"}
    assert found.measures["holdout"]["rows"] == len(parts.holdout)
    assert found.measures["holdout"]["auc"] > 0.7
    probabilities = found.answers(parts.validation.frame)
    rate = float(parts.validation.labels.mean())
    chance = np.sqrt(rate * (1 - rate) / len(parts.validation))
    assert probabilities.mean() == pytest.approx(rate, abs=2 * chance)
    assert found.seconds > 0


@pytest.mark.parametrize("name", ["linear", "lightgbm"])
def test_no_fit_sees_the_holdout(name: str, parts: Split, spec: Spec) -> None:
    turned = replace(parts, holdout=replace(parts.holdout, labels=1 - parts.holdout.labels))
    honest, tempted = (fit(name, rows, spec, lambda step, losses: None) for rows in (parts, turned))
    frame = parts.holdout.frame
    np.testing.assert_array_equal(honest.answers(frame), tempted.answers(frame))
    assert tempted.measures["holdout"]["auc"] == pytest.approx(1 - honest.measures["holdout"]["auc"])


def test_parameters_of_the_spec_reach_the_family(parts: Split, spec: Spec) -> None:
    chosen = with_training(spec, parameters={"lightgbm": {"rounds": 3}})
    steps: list[int] = []
    fit("lightgbm", parts, chosen, lambda step, losses: steps.append(step))
    assert steps == [1, 2, 3]
    wrong = with_training(spec, parameters={"lightgbm": {"round": 3}})
    with pytest.raises(SpecError, match=r"training.parameters.lightgbm.round: .*did you mean 'rounds'"):
        fit("lightgbm", parts, wrong, lambda step, losses: None)
