"""The fan-out seam: where the work of a flow's tasks runs. Nothing else knows Dask."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar, cast

import distributed
from prefect.task_runners import TaskRunner
from prefect_dask import DaskTaskRunner
from prefect_dask.task_runners import PrefectDaskFuture

from core.errors import PerennialError
from core.settings import Settings

R = TypeVar("R")
Runner = TaskRunner[PrefectDaskFuture[object]]


@contextmanager
def cluster() -> Iterator[str]:
    """The address of the scheduler to work on: the one that is set, or a local cluster's for as long."""
    settings = Settings()
    if settings.dask:
        _check_places(settings.dask, _places())
        yield settings.dask
        return
    # Worker processes of one thread: a fit and a partition each want a core, not a share of one.
    with distributed.LocalCluster(
        n_workers=settings.workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as local:
        yield local.scheduler_address


@cache
def _check_places(address: str, ours: tuple[tuple[str, str], ...]) -> None:
    """Raise PerennialError unless each worker keeps its state where this process does, and sees it there.

    What a worker wrote to a home of its own would be lost without a word.
    """
    home = dict(ours)["home"]
    Path(home).mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=home, prefix=".seen-") as file, _client(address) as client:
        for worker, (theirs, seen) in client.run(_seen_from, file.name).items():
            for (name, here), (_, there) in zip(ours, theirs, strict=True):
                if there != here:
                    raise PerennialError(
                        f"the Dask worker {worker} has another PERENNIAL_{name.upper()} than this process:"
                        " start it with the same"
                    )
            if not seen:
                raise PerennialError(f"the Dask worker {worker} does not see the files in {home}: share it")


def _client(address: str) -> distributed.Client:
    try:
        return distributed.Client(address)
    except (OSError, ValueError) as error:
        raise PerennialError(f"PERENNIAL_DASK: no scheduler answers at {address}") from error


def _places() -> tuple[tuple[str, str], ...]:
    """Where this process keeps its state, by setting."""
    settings = Settings()
    names = ("home", "projects", "suites", "lake", "registry", "online")
    return tuple((name, str(getattr(settings, name))) for name in names)


def _seen_from(file: str) -> tuple[tuple[tuple[str, str], ...], bool]:
    """On a worker: where it keeps its state, and whether it has this file."""
    return _places(), Path(file).is_file()


@contextmanager
def shared_cluster() -> Iterator[None]:
    """One cluster for all flows that are run inside, instead of one for each."""
    with cluster() as address:
        before = dict(os.environ)
        os.environ["PERENNIAL_DASK"] = address
        try:
            yield
        finally:
            os.environ.pop("PERENNIAL_DASK")
            os.environ.update(before)


def fan_out() -> Runner:
    """The task runner of every flow that fans out; it connects when the flow first submits."""
    connect = cast("Callable[[], distributed.deploy.Cluster]", cluster)
    return cast("Runner", DaskTaskRunner(cluster_class=connect))


def spread(function: Callable[..., R], arguments: Iterable[tuple[object, ...]]) -> list[R]:
    """From inside a task on the cluster: what a function gives for each of the arguments, in their order.

    They run side by side on all workers. The task leaves its thread to them for as long, so it may
    sit on the only one that there is. What a worker had begun when it died, another does again; an
    error of the function is raised here.
    """
    with distributed.worker_client() as client:
        futures = [client.submit(function, *each, pure=False) for each in arguments]
        return cast("list[R]", client.gather(futures))
