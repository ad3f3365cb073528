"""The manifest: what was delivered, and which batches its rows belong to."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC
from typing import Any

from sqlalchemy import Select, Table, and_, delete, func, insert, select, update

from core.contents import Content
from core.database import alone, connect
from core.sources.deliveries import COUNTED, DELIVERIES, METADATA, PARTS, Delivered, Part

__all__ = ["Delivered", "Manifest", "Part"]


_COLUMNS = [DELIVERIES.c[field.name] for field in fields(Delivered) if field.name in DELIVERIES.c]


class Manifest:
    """The deliveries of one project's datasets; any number of processes may read and add at once."""

    def __init__(self, url: str, project: str) -> None:
        self._project = project
        self._engine = connect(url, METADATA)

    def present(self, dataset: str) -> dict[str, Delivered]:
        """What counts now, by name, in the order in which it was first seen."""
        return {each.name: each for each in self._seen(dataset, DELIVERIES.c.present)}

    def named(self, dataset: str, name: str) -> Delivered | None:
        """What counts now under this name."""
        found = self._seen(dataset, DELIVERIES.c.present, DELIVERIES.c.name == name)
        return found[0] if found else None

    def history(self, dataset: str) -> list[Delivered]:
        """Every delivery that there was, the replaced ones too, in the order in which they were seen."""
        return self._seen(dataset)

    def _seen(self, dataset: str, *which: Any) -> list[Delivered]:
        of_dataset = (*self._of(DELIVERIES, dataset), *which)
        query = select(*_COLUMNS).where(*of_dataset).order_by(DELIVERIES.c.number)
        with self._engine.connect() as connection:
            found = [_delivered(row) for row in connection.execute(query)]
        first: dict[tuple[str, str], str] = {}
        for place, each in enumerate(found):
            if each.present:
                name = first.setdefault((each.digest, each.placed_by), each.name)
                found[place] = each if name == each.name else replace(each, repeats=name)
        return found

    def add(self, dataset: str, delivered: Delivered, parts: Sequence[Part]) -> None:
        """Enter a delivery and its parts, in place of an earlier one of its name.

        The same delivery again changes nothing but its mark.
        """
        of_name = (
            *self._of(DELIVERIES, dataset),
            DELIVERIES.c.present,
            DELIVERIES.c.name == delivered.name,
        )
        same = (DELIVERIES.c.digest == delivered.digest, DELIVERIES.c.placed_by == delivered.placed_by)
        values = {name: value for name, value in asdict(delivered).items() if name in DELIVERIES.c}
        values |= {"project": self._project, "dataset": dataset, "as_of": delivered.as_of.astimezone(UTC)}
        with alone(self._engine) as connection:
            again = update(DELIVERIES).where(*of_name, *same)
            if connection.execute(again.values(mark=delivered.mark, staged=delivered.staged)).rowcount:
                return
            connection.execute(update(DELIVERIES).where(*of_name).values(present=False))
            connection.execute(insert(DELIVERIES).values({**values, "present": True}))
            of_content = (
                *self._of(PARTS, dataset),
                PARTS.c.digest == delivered.digest,
                PARTS.c.placed_by == delivered.placed_by,
            )
            connection.execute(delete(PARTS).where(*of_content))
            if parts:
                connection.execute(insert(PARTS), [self._row(dataset, part) for part in parts])

    def begin(self, dataset: str, name: str, digest: str, rows: int) -> int:
        """After how many others the rows of a delivery are counted: this is settled once, and stays.

        What comes in place of an earlier delivery of its name begins where that began, anything else
        after all that there is.
        """
        of_dataset = self._of(COUNTED, dataset)
        with alone(self._engine) as connection:
            begun = connection.execute(select(COUNTED).where(*of_dataset)).all()
            if same := [each for each in begun if each.digest == digest]:
                return int(same[0].after)
            replaced = [each for each in begun if each.name == name]
            after = max((each.after + each.rows for each in begun), default=0)
            if replaced:
                after = replaced[0].after
                connection.execute(delete(COUNTED).where(*of_dataset, COUNTED.c.name == name))
            values = {"digest": digest, "name": name, "after": after, "rows": rows}
            connection.execute(insert(COUNTED).values(project=self._project, dataset=dataset, **values))
        return int(after)

    def begun(self, dataset: str) -> dict[str, int]:
        """By the name of a delivery, after how many others its rows are counted."""
        after = select(COUNTED.c.name, COUNTED.c.after).where(*self._of(COUNTED, dataset))
        with self._engine.connect() as connection:
            return {row.name: row.after for row in connection.execute(after)}

    def withdraw(self, dataset: str, names: Iterable[str]) -> None:
        """Count deliveries no longer: their source has taken back what they held."""
        with alone(self._engine) as connection:
            for name in names:
                of_name = self._present(dataset, name)
                connection.execute(update(DELIVERIES).where(*of_name).values(present=False))
                counted = *self._of(COUNTED, dataset), COUNTED.c.name == name
                connection.execute(delete(COUNTED).where(*counted))

    def counted_on(self) -> dict[tuple[str, str], set[tuple[str, str, str]]]:
        """The `(staged, digest, placed_by)` of all deliveries that count, by project (any) and dataset."""
        columns = (DELIVERIES.c.staged, DELIVERIES.c.digest, DELIVERIES.c.placed_by)
        query = select(DELIVERIES.c.project, DELIVERIES.c.dataset, *columns).where(DELIVERIES.c.present)
        found: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
        with self._engine.connect() as connection:
            for project, dataset, *held in connection.execute(query):
                found.setdefault((project, dataset), set()).add(tuple(held))
        return found

    def placed(self, dataset: str) -> dict[tuple[str, str], set[str]]:
        """The batches that hold rows of a delivery, by its `(digest, placed_by)`."""
        found: dict[tuple[str, str], set[str]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(self._parts(dataset)):
                found.setdefault((row.digest, row.placed_by), set()).add(row.batch)
        return found

    def parts(self, dataset: str, batch: str) -> list[Part]:
        """The parts of a batch, each content once, in the order of the names of their deliveries."""
        query = self._parts(dataset).where(PARTS.c.batch == batch)
        with self._engine.connect() as connection:
            found = [_part(row) for row in connection.execute(query)]
        return sorted(found, key=lambda part: (part.name, part.digest))

    def contents(self, dataset: str, batches: Sequence[str]) -> dict[str, Content]:
        """What was delivered for each of some batches; nothing, where nothing was."""
        query = self._parts(dataset).where(PARTS.c.batch.in_(batches))
        found = dict.fromkeys(batches, Content())
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                found[row.batch] += Content(row.rows, row.total)
        return found

    def _parts(self, dataset: str) -> Select[Any]:
        """The parts of what counts now: a content that was delivered under two names is there once."""
        same = and_(
            DELIVERIES.c.project == PARTS.c.project,
            DELIVERIES.c.dataset == PARTS.c.dataset,
            DELIVERIES.c.digest == PARTS.c.digest,
            DELIVERIES.c.placed_by == PARTS.c.placed_by,
            DELIVERIES.c.present,
        )
        begun = and_(
            COUNTED.c.project == PARTS.c.project,
            COUNTED.c.dataset == PARTS.c.dataset,
            COUNTED.c.digest == PARTS.c.digest,
        )
        return (
            select(
                PARTS,
                func.min(DELIVERIES.c.name).label("name"),
                func.min(DELIVERIES.c.staged).label("staged"),
                func.coalesce(func.min(COUNTED.c.after), 0).label("after"),
            )
            .join(DELIVERIES, same)
            .outerjoin(COUNTED, begun)
            .where(*self._of(PARTS, dataset))
            .group_by(*PARTS.c)
        )

    def _of(self, table: Table, dataset: str) -> tuple[Any, Any]:
        return table.c.project == self._project, table.c.dataset == dataset

    def _present(self, dataset: str, name: str) -> tuple[Any, ...]:
        return *self._of(DELIVERIES, dataset), DELIVERIES.c.present, DELIVERIES.c.name == name

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
    held = (row.digest, row.placed_by, row.batch, content, row.first, row.last)
    return Part(*held, row.name, row.staged, row.after)


def _delivered(row: Sequence[Any]) -> Delivered:
    """A delivery from the values of `_COLUMNS`; there may be very many, and values by name cost more."""
    *before, as_of, present = row
    return Delivered(*[*before, as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC), present])
