"""Every record of a CSV file becomes one row, in its place, with what it holds."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from core.delimited import tabulate

Tabulate = Callable[[str], pl.DataFrame]
COLUMNS = ["a", "b", "c"]

# What the writer quotes, and what it does not; no line break alone, which is one to the parser.
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=5) | st.sampled_from(
    ["NA", "", '"', '""', ",", "a\r\nb", "\n", " x "]
)


@pytest.fixture
def table(tmp_path: Path) -> Tabulate:
    """Writes this text to a file and reads its columns a, b and c, nulls as NA."""

    def read(text: str) -> pl.DataFrame:
        (tmp_path / "x.csv").write_bytes(text.encode())
        tabulate(tmp_path / "x.csv", tmp_path / "x.parquet", COLUMNS, ["NA"])
        return pl.read_parquet(tmp_path / "x.parquet").sort("row")

    return read


@given(
    st.lists(st.lists(VALUES, min_size=2, max_size=4), max_size=12),
    st.permutations([*COLUMNS]),
    st.sampled_from(["\n", "\r\n"]),
)
@example_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_python_writes_is_read_back(
    table: Tabulate, records: list[list[str]], header: list[str], end: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end)
    writer.writerows([header, *records])
    found = table(text.getvalue())
    assert found["row"].to_list() == list(range(len(records)))
    for record, row in zip(records, found.iter_rows(named=True), strict=True):
        held = dict(zip(header, record, strict=False))
        assert {name: row[name] for name in COLUMNS} == {
            name: None if held.get(name) == "NA" else held.get(name) for name in COLUMNS
        }
        assert (row[":fields"] is None) == (len(record) == 3)
        assert row[":fields"] is None or row[":fields"].startswith(f"{len(record)} of 3: ")


def test_rows_keep_their_numbers_across_the_parts_of_a_large_file(table: Tabulate) -> None:
    count = 400_000  # 3 parts
    records = [f'{number},"{"x" * 45}\n{"x" * 45}",{number}' for number in range(count)]
    ragged = [0, 1, 150_000, 177_000, 300_000, count - 1]
    for number in ragged:
        records[number] = str(number)
    found = table("\n".join(["a,b,c", *records]) + "\n")
    assert found["row"].equals(found["a"].cast(pl.UInt32).alias("row"))
    assert found.height == count
    assert found.filter(pl.col(":fields").is_not_null())["row"].to_list() == ragged
