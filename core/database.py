"""The database that the ledger and the registry share: SQLite, or PostgreSQL by its URL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    NullPool,
    TypeDecorator,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

from core.errors import PerennialError

_BUSY_MS = 60_000
# Held while tables are made, so that two first users do not make them twice.
_ALONE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(20130101)"}


class Instant(TypeDecorator[datetime]):
    """An instant, kept in UTC; it comes back with its time zone from databases that keep none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} needs a time zone")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def connect(url: str, metadata: MetaData) -> Engine:
    """An engine on a database, in which the tables of `metadata` are made if they are not there yet.

    Any number of processes may call this at once. The engine keeps no connection open between
    uses, so it costs a process nothing and may be forked; SQLite waits for other writers.
    Raises PerennialError for a URL or a database that cannot be used, ConnectionError for one that
    cannot be reached now; neither tells the URL, which may hold a password.
    """
    try:
        engine = _engine(make_url(url))
        if not set(metadata.tables) <= set(inspect(engine).get_table_names()):
            with alone(engine) as connection:
                metadata.create_all(connection)
        return engine
    except (ArgumentError, ValueError, ImportError):
        failure: Exception = PerennialError(
            "the registry's URL is none that SQLAlchemy has a driver for: write sqlite:///path or "
            "postgresql+psycopg://user:password@host/database, with the password percent-encoded"
        )
    except OSError as error:
        failure = PerennialError(f"the registry's folder cannot be made: {error}")
    except DBAPIError as error:
        failure = _told(error)
    # Raised where no error is being handled: that of the driver, which may hold the URL, is not its context.
    raise failure


def require_there(url: str) -> None:
    """ConnectionError where the database is a file that is gone: to connect would put an empty one there."""
    place = make_url(url)
    if place.get_backend_name() == "sqlite" and place.database and not Path(place.database).exists():
        raise ConnectionError(f"{place.database} is not there")


def _engine(place: URL) -> Engine:
    if (kind := place.get_backend_name()) not in _ALONE:
        raise PerennialError(f"the registry's URL must begin with {' or '.join(_ALONE)}, not with {kind!r}")
    # What is written may be secret, or somebody's own, and what a statement failed with may be logged.
    engine = create_engine(place, poolclass=NullPool, hide_parameters=True)
    if kind == "sqlite":
        if place.database:
            Path(place.database).parent.mkdir(parents=True, exist_ok=True)
            if not Path(place.database).exists():
                Path(place.database).touch()
            event.listen(engine, "do_connect", _open_what_is_there)
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _told(error: DBAPIError) -> Exception:
    """What the driver says; only a server, or a file that is locked, may answer when it is asked again."""
    why = (str(error.orig).splitlines() or [type(error).__name__])[0]
    if isinstance(error.orig, sqlite3.Error) and not _is_locked(error.orig):
        return PerennialError(f"the registry's database cannot be used: {why}")
    return ConnectionError(f"the registry's database cannot be reached now: {why}")


@contextmanager
def alone(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other of its kind runs beside: what it reads stays so until it writes."""
    with engine.begin() as connection:
        connection.execute(text(_ALONE[engine.dialect.name]))
        yield connection


def _open_what_is_there(
    dialect: Dialect, record: object, arguments: list[Any], options: dict[str, Any]
) -> None:
    """Have SQLite open a file that there is: where it is lost, an empty one would take its place."""
    arguments[0] = f"file:{quote(str(Path(arguments[0]).resolve()))}?mode=rw"
    options["uri"] = True


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    _keep_a_log(cursor)
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


# Where two processes switch a new file to WAL at once, SQLite tells one of them that the file is
# locked without waiting for its time-out, since each holds what the other waits for.
@retry(
    retry=retry_if_exception(_is_locked),
    wait=wait_random_exponential(multiplier=0.02, max=0.5),
    stop=stop_after_delay(_BUSY_MS / 1000),
    reraise=True,
)
def _keep_a_log(cursor: sqlite3.Cursor) -> None:
    cursor.execute("PRAGMA journal_mode = WAL")
