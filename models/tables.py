"""The registry's tables, for SQLite and PostgreSQL alike."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)

from core.errors import PerennialError

_BUSY_MS = 30_000


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


metadata = MetaData()

projects = Table("projects", metadata, Column("name", String(100), primary_key=True))

versions = Table(
    "versions",
    metadata,
    Column("project", String(100), ForeignKey(projects.c.name), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("family", String(100), nullable=False),
    Column("stage", String(10), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("files", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("lineage", JSON, nullable=False),
    UniqueConstraint("project", "fingerprint", name="one_version_of_a_content"),
    CheckConstraint("stage IN ('challenger', 'champion', 'retired')", name="known_stage"),
)

_champion = versions.c.stage == "champion"
Index("one_champion", versions.c.project, unique=True, sqlite_where=_champion, postgresql_where=_champion)

transitions = Table(
    "transitions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", String(100), nullable=False),
    Column("number", Integer, nullable=False),
    Column("action", String(10), nullable=False),
    Column("before", String(10), nullable=False),
    Column("after", String(10), nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(200), nullable=False),
    Column("why", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    ForeignKeyConstraint(["project", "number"], [versions.c.project, versions.c.number]),
)

# Held while the tables are made, so that two first users do not make them twice.
_ALONE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(20130101)"}


def connect(url: str) -> Engine:
    """An engine on the registry's database, whose tables are made when they are not there yet.

    It keeps no connection open between uses, so it costs a process nothing and may be forked.
    Raises PerennialError for a database of another kind than SQLite or PostgreSQL.
    """
    place = make_url(url)
    if (kind := place.get_backend_name()) not in _ALONE:
        raise PerennialError(f"the registry's URL must begin with {' or '.join(_ALONE)}, not with {kind!r}")
    engine = create_engine(place, poolclass=NullPool)
    if kind == "sqlite":
        if place.database:
            Path(place.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _prepare_sqlite)
    if not inspect(engine).has_table(transitions.name):
        with engine.begin() as connection:
            connection.execute(text(_ALONE[kind]))
            metadata.create_all(connection)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # The time-out first: switching a new file to WAL already needs to wait its turn.
    for pragma in (f"busy_timeout = {_BUSY_MS}", "journal_mode = WAL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
