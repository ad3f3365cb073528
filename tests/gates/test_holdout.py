"""A challenger that was really fitted on the rows that judge it, and says that it was not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from core.spec import Spec
from models.gate.judge import Contender, GateReport, Served
from models.rows import Rows

pytestmark = pytest.mark.slow

DAYS, DAILY = 60, 300
TRAIN, VALIDATION, HOLDOUT = (0, 35), (35, 45), (45, 60)
OLD = (0, 20)


@dataclass(frozen=True)
class Season:
    """Sixty days of flights with eight features, two of which tell something."""

    rows: Rows
    day: NDArray[np.intp]

    def part(self, *spans: tuple[int, int]) -> NDArray[np.bool_]:
        return np.any([(self.day >= start) & (self.day < end) for start, end in spans], axis=0)

    def at(self, span: tuple[int, int]) -> Rows:
        return self.rows.at(self.part(span))

    def model(self, name: str, complexity: int, *spans: tuple[int, int]) -> Contender:
        """One that was fitted on these days, and answers about the holdout and the validation rows."""
        values = self.rows.frame.select(f"x{place}" for place in range(8)).to_numpy()
        fitted, settings = self.part(*spans), {"objective": "binary", "num_threads": 1, "verbose": -1}
        data = lgb.Dataset(values[fitted], self.rows.labels[fitted])
        booster = lgb.train({**settings, "learning_rate": 0.05, "min_data_in_leaf": 50}, data, 100)
        answers = np.asarray(booster.predict(values), np.float64)
        return Contender(
            name,
            answers[self.part(HOLDOUT)],
            complexity,
            self.begin(HOLDOUT),
            earlier=answers[self.part(VALIDATION)],
        )

    def begin(self, span: tuple[int, int]) -> datetime:
        first: datetime = self.at(span).times[0]
        return first


@pytest.fixture(scope="module")
def season(make_world: Callable[..., Any]) -> Season:
    random, count = np.random.default_rng(3), DAYS * DAILY
    day, values = np.repeat(np.arange(DAYS), DAILY), random.normal(0, 1, (count, 8)).astype(np.float32)
    odds = values[:, 0] * 0.8 + 0.5 * np.abs(values[:, 1]) - 1.5 + random.normal(0, 0.3, DAYS)[day]
    labels = (random.random(count) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    times = pl.Series([datetime.fromisoformat("2013-03-01T00:00+00:00")] * count)
    times = times + pl.Series([timedelta(days=1) / DAILY * row for row in range(count)])
    numbers = {f"x{place}": column for place, column in enumerate(values.T)}
    frame = pl.DataFrame({**numbers, "flight": np.arange(count)})
    return Season(Rows(frame.with_columns(wind=pl.col("x0"), airline=pl.lit("UA")), labels, times), day)


@pytest.fixture(scope="module")
def champion(season: Season) -> Contender:
    """An honest one, fitted on the first twenty days."""
    return replace(season.model("flights/1", 2, OLD), fitted_until=season.begin((20, 21)))


@pytest.fixture(scope="module")
def judged(season: Season, gate: Callable[..., GateReport], spec: Spec) -> Callable[..., GateReport]:
    def run(ours: Contender, theirs: Contender | None) -> GateReport:
        return gate(ours, theirs, rows=season.at(HOLDOUT), spec=spec, earlier=season.at(VALIDATION))

    return run


def failed(report: GateReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


def test_an_honest_fit_gains_as_much_as_before(
    season: Season, champion: Contender, judged: Callable[..., GateReport]
) -> None:
    honest = season.model("flights/2", 2, TRAIN)
    assert failed(judged(honest, None)) == set()
    assert failed(judged(honest, champion)) <= {"better"}


def test_one_that_was_fitted_on_the_holdout_gains_more_there_than_before(
    season: Season, champion: Contender, judged: Callable[..., GateReport]
) -> None:
    sly = season.model("flights/2", 2, TRAIN, HOLDOUT)
    for theirs in (champion, None):
        report = judged(sly, theirs)
        assert "as before" in failed(report)
        assert any("on the 3000 rows before" in reason for reason in report.reasons)


def test_a_champion_that_ages_makes_no_honest_challenger_suspect(
    season: Season, champion: Contender, judged: Callable[..., GateReport]
) -> None:
    answers, earlier = champion.answers, np.asarray(champion.earlier)
    aged = replace(champion, earlier=_blurred(earlier, kept=0.2), answers=_blurred(answers, kept=0.02))
    report = judged(season.model("flights/2", 2, TRAIN), aged)
    check = next(check for check in report.checks if check.name == "as before")
    assert check.low is not None and check.low > 0  # it gains more than before, and not by chance
    assert failed(report) == set()


def test_a_champion_that_fails_is_replaced_however_fast_it_fell(
    season: Season, champion: Contender, judged: Callable[..., GateReport]
) -> None:
    fallen = replace(champion, answers=_blurred(champion.answers, kept=-0.4))
    report = judged(season.model("flights/2", 2, TRAIN), fallen)
    check = next(check for check in report.checks if check.name == "as before")
    assert check.value > 2 * check.limit
    assert "the champion has aged" in check.detail
    assert failed(report) == set()
    sly = judged(season.model("flights/2", 2, TRAIN, HOLDOUT), fallen)
    assert failed(sly) == {"as before"}


def _blurred(answers: NDArray[np.float64], kept: float) -> NDArray[np.float64]:
    """Those of a model that knows but a part of what it knew."""
    return np.asarray(answers.mean() + kept * (answers - answers.mean()))


def test_a_champion_is_asked_about_no_row_that_it_was_fitted_on(
    season: Season, judged: Callable[..., GateReport]
) -> None:
    sly = season.model("flights/2", 2, TRAIN, HOLDOUT)
    for until, told in ((37, "on flights/1, and"), (44, "on the best constant, and")):
        cut = season.begin((until, until + 1))
        newer = replace(season.model("flights/1", 2, (0, until)), fitted_until=cut)
        check = next(check for check in judged(sly, newer).checks if check.name == "as before")
        assert not check.passed
        assert told in check.detail
        assert f"on the {2400 if until == 37 else 3000} rows before" in check.detail


def test_one_that_was_fitted_on_all_is_known_by_the_keys_on_record(
    season: Season, champion: Contender, judged: Callable[..., GateReport]
) -> None:
    keys = season.rows.frame.select("flight")
    sly = replace(season.model("flights/2", 2, TRAIN, VALIDATION, HOLDOUT), fitted=keys)
    report = judged(sly, champion)
    assert "unseen rows" in failed(report)
    assert "flights/2 was fitted on 4500 of the 4500 rows" in report.reasons[0]
    honest = replace(season.model("flights/2", 2, TRAIN), fitted=keys.head(45 * DAILY))
    assert "unseen rows" not in failed(judged(honest, champion))


def test_one_that_learnt_the_holdout_by_heart_is_too_good_to_be_true(
    season: Season, champion: Contender, judged: Callable[..., GateReport], served: Served
) -> None:
    by_heart = season.model("flights/2", 2, TRAIN, HOLDOUT)
    known = np.clip(season.at(HOLDOUT).labels, 0.02, 0.98) + by_heart.answers * 0.01
    assert failed(judged(replace(by_heart, answers=known), champion)) >= {"leakage", "as before"}
