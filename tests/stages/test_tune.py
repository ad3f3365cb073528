"""A search is on record trial by trial: killed, it goes on; done, it is not done again; changed, it is."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import PerennialError
from core.settings import Settings
from models.tuning.trial import Proposal, Trial
from stages.models.tune import Tuned, try_out, tuned
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import AS_OF, make_orders, write_spec

pytestmark = pytest.mark.slow

LINEAR = {"families": ["linear"], "trials": 10}
# Far too low a strength, which is to be bettered.
WEAK = {"tuning": LINEAR, "parameters": {"linear": {"strength": 0.00001}}}


class Killed(BaseException):
    """What ends a process in the middle."""


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Orders of five months, ingested and featurised; their linear family is to be tuned in 10 trials."""
    return make_orders(tmp_path_factory.mktemp("orders"), training=WEAK)


@pytest.fixture(scope="module")
def calm(settled: Workspace) -> Tuned:
    """The search that nothing disturbed."""
    return tuned(settled, "linear", AS_OF)


@pytest.fixture
def orders(settled: Workspace, tmp_path: Path) -> Settings:
    """A copy of the project without a search on record."""
    places = {"home": "state", "projects": "projects", "suites": "expectations"}
    shutil.copytree(settled.settings.home.parent, tmp_path, dirs_exist_ok=True)
    found = Settings(**{name: tmp_path / place for name, place in places.items()})
    ledger = open_workspace("orders", found).ledger
    for step in ("tune", "trial"):
        for subject in ledger.results(step):
            ledger.forget(step, subject)
    return found


def edited(settings: Settings, **training: Any) -> Workspace:
    """The project, opened with other rules of training."""
    write_spec(settings, "binary", training=WEAK | training)
    return open_workspace("orders", settings)


def untimed(found: Tuned) -> list[Trial]:
    return [replace(trial, seconds=0) for trial in found.trials]


class Counter:
    """Tries proposals in turn, counts those that it was asked for, and may be killed in the middle."""

    def __init__(self, workspace: Workspace, dies_at: int | None = None) -> None:
        self.workspace, self.dies_at = workspace, dies_at
        self.numbers: list[int] = []

    def __call__(self, proposals: Sequence[Proposal]) -> list[Trial]:
        return [self._one(each) for each in proposals]

    def _one(self, proposal: Proposal) -> Trial:
        if proposal.number == self.dies_at:
            raise Killed
        self.numbers.append(proposal.number)
        return try_out(self.workspace, "linear", AS_OF, proposal)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the trials that were evaluated, not taken from the record."""
    import stages.models.tune

    found: list[int] = []
    real = stages.models.tune.evaluate

    def counted(*args: Any) -> Trial:
        found.append(args[3].number)
        return real(*args)

    monkeypatch.setattr(stages.models.tune, "evaluate", counted)
    return found


def test_the_best_parameters_beat_those_of_the_project(calm: Tuned) -> None:
    assert [trial.number for trial in calm.trials] == list(range(10))
    assert calm.first.parameters == {"strength": 0.00001}
    assert calm.first.loss is not None and calm.best.loss is not None
    assert calm.best.loss < calm.first.loss - 0.001
    gain, error = calm.gain
    assert gain == pytest.approx(calm.first.loss - calm.best.loss)
    assert error > 0
    assert calm.parameters == calm.best.parameters != calm.first.parameters
    assert "pruned" in {trial.state for trial in calm.trials}


def test_parameters_that_were_not_looked_for_stay(orders: Settings) -> None:
    workspace = edited(
        orders, parameters={"linear": {"min_rows": 5}}, tuning={"families": ["linear"], "trials": 2}
    )
    found = tuned(workspace, "linear", AS_OF)
    assert found.parameters == {"min_rows": 5, **found.best.parameters}
    assert "min_rows" not in found.best.parameters


@pytest.mark.parametrize(
    ("problem", "judged"),
    [("multiclass", 1_900), ("regression", 1_900), ("quantiles", 1_900), ("ranking", 310)],
)
def test_every_problem_is_tuned(tmp_path: Path, problem: str, judged: int) -> None:
    """A ranking is judged by its lists of six rows, the others by rows."""
    few = WEAK | {"tuning": LINEAR | {"trials": 5}}
    found = tuned(make_orders(tmp_path, problem, training=few), "linear", AS_OF)
    assert found.best.means[-1] < found.first.means[-1]
    assert sum(found.first.units) == pytest.approx(judged, rel=0.05)


def test_the_trials_are_rows_of_one_table_for_the_tracker(calm: Tuned) -> None:
    rows = calm.rows()
    names = ["number", "state", "loss", "fold 1", "fold 2", "fold 3", "strength", "seconds", "reason"]
    assert [list(row) for row in rows] == [names] * 10
    assert min(row["loss"] for row in rows if row["state"] == "complete") == calm.best.loss
    assert all(row["loss"] is None and row["reason"] for row in rows if row["state"] == "pruned")


@pytest.mark.parametrize("number", [2, 4, 9])
def test_a_killed_search_goes_on_and_ends_as_one_that_was_not(
    orders: Settings, calm: Tuned, fits: list[int], number: int
) -> None:
    workspace = open_workspace("orders", orders)
    with pytest.raises(Killed):
        tuned(workspace, "linear", AS_OF, Counter(workspace, dies_at=number))
    found = tuned(open_workspace("orders", orders), "linear", AS_OF)
    assert untimed(found) == untimed(calm)
    assert fits == list(range(10))


def test_a_search_that_is_done_is_not_done_again(orders: Settings, fits: list[int]) -> None:
    found = tuned(open_workspace("orders", orders), "linear", AS_OF)
    assert tuned(open_workspace("orders", orders), "linear", AS_OF) == found
    assert len(fits) == 10


def test_a_larger_budget_goes_on_from_the_smaller(orders: Settings, calm: Tuned, fits: list[int]) -> None:
    few = {"families": ["linear"], "trials": 6}
    assert untimed(tuned(edited(orders, tuning=few), "linear", AS_OF)) == untimed(calm)[:6]
    assert untimed(tuned(edited(orders, tuning=few | {"trials": 10}), "linear", AS_OF)) == untimed(calm)
    # The round of the sixth trial was cut short: what follows it in the round is asked all the same.
    assert fits == list(range(10))


@pytest.mark.parametrize(
    "training",
    [{"seed": 4}, {"half_life": "9d"}, {"validation": 0.2}, {"tuning": {"families": ["linear"], "folds": 4}}],
)
def test_what_the_losses_depend_on_begins_a_search_anew(
    orders: Settings, fits: list[int], training: Any
) -> None:
    few = {"families": ["linear"], "trials": 1}
    tuned(edited(orders, tuning=few), "linear", AS_OF)
    tuned(edited(orders, **(training | {"tuning": few | training.get("tuning", {})})), "linear", AS_OF)
    assert fits == [0, 0]


def test_other_rows_begin_a_search_anew(orders: Settings, fits: list[int]) -> None:
    few = {"families": ["linear"], "trials": 1}
    workspace = edited(orders, tuning=few)
    tuned(workspace, "linear", AS_OF)
    workspace.ledger.record("features", "2013-02", "", {"content": "other"}, AS_OF)
    tuned(workspace, "linear", AS_OF)
    assert fits == [0, 0]


def test_a_search_that_cannot_be_is_a_sentence(orders: Settings) -> None:
    workspace = edited(orders, tuning={"families": ["linear"], "trials": 5, "folds": 400})
    with pytest.raises(PerennialError, match=r"none of 5 trials .* fold 1 of 400: .* it takes at least 20"):
        tuned(workspace, "linear", AS_OF)
