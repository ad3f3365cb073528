"""Performance without labels: near the truth where inputs move, honest of how far it may be off."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.spec import Monitoring
from models.measures.probabilities import auc, calibration_error, log_loss
from models.problem import Problem, relative_loss
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.problems.quantiles import Quantiles
from models.problems.ranking import Ranking
from models.problems.regression import Regression
from models.rows import Columns, Rows
from monitoring.performance.direct import direct
from monitoring.performance.estimate_findings import Checked, checked, of_estimates
from monitoring.performance.estimates import Past, estimates
from monitoring.performance.expected import expected_auc, expected_measures, off_by
from monitoring.performance.refit import across, recalibrated, refit
from tests.monitoring.test_policy import REFERENCE, outcome

COLUMNS = Columns(("x",), ("kind",))
START = datetime(2013, 1, 1, tzinfo=UTC)
CLASSES = Multiclass("log_loss", ("a", "b", "c"))


def sigmoid(margins: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-margins))


def rows(count: int, seed: int, centre: float = 0.0, off: float = 0.0) -> tuple[Rows, np.ndarray]:
    """Rows of 30 days whose truth hangs on x by one rule, and the answers of a model that is so far `off`."""
    random = np.random.default_rng(seed)
    x, kind = random.normal(centre, 1.2, count), random.integers(0, 3, count)
    truth = sigmoid(1.1 * x - 1 + 0.4 * (kind - 1))
    labels = (random.random(count) < truth).astype(np.float64)
    frame = pl.DataFrame({"x": x, "kind": np.array(["p", "q", "r"])[kind]})
    times = pl.Series([START + timedelta(days=30) * place / count for place in range(count)])
    return Rows(frame, labels, times), sigmoid((1.1 * x - 1 + 0.4 * (kind - 1)) * (1 + off) + off)


def past(seed: int = 1, off: float = 0.0, errors: dict[str, list[float]] | None = None) -> Past:
    known, answers = rows(20_000, seed, off=off)
    return Past(known, answers, np.arange(20_000) * 30 // 20_000, errors or {})


@pytest.mark.parametrize("centre", [-1.0, 0.0, 1.5])
@pytest.mark.parametrize("off", [0.0, 0.5])
def test_an_auc_is_known_before_its_labels_where_only_the_inputs_move(centre: float, off: float) -> None:
    """Whatever the model's own calibration: its answers are calibrated anew on labels that are known."""
    new, answers = rows(20_000, 2, centre, off)
    found = estimates(Binary(), past(off=off), new, answers, 30)
    truth = Binary().measures(new, answers) | {"relative_loss": relative_loss(Binary(), new, answers)}
    for name, limit in (("auc", 0.01), ("log_loss", 0.02), ("brier", 0.01), ("relative_loss", 0.02)):
        assert found[name].value == pytest.approx(truth[name], abs=limit), name
        assert found[name].low < found[name].value < found[name].high
    if off and centre == 0:
        assert abs(expected_auc(answers, answers) - truth["auc"]) > 0.02  # what it would be without that


def test_the_labels_of_the_batch_are_not_looked_at() -> None:
    new, answers = rows(5_000, 2)
    blind = replace(new, labels=1 - new.labels)
    assert estimates(Binary(), past(), new, answers, 30) == estimates(Binary(), past(), blind, answers, 30)


def test_an_interval_holds_the_truth_about_as_often_as_it_claims() -> None:
    held = 0
    for seed in range(20):
        new, answers = rows(1_000, 100 + seed, centre=0.3)
        known, told = rows(4_000, 200 + seed)
        found = estimates(Binary(), Past(known, told, np.arange(4_000) // 100, {}), new, answers, 10)
        held += found["auc"].low <= auc(new.labels, answers) <= found["auc"].high
    assert held >= 17


def test_what_earlier_estimates_were_off_by_widens_the_interval() -> None:
    new, answers = rows(5_000, 2)
    calm = estimates(Binary(), past(), new, answers, 30)
    warned = estimates(Binary(), past(errors={"auc": [0.05, -0.05]}), new, answers, 30)
    assert warned["auc"].value == calm["auc"].value
    assert warned["auc"].high - warned["auc"].value == pytest.approx(0.05 * 2.045, rel=0.01)
    assert warned["brier"] == calm["brier"]


def test_too_little_past_estimates_nothing() -> None:
    new, answers = rows(500, 2)
    known, told = rows(199, 1)
    assert estimates(Binary(), Past(known, told, np.arange(199), {}), new, answers, 30) == {}
    one_class = replace(past(), rows=replace(past().rows, labels=np.zeros(20_000)))
    assert estimates(Binary(), one_class, new, answers, 30) == {}
    one_day = replace(past(), day=np.zeros(20_000, np.int64))
    assert np.isnan(estimates(Binary(), one_day, new, answers, 30)["auc"].low)
    none = new.at(slice(0, 0))
    assert estimates(Binary(), past(), none, answers[:0], 30) == {}
    assert (
        estimates(Ranking(), past(), new, answers, 30)
        == direct(Ranking(), past(), new, answers, 9, COLUMNS)
        == {}
    )


def test_what_rows_stray_by_adds_up_to_what_the_estimate_is_off_by() -> None:
    known, answers = rows(20_000, 3)
    chances = answers * 0.97
    found = expected_measures(Binary(), known, answers, chances)
    off = off_by(Binary(), known, answers, chances)
    truth = Binary().measures(known, answers) | {"relative_loss": relative_loss(Binary(), known, answers)}
    for name in ("auc", "log_loss", "brier", "relative_loss"):
        assert off[name].mean() == pytest.approx(truth[name] - found[name], abs=0.002), name


def test_classes_are_told_by_their_log_loss_and_accuracy() -> None:
    def drawn(count: int, seed: int, centre: float) -> tuple[Rows, np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)
        x = random.normal(centre, 1, count)
        scores = np.column_stack([x, 0.5 - x, np.full(count, 0.2)])
        chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        labels = (random.random((count, 1)) > chances.cumsum(axis=1)[:, :-1]).sum(axis=1).astype(float)
        sure = np.exp(2 * scores) / np.exp(2 * scores).sum(axis=1, keepdims=True)
        return Rows(pl.DataFrame({"x": x}), labels, pl.Series(range(count))), sure, chances

    known, answers, _ = drawn(20_000, 1, 0.0)
    new, said, _ = drawn(20_000, 2, 1.0)
    found = estimates(CLASSES, Past(known, answers, np.arange(20_000) // 700, {}), new, said, 30)
    truth = CLASSES.measures(new, said)
    for name in ("log_loss", "accuracy", "brier"):
        assert found[name].value == pytest.approx(truth[name], abs=0.02), name


@pytest.mark.parametrize("problem", [Regression(), Regression("mae"), Quantiles((0.1, 0.5, 0.9))])
def test_the_loss_of_values_is_learnt_from_rows_whose_loss_is_known(problem: Problem) -> None:
    """The noise grows with x and by kind, and x is larger now: so is the loss, and the estimate says so."""

    def drawn(count: int, seed: int, centre: float) -> tuple[Rows, np.ndarray]:
        random = np.random.default_rng(seed)
        x, kind = random.uniform(0, 2, count) + centre, random.integers(0, 2, count)
        spread = 0.3 + x * (1 + kind)
        labels = 3 * x + spread * random.normal(0, 1, count)
        frame = pl.DataFrame({"x": x, "kind": np.array(["p", "q"])[kind]})
        answers = 3 * x if not isinstance(problem, Quantiles) else 3 * x[:, None] + np.array([-1.5, 0, 1.5])
        return Rows(frame, labels, pl.Series(range(count))), answers

    known, answers = drawn(12_000, 1, 0.0)
    new, said = drawn(6_000, 2, 0.6)
    seen = new.frame["x"].to_numpy() < 2  # trees do not reach beyond what they saw
    new, said = new.at(seen), said[seen]
    then = Past(known, answers, np.arange(len(known)) // 400, {})
    found, truth = direct(problem, then, new, said, 30, COLUMNS), problem.measures(new, said)
    was = problem.measures(known, answers)
    first, second = ("pinball", "coverage") if isinstance(problem, Quantiles) else ("rmse", "mae")
    assert set(found) == {first, second}
    for name in found:
        assert abs(found[name].value - truth[name]) < 0.4 * abs(was[name] - truth[name]), name
        assert found[name].low < found[name].value < found[name].high
    assert found == direct(problem, then, new, said, 30, COLUMNS)  # the same again


def test_a_refit_mends_what_is_off_and_wins_nothing_where_nothing_is() -> None:
    known, answers = rows(20_000, 4, off=0.6)
    found = refit(Binary(), answers, known.labels)
    assert found is not None
    mended = recalibrated(found, answers)
    assert calibration_error(known.labels, mended) < 0.02 < calibration_error(known.labels, answers)
    sound, right = rows(20_000, 5)
    again = across(Binary(), right, sound.labels, np.arange(20_000) // 700)
    assert again is not None
    assert log_loss(sound.labels, again) == pytest.approx(log_loss(sound.labels, right), abs=5e-4)
    assert refit(Binary(), answers, 1 - known.labels) is None  # its order would have to be turned round
    assert refit(Ranking(), answers, known.labels) is refit(Regression("mae"), answers, known.labels) is None


def test_a_refit_is_worth_what_it_wins_on_days_that_it_has_not_seen() -> None:
    """On its own rows it always wins something, sound answers or not."""
    won = []
    for seed in range(12):
        known, answers = rows(300, 50 + seed)
        again = across(Binary(), answers, known.labels, np.arange(300) // 10)
        assert again is not None
        won.append(log_loss(known.labels, answers) - log_loss(known.labels, again))
    assert np.mean(won) < 0


def test_an_estimate_is_held_against_what_came_beside_the_naive_guess() -> None:
    new, answers = rows(5_000, 2)
    found = estimates(Binary(), past(), new, answers, 30)
    final = outcome(auc=0.7)
    told = checked(found, {"auc": 0.75}, final)["auc"]
    assert told.error == found["auc"].value - 0.7
    assert told.naive_error == pytest.approx(0.05)
    early = checked(found, {}, replace(final, final=False))["auc"]
    assert early.error is early.naive_error is early.naive is None


def test_an_estimate_asks_for_a_watch_at_most_and_only_before_the_labels() -> None:
    low = {"auc": Checked(0.6, 0.58, 0.62, 0.712, None, None)}
    early = replace(outcome(), final=False)
    [finding] = of_estimates(low, early, REFERENCE, Monitoring())
    assert finding.call == "watch" and "an estimate alone opens nothing" in finding.reason
    for calm in (replace(low["auc"], high=0.72), replace(low["auc"], value=0.70, high=0.705)):
        [finding] = of_estimates({"auc": calm}, early, REFERENCE, Monitoring())
        assert finding.call == "nothing"
    checked_later = {"auc": replace(low["auc"], error=-0.11, naive_error=0.002)}
    [finding] = of_estimates(checked_later, outcome(), REFERENCE, Monitoring())
    assert finding.call == "nothing"
    assert finding.reason == (
        "Without labels AUC is estimated at 0.600 (0.580 to 0.620), and was off by 0.110; that it stays as "
        "it was, by 0.002"
    )
    assert not list(of_estimates({}, early, REFERENCE, Monitoring()))
