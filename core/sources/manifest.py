"""The manifest: what was delivered, and which batches its rows belong to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from core.contents import Content
from core.database import alone, connect

_METADATA = MetaData()
_DELIVERIES = Table(
    "deliveries",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("project", String(128), nullable=False),
    Column("dataset", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("mark", Text),
    Column("batch", String(64)),
    Column("digest", String(64), nullable=False),
    Column("size", BigInteger),
    Column("rows", BigInteger, nullable=False),
    Column("staged", Text, nullable=False),
    Column("placed_by", String(64), nullable=False),
    Column("as_of", DateTime(timezone=True), nullable=False),
    Column("present", Boolean, nullable=False),
    Index("deliveries_by_name", "project", "dataset", "present", "name"),
    Index("deliveries_by_digest", "project", "dataset", "present", "digest"),
)
_PARTS = Table(
    "parts",
    _METADATA,
    Column("project", String(128), primary_key=True),
    Column("dataset", String(128), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("placed_by", String(64), primary_key=True),
    Column("batch", String(64), primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Index("parts_by_batch", "project", "dataset", "batch"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one delivery that belong to one batch: some of those from `first` to `last`.

    `staged` names the file of the staging folder that holds them.
    """

    digest: str
    placed_by: str
    batch: str
    content: Content
    first: int
    last: int
    name: str = ""
    staged: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery as it was seen: under which name, how large (bytes), with what content.

    `batch` is the one that its source cut it for, if it did.
    `placed_by` fingerprints the rules by which its rows were placed in batches. `present` is False
    once another delivery of the same name has replaced it, or it was withdrawn. `repeats` names the
    earlier delivery of the very same content, whose rows are not received twice.
    """

    name: str
    mark: str | None
    batch: str | None
    digest: str
    size: int | None
    rows: int
    staged: str
    placed_by: str
    as_of: datetime
    present: bool = True
    repeats: str | None = None


class Manifest:
    """The deliveries of one project's datasets; any number of processes may read and add at once."""

    def __init__(self, url: str, project: str) -> None:
        self._project = project
        self._engine = connect(url, _METADATA)

    def present(self, dataset: str) -> dict[str, Delivered]:
        """What counts now, by name, in the order in which it was first seen."""
        return {each.name: each for each in self._seen(dataset, _DELIVERIES.c.present)}

    def history(self, dataset: str) -> list[Delivered]:
        """Every delivery that there was, the replaced ones too, in the order in which they were seen."""
        return self._seen(dataset)

    def _seen(self, dataset: str, *which: Any) -> list[Delivered]:
        of_dataset = (*self._of(_DELIVERIES, dataset), *which)
        query = select(_DELIVERIES).where(*of_dataset).order_by(_DELIVERIES.c.number)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        first: dict[tuple[str, str], str] = {}
        for row in rows:
            if row.present:
                first.setdefault((row.digest, row.placed_by), row.name)
        return [_delivered(row, first.get((row.digest, row.placed_by))) for row in rows]

    def add(self, dataset: str, delivered: Delivered, parts: Sequence[Part]) -> None:
        """Enter a delivery and its parts, in place of an earlier one of its name.

        The same delivery again changes nothing but its mark.
        """
        of_name = (
            *self._of(_DELIVERIES, dataset),
            _DELIVERIES.c.present,
            _DELIVERIES.c.name == delivered.name,
        )
        same = (_DELIVERIES.c.digest == delivered.digest, _DELIVERIES.c.placed_by == delivered.placed_by)
        values = {
            "project": self._project,
            "dataset": dataset,
            "name": delivered.name,
            "mark": delivered.mark,
            "batch": delivered.batch,
            "digest": delivered.digest,
            "size": delivered.size,
            "rows": delivered.rows,
            "staged": delivered.staged,
            "placed_by": delivered.placed_by,
            "as_of": delivered.as_of.astimezone(UTC),
            "present": True,
        }
        with alone(self._engine) as connection:
            if connection.execute(
                update(_DELIVERIES).where(*of_name, *same).values(mark=delivered.mark)
            ).rowcount:
                return
            connection.execute(update(_DELIVERIES).where(*of_name).values(present=False))
            connection.execute(insert(_DELIVERIES).values(values))
            of_content = (
                *self._of(_PARTS, dataset),
                _PARTS.c.digest == delivered.digest,
                _PARTS.c.placed_by == delivered.placed_by,
            )
            connection.execute(delete(_PARTS).where(*of_content))
            if parts:
                connection.execute(insert(_PARTS), [self._row(dataset, part) for part in parts])

    def withdraw(self, dataset: str, names: Iterable[str]) -> None:
        """Count deliveries no longer: their source has taken back what they held."""
        with alone(self._engine) as connection:
            for name in names:
                of_name = self._present(dataset, name)
                connection.execute(update(_DELIVERIES).where(*of_name).values(present=False))

    def parts(self, dataset: str, batch: str) -> list[Part]:
        """The parts of a batch, each content once, in the order of the names of their deliveries."""
        query = self._parts(dataset).where(_PARTS.c.batch == batch)
        with self._engine.connect() as connection:
            found = [_part(row) for row in connection.execute(query)]
        return sorted(found, key=lambda part: (part.name, part.digest))

    def contents(self, dataset: str, batches: Sequence[str]) -> dict[str, Content]:
        """What was delivered for each of some batches; nothing, where nothing was."""
        query = self._parts(dataset).where(_PARTS.c.batch.in_(batches))
        found = dict.fromkeys(batches, Content())
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                found[row.batch] += Content(row.rows, row.total)
        return found

    def _parts(self, dataset: str) -> Select[Any]:
        """The parts of what counts now: a content that was delivered under two names is there once."""
        same = and_(
            _DELIVERIES.c.project == _PARTS.c.project,
            _DELIVERIES.c.dataset == _PARTS.c.dataset,
            _DELIVERIES.c.digest == _PARTS.c.digest,
            _DELIVERIES.c.placed_by == _PARTS.c.placed_by,
            _DELIVERIES.c.present,
        )
        return (
            select(
                _PARTS,
                func.min(_DELIVERIES.c.name).label("name"),
                func.min(_DELIVERIES.c.staged).label("staged"),
            )
            .join(_DELIVERIES, same)
            .where(*self._of(_PARTS, dataset))
            .group_by(*_PARTS.c)
        )

    def _of(self, table: Table, dataset: str) -> tuple[Any, Any]:
        return table.c.project == self._project, table.c.dataset == dataset

    def _present(self, dataset: str, name: str) -> tuple[Any, ...]:
        return *self._of(_DELIVERIES, dataset), _DELIVERIES.c.present, _DELIVERIES.c.name == name

    def _row(self, dataset: str, part: Part) -> dict[str, Any]:
        return {
            "project": self._project,
            "dataset": dataset,
            "digest": part.digest,
            "placed_by": part.placed_by,
            "batch": part.batch,
            "rows": part.content.rows,
            "total": part.content.total,
            "first": part.first,
            "last": part.last,
        }


def _part(row: Any) -> Part:
    content = Content(row.rows, row.total)
    return Part(row.digest, row.placed_by, row.batch, content, row.first, row.last, row.name, row.staged)


def _delivered(row: Any, first: str | None) -> Delivered:
    as_of = row.as_of if row.as_of.tzinfo else row.as_of.replace(tzinfo=UTC)
    return Delivered(
        name=row.name,
        mark=row.mark,
        batch=row.batch,
        digest=row.digest,
        size=row.size,
        rows=row.rows,
        staged=row.staged,
        placed_by=row.placed_by,
        as_of=as_of,
        present=row.present,
        repeats=first if row.present and first != row.name else None,
    )
