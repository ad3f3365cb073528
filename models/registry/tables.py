"""The registry's tables, for SQLite and PostgreSQL alike."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from core.database import Instant

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

archives = Table(
    "archives",
    metadata,
    Column("project", String(100), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
    Column("tables", JSON, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(200), nullable=False),
    Column("why", Text, nullable=False),
    ForeignKeyConstraint(["project", "number"], [versions.c.project, versions.c.number]),
)

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

releases = Table(
    "releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", String(100), ForeignKey(projects.c.name), nullable=False, index=True),
    Column("parts", JSON, nullable=False),
    Column("advances", Boolean, nullable=False),
    Column("test", JSON(none_as_null=True)),
    Column("action", String(20), nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(200), nullable=False),
    Column("why", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
)
