"""The search for parameters: it finds what is better, says what it tried, and no label leaks into it."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import PerennialError, SpecError
from core.learning import Range, Training, Tuning
from core.spec import Spec
from models.family import families, family
from models.split import before_holdout, cut, folds, split
from models.tuning.search import ROUND, best, is_hopeless, search
from models.tuning.space import holds, present, space_of
from models.tuning.trial import Proposal, Trial, evaluate

LATE = datetime(2014, 1, 1, tzinfo=UTC)
SPACE = {"x": Range(low=-4.0, high=4.0), "depth": Range(low=1, high=6), "kind": Range(choices=("a", "b"))}
FIRST = {"x": -3.0, "depth": 1, "kind": "b"}


def tuned_by(spec: Spec, **training: Any) -> Spec:
    return spec.model_copy(update={"training": Training.model_validate(training)})


def bowl(proposal: Proposal, seconds: float = 0.0) -> Trial:
    """A trial over two folds whose loss is least, 1 and 2, at x = 1, depth = 4, kind = a."""
    x, depth, kind = (proposal.parameters[name] for name in ("x", "depth", "kind"))
    assert isinstance(x, float) and isinstance(depth, int)
    loss = (x - 1) ** 2 + (depth - 4) ** 2 + (0 if kind == "a" else 5)
    return Trial(proposal.number, proposal.parameters, "complete", (1 + loss, 2 + loss), (1, 1), seconds)


def in_turn(attempt: Callable[[Proposal], Trial]) -> Callable[[Sequence[Proposal]], list[Trial]]:
    return lambda proposals: [attempt(each) for each in proposals]


def ran(
    trials: int = 40, seed: int = 1, attempt: Callable[[Proposal], Trial] = bowl, **budget: Any
) -> tuple[Trial, ...]:
    return search(SPACE, FIRST, Tuning(trials=trials, **budget), seed, in_turn(attempt))


# -- the search


def test_it_finds_a_planted_optimum() -> None:
    found = ran()
    assert [trial.number for trial in found] == list(range(40))
    assert found[0].parameters == FIRST
    won = best(found)
    assert (won.parameters["depth"], won.parameters["kind"]) == (4, "a")
    assert won.parameters["x"] == pytest.approx(1, abs=0.5)


def test_a_round_is_a_function_of_the_seed_and_of_the_trials_before_it() -> None:
    whole = ran(14)
    assert ran(14) == whole
    # A longer search begins as the shorter one, and one of another seed does not.
    assert ran(8) == whole[:8]
    assert ran(8, seed=2)[1:] != whole[1:8]
    better = ran(14, attempt=lambda each: replace(bowl(each), losses=(each.number, each.number)))
    assert [each.parameters for each in better[:ROUND]] == [each.parameters for each in whole[:ROUND]]
    assert better[12].parameters != whole[12].parameters


def test_a_round_knows_what_ended_before_it_and_nothing_of_its_own() -> None:
    asked: list[Proposal] = []

    def attempt(proposal: Proposal) -> Trial:
        asked.append(proposal)
        return bowl(proposal)

    found = ran(10, attempt=attempt)
    assert [len(each.peers) for each in asked] == [0] * 4 + [4] * 4 + [8] * 2
    assert asked[-1].peers == tuple(trial.means for trial in found[:8])


def test_a_budget_in_seconds_begins_no_round_after_it() -> None:
    assert len(ran(attempt=partial(bowl, seconds=10.0), seconds=25)) == 3 * ROUND
    assert len(ran(6, attempt=partial(bowl, seconds=10.0), seconds=1_000)) == 6


def test_trials_that_fail_are_kept_and_do_not_end_the_search() -> None:
    def attempt(proposal: Proposal) -> Trial:
        trial = bowl(proposal)
        bad = proposal.parameters["kind"] == "b"
        return replace(trial, state="failed", losses=(), units=(), reason="no b") if bad else trial

    found = ran(attempt=attempt)
    assert len(found) == 40
    assert {trial.reason for trial in found if trial.state == "failed"} == {"no b"}
    assert best(found).parameters["kind"] == "a"


def test_it_says_why_when_no_trial_came_to_its_end() -> None:
    def attempt(proposal: Proposal) -> Trial:
        return Trial(proposal.number, proposal.parameters, "failed", (), (), 0.0, f"fault {proposal.number}")

    with pytest.raises(PerennialError, match="none of 5 trials came to its end; the first: fault 0"):
        ran(5, attempt=attempt)


def test_the_first_parameters_may_lie_outside_the_space() -> None:
    first = FIRST | {"x": -9.0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = search(SPACE, first, Tuning(trials=12), 1, in_turn(bowl))
    assert found[0].parameters == first
    assert all(-4 <= float(str(trial.parameters["x"])) <= 4 for trial in found[1:])


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    ran(12)
    assert capfd.readouterr() == ("", "")


def test_a_trial_is_compared_over_the_same_folds() -> None:
    peers = [(1.0, 5.0), (2.0, 6.0), (3.0, 7.0), (4.0, 8.0)]
    assert [is_hopeless((loss,), peers) for loss in (2.4, 2.6)] == [False, True]
    # The second stretch of time is harder than the first for all of them: that is no reason.
    assert [is_hopeless((2.4, loss), peers) for loss in (6.4, 6.6)] == [False, True]


# -- the space


def test_a_space_is_that_of_the_family_with_the_spec_over_it() -> None:
    said = {"linear": {"min_rows": {"low": 1, "high": 9}, "strength": {"low": 1, "high": 3}}}
    training = Training.model_validate(
        {"tuning": {"families": ["linear"], "space": said}, "parameters": {"linear": {"min_rows": 30}}}
    )
    space = space_of("linear", training)
    assert space == {"min_rows": Range(low=1, high=9), "strength": Range(low=1.0, high=3.0)}
    # A strength is any number from 1 to 3, not 1, 2 or 3; a number of rows is a whole one.
    assert [type(each.low) for each in space.values()] == [float, int]
    assert present("linear", training, space) == {"min_rows": 30, "strength": 0.05}


@pytest.mark.parametrize("name", families())
def test_a_family_brings_ranges_that_hold_what_it_has_by_default_or_is_refused(name: str) -> None:
    chosen, training = family(name), Training()
    if chosen.takes({}) or not chosen.space:
        with pytest.raises(SpecError, match=r"training\.tuning\..* is (made of|missing)"):
            space_of(name, training)
        return
    space = space_of(name, training)
    assert space == chosen.space
    assert holds(space, present(name, training, space))


def test_a_family_that_is_made_of_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(family("linear"), "takes", lambda parameters: ("torch",))
    with pytest.raises(SpecError, match=r"linear is made of \['torch'\]: tune those"):
        space_of("linear", Training())


@pytest.mark.parametrize(
    ("name", "ranges", "said"),
    [
        ("linear", {"strenth": {"low": 1, "high": 2}}, r"linear\.strenth: .* did you mean 'strength'"),
        (
            "lightgbm",
            {"num_leaves": {"low": 2.5, "high": 9}},
            r"lightgbm\.num_leaves: 2.5 should be a valid int",
        ),
        (
            "lightgbm",
            {"feature_fraction": {"low": 0.5, "high": 1.5}},
            r"lightgbm\.feature_fraction: 1.5 should be less",
        ),
        ("lightgbm", {"max_bin": {"choices": [63, "many"]}}, r"lightgbm\.max_bin: 'many' should be"),
    ],
)
def test_a_range_that_the_family_does_not_take_is_named(name: str, ranges: Any, said: str) -> None:
    tuning = {"families": [name], "space": {name: ranges}}
    with pytest.raises(SpecError, match=r"training\.tuning\.space\." + said):
        space_of(name, Training.model_validate({"tuning": tuning}))


# -- trials on rows


@pytest.fixture(scope="module")
def known(rows_frame: pl.DataFrame, spec: Spec) -> pl.DataFrame:
    return before_holdout(rows_frame, spec, LATE)


def tried(rows: pl.DataFrame, spec: Spec, parameters: dict[str, Any], *peers: tuple[float, ...]) -> Trial:
    return evaluate(rows, spec, "linear", Proposal(1, parameters, peers), is_hopeless)


def test_bad_parameters_of_a_project_are_bettered(known: pl.DataFrame, spec: Spec) -> None:
    bad = tuned_by(spec, parameters={"linear": {"strength": 0.0001}}, tuning={"families": ["linear"]})
    space = space_of("linear", bad.training)
    found = search(
        space,
        present("linear", bad.training, space),
        Tuning(trials=8),
        1,
        in_turn(lambda each: evaluate(known, bad, "linear", each, is_hopeless)),
    )
    assert found[0].parameters == {"strength": 0.0001}
    won = best(found)
    assert won.loss is not None and found[0].loss is not None
    assert won.loss < found[0].loss - 0.01
    assert 0.001 < float(str(won.parameters["strength"])) < 10


def test_the_loss_is_the_mean_over_all_rows_that_were_judged(known: pl.DataFrame, spec: Spec) -> None:
    trial = tried(known, spec, {})
    assert trial.state == "complete"
    assert list(trial.units) == [unseen.height for _, unseen in folds(known, spec, 3)]
    assert trial.loss == pytest.approx(np.average(trial.losses, weights=trial.units))
    assert min(trial.losses) > 0.3 and max(trial.losses) < 0.7
    assert replace(tried(known, spec, {}), seconds=0) == replace(trial, seconds=0)


def test_a_hopeless_trial_ends_early(known: pl.DataFrame, spec: Spec) -> None:
    good = tried(known, spec, {}).means
    poor = tried(known, spec, {"strength": 1e-6}, *[good] * ROUND)
    assert (poor.state, len(poor.losses), poor.loss) == ("pruned", 1, None)
    assert "fold 1 of 3" in poor.reason
    assert tried(known, spec, {"strength": 1e-6}).state == "complete"


def test_a_fit_that_raises_is_a_failed_trial(known: pl.DataFrame, spec: Spec) -> None:
    assert "strength" in tried(known, spec, {"strength": -1.0}).reason
    short = tried(known[:150], spec, {})
    assert (short.state, short.losses) == ("failed", ())
    assert "fold 1 of 3: the train part has 4 rows" in short.reason
    assert "it takes at least 20" in short.reason


def flipped(rows: pl.DataFrame, which: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(label=pl.when(which).then(~pl.col("label")).otherwise("label"))


def test_no_label_counts_that_was_not_known_when_the_judged_rows_were_decided(
    known: pl.DataFrame, spec: Spec
) -> None:
    two = tuned_by(spec, tuning={"folds": 2})
    rows = known.with_columns(known_at=pl.col("event_time") + timedelta(days=2))
    *_, (_, unseen) = folds(rows, two, 2)
    before = pl.col("event_time") < unseen["event_time"][0]
    unknown = before & (pl.col("known_at") > unseen["decision_time"].min())
    # The newest that were known, as many: a fit is stopped and calibrated on them.
    newest = before & ~unknown & (pl.col("known_at") > unseen["decision_time"].min() - timedelta(days=2))
    assert [rows.filter(which).height > 100 for which in (unknown, newest)] == [True, True]

    def judged(rows: pl.DataFrame) -> float:
        proposal = Proposal(1, {"patience": 10})
        return evaluate(rows, two, "lightgbm", proposal, is_hopeless).losses[-1]

    assert judged(flipped(rows, newest)) != judged(rows)
    assert judged(flipped(rows, unknown)) == judged(rows)


def test_a_fit_is_stopped_by_rows_after_those_that_it_learns_from(known: pl.DataFrame, spec: Spec) -> None:
    for seen, unseen in folds(known, spec, 3):
        train, validation = cut(seen, spec, 0.8)
        assert train["known_at"].max() <= validation["decision_time"].min()
        assert validation["known_at"].max() <= unseen["decision_time"].min()
        assert 0.7 < train.height / seen.height < 0.85


def test_the_holdout_is_not_known(rows_frame: pl.DataFrame, known: pl.DataFrame, spec: Spec) -> None:
    holdout = split(rows_frame, spec, LATE).holdout
    assert known["known_at"].max() <= holdout.frame["decision_time"].min()
    as_of = rows_frame["known_at"][2_000]
    unknown = pl.col("known_at") > as_of
    honest, tempted = (
        before_holdout(frame, spec, as_of) for frame in (rows_frame, flipped(rows_frame, unknown))
    )
    assert honest.equals(tempted)
    fitted = split(rows_frame, spec, as_of)
    assert set(fitted.train.frame["flight"]) | set(fitted.validation.frame["flight"]) <= set(honest["flight"])
