"""Databases as sources: the columns of a table, and the rows of a query as a stream of Arrow batches."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any
from zlib import crc32

import pyarrow as pa
import sqlalchemy as sa

from core.errors import DeliveryError, SpecError
from core.sources.queries import ARROW_TYPES, SQL_TYPES, Condition, Expression, Form, table_of

ROWS = 1 << 14  # that are held at a time where a driver gives them one by one
_PRIME: Expression = sa.literal_column(str((1 << 31) - 1))  # of which a square fits an Int64
_NONE: Expression = sa.literal_column("0")


class Database(ABC):
    """A connection that reads, with what differs between databases."""

    @abstractmethod
    def names(self, table: str) -> list[str]:
        """The columns of a table."""

    @abstractmethod
    def forms(self, table: str, columns: Sequence[str], where: Condition) -> dict[str, Form]:
        """What columns hold in these rows."""

    def form(self, table: str, column: str) -> Form:
        """What a column holds that rows are chosen by."""
        return self.forms(table, [column], sa.true())[column]

    def bound(self, value: Any, form: Form) -> Expression:
        """A value as a parameter, which is sent beside the query and never stands in it."""
        return sa.bindparam(None, value, type_=SQL_TYPES[form])

    def seconds(self, _column: str) -> Expression | None:
        """ISO 8601 text as whole seconds since 1970, null where it is none; None: it cannot be had."""
        return None

    def shown(self, column: str, form: Form) -> Expression:
        """A column as it is read: text, where Arrow has no plain type for what it holds."""
        held: Expression = sa.column(column, SQL_TYPES[form])
        return sa.cast(held, sa.Text()) if form in ("number", "other") else held

    @abstractmethod
    def stream(self, query: sa.Select[Any], forms: Sequence[Form]) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a query, some at a time; `forms` are those of its columns."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""

    def hashed(self, column: str, form: Form) -> Expression | None:
        """A whole number made from a value; None: it cannot be had there."""
        rest = sa.cast(sa.column(column), sa.BigInteger()) % _PRIME
        return rest * rest % _PRIME if form == "integer" else None

    def keys(self, table: str, column: str, form: Form, where: Condition) -> tuple[int, int]:
        """How many of these rows there are, and the sum of the hashes of their keys."""
        if (hashed := self.hashed(column, form)) is not None:
            total = sa.cast(sa.func.coalesce(sa.func.sum(hashed), _NONE), sa.Text())
            shown: list[Expression] = [sa.func.count().label("rows"), total.label("keys")]
            found = self.one(sa.select(*shown).select_from(table_of(table)).where(where), "integer", "text")
            return found[0], int(found[1])
        every = sa.select(self.shown(column, form).label("key")).select_from(table_of(table)).where(where)
        rows = keys = 0
        with closing(self.stream(every, [form])) as batches:
            for batch in batches:
                rows += batch.num_rows
                keys += sum(crc32(str(key).encode()) for key in batch.column(0).to_pylist())
        return rows, keys

    def one(self, query: sa.Select[Any], *forms: Form) -> list[Any]:
        """The values of a query's only row."""
        (row,) = (row for batch in self.stream(query, forms) for row in batch.to_pylist())
        return list(row.values())


class Driven(Database):
    """Any database that SQLAlchemy has a driver for, by that driver."""

    def __init__(self, url: sa.URL) -> None:
        try:
            self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        except sa.exc.NoSuchModuleError:
            raise SpecError(f"no kind of database is called {url.drivername!r} here") from None
        except ModuleNotFoundError as error:
            name = error.name or url.drivername
            raise SpecError(f"a {url.drivername!r} URL needs the driver {name!r}: install it") from None
        self._connection = self._engine.connect().execution_options(stream_results=True, yield_per=ROWS)

    def names(self, table: str) -> list[str]:
        return [column["name"] for column in self._reflected(table)]

    def forms(self, table: str, columns: Sequence[str], where: Condition) -> dict[str, Form]:
        found = {column["name"]: _form(column["type"]) for column in self._reflected(table)}
        return {column: found[column] for column in columns}

    def stream(self, query: sa.Select[Any], forms: Sequence[Form]) -> Generator[pa.RecordBatch, None, None]:
        result = self._connection.execute(query)
        names, types = list(result.keys()), [ARROW_TYPES[form] for form in forms]
        for rows in result.partitions():
            values = zip(*rows, strict=True)
            arrays = [pa.array(held, type=kind) for held, kind in zip(values, types, strict=True)]
            yield pa.record_batch(arrays, names)

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def _reflected(self, table: str) -> list[Any]:
        clause = table_of(table)
        try:
            return list(sa.inspect(self._connection).get_columns(clause.name, schema=clause.schema))
        except sa.exc.NoSuchTableError:
            raise DeliveryError(f"there is no table {table!r}") from None


def _form(kind: sa.types.TypeEngine[Any]) -> Form:
    if getattr(kind, "unsigned", False):  # which may be more than an Int64 holds
        return "number"
    known: list[tuple[type[sa.types.TypeEngine[Any]], Form]] = [
        (sa.Boolean, "boolean"),
        (sa.Integer, "integer"),
        (sa.Float, "float"),
        (sa.Numeric, "number"),
        (sa.DateTime, "instant" if getattr(kind, "timezone", False) else "clock"),
        (sa.Date, "date"),
        (sa.String, "text"),
    ]
    return next((form for type_, form in known if isinstance(kind, type_)), "other")
