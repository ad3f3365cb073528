"""Tables of SQLite, and of any database by its own driver: each row is received, once."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy.dialects import registry

from core.batches import Batch, Calendar
from core.errors import DeliveryError, SpecError
from core.secrets import Secrets
from core.sources.declared import SqlSource
from core.sources.items import Fetched, Item
from core.sources.sql import fetch, items
from core.types import read_as

MONTHS = Calendar("1mo", "America/New_York", date(2013, 1, 1), date(2013, 5, 1)).batches()
# The same file through SQLAlchemy's own driver: what is no name of a dialect that ADBC is taken for.
registry.register("driven", "sqlalchemy.dialects.sqlite.pysqlite", "dialect")

Make = Callable[..., None]


class Source:
    """A table of a SQLite file in a project's folder, and what was delivered of it so far."""

    def __init__(self, folder: Path, **declared: Any) -> None:
        self.folder, self.staging, self.known = folder, folder / "staging", dict[str, str]()
        self.source = SqlSource(**{"kind": "sql", "url": "sqlite:///shop.db", "table": "orders"} | declared)
        self.batches: Sequence[Batch] = MONTHS

    def items(self) -> list[Item]:
        return items(self.folder, self.source, self.batches, self.known, Secrets())

    def fetch(self, item: Item, **columns: Any) -> Fetched:
        declared = columns or {"id": "integer"}
        return fetch(self.folder, self.source, item, declared, self.batches, self.staging, Secrets())

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
def make(tmp_path: Path) -> Make:
    """Makes the table `orders` anew, with these columns and rows."""

    def create(columns: str, rows: Sequence[Sequence[Any]] = (), more: str = "") -> None:
        with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
            shop.execute("DROP TABLE IF EXISTS orders")
            shop.execute(f"CREATE TABLE orders ({columns})")
            for row in rows:
                shop.execute(f"INSERT INTO orders VALUES ({','.join('?' * len(row))})", row)
            shop.executescript(more)

    return create


def execute(folder: Path, statement: str, values: Sequence[Any] = ()) -> None:
    with closing(sqlite3.connect(folder / "shop.db")) as shop, shop:
        shop.execute(statement, values)


# Edges in New York: 1 January is 05:00 UTC, 1 April 04:00 UTC.
TIMES = [
    "2012-06-01T00:00:00Z",
    "2013-01-01T05:00:00Z",
    "2013-02-01 04:59:59.9999",
    "2013-02-01T05:00:00+00:00",
    "2013-02-01T00:00:00-05:00",
    "2013-01-31T23:59:59.999999-05:00",
    "2013-02-01T19:00:00+14:00",
    "2013-02-01",
    "2013-02-02",
    "2013-02-31",
    "2013-04-01T03:59:59Z",
    "2013-04-01T04:00Z",
    "2014-01-01T00:00:00Z",
    None,
    "soon",
    "2456293.5",
    "20130301",
    "now",
    "",
]


@pytest.mark.parametrize("index", ["", "CREATE INDEX by_at ON orders (at)"])
def test_each_row_is_in_one_batch_the_one_of_its_time(tmp_path: Path, make: Make, index: str) -> None:
    make("id INTEGER, at TEXT", list(enumerate(TIMES)), index)
    source = Source(tmp_path, time="at")
    found = source.look(id="integer", at="datetime")
    assert list(found) == [f"orders {batch.id}" for batch in MONTHS]
    assert sorted(row for rows in found.values() for row in rows) == list(range(len(TIMES)))
    instants = pl.DataFrame({"at": TIMES}).select(read_as("at", pl.String(), "datetime"))["at"]
    for batch, rows in zip(MONTHS, found.values(), strict=True):
        for row in rows:
            if instants[row] is not None and MONTHS[0].start <= instants[row] < MONTHS[-1].end:
                assert batch.start <= instants[row] < batch.end, TIMES[row]
    first, last = found[f"orders {MONTHS[0]}"], found[f"orders {MONTHS[-1]}"]
    assert {0, 13, 14, 15, 16, 17, 18} <= set(first)  # before the calendar, or of no time
    assert {11, 12} <= set(last)


def test_seconds_since_1970_are_compared_and_read_as_instants(tmp_path: Path, make: Make) -> None:
    edges = [int(batch.start.timestamp()) for batch in MONTHS]
    stamps = [edges[1] - 1, edges[1], edges[2] - 0.25, None, 0, 2**62, edges[3]]
    make("id INTEGER, at", list(enumerate(stamps)))
    source = Source(tmp_path, time="at")
    found = source.look(id="integer", at="datetime")
    assert list(found.values()) == [[3, 4, 0], [1, 2], [], [6, 5]]
    (_, second, *_) = source.items()
    read = pl.read_parquet(source.fetch(second, id="integer", at="datetime").path)
    assert read["at"].to_list() == [MONTHS[1].start, datetime.fromtimestamp(edges[2] - 0.25, UTC)]
    far = pl.read_parquet(source.fetch(source.items()[3], id="integer", at="datetime").path)
    # What no calendar holds stays a value, which then fails, and is no null.
    assert far.select(read_as("at", far.schema["at"], "datetime"))["at"].is_null().to_list() == [False, True]
    assert far["at"].is_null().sum() == 0


@pytest.mark.parametrize("held", [("x", 1), (b"x",), (b"x", "x")])
def test_a_time_column_that_does_not_compare_is_refused(
    tmp_path: Path, make: Make, held: tuple[object, ...]
) -> None:
    make("id INTEGER, at", list(enumerate(held)))
    with pytest.raises(DeliveryError, match=r"orders 2013-01: .*column 'at'"):
        Source(tmp_path, time="at").look()


VALUES: dict[str, tuple[list[object], pl.DataType, list[object]]] = {
    "whole": ([1, None, -(2**63)], pl.Int64(), [1, None, -(2**63)]),
    "broken": ([0.1, None, float("inf")], pl.Float64(), [0.1, None, float("inf")]),
    "words": (["é\N{SNOWMAN}", None, ""], pl.String(), ["é\N{SNOWMAN}", None, ""]),
    "late words": ([None, None, "x"], pl.String(), [None, None, "x"]),
    "bytes": ([b"a\xff", None, b""], pl.String(), ["\\x61ff", None, "\\x"]),
    "anything": ([2**60 + 1, 0.1, b"a"], pl.String(), [str(2**60 + 1), "0.1", "\\x61"]),
    "mixed": ([2**60 + 1, 1.5, None], pl.String(), [str(2**60 + 1), "1.5", None]),
    "nothing": ([None, None, None], pl.String(), [None, None, None]),
    'a "quoted", 100%: (?) name; -- ü': (["1", "2", "3"], pl.String(), ["1", "2", "3"]),
    "select": ([1, 2, 3], pl.Int64(), [1, 2, 3]),
    "c0": ([3, 2, 1], pl.Int64(), [3, 2, 1]),
    "row_": ([True, False, None], pl.Int64(), [1, 0, None]),
}


def test_values_come_in_their_own_dtypes_or_exactly_as_text(tmp_path: Path, make: Make) -> None:
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in VALUES)
    rows = [(n, *(values[n] for values, _, _ in VALUES.values())) for n in range(3)]
    make(f"id INTEGER, {quoted}", rows)
    source = Source(tmp_path, key="id")
    read = pl.read_parquet(source.fetch(source.items()[0], **dict.fromkeys(VALUES, "string")).path)
    assert read.columns == ["row", *VALUES, ":fields"]
    assert dict(read.schema) == {
        "row": pl.UInt32(),
        **{name: dtype for name, (_, dtype, _) in VALUES.items()},
        ":fields": pl.String(),
    }
    assert read["row"].to_list() == [0, 1, 2] and read[":fields"].null_count() == 3
    assert {name: read[name].to_list() for name in VALUES} == {
        name: expected for name, (_, _, expected) in VALUES.items()
    }


def test_text_that_is_not_utf8_is_readable_and_fails(tmp_path: Path, make: Make) -> None:
    make("id INTEGER, city TEXT", [(1, "Rome")], "INSERT INTO orders VALUES (2, CAST(x'4fff6c' AS TEXT))")
    source = Source(tmp_path, key="id")
    read = pl.read_parquet(source.fetch(source.items()[0], city="string").path)
    assert read["city"].to_list() == ["Rome", "O\N{REPLACEMENT CHARACTER}l"]
    assert read.select(read_as("city", pl.String(), "string"))["city"].to_list() == ["Rome", None]


def test_equal_rows_are_one_file_whatever_their_order_in_the_table(tmp_path: Path, make: Make) -> None:
    rows = [(n % 7, f"{n % 3}", None if n % 5 else 0.5) for n in range(1000)]
    source = Source(tmp_path, key="id")

    def staged(held: list[tuple[int, str, float | None]]) -> Fetched:
        make("id INTEGER, a TEXT, b REAL", held)
        (item,) = source.items()
        return source.fetch(item, id="integer", a="string", b="float")

    first, again = staged(rows), staged(rows[::-1])
    assert (first.digest, first.path) == (again.digest, again.path)
    assert len(list(source.staging.iterdir())) == 1
    changed = staged([*rows[:-1], (rows[-1][0], "changed", None)])
    blank = staged([*rows[:-1], (rows[-1][0], "", None)])
    null = staged([*rows[:-1], (rows[-1][0], None, None)])  # type: ignore[list-item]
    assert len({first.digest, changed.digest, blank.digest, null.digest}) == 4
    assert [each.rows for each in (first, changed, blank, null)] == [1000] * 4


def test_a_table_without_batches_is_one_piece(tmp_path: Path, make: Make) -> None:
    make("id INTEGER, at TEXT", [(1, None), (2, "x"), (3, 4)])
    source = Source(tmp_path, time="at")
    source.batches = []
    assert source.items() == [Item("orders", None)]
    assert source.look() == {"orders": [1, 3, 2]}


def test_an_empty_table_is_no_error(tmp_path: Path, make: Make) -> None:
    make("id INTEGER, at TEXT")
    assert Source(tmp_path, key="id").look() == {}
    assert set(map(len, Source(tmp_path, time="at").look(id="integer", at="datetime").values())) == {0}


@pytest.mark.parametrize(
    "keys", [[5, 7, 2**53 + 1], ["a", "b'; DROP TABLE orders; --", "é"], [0.5, 1.25, 2.5]]
)
def test_what_lies_above_the_highest_key_is_new(tmp_path: Path, make: Make, keys: list[object]) -> None:
    make("id INTEGER, k", [(0, keys[0])])
    source = Source(tmp_path, key="k")
    assert source.look() == {f"orders to k {keys[0]}": [0]}
    assert source.look() == {}
    execute(tmp_path, "INSERT INTO orders VALUES (1, ?)", [keys[1]])
    execute(tmp_path, "INSERT INTO orders VALUES (2, ?)", [keys[2]])
    assert source.look() == {f"orders to k {keys[2]}": [1, 2]}
    assert [item.name for item in source.items()] == list(source.known)
    assert source.look() == {}


def test_a_piece_is_bounded_when_it_is_found(tmp_path: Path, make: Make) -> None:
    make("id INTEGER", [(1,), (2,)])
    source = Source(tmp_path, key="id")
    (item,) = source.items()
    execute(tmp_path, "INSERT INTO orders VALUES (3)")
    assert source.fetch(item).rows == 2
    source.known[item.name] = source.fetch(item).mark or ""
    assert source.look() == {"orders to id 3": [3]}


def test_a_row_that_comes_late_below_the_highest_key_is_seen(tmp_path: Path, make: Make) -> None:
    make("id INTEGER", [(1,), (3,)])
    source = Source(tmp_path, key="id")
    source.look()
    execute(tmp_path, "INSERT INTO orders VALUES (5)")
    source.look()
    execute(tmp_path, "INSERT INTO orders VALUES (2)")
    assert source.look() == {"orders to id 3": [1, 2, 3]}
    execute(tmp_path, "DELETE FROM orders WHERE id = 5")
    assert source.look() == {"orders to id 5": []}
    assert source.look() == {}


@pytest.mark.parametrize("keys", [[1, 2, 3, 4, 5], ["a", "b", "c", "d", "e"], [0.25, 0.5, 1.0, 1.5, 2.0]])
def test_a_row_that_comes_late_while_another_is_deleted_is_seen(
    tmp_path: Path, make: Make, keys: list[object]
) -> None:
    make("id INTEGER, k", [(1, keys[0]), (5, keys[4])])
    source = Source(tmp_path, key="k")
    source.look()
    execute(tmp_path, "DELETE FROM orders WHERE id = 1")
    execute(tmp_path, "INSERT INTO orders VALUES (2, ?)", [keys[1]])
    assert source.look() == {f"orders to k {keys[4]}": [2, 5]}
    execute(tmp_path, "DELETE FROM orders")
    execute(tmp_path, "INSERT INTO orders VALUES (3, ?)", [keys[2]])
    execute(tmp_path, "INSERT INTO orders VALUES (4, ?)", [keys[3]])
    assert source.look() == {f"orders to k {keys[4]}": [3, 4]}
    assert source.look() == {}


def test_equal_rows_under_other_keys_are_other_content(tmp_path: Path, make: Make) -> None:
    make("id INTEGER, k INTEGER", [(7, 1)])
    source = Source(tmp_path, key="k")
    source.look()
    execute(tmp_path, "INSERT INTO orders VALUES (7, 2)")
    first, second = (source.fetch(item) for item in source.items())
    assert first.path == second.path and first.digest != second.digest


def test_a_key_that_cannot_be_held_is_refused(tmp_path: Path, make: Make) -> None:
    make("id INTEGER, k TEXT", [(1, "a")], "INSERT INTO orders VALUES (2, CAST(x'62ff' AS TEXT))")
    with pytest.raises(DeliveryError, match=r"orders: the highest 'k' is beyond the calendar .* or no text"):
        Source(tmp_path, key="k").items()


def test_of_two_looks_at_once_one_counts(tmp_path: Path, make: Make) -> None:
    make("id INTEGER", [(1,)])
    source, other = Source(tmp_path, key="id"), Source(tmp_path, key="id")
    source.look()
    execute(tmp_path, "INSERT INTO orders VALUES (2)")
    other.look()
    source.known |= other.known  # which holds what the first has, and one more row
    source.look()
    names = [item.name for item in source.items()]
    assert names == ["orders to id 1", "orders to id 2"]


def test_rows_without_a_key_are_refused_with_their_number(tmp_path: Path, make: Make) -> None:
    make("id INTEGER", [(1,), (None,), (None,)])
    with pytest.raises(DeliveryError, match="orders: 2 rows have no 'id'"):
        Source(tmp_path, key="id").items()


def test_a_key_that_does_not_rise_is_refused(tmp_path: Path, make: Make) -> None:
    make("id INTEGER, k BLOB", [(1, b"x")])
    with pytest.raises(DeliveryError, match="orders: the key 'k' holds what does not rise"):
        Source(tmp_path, key="k").items()


def test_a_batch_settles_once_the_table_holds_rows_of_later(tmp_path: Path, make: Make) -> None:
    make("id INTEGER, at TEXT", [(1, "2013-01-20"), (2, "2013-02-09")])
    source = Source(tmp_path, time="at", lookback="10d")
    every = [f"orders {batch.id}" for batch in MONTHS]
    assert list(source.look()) == list(source.look()) == every
    execute(tmp_path, "INSERT INTO orders VALUES (3, '2013-02-12')")
    execute(tmp_path, "INSERT INTO orders VALUES (4, '2013-01-31')")
    assert source.look()["orders 2013-01"] == [1, 4]  # a last time
    execute(tmp_path, "INSERT INTO orders VALUES (5, '9999-01-01')")  # no clock to go by
    assert list(source.look()) == every[1:]
    # The same ids of other intervals, or by another column, are other rows.
    source.batches = Calendar("1mo", "UTC", date(2013, 1, 1), date(2013, 5, 1)).batches()
    assert list(source.look()) == every
    assert list(source.look()) == every[1:]
    # What was the first had what lies before it.
    source.batches = Calendar("1mo", "UTC", date(2012, 12, 1), date(2013, 5, 1)).batches()
    assert "orders 2013-01" in source.look()
    source.batches = MONTHS
    execute(tmp_path, "ALTER TABLE orders RENAME at TO seen")
    source.source = source.source.model_copy(update={"time": "seen"})
    assert list(source.look()) == every


def test_the_file_is_only_read_and_not_made(tmp_path: Path, make: Make) -> None:
    source = Source(tmp_path, time="at")
    with pytest.raises(DeliveryError, match=r"orders 2013-01: there is no database .*shop\.db"):
        source.look()
    assert list(tmp_path.iterdir()) == []
    make("id INTEGER, at TEXT")
    before = (tmp_path / "shop.db").read_bytes()
    source.look()
    assert (tmp_path / "shop.db").read_bytes() == before


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite", "mysql+none://h/d", "h:x@y"])
def test_a_url_that_cannot_be_used_is_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(SpecError, match="orders: "):
        Source(tmp_path, url=url, key="id").items()


def test_a_driver_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="needs the driver 'oracledb': install it"):
        Source(tmp_path, url="oracle+oracledb://host/db", key="id").items()


@pytest.mark.parametrize("url", ["sqlite:///shop.db", "driven:///{folder}/shop.db"])
def test_what_is_missing_is_named_with_the_nearest(tmp_path: Path, make: Make, url: str) -> None:
    make("id INTEGER, at TEXT")
    url = url.format(folder=tmp_path)
    with pytest.raises(DeliveryError, match=r"orders 2013-01: has no column 'idd'; did you mean 'id'"):
        Source(tmp_path, url=url, time="at").look(idd="integer")
    with pytest.raises(DeliveryError, match=r"orders 2013-01: has no column 'att'; did you mean 'at'"):
        Source(tmp_path, url=url, time="att").look()
    with pytest.raises(DeliveryError, match="order: there is no table 'order'"):
        Source(tmp_path, url=url, table="order", key="id").items()
    assert not list(tmp_path.glob("staging/*"))


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("not a database, but long enough to be read as one" * 100)
    with pytest.raises(DeliveryError, match=r"orders: the database says: .*not a database"):
        Source(tmp_path, key="id").items()


def test_a_locked_file_is_tried_again(tmp_path: Path, make: Make) -> None:
    make("id INTEGER", [(1,)])
    # Of another process: a process has its own locks.
    hold = "import sqlite3, sys; shop = sqlite3.connect(sys.argv[1], isolation_level=None); "
    hold += "shop.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(tmp_path / "shop.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout and writer.stdout.readline() == "held\n"
        with pytest.raises(ConnectionError, match=r"orders: the database cannot be reached now: .*locked"):
            Source(tmp_path, key="id").items()
        assert writer.stdin
        writer.stdin.close()
    assert Source(tmp_path, key="id").look() == {"orders to id 1": [1]}


def test_a_database_by_its_own_driver_gives_the_same(tmp_path: Path, make: Make) -> None:
    """By the reflected types of its columns, in chunks."""
    kinds = {
        "n": "INTEGER",
        "x": "FLOAT",
        "s": "VARCHAR",
        "d": "DATE",
        "t": "DATETIME",
        "m": "NUMERIC",
        "j": "JSON",
    }
    rows = [
        (n, n / 4, f"é{n}", "2013-01-05", f"2013-01-05 0{n % 10}:00:00", "12.50", '{"a":1}')
        if n % 3
        else (n, *[None] * 6)
        for n in range(40_000)
    ]
    make(
        "id INTEGER, " + ", ".join(f"{name} {kind}" for name, kind in kinds.items()),
        [(n, *row) for n, row in enumerate(rows)],
    )
    source = Source(tmp_path, url=f"driven:///{tmp_path}/shop.db", key="n")
    (item,) = source.items()
    assert item.name == "orders to n 39999"
    read = pl.read_parquet(source.fetch(item, **dict.fromkeys(kinds, "string")).path)
    assert read.height == 40_000
    assert read.row(1) == (
        1,
        1,
        0.25,
        "é1",
        date(2013, 1, 5),
        datetime(2013, 1, 5, 1),  # noqa: DTZ001
        "12.5",
        '{"a":1}',
        None,
    )
    assert read.row(3) == (3, 3, *[None] * 7)
    assert source.look() == {"orders to n 39999": list(range(40_000))}
    assert source.look() == {}
    by_time = Source(tmp_path, url=f"driven:///{tmp_path}/shop.db", time="t")
    assert [len(rows) for rows in by_time.look().values()] == [40_000, 0, 0, 0]
