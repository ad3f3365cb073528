"""Where state lives and where work runs: one settings object, read from `PERENNIAL_*`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import SpecError
from core.words import nearest

CHECKOUT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Every default works on one laptop, with no account and no service.

    `lake` and `registry` are URLs: a Delta root (a folder, s3://, gs://, az://) and an SQLAlchemy
    database. `online` is the URL of the online store: `sqlite:///<file>`, or of Redis. `dask` is a
    scheduler's address; without it a local cluster of `workers` processes is started for the run.
    `host` and the ports are where `make up` listens; the dashboard of Dask does on loopback alone.
    `serve_host` and `serve_port` are where `make serve` answers, in `serve_workers` processes;
    `serve_open` lets it answer without API keys, which it does on loopback alone.
    A path that is not absolute is taken from where the process was started.
    Raises SpecError for a variable that is none of these, and for a value that is none of its kind.
    """

    model_config = SettingsConfigDict(env_prefix="PERENNIAL_", frozen=True, extra="forbid")

    home: Path = CHECKOUT / ".perennial"
    projects: Path = CHECKOUT / "projects"
    suites: Path = CHECKOUT / "expectations"
    lake: str = ""
    registry: str = Field(default="", repr=False)  # a URL of a database may hold a password
    online: str = Field(default="", repr=False)  # and so may one of Redis
    dask: str | None = None
    workers: int = Field(default=2, ge=1)
    host: str = Field(default="127.0.0.1", min_length=1)
    prefect_port: int = Field(default=4200, ge=1, le=65535)
    dask_port: int = Field(default=8786, ge=1, le=65535)
    dashboard_port: int = Field(default=8787, ge=1, le=65535)
    serve_host: str = Field(default="127.0.0.1", min_length=1)
    serve_port: int = Field(default=8000, ge=1, le=65535)
    serve_workers: int = Field(default=1, ge=1)
    serve_open: bool = False

    def __init__(self, **values: Any) -> None:
        known = [f"PERENNIAL_{name.upper()}" for name in type(self).model_fields]
        for name in os.environ:
            if name.upper().startswith("PERENNIAL_") and name.upper() not in known:
                raise SpecError(f"{name}: no such setting{nearest(name, known)}")
        try:
            super().__init__(**values)
        except ValidationError as error:
            fault = error.errors()[0]
            name, why = str(fault["loc"][0]), fault["msg"].replace("Input should", "should")
            raise SpecError(f"PERENNIAL_{name.upper()}: {why}, not {fault['input']!r}") from error

    @model_validator(mode="before")
    @classmethod
    def _places(cls, values: dict[str, object]) -> dict[str, object]:
        home = _path(values.get("home") or CHECKOUT / ".perennial")
        paths = {name: _path(values[name]) for name in ("projects", "suites") if values.get(name)}
        lake = str(values.get("lake") or home / "lake")
        return {
            **values,
            **paths,
            "home": home,
            "lake": lake if "://" in lake else str(_path(lake)),
            "registry": values.get("registry") or f"sqlite:///{home / 'registry.db'}",
            "online": values.get("online") or f"sqlite:///{home / 'online.db'}",
        }

    @property
    def reports(self) -> Path:
        """The folder of the pages that people look at."""
        return self.home / "reports"

    @property
    def files(self) -> Path:
        """The content-addressed store of model files."""
        return self.home / "models"

    @property
    def up(self) -> Path:
        """What `make up` keeps: who runs, their logs, and the keys to them."""
        return self.home / "up"

    @property
    def staging(self) -> Path:
        """Unpacked deliveries, by their content hash; what still lies at its source can be read again."""
        return self.home / "staging"

    def environment(self) -> Mapping[str, str]:
        """What Prefect, Dask, W&B and the numeric libraries read from the environment.

        State stays under `home`, nothing is sent anywhere, and threads that wait do not spin
        (LightGBM slows down several times beside spinning OpenMP threads).
        """
        prefect = self.home / "prefect"
        return {
            "PERENNIAL_HOME": str(self.home),
            "PREFECT_HOME": str(prefect),
            "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(prefect / "results"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            # A run that waits for the one before it looks again after so many seconds, less the ten for which
            # a worker looks ahead.
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "15",
            # A run that is silent for three beats is taken for killed (flows/automations.py).
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
            "DO_NOT_TRACK": "1",
            "GX_ANALYTICS_ENABLED": "false",
            "WANDB_SILENT": "true",
            "MPLCONFIGDIR": str(self.home / "matplotlib"),
            "OMP_WAIT_POLICY": "PASSIVE",
            "OMP_NUM_THREADS": "1",
            "DASK_LOGGING__DISTRIBUTED": "error",
            # The nanny's default of trimming memory at each release doubles the time of pandas.
            "DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON": "{'MALLOC_TRIM_THRESHOLD_': None}",
            # On CPython 3.11 the worker's profiler calls sys._current_frames at the risk of hanging for
            # good, when the garbage is collected meanwhile ("Deadlock with python 3.11" in its tracker).
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
            # Dask asks its event loops fifty times a second whether they are stuck, and its processes for CPU
            # and memory twice a second: of the 4.3 s of CPU a minute of two idle workers, 2.5 s are for that.
            "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
            "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "2s",
        }

    def apply(self) -> Self:
        """Put `environment` into this process, where the user has not chosen otherwise."""
        for name, value in self.environment().items():
            os.environ.setdefault(name, value)
        return self


def _path(value: object) -> Path:
    """The same place for every process, wherever it is started."""
    return Path(str(value)).expanduser().resolve()
