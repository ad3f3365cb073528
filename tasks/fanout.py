"""The fan-out seam: where the work of a flow's tasks runs. Nothing else knows Dask."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import distributed
from prefect.task_runners import TaskRunner
from prefect_dask import DaskTaskRunner
from prefect_dask.task_runners import PrefectDaskFuture

from core.settings import Settings

Runner = TaskRunner[PrefectDaskFuture[object]]


@contextmanager
def cluster() -> Iterator[str]:
    """The address of the scheduler to work on: the one that is set, or a local cluster's for as long."""
    settings = Settings()
    if settings.dask:
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
