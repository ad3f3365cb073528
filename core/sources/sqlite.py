"""SQLite as a source, through ADBC: a file that is only read, in which any cell may hold anything."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import IdentifierPreparer

from core.errors import DeliveryError
from core.sources.databases import Database
from core.sources.queries import ARROW_TYPES, Condition, Expression, Form, table_of


class _Quoting(IdentifierPreparer):
    """Every name in quotes, since any word of SQLite's own may be one of a column."""

    def quote(self, ident: str, force: Any = None) -> str:
        return str(self.quote_identifier(ident))


_DIALECT = sqlite.dialect(paramstyle="qmark")
_DIALECT.identifier_preparer = _Quoting(_DIALECT)
_FORMS: Mapping[str | None, Form] = {"integer": "integer", "real": "float", "text": "text"}
_DATED = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
_FIRST = {"integer": 0, "float": 0.0}


class Sqlite(Database):
    """A SQLite file; all queries of a connection read one snapshot."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise DeliveryError(f"there is no database {path}")
        # With pandas, which it imports, it takes a second that other sources need not wait.
        import adbc_driver_sqlite.dbapi as adbc

        self._connection = adbc.connect(f"file:{quote(str(path))}?mode=ro")

    def names(self, table: str) -> list[str]:
        clause = table_of(table)
        about = sa.func.pragma_table_xinfo(*filter(None, (clause.name, clause.schema))).table_valued("name")
        query = sa.select(about.c.name)
        found = [row["name"] for batch in self.stream(query, ["text"]) for row in batch.to_pylist()]
        if not found:
            raise DeliveryError(f"there is no table {table!r}")
        return found

    def form(self, table: str, column: str) -> Form:
        # Numbers come before text, and text before what is neither: the ends tell what lies between.
        held: Expression = sa.column(column)
        source = table_of(table)
        low, high = (
            self.one(sa.select(sa.func.typeof(end(held)).label("kind")).select_from(source), "text")[0]
            for end in (sa.func.min, sa.func.max)
        )
        if low != high and {low, high} != {"integer", "real"}:
            both = f"{low} and {high}"
            raise DeliveryError(f"column {column!r} holds {both}: rows cannot be chosen by it")
        return "integer" if high == "null" else _FORMS.get(high, "other")

    def forms(self, table: str, columns: Sequence[str], where: Condition) -> dict[str, Form]:
        kinds = [sa.func.nullif(sa.func.typeof(sa.column(column)), "null") for column in columns]
        ends = [end(kind) for kind in kinds for end in (sa.func.min, sa.func.max)]
        query = sa.select(*(end.label(f"e{place}") for place, end in enumerate(ends)))
        text: tuple[Form] = ("text",)
        found = self.one(query.select_from(table_of(table)).where(where), *text * len(ends))
        pairs = zip(columns, found[::2], found[1::2], strict=True)
        return {column: _FORMS.get(low, "other") if low == high else "other" for column, low, high in pairs}

    def bound(self, value: Any, form: Form) -> Expression:
        return super().bound(value.isoformat() if isinstance(value, date) else value, form)

    def seconds(self, column: str) -> Expression | None:
        text: Expression = sa.column(column)
        # Without the fraction of the second, which SQLite would round.
        rest = sa.func.ltrim(sa.func.substr(text, 21), "0123456789")
        whole = sa.case(
            (sa.func.substr(text, 20, 1) == ".", sa.func.substr(text, 1, 19).concat(rest)), else_=text
        )
        found = sa.cast(sa.func.strftime("%s", whole), sa.BigInteger())
        return sa.case((text.op("GLOB")(_DATED), found))

    def shown(self, column: str, form: Form) -> Expression:
        held: Expression = sa.column(column)
        if form == "float":
            return sa.cast(held, sa.Double())
        if form != "other":
            return held
        kind = sa.func.typeof(held)
        hexed = sa.literal("\\x").concat(sa.func.lower(sa.func.hex(held)))
        text = sa.cast(held, sa.Text())
        return sa.case((kind == "real", sa.func.quote(held)), (kind == "blob", hexed), else_=text)

    def stream(self, query: sa.Select[Any], forms: Sequence[Form]) -> Generator[pa.RecordBatch, None, None]:
        # The driver takes the type of a column from its first values, and fails on one of another;
        # so that it is not misled where those are null, one row goes before all.
        first = sa.select(*(sa.literal(_FIRST.get(form, "")) for form in forms))
        # Only with a limit does the order of a subquery count.
        compiled = sa.union_all(first, sa.select(query.limit(-1).subquery())).compile(dialect=_DIALECT)
        values = [compiled.params[name] for name in compiled.positiontup or []]
        schema = pa.schema(
            zip(query.selected_columns.keys(), [ARROW_TYPES[form] for form in forms], strict=True)
        )
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(str(compiled), values)
            skip = 1
            for batch in cursor.fetch_record_batch():
                yield _readable(batch.slice(skip), schema)
                skip = 0

    def close(self) -> None:
        self._connection.close()


def _readable(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The rows under their names; bytes of a text that are not UTF-8 become replacement characters."""
    return pa.record_batch([_utf8(column) for column in batch.columns], schema=schema)


def _utf8(column: pa.Array) -> pa.Array:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        held = (value.as_py() for value in column.cast(pa.binary()))
        return pa.array(
            [None if value is None else value.decode(errors="replace") for value in held], pa.string()
        )
    return column
