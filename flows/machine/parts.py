"""The parts that production needs on one machine: how each is started, and how it says that it is ready."""

import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from core.hosts import is_loopback, reached
from core.settings import Settings
from flows.machine.processes import Identity, python
from flows.machine.secure import access, guarded
from flows.machine.state import SCHEDULER, SERVER, Up

LOOPBACK = "127.0.0.1"
POOL = "perennial"  # the work pool, which is a process's for each run
WORKERS, RUNS = "dask-workers", "prefect-worker"


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its command, the variables added to the environment, where it answers, whether it does.

    When the part that it `needs` is started again, so is it, unless it `carries` runs of flows: these
    go on meanwhile, and are ended only all at once.
    """

    name: str
    command: tuple[str, ...]
    address: str
    healthy: Callable[[], bool]
    needs: str | None = None
    carries: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def planned(settings: Settings, supervisor: Identity) -> Up:
    """What is to run by these settings, before anything of it does.

    The server of `PREFECT_API_URL` and the scheduler of `PERENNIAL_DASK` are used instead of own ones.
    """
    given, host, outside = os.environ.get("PREFECT_API_URL"), reached(settings.host), _outside(settings)
    scheme = "tls" if outside else "tcp"
    return Up(
        supervisor,
        api=given or f"http://{host}:{settings.prefect_port}/api",
        dask=settings.dask or f"{scheme}://{host}:{settings.dask_port}",
        dashboard=None if settings.dask else f"http://{LOOPBACK}:{settings.dashboard_port}/status",
        own_server=not given,
        own_cluster=not settings.dask,
        secured=outside,
    )


def parts(settings: Settings, up: Up, health_port: int) -> list[Part]:
    """The parts in the order in which they are started; `health_port` is for the Prefect worker."""
    own = [_server(settings, up)] if up.own_server else []
    if up.own_cluster:
        own += [_scheduler(settings, up), _workers(settings, up)]
    return [*own, _runs(settings, up, health_port)]


def _server(settings: Settings, up: Up) -> Part:
    here = {
        "PREFECT_SERVER_API_HOST": settings.host,
        "PREFECT_SERVER_API_PORT": str(settings.prefect_port),
        # The UI calls the API under the host that the browser has come to.
        "PREFECT_SERVER_UI_API_URL": "/api" if up.secured else up.api,
    }
    return Part(
        SERVER,
        python("flows.backend", str(settings.prefect_port), settings.host),
        up.api.removesuffix("/api"),
        partial(_answers, f"{up.api}/health"),
        environment={**here, **guarded(settings, up)},
    )


def _scheduler(settings: Settings, up: Up) -> Part:
    where = ("--host", settings.host, "--port", str(settings.dask_port))
    board = ("--dashboard-address", f"{LOOPBACK}:{settings.dashboard_port}")
    return Part(
        SCHEDULER,
        python("dask", "scheduler", *where, "--protocol", up.dask.partition(":")[0], *board),
        up.dask,
        partial(_answers, f"http://{LOOPBACK}:{settings.dashboard_port}/health"),
        environment=_without_api(access(settings, up)),
    )


def _workers(settings: Settings, up: Up) -> Part:
    # Processes of one thread: a fit and a partition each want a core, not a share of one.
    size = ("--nworkers", str(settings.workers), "--nthreads", "1")
    host = ("--host", reached(settings.host).strip("[]"))
    place = ("--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0", "--local-directory", str(settings.up))
    return Part(
        WORKERS,
        python("dask", "worker", up.dask, *size, *host, *place),
        f"{settings.workers} of one thread",
        partial(_has_workers, f"http://{LOOPBACK}:{settings.dashboard_port}", settings.workers),
        needs=SCHEDULER,
        environment=access(settings, up),
    )


def _runs(settings: Settings, up: Up, health_port: int) -> Part:
    here = {
        # What ran with nobody looking is to be found on its page in the UI.
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_WEBSERVER_HOST": LOOPBACK,
        "PREFECT_WORKER_WEBSERVER_PORT": str(health_port),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # seconds: without a sign of life a run counts as killed
    }
    if up.own_server and not os.environ.get("PREFECT_UI_URL"):
        here["PREFECT_UI_URL"] = up.api.removesuffix("/api")  # where alerts and artifacts link to
    # A run mostly waits for the Dask workers: two more than these, so that a long one holds up no other.
    what = ("--pool", POOL, "--type", "process", "--limit", str(settings.workers + 2))
    name = ("--name", socket.gethostname(), "--with-healthcheck")
    return Part(
        RUNS,
        python("prefect", "worker", "start", *what, *name),
        f"work pool {POOL}",
        partial(_answers, f"http://{LOOPBACK}:{health_port}/health"),
        needs=SERVER if up.own_server else None,
        carries=True,
        environment={**here, **access(settings, up)},
    )


def _without_api(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("DASK_")}


def _outside(settings: Settings) -> bool:
    return not is_loopback(settings.host)


def _answers(url: str) -> bool:
    return _read(url) is not None


def _has_workers(board: str, count: int) -> bool:
    counts = _read(f"{board}/json/counts.json")
    return counts is not None and int(json.loads(counts)["workers"]) >= count


def _read(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None
