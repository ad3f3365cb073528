"""Trials fanned out over real worker processes: the same result on any number, and after any of them died."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from distributed import Client

from models.tuning.trial import Trial
from stages.models.tune import Tuned, tuned
from stages.workspace import Workspace
from tasks.fanout import cluster, spread
from tasks.tuning import search_on_cluster
from tests.stages.orders import AS_OF, make_orders

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Orders of five months, ingested and featurised; their linear family is to be tuned in 10 trials."""
    tuning = {"families": ["linear"], "trials": 10}
    return make_orders(tmp_path_factory.mktemp("orders"), training={"tuning": tuning})


@pytest.fixture(scope="module")
def calm(orders: Workspace) -> list[Trial]:
    """What is tried in one process that nothing disturbs."""
    return untimed(tuned(orders, "linear", AS_OF))


@pytest.fixture(scope="module")
def home(orders: Workspace) -> Iterator[None]:
    """This process and its workers live in the home of the orders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PERENNIAL_DASK", raising=False)
        for name in ("home", "projects", "suites"):
            patch.setenv(f"PERENNIAL_{name.upper()}", str(getattr(orders.settings, name)))
        yield


@contextmanager
def workers(count: int) -> Iterator[Client]:
    """A client of a new cluster of so many workers of one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERENNIAL_WORKERS", str(count))
        with cluster() as address, Client(address) as client:
            yield client


@pytest.fixture(scope="module")
def two(home: None) -> Iterator[Client]:
    """A client of two workers."""
    with workers(2) as client:
        yield client


def untimed(found: Tuned) -> list[Trial]:
    return [replace(trial, seconds=0) for trial in found.trials]


def later(hours: int) -> datetime:
    """An instant at which the same is known, but that no other test has searched at."""
    return AS_OF + timedelta(hours=hours)


def test_what_is_found_is_what_is_fitted(
    orders: Workspace, inhabit: Callable[..., AbstractContextManager[None]], calm: list[Trial]
) -> None:
    from flows.train import train
    from flows.tune import tune

    with inhabit(orders.settings, {"WANDB_MODE": "disabled"}):
        (version,) = train("orders", later(1))
        (found,) = tune("orders", later(1))
    assert untimed(found) == calm
    assert found.parameters == found.best.parameters != found.first.parameters
    assert orders.registry.version(version).lineage.parameters == {"linear": dict(found.parameters)}


def test_an_answer_stands_in_its_place_and_an_error_is_raised(two: Client) -> None:
    def job(values: list[int]) -> list[float]:
        return spread(lambda one, other: one / other, [(12, value) for value in values])

    assert two.submit(job, [1, 2, 3, 4, 6]).result(timeout=60) == [12, 6, 4, 3, 2]
    assert two.submit(job, []).result(timeout=60) == []
    with pytest.raises(ZeroDivisionError):
        two.submit(job, [1, 0]).result(timeout=60)


def test_two_workers_find_what_one_process_finds(two: Client, calm: list[Trial]) -> None:
    found = two.submit(search_on_cluster, "orders", "linear", later(2)).result(timeout=120)
    assert untimed(found) == calm


def test_two_of_a_search_at_once_on_a_single_worker_find_the_same(home: None, calm: list[Trial]) -> None:
    with workers(1) as client:
        found = client.map(search_on_cluster, ["orders"] * 2, ["linear"] * 2, [later(3)] * 2, pure=False)
        assert [untimed(each) for each in client.gather(found)] == [calm] * 2


def arm(client: Client, module: str, name: str, marker: Path) -> None:
    """Have the first worker that calls this function with something found be killed there.

    What it was called with is left in the marker.
    """

    def set_trap() -> None:
        where = import_module(module)
        real = getattr(where, name)

        def trapped(found: object, *others: object) -> object:
            if found and not marker.exists():
                marker.write_text(repr(found))
                os.kill(os.getpid(), signal.SIGKILL)
            return real(found, *others)

        setattr(where, name, trapped)

    client.run(set_trap)


def test_a_worker_that_is_killed_in_the_middle_of_a_trial_changes_nothing(
    two: Client, orders: Workspace, calm: list[Trial], tmp_path: Path
) -> None:
    marker = tmp_path / "killed"
    arm(two, "stages.models.tune", "is_hopeless", marker)
    found = two.submit(search_on_cluster, "orders", "linear", later(4)).result(timeout=120)
    assert marker.read_text().endswith(",)")  # the mean over one fold: the trial had begun and was not done
    assert untimed(found) == calm
    recorded = orders.ledger.results("trial")
    numbers = [trial["number"] for subject, trial in recorded.items() if later(4).isoformat() in subject]
    assert sorted(numbers) == list(range(10))


def test_a_search_whose_own_worker_is_killed_goes_on(two: Client, calm: list[Trial], tmp_path: Path) -> None:
    marker = tmp_path / "killed"
    arm(two, "models.tuning.search", "_next_round", marker)
    found = two.submit(search_on_cluster, "orders", "linear", later(5)).result(timeout=120)
    assert untimed(found) == calm
    # To the second that they took: the first round was taken from the record.
    assert marker.read_text() == repr(list(found.trials[:4]))
