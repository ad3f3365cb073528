"""Running the service: a process that keeps its workers, and takes what they log into the lake."""

import logging
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psutil
import uvicorn
from uvicorn.supervisors import Multiprocess

from core.errors import PerennialError
from core.lake import Lake
from core.projects import load
from core.settings import Settings
from core.spec import Spec
from serving.access.opening import require_guarded
from serving.access.rates import allocate
from serving.alarms import Alarms
from serving.front import Front
from serving.log.collect import collect
from serving.metrics import SHARED, forget
from serving.pages.past import Keeper
from serving.service import RATES, log_folder, log_schemas, open_service
from serving.settled import settle

_LOG = logging.getLogger(__name__)
GIVES_WAY = 10  # how nice it is to those who answer: nobody waits for what is collected
COLLECT = 5.0  # seconds between two looks at what the workers have logged
GRACE = 20  # seconds that a worker which is to end has for what it is at
STARTED = 60  # seconds within which a worker that is started, or busy, gives a sign of life
CONNECTIONS = 2_048  # waiting to be taken


@dataclass(frozen=True, slots=True)
class Clock:
    """The instant at which the service stands: the time of day, or as far from it as a history lies back."""

    behind: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC) - self.behind


def worker(project: str, settings: Settings, clock: Clock, shared: Path) -> Front:
    """The app of one worker process."""
    from serving.app import app_of  # the metrics read where they are shared when they are imported

    return app_of(open_service(settings, load(project, settings), clock, shared))


def serve(project: str, settings: Settings, clock: Clock) -> None:
    """Serve a project until SIGTERM or Ctrl-C.

    Raises SpecError when the spec does not hold; PerennialError when the port is taken, or the service would
    be open to others without keys.
    """
    require_guarded(settings.serve_host, open_to_all=settings.serve_open)
    spec = load(project, settings).spec
    with _listening(settings) as listener, _shared() as shared:
        os.environ[SHARED] = str(shared)
        allocate(shared / RATES)
        config = uvicorn.Config(
            partial(worker, project, settings, clock, shared),
            factory=True,
            workers=settings.serve_workers,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
            timeout_worker_healthcheck=STARTED,
            backlog=CONNECTIONS,
        )
        config.configure_logging()
        collector, keeper = Collector(settings, spec, clock, shared), Keeper(shared)
        settle()
        collector.start()
        keeper.start()
        try:
            Multiprocess(config, sockets=[listener]).run()
        finally:
            keeper.end()
            collector.end()


class Collector:
    """Takes what the workers have logged into the lake, and tells of their troubles, in a thread."""

    def __init__(self, settings: Settings, spec: Spec, clock: Clock, shared: Path) -> None:
        self._folder, self._lake = log_folder(settings, spec.name), Lake(settings.lake, spec.name)
        self._schemas, self._alarms = log_schemas(spec), Alarms(settings, spec, clock)
        self._shared, self._ended = shared, threading.Event()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
        self._told: tuple[str, ...] = ()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Collect what is left, and end."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with suppress(AttributeError, OSError):  # of this thread, where threads have one of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), GIVES_WAY)
        while not self._ended.wait(COLLECT):
            self._look()
        self._look()

    def _look(self) -> None:
        try:
            self._collect()
        except Exception:  # whatever it is, what comes later is to be collected
            _LOG.exception("the log of predictions could not be collected")

    def _collect(self) -> None:
        try:
            faults = collect(self._folder, self._lake, self._schemas).faults
        except (PerennialError, OSError) as error:
            faults = (str(error),)
        for fault in faults:
            if fault not in self._told:
                _LOG.error("the log of predictions: %s", fault)
        self._told = faults
        self._bury()
        self._alarms.look()

    def _bury(self) -> None:
        """Take what was true of dead workers out of the metrics."""
        for path in self._shared.glob("gauge_live*_*.db"):
            process = path.stem.rpartition("_")[2]
            if process.isdecimal() and not psutil.pid_exists(int(process)):
                forget(int(process))


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The socket that all workers take requests from; PerennialError where the port is taken."""
    host, port = settings.serve_host, settings.serve_port
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, proto)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise PerennialError(
            f"{host}:{port} cannot be listened on: {error.strerror}; end what does, or choose another with"
            " PERENNIAL_SERVE_PORT or PERENNIAL_SERVE_HOST"
        ) from error
    with listener:
        listener.set_inheritable(True)
        yield listener


@contextmanager
def _shared() -> Iterator[Path]:
    """A folder in memory, where there is one: what is mapped from a full disk would kill who touches it."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="perennial-serving-", dir=memory if os.access(memory, os.W_OK) else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
