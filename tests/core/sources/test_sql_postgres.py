"""Tables of a real PostgreSQL: its types, its time zones, its faults, and no secret in any of them."""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import adbc_driver_manager as adbc
import polars as pl
import psycopg
import pytest
import sqlalchemy as sa

from core.batches import Calendar
from core.errors import DeliveryError, PerennialError, SpecError
from core.secrets import Secrets
from core.sources.connect import shielded
from core.sources.declared import SqlSource
from core.sources.items import Fetched, Item
from core.sources.sql import fetch, items
from core.types import read_as

MONTHS = Calendar("1mo", "America/New_York", date(2013, 1, 1), date(2013, 5, 1)).batches()
Execute = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def execute(postgres: str) -> Iterator[Execute]:
    """Runs a statement in a schema of the test's own."""
    url = sa.make_url(postgres)
    where = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    with psycopg.connect(**where, password=url.password, autocommit=True) as connection:  # type: ignore[arg-type]
        connection.execute("DROP SCHEMA IF EXISTS shop CASCADE")
        connection.execute("CREATE SCHEMA shop")

        def run(statement: str, values: Any = None) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

        yield run
        connection.execute("DROP SCHEMA shop CASCADE")


class Source:
    """A table of the database, whose password is in the environment."""

    def __init__(self, folder: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
        url = sa.make_url(postgres)
        self.password = str(url.password)
        self.server = f"{url.host}:{url.port}"
        monkeypatch.setenv("SHOP_PASSWORD", self.password)
        self.folder, self.staging, self.known = folder, folder / "staging", dict[str, str]()
        self.secrets = Secrets()
        self.declare(time="at")

    def declare(
        self, url: str = "postgresql://postgres:${SHOP_PASSWORD}@{server}/postgres", **declared: Any
    ) -> None:
        declared = {
            "kind": "sql",
            "url": url.replace("{server}", self.server),
            "table": "shop.orders",
        } | declared
        self.source = SqlSource(**declared)

    def items(self) -> list[Item]:
        return items(self.folder, self.source, MONTHS, self.known, self.secrets)

    def fetch(self, item: Item, **columns: Any) -> Fetched:
        declared = columns or {"id": "integer"}
        return fetch(self.folder, self.source, item, declared, MONTHS, self.staging, self.secrets)

    def look(self, **columns: Any) -> dict[str, list[Any]]:
        """What is new or has changed: the ids of the rows, by the name of the item."""
        found = {}
        for item in self.items():
            if item.mark is None or item.mark != self.known.get(item.name):
                fetched = self.fetch(item, **columns)
                self.known[item.name] = fetched.mark or ""
                found[item.name] = pl.read_parquet(fetched.path)["id"].to_list()
        return found


@pytest.fixture
def shop(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Source:
    return Source(tmp_path, postgres, monkeypatch)


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg", "postgresql+asyncpg", "postgres"])
def test_a_url_of_any_driver_connects(shop: Source, execute: Execute, driver: str) -> None:
    execute("CREATE TABLE shop.orders AS SELECT 1 AS id")
    shop.declare(url=f"{driver}://postgres:${{SHOP_PASSWORD}}@{{server}}/postgres", key="id")
    assert shop.look() == {"shop.orders to id 1": [1]}


def test_a_secret_may_be_the_whole_url_or_any_part(
    shop: Source, execute: Execute, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute("CREATE TABLE shop.orders AS SELECT 1 AS id")
    host, _, port = shop.server.partition(":")
    monkeypatch.setenv("SHOP_URL", postgres)
    monkeypatch.setenv("SHOP_USER", f"postgres:{shop.password}")
    monkeypatch.setenv("SHOP_HOST", host)
    monkeypatch.setenv("SHOP_PORT", port)
    every = "postgresql://postgres:${SHOP_PASSWORD}@${SHOP_HOST}:${SHOP_PORT}/postgres"
    named = f"postgresql://{shop.server}/postgres?user=postgres&password=${{SHOP_PASSWORD}}"
    for url in ("${SHOP_URL}", "postgresql://${SHOP_USER}@{server}/postgres", every, named):
        shop.declare(url=url, key="id")
        shop.known = {}
        assert shop.look() == {"shop.orders to id 1": [1]}, url


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_each_row_is_in_one_batch_the_one_of_its_time(
    shop: Source, execute: Execute, kind: str, zone: str
) -> None:
    execute(f"ALTER ROLE postgres SET timezone = '{zone}'")
    execute(f"CREATE TABLE shop.orders (id int, at {kind})")
    edges = [moment for batch in MONTHS for moment in (batch.start, batch.end)]
    texts = [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in edges]
    texts += ["2013-02-01 04:59:59.999999", "0001-01-01", "9999-12-31", "infinity", "-infinity"]
    shown = [f"{text}{'+00' if kind == 'timestamptz' and text[0].isdigit() else ''}" for text in texts]
    for row, text in enumerate([*shown, None]):
        execute(f"INSERT INTO shop.orders VALUES (%s, %s::text::{kind})", [row, text])
    found = shop.look(id="integer", at="datetime")
    assert sorted(row for rows in found.values() for row in rows) == list(range(len(texts) + 1))
    for batch, item in zip(MONTHS, shop.items(), strict=True):
        read = pl.read_parquet(shop.fetch(item, id="integer", at="datetime").path)
        instants = read.select("id", read_as("at", read.schema["at"], "datetime"))
        for row, instant in instants.iter_rows():
            if instant is not None and MONTHS[0].start <= instant < MONTHS[-1].end:
                assert batch.start <= instant < batch.end, (row, instant)
    assert {len(texts), len(texts) - 1, len(texts) - 4} <= set(found[f"shop.orders {MONTHS[0]}"])
    assert {len(texts) - 2, len(texts) - 3} <= set(found[f"shop.orders {MONTHS[-1]}"])
    execute("ALTER ROLE postgres RESET timezone")


def test_a_time_column_of_text_is_refused(shop: Source, execute: Execute) -> None:
    execute("CREATE TABLE shop.orders AS SELECT 1 AS id, '2013-01-01'::text AS at")
    with pytest.raises(DeliveryError, match=r"shop\.orders 2013-01: the time column 'at' holds text"):
        shop.look()


VALUES: dict[str, tuple[str, object, pl.DataType]] = {
    "smallint": ("7", 7, pl.Int64()),
    "int": ("-7", -7, pl.Int64()),
    "bigint": (str(2**63 - 1), 2**63 - 1, pl.Int64()),
    "real": ("1.5", 1.5, pl.Float64()),
    "double precision": ("'-infinity'", float("-inf"), pl.Float64()),
    "numeric": ("12345678901234567890.1234567890", "12345678901234567890.1234567890", pl.String()),
    "numeric(10,2)": ("1.1", "1.10", pl.String()),
    "boolean": ("true", True, pl.Boolean()),
    "date": ("'2013-02-03'", date(2013, 2, 3), pl.Date()),
    "timestamp": ("'2013-02-03 04:05:06.789'", datetime(2013, 2, 3, 4, 5, 6, 789000), pl.Datetime("us")),  # noqa: DTZ001
    "timestamptz": (
        "'2013-02-03 04:05:06+02'",
        datetime(2013, 2, 3, 2, 5, 6, tzinfo=UTC),
        pl.Datetime("us", "UTC"),
    ),
    "time": ("'24:00'", "24:00:00", pl.String()),
    "interval": ("'1 day 2 hours'", "1 day 02:00:00", pl.String()),
    "uuid": ("'a0eebc999c0b4ef8bb6d6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", pl.String()),
    "json": ("'{\"a\": [1]}'", '{"a": [1]}', pl.String()),
    "jsonb": ("'{\"a\":1}'", '{"a": 1}', pl.String()),
    "bytea": ("'\\xff00'", "\\xff00", pl.String()),
    "text[]": ("ARRAY['a', NULL]", "{a,NULL}", pl.String()),
    "int[]": ("ARRAY[[1, 2], [3, 4]]", "{{1,2},{3,4}}", pl.String()),
    "text": ("E'é\\n\u2603'", "é\n\u2603", pl.String()),
    "varchar(9)": ("''", "", pl.String()),
    "char(5)": ("'ab'", "ab", pl.String()),
    "inet": ("'10.0.0.1'", "10.0.0.1/32", pl.String()),
    "int4range": ("'[1,4)'", "[1,4)", pl.String()),
    "shop.mood": ("'glad'", "glad", pl.String()),
    "oid": (str(2**32 - 1), str(2**32 - 1), pl.String()),
    "point": ("'(1,0.1234567890123456)'", "(1,0.1234567890123456)", pl.String()),
    "timestamptz[]": (
        "ARRAY['2013-01-02 00:00+00'::timestamptz]",
        '{"2013-01-02 00:00:00+00"}',
        pl.String(),
    ),
    "daterange": ("'[2013-01-02,2013-02-03)'", "[2013-01-02,2013-02-03)", pl.String()),
    "xml": ("'<a/>'", "<a/>", pl.String()),
}


def test_values_come_in_their_own_dtypes_or_exactly_as_text(shop: Source, execute: Execute) -> None:
    settings = "timezone = 'Asia/Tokyo'", "datestyle = 'German'", "bytea_output = 'escape'"
    for setting in (*settings, "extra_float_digits = -9"):
        execute(f"ALTER ROLE postgres SET {setting}")
    execute("CREATE TYPE shop.mood AS ENUM ('sad', 'glad')")
    names = [f'a "{kind}" 100% :x' for kind in VALUES]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    declared = ", ".join(f"{name} {kind}" for name, kind in zip(quoted, VALUES, strict=True))
    execute(f'CREATE TABLE shop."Or""ders" (id serial, {declared})')
    values = ", ".join(literal for literal, _, _ in VALUES.values())
    execute(f'INSERT INTO shop."Or""ders" ({", ".join(quoted)}) VALUES ({values})')
    execute('INSERT INTO shop."Or""ders" DEFAULT VALUES')
    shop.declare(table='shop.Or"ders', key="id")
    read = pl.read_parquet(shop.fetch(shop.items()[0], **dict.fromkeys(names, "string")).path)
    assert dict(read.schema) == {
        "row": pl.UInt32(),
        **{name: dtype for name, (_, _, dtype) in zip(names, VALUES.values(), strict=True)},
        ":fields": pl.String(),
    }
    assert read.row(0) == (0, *(value for _, value, _ in VALUES.values()), None)
    assert read.row(1) == (1, *[None] * len(VALUES), None)
    execute("ALTER ROLE postgres RESET ALL")


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("int", ["1", "2", "10"]),
        ("numeric", ["1.5", "2", str(10**30)]),
        ("text", ["a", "b'; DROP TABLE shop.orders; --", "é"]),
        ("timestamptz", ["2013-01-01 00:00+02", "2013-01-01 00:00:00.000001Z", "2013-01-02 00:00Z"]),
        ("timestamp", ["2013-01-01", "2013-01-01 00:00:00.000001", "2013-01-02"]),
        ("date", ["2013-01-01", "2013-01-02", "2013-12-01"]),
        ("double precision", ["0.1", "0.30000000000000004", "1e300"]),
    ],
)
def test_what_lies_above_the_highest_key_is_new(
    shop: Source, execute: Execute, kind: str, keys: list[str]
) -> None:
    execute(f"CREATE TABLE shop.orders (id int, k {kind})")
    shop.declare(key="k")
    found = []
    for row, key in enumerate(keys):
        execute(f"INSERT INTO shop.orders VALUES (%s, %s::text::{kind})", [row, key])
        found.append(list(shop.look().values()))
        assert shop.look() == {}
    assert found == [[[0]], [[1]], [[2]]]


def test_a_key_of_infinity_is_refused(shop: Source, execute: Execute) -> None:
    execute("CREATE TABLE shop.orders AS SELECT 1 AS id, 'infinity'::timestamptz AS at")
    shop.declare(key="at")
    with pytest.raises(DeliveryError, match="the highest 'at' is beyond the calendar"):
        shop.look()


def test_a_table_that_stays_locked_is_tried_again(
    shop: Source, execute: Execute, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.sources.postgres._PATIENCE", "1")
    execute("CREATE TABLE shop.orders AS SELECT 1 AS id")
    shop.declare(key="id")
    with sa.create_engine(postgres).connect() as holder:
        holder.execute(sa.text("LOCK TABLE shop.orders"))
        with pytest.raises(ConnectionError, match=r"cannot be reached now: canceling .* lock timeout"):
            shop.look()
    assert shop.look() == {"shop.orders to id 1": [1]}


@pytest.mark.parametrize("state", ["in recovery mode", "starting up", "not yet accepting connections"])
def test_a_server_that_is_not_ready_is_tried_again(shop: Source, state: str) -> None:
    def refuse() -> None:
        raise adbc.OperationalError(
            f"IO: [libpq] Failed to connect: FATAL:  the database system is {state}",
            status_code=adbc.AdbcStatusCode.IO,
        )

    with pytest.raises(ConnectionError, match=f"cannot be reached now: the database system is {state}"):
        shielded("shop.orders", shop.secrets, refuse)


def test_a_row_that_is_committed_late_is_seen(shop: Source, execute: Execute, postgres: str) -> None:
    """A transaction takes its key from a sequence early, and commits after others with higher keys."""
    execute("CREATE TABLE shop.orders (id bigserial PRIMARY KEY, note text)")
    shop.declare(key="id")
    with sa.create_engine(postgres).connect() as slow:
        slow.execute(sa.text("INSERT INTO shop.orders (note) VALUES ('slow')"))
        execute("INSERT INTO shop.orders (note) VALUES ('quick')")
        assert shop.look() == {"shop.orders to id 2": [2]}
        slow.commit()
    assert shop.look() == {"shop.orders to id 2": [1, 2]}
    assert shop.look() == {}


def test_rows_that_are_written_meanwhile_are_seen_whole_or_not_at_all(
    shop: Source, execute: Execute, postgres: str
) -> None:
    """A writer moves money between two rows, in many transactions: the sum is the same in each snapshot."""
    execute("CREATE TABLE shop.orders (id int, at timestamptz, n bigint)")
    execute(
        "INSERT INTO shop.orders SELECT g, '2013-01-02'::timestamptz, 100 FROM generate_series(1, 50000) g"
    )
    stop, written = threading.Event(), []

    def write() -> None:
        with sa.create_engine(postgres).connect() as writer:
            while not stop.is_set():
                number = len(written)
                writer.execute(sa.text("UPDATE shop.orders SET n = n - 1 WHERE id = 1"))
                writer.execute(sa.text("UPDATE shop.orders SET n = n + 1 WHERE id = 50000"))
                writer.execute(
                    sa.text("INSERT INTO shop.orders VALUES (:id, '2013-01-03', 5), (:id, '2013-01-04', -5)"),
                    {"id": 60_000 + number},
                )
                writer.commit()
                written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        (item, *_) = shop.items()
        for _ in range(5):
            before = len(written)
            while len(written) == before:
                time.sleep(0.001)
            read = pl.read_parquet(shop.fetch(item, id="integer", n="integer").path)
            assert read["n"].sum() == 5_000_000
            assert read.height % 2 == 0
    finally:
        stop.set()
        thread.join()
    assert len(written) > 5


def told(error: BaseException, log: pytest.LogCaptureFixture, folder: Path) -> str:
    """All that may be read of an error, in the log, and on disk."""
    text = "".join(traceback.format_exception(error)) + log.text
    seen: BaseException | None = error
    while seen is not None:
        text += repr(seen) + repr(seen.args) + str(vars(seen))
        seen = seen.__context__ or seen.__cause__
    return text + "".join(
        str(path) + path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()
    )


def disclosed(text: str, secret: str) -> list[str]:
    return [
        form for form in (secret, quote(secret), quote(secret, safe=""), repr(secret)[1:-1]) if form in text
    ]


FAULTS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a wrong password": (
        {"url": "postgresql://postgres:${WRONG}@{server}/postgres"},
        DeliveryError,
        "password authentication failed",
    ),
    "a wrong host": (
        {"url": "postgresql://postgres:${SHOP_PASSWORD}@nowhere.invalid/postgres"},
        Exception,
        "could not translate host name",
    ),
    "a wrong port": (
        {"url": "postgresql://postgres:${SHOP_PASSWORD}@127.0.0.1:1/postgres"},
        ConnectionError,
        "refused",
    ),
    "a wrong database": (
        {"url": "postgresql://postgres:${SHOP_PASSWORD}@{server}/nothing"},
        DeliveryError,
        'database "nothing" does not exist',
    ),
    "a wrong option": (
        {"url": "postgresql://postgres:${SHOP_PASSWORD}@{server}/postgres?x=${SHOP_PASSWORD}"},
        DeliveryError,
        "invalid connection option",
    ),
    "a wrong URL": (
        {"url": "postgresql://postgres:${SHOP_PASSWORD}@{server}${SHOP_PASSWORD}"},
        SpecError,
        "its URL is none as SQLAlchemy has it",
    ),
    "a secret that the driver repeats": (
        {"url": "postgresql://postgres:${SHOP_PASSWORD}@{server}/${SHOP_PASSWORD}"},
        DeliveryError,
        'database "***" does not exist',
    ),
    "a password with an @ in a URL": ({"url": "${BARE_URL}"}, SpecError, "more than one @"),
    "another driver": (
        {"url": "mysql+pymysql://postgres:${SHOP_PASSWORD}@{server}/x"},
        PerennialError,
        "pymysql",
    ),
    "no table": ({"table": "shop.ordesr"}, DeliveryError, 'relation "shop.ordesr" does not exist'),
    "no column": ({"time": "att"}, DeliveryError, "has no column 'att'; did you mean 'at'?"),
    "a broken type": ({"table": "shop.broken"}, DeliveryError, "invalid input syntax for type integer"),
    "no such key": ({"time": None, "key": "missing"}, DeliveryError, "has no column 'missing'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_without_the_password(
    shop: Source,
    execute: Execute,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("WRONG", "wr@ng'" + shop.password)
    monkeypatch.setenv("BARE_URL", f"postgresql://postgres:{shop.password}@{shop.server}/postgres")
    execute("CREATE TABLE shop.orders AS SELECT 1 AS id, now() AS at")
    execute("CREATE VIEW shop.broken AS SELECT ('x' || id)::int AS id, at FROM shop.orders")
    declared, kind, words = FAULTS[fault]
    shop.declare(**{"time": "at"} | declared)
    with pytest.raises(kind) as caught:
        shop.look()
    assert words in str(caught.value) and str(caught.value).startswith("shop.")
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert disclosed(told(caught.value, caplog, shop.folder), shop.password) == []


def test_a_connection_that_is_lost_is_tried_again_and_leaves_nothing(
    shop: Source, execute: Execute, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed by the server while the rows come; the view is slow enough to be met at it."""
    rows = "SELECT g AS id, now() AS at, pg_sleep(0.001)::text AS z FROM generate_series(1, 9999) g"
    execute(f"CREATE VIEW shop.orders AS {rows}")
    shop.declare(time="at")
    running = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'"

    def kill() -> None:
        while not (found := execute(running)):
            time.sleep(0.005)
        execute("SELECT pg_terminate_backend(%s)", found[0])

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ConnectionError, match="the database cannot be reached now: terminating") as caught:
        shop.fetch(shop.items()[-1], id="integer", z="string")
    killer.join()
    assert not isinstance(caught.value, PerennialError)  # which are not tried again
    assert disclosed(told(caught.value, caplog, shop.folder), shop.password) == []
    assert [path for path in shop.staging.rglob("*") if path.is_file()] == []


def test_the_test_for_secrets_finds_one(shop: Source, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("driver").error(
        "cannot connect to %s", f"postgresql://u:{quote(shop.password, safe='')}@h"
    )
    assert disclosed(told(ValueError("x"), caplog, shop.folder), shop.password)
    assert disclosed(told(ValueError(shop.password), caplog, shop.folder), shop.password)
