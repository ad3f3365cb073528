"""The service of one project as a worker runs it: all that its routes share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic

import polars as pl

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
from serving.access.guard import Guard
from serving.access.rates import Rates
from serving.answering.current import Current
from serving.answering.featurise import Featuriser
from serving.answering.together import Together
from serving.judgement import LastJudgement
from serving.log.journal import Journal
from serving.log.tables import schemas
from serving.metrics import Meters, meters
from serving.request.fields import Fields
from serving.request.limits import Pool, Pulse
from serving.request.whole import WholeRows

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
    together: Together
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
        together=Together(),
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


def troubles(service: Service) -> Mapping[str, str | None]:
    """What is wrong, by what it is wrong with; None where all is well."""
    current = service.current
    return {
        "log": service.journal.facts().failure,
        "registry": current.failure if current.is_registry_lost else None,
        "release": current.failure if not current.is_registry_lost else None,
        "store": service.featuriser.lost,
    }
