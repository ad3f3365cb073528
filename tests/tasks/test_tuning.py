"""Trials fanned out over real worker processes: the same result on any number, and after any of them died."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from distributed import Client

from core.settings import Settings
from models.trial import Trial
from stages.tune import Tuned, tuned
from stages.workspace import open_workspace
from tasks.fanout import cluster, spread
from tasks.tuning import search_on_cluster

pytestmark = pytest.mark.slow

AS_OF = datetime(2013, 3, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def calm(make_shop: Callable[[], Settings]) -> Tuned:
    """The search in one process, that nothing disturbed."""
    return tuned(open_workspace("shop", make_shop()), "linear", AS_OF)


@pytest.fixture(scope="module")
def shop(make_shop: Callable[[], Settings]) -> Iterator[Settings]:
    """The project, in whose home this process and its workers live."""
    settings = make_shop()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PERENNIAL_DASK", raising=False)
        patch.setenv("PERENNIAL_HOME", str(settings.home))
        patch.setenv("PERENNIAL_PROJECTS", str(settings.projects))
        yield settings


@contextmanager
def workers(count: int) -> Iterator[Client]:
    """A client of a new cluster of so many workers of one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERENNIAL_WORKERS", str(count))
        with cluster() as address, Client(address) as client:
            yield client


@pytest.fixture(scope="module")
def two(shop: Settings) -> Iterator[Client]:
    """A client of two workers."""
    with workers(2) as client:
        yield client


def untimed(found: Sequence[Trial]) -> list[Trial]:
    return [replace(trial, seconds=0) for trial in found]


def later(hours: int) -> datetime:
    """An instant at which the same is known, but that no other test has searched at."""
    return AS_OF + timedelta(hours=hours)


def test_the_flow_tunes_the_families_of_the_spec(
    make_shop: Callable[[], Settings], inhabit: Callable[..., AbstractContextManager[None]], calm: Tuned
) -> None:
    from flows.tune import tune

    with inhabit(make_shop()):
        (found,) = tune("shop", AS_OF)
    assert untimed(found.trials) == untimed(calm.trials)


def test_an_answer_stands_in_its_place_and_an_error_is_raised(two: Client) -> None:
    def job(values: list[int]) -> list[float]:
        return spread(lambda one, other: one / other, [(12, value) for value in values])

    assert two.submit(job, [1, 2, 3, 4, 6]).result(timeout=60) == [12, 6, 4, 3, 2]
    assert two.submit(job, []).result(timeout=60) == []
    with pytest.raises(ZeroDivisionError):
        two.submit(job, [1, 0]).result(timeout=60)


def test_two_workers_find_what_one_process_finds(two: Client, calm: Tuned) -> None:
    found = two.submit(search_on_cluster, "shop", "linear", later(1)).result(timeout=120)
    assert untimed(found.trials) == untimed(calm.trials)


def test_two_of_a_search_at_once_on_a_single_worker_find_the_same(shop: Settings, calm: Tuned) -> None:
    with workers(1) as client:
        found = client.map(search_on_cluster, ["shop"] * 2, ["linear"] * 2, [later(2)] * 2, pure=False)
        assert [untimed(each.trials) for each in client.gather(found)] == [untimed(calm.trials)] * 2


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
    two: Client, shop: Settings, calm: Tuned, tmp_path: Path
) -> None:
    marker = tmp_path / "killed"
    arm(two, "stages.tune", "is_hopeless", marker)
    found = two.submit(search_on_cluster, "shop", "linear", later(3)).result(timeout=120)
    assert marker.read_text().endswith(",)")  # the mean over one fold: the trial had begun and was not done
    assert untimed(found.trials) == untimed(calm.trials)
    recorded = open_workspace("shop", shop).ledger.results("trial")
    numbers = [trial["number"] for subject, trial in recorded.items() if later(3).isoformat() in subject]
    assert sorted(numbers) == list(range(10))


def test_a_search_whose_own_worker_is_killed_goes_on(two: Client, calm: Tuned, tmp_path: Path) -> None:
    marker = tmp_path / "killed"
    arm(two, "models.tune", "_next_round", marker)
    found = two.submit(search_on_cluster, "shop", "linear", later(4)).result(timeout=120)
    assert untimed(found.trials) == untimed(calm.trials)
    # To the second that they took: the first round was taken from the record.
    assert marker.read_text() == repr(list(found.trials[:4]))
