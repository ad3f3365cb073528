"""The service of one project as a worker runs it: all that its routes share."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic

import polars as pl
from sqlalchemy.exc import SQLAlchemyError

from core.database import require_there
from core.errors import PerennialError
from core.lake import Lake
from core.projects import Project
from core.settings import Settings
from core.sources.place import WHOLE
from core.spec import Spec
from features.online.publish import datasets
from features.online.request import Online
from features.online.store import open_store
from models.calibration.form import WIDE
from models.problem import problem_of
from models.registry.releases import Release
from serving.access.guard import Guard
from serving.access.keys import Keys
from serving.access.rates import Rates
from serving.current import Current
from serving.featurise import Featuriser
from serving.fields import Fields
from serving.judgement import LastJudgement
from serving.limits import Pool, Pulse
from serving.log.journal import Facts, Journal
from serving.log.tables import schemas
from serving.metrics import Meters, meters
from serving.whole import WholeRows

_LOG = logging.getLogger(__name__)
LOOK = 1.0  # seconds between two looks at the registry, the keys and the log
PATIENCE = 1.0  # seconds that a request waits for the online store
RATES = "rates"


@dataclass(slots=True)
class Service:
    """A worker: what it serves, to whom, and where it puts it on record.

    `clock` tells the instant at which the service stands. Without a `guard` everybody may ask.
    `shared` is the folder in which the workers of one service meet.
    """

    settings: Settings
    project: Project
    clock: Callable[[], datetime]
    fields: Fields
    whole: WholeRows | None
    featuriser: Featuriser
    current: Current
    journal: Journal
    log: Mapping[str, pl.Schema]
    guard: Guard | None
    meters: Meters
    judged: LastJudgement
    pulse: Pulse
    pool: Pool
    shared: Path | None

    @property
    def name(self) -> str:
        """The name of the project."""
        return self.project.name

    def close(self) -> None:
        """Put on record what is not yet, and let go of all."""
        self.pool.close()
        self.journal.close()


def open_service(
    settings: Settings, project: Project, clock: Callable[[], datetime], shared: Path | None
) -> Service:
    """Open a project for serving; `shared` is the folder in which the workers of one service meet.

    Raises SpecError when the spec does not hold, IntegrityError when nothing was ingested yet.
    """
    spec, lake = project.spec, Lake(settings.lake, project.name)
    dtypes = {name: lake.scan(f"raw/{name}").drop("batch").collect_schema() for name in datasets(spec)}
    tables = {
        name: lake.scan(f"raw/{name}", [WHOLE])
        for name, rules in spec.datasets.items()
        if rules.event_time is None and lake.exists(f"raw/{name}")
    }
    store = open_store(settings.online, project.name, patience=PATIENCE)
    fields = Fields(spec, dtypes[spec.events])
    online = Online(spec, project.functions, store, tables, dtypes)
    log = log_schemas(spec)
    return Service(
        settings=settings,
        project=project,
        clock=clock,
        fields=fields,
        whole=WholeRows.of(spec, dtypes[spec.events]),
        featuriser=Featuriser(spec, fields, online),
        current=Current(settings, spec),
        journal=Journal(log_folder(settings, project.name), log),
        log=log,
        guard=None if settings.serve_open or shared is None else Guard(Rates(shared / RATES), monotonic),
        meters=meters(),
        judged=LastJudgement(settings.registry, project.name),
        pulse=Pulse(),
        pool=Pool(),
        shared=shared,
    )


def log_schemas(spec: Spec) -> dict[str, pl.Schema]:
    """The schemas of the tables of the log."""
    return schemas(label_type(spec), wide=problem_of(spec).link in WIDE)


def label_type(spec: Spec) -> pl.DataType:
    """What an outcome is told as."""
    if spec.problem == "binary":
        return pl.Boolean()
    return pl.String() if spec.problem == "multiclass" else pl.Float64()


def log_folder(settings: Settings, project: str) -> Path:
    """Where the journals of a project's service lie, until they are in the lake."""
    return settings.home / "serving" / project / "log"


class Watch:
    """Looks again and again, in a thread of its own: for another release, other keys, a lost store."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ended = threading.Event()
        self._told: Release | None = None
        self._logged = Facts(0, 0, 0, 0, None)
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Look once, and then go on looking."""
        self.look()
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def look(self) -> None:
        """Look at all of it once; nothing is raised."""
        self._service.current.look()
        self._service.featuriser.look()
        self._look_at_keys()
        if self._service.judged.look():
            self._service.meters.drifted(self._service.judged.drift)
        self._tell()

    def _run(self) -> None:
        parent = os.getppid()
        while not self._ended.wait(LOOK):
            if os.getppid() != parent:  # who keeps the workers was killed: a new one could not listen
                signal.raise_signal(signal.SIGTERM)
                return
            try:
                self.look()
            except Exception:
                _LOG.exception("the service could not look whether anything has changed")

    def _look_at_keys(self) -> None:
        service = self._service
        if service.guard is None:
            return
        try:
            require_there(service.settings.registry)
            service.guard.refresh(Keys(service.settings.registry, service.name))
        except (PerennialError, SQLAlchemyError, OSError):
            return  # the present keys hold

    def _tell(self) -> None:
        """Tell the metrics how things stand."""
        service, told = self._service, self._service.meters
        in_force = service.current.in_force
        if in_force is not None and in_force.release != self._told:
            told.released(in_force.release, self._told)
            self._told = in_force.release
        facts, before = service.journal.facts(), self._logged
        for state in ("written", "dropped", "unfit"):
            told.log.labels(state).inc(getattr(facts, state) - getattr(before, state))
        told.waiting.set(facts.waiting)
        self._logged = facts
        for what, is_so in troubles(service).items():
            told.trouble.labels(what).set(1 if is_so else 0)


def troubles(service: Service) -> Mapping[str, str | None]:
    """What is wrong, by what it is wrong with; None where all is well."""
    current = service.current
    return {
        "log": service.journal.facts().failure,
        "registry": current.failure if current.is_registry_lost else None,
        "release": current.failure if not current.is_registry_lost else None,
        "store": service.featuriser.lost,
    }
