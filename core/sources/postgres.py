"""PostgreSQL as a source, through ADBC: rows come by COPY, in a stream."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from core.sources.databases import Database
from core.sources.queries import SQL_TYPES, Condition, Expression, Form, plain, table_of

_DIALECT = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_FORMS: Mapping[str, Form] = {
    **dict.fromkeys(("int2", "int4", "int8"), "integer"),
    **dict.fromkeys(("float4", "float8"), "float"),
    **dict.fromkeys(("text", "varchar"), "text"),
    "numeric": "number",
    "bool": "boolean",
    "date": "date",
    "timestamp": "clock",
    "timestamptz": "instant",
}
# So that equal values are equal texts, whatever the server or the user is set to.
_SPELLED = (
    "TimeZone = 'UTC'",
    "DateStyle = 'ISO, YMD'",
    "IntervalStyle = 'postgres'",
    "bytea_output = 'hex'",
    "extra_float_digits = 3",
    "lc_monetary = 'C'",
)
_PATIENCE = "30"  # seconds in which a server should answer, and a lock be released


class Postgres(Database):
    """A PostgreSQL database; each query reads one snapshot."""

    def __init__(self, url: sa.URL) -> None:
        self._bound = 0
        # With pandas, which it imports, it takes a second that other sources need not wait.
        import adbc_driver_postgresql.dbapi as adbc  # type: ignore[import-untyped]

        self._connection = adbc.connect(_conninfo(url))
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for setting in (*_SPELLED, f"lock_timeout = '{_PATIENCE}s'"):
                cursor.execute(f"SET LOCAL {setting}")

    def names(self, table: str) -> list[str]:
        return [field.name for field in self._schema(table)]

    def forms(self, table: str, columns: Sequence[str], where: Condition) -> dict[str, Form]:
        found = {field.name: _form(field) for field in self._schema(table)}
        return {column: found[column] for column in columns}

    def bound(self, value: Any, form: Form) -> Expression:
        # A query with parameters is no COPY: the driver would hold its whole answer in memory. So the
        # values are bound to settings of the transaction, which the query then asks for.
        self._bound += 1
        name = f"perennial.bound_{self._bound}"
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("SELECT set_config($1, $2, true)", (name, str(plain(value))))
            cursor.fetchall()
        setting: Expression = sa.literal_column(f"current_setting('{name}')")
        return sa.cast(setting, SQL_TYPES[form])

    def shown(self, column: str, form: Form) -> Expression:
        held = super().shown(column, form)
        # The order of bytes, which is the same on every server.
        return sa.collate(held, "C") if form in ("text", "number", "other") else held

    def hashed(self, column: str, form: Form) -> Expression | None:
        return sa.func.hashtext(sa.cast(sa.column(column), sa.Text()))

    def stream(self, query: sa.Select[Any], forms: Sequence[Form]) -> Generator[pa.RecordBatch, None, None]:
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(_text(query))
            yield from cursor.fetch_record_batch()

    def close(self) -> None:
        self._connection.close()

    def _schema(self, table: str) -> pa.Schema:
        everything: sa.Select[Any] = (
            sa.select(sa.literal_column("*")).select_from(table_of(table)).where(sa.false())
        )
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(_text(everything))
            return cursor.fetch_record_batch().schema


def _text(query: sa.Select[Any]) -> str:
    return str(query.compile(dialect=_DIALECT))


def _form(field: pa.Field) -> Form:
    return _FORMS.get((field.metadata or {}).get(b"POSTGRESQL:type", b"").decode(), "other")


def _conninfo(url: sa.URL) -> str:
    """What libpq connects by, whichever driver the URL names."""
    parts = {
        "connect_timeout": _PATIENCE,
        "keepalives_idle": _PATIENCE,  # or a server that is gone would be waited for without end
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    many = {key: value if isinstance(value, str) else ",".join(value) for key, value in url.query.items()}
    given = {key: str(value) for key, value in (parts | many).items() if value is not None}
    escaped = {key: value.replace("\\", "\\\\").replace("'", "\\'") for key, value in given.items()}
    return " ".join(f"{key}='{value}'" for key, value in escaped.items())
