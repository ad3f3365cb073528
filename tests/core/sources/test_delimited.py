"""Every record of a CSV file becomes one row, in its place, with what it holds."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from core.errors import DeliveryError
from core.sources.delimited import FIELDS, _Utf8, tabulate

Tabulate = Callable[[str | bytes], pl.DataFrame]
COLUMNS = ["a", "b", "c"]

# What the writer quotes, and what it does not; no line break alone, which is one to the parser.
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=5) | st.sampled_from(
    ["NA", "", '"', '""', ",", "a\r\nb", "\n", " x "]
)


@pytest.fixture
def table(tmp_path: Path) -> Tabulate:
    """Writes this text to a file and reads its columns a, b and c, nulls as NA."""

    def read(text: str | bytes) -> pl.DataFrame:
        (tmp_path / "x.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        tabulate(tmp_path / "x.csv", tmp_path / "x.parquet", COLUMNS, ["NA"], "x.csv")
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
    count = 400_000  # 10 parts
    records = [f'{number},"{"x" * 45}\n{"x" * 45}",{number}' for number in range(count)]
    ragged = [0, 1, 150_000, 177_000, 300_000, count - 1]
    for number in ragged:
        records[number] = str(number)
    found = table("\n".join(["a,b,c", *records]) + "\n")
    assert found["row"].equals(found["a"].cast(pl.UInt32).alias("row"))
    assert found.height == count
    assert found.filter(pl.col(":fields").is_not_null())["row"].to_list() == ragged


HEADER, ROWS = "a,b,c\n", "1,Rome,2.5\n2,Oslo,NA\n"


@pytest.mark.parametrize(
    "content",
    [
        HEADER + ROWS,
        (HEADER + ROWS).rstrip("\n"),
        (HEADER + ROWS).replace("\n", "\r\n"),
        "\N{BYTE ORDER MARK}" + HEADER + ROWS,
        "\n" + HEADER + "\n" + ROWS.replace("\n", "\n\n"),
        '"a","b","c"\n"1","Rome","2.5"\n2,"Oslo",NA\n',
        'c,extra,b,a\n2.5,"a,\nb",Rome,1\nNA,,Oslo,2\n',
    ],
    ids=["plain", "no last newline", "CR LF", "byte order mark", "blank lines", "quoted", "other columns"],
)
def test_a_csv_is_read_however_it_is_written(table: Tabulate, content: str) -> None:
    assert table(content).rows() == [(0, "1", "Rome", "2.5", None), (1, "2", "Oslo", None, None)]


def test_quotes_commas_and_newlines_are_part_of_a_value(table: Tabulate) -> None:
    assert table(HEADER + '1,"Rome, ""old""\nand new",2\n')["b"].to_list() == ['Rome, "old"\nand new']
    assert table(HEADER + '1,5" pipe,2\n2,"a\nb",3\n')["b"].to_list() == ['5" pipe', "a\nb"]
    assert table(HEADER + '1,"5" pipe",2\n2,"Rome",3\n')["b"].to_list() == ['5 pipe"', "Rome"]


@pytest.mark.parametrize(
    ("text", "regular"),
    [('a,"b","c ""d"" e"\r\n"","x\n""",1\n', True), ('a,"b\nc","d",e\n', True), ('a,"b\nc,"d",e\n', False)],
)
def test_a_stray_quote_is_seen_however_the_file_is_cut(tmp_path: Path, text: str, regular: bool) -> None:
    (tmp_path / "x.csv").write_text(text)
    for size in range(1, 9):
        with (tmp_path / "x.csv").open("rb", buffering=0) as raw:
            stream = _Utf8(raw)
            while stream.readinto(bytearray(size)):
                pass
            assert stream.regular == regular


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        (HEADER.replace("b", "bb") + ROWS, "has no column 'b'; did you mean 'bb'"),
        ("x;y\n1;2\n", "has no column 'a', 'b', 'c'; there is 'x;y'"),
        ("a,b,c,b\n1,2,3,4\n", "has more than one column 'b'"),
        (HEADER + ROWS + "3,Ro", "is truncated: its last record has 2 of 3 fields"),
        (HEADER + ROWS + '3,"Ro', "ends within quotes"),
        (HEADER + '3,"Rome,2.5\n' + ROWS, "ends within quotes"),
        (HEADER + '3,Rome,"\n' + ROWS, "ends within quotes"),
        ('a,"b\n', "its header ends within quotes"),
        (HEADER + '1,"Rome",2\n3,"Oslo,2\n4,"Bonn",5\n', "lines 3 to 4: a quote is left open"),
        (HEADER + '3,"Oslo,2\n4,"Bonn",5\n' * 2, "lines 2 to 3: a quote is left open"),
        (HEADER + '1,"in ""one\nor "two"",2\n', "lines 2 to 3: a quote is left open"),
        ((HEADER + ROWS).replace("\n", "\r"), "lines end in CR alone"),
        ((HEADER + ROWS).encode("utf-16"), "is no CSV file in UTF-8"),
        (b"PK\x03\x04\x14\x00\x06\x00\n", "is no CSV file in UTF-8"),
        (HEADER + "1,2\n" * 100_002, "Expected 3 columns, got 2"),
        (
            HEADER + '3,"' + "x" * (10 << 20) + '",\n' + ROWS,
            "a record is longer than 4 MB: is a quote left open?",
        ),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused(table: Tabulate, content: str | bytes, said: str) -> None:
    with pytest.raises(DeliveryError, match=f"^x.csv: .*{re.escape(said)}"):
        table(content)


def test_a_file_with_a_header_alone_has_no_rows(table: Tabulate) -> None:
    for content in (HEADER, HEADER.rstrip()):
        found = table(content)
        assert found.schema == {"row": pl.UInt32, **dict.fromkeys([*COLUMNS, FIELDS], pl.String)}
        assert found.is_empty()


def test_a_record_of_a_wrong_length_keeps_its_place_and_its_text(table: Tabulate) -> None:
    long = '8,Bonn,1,"a, b"'
    found = table(HEADER + f"7,Bonn\n1,Rome,2.5\n{long}\n2,Oslo,NA\n9\n")
    assert found.rows() == [
        (0, "7", "Bonn", None, "2 of 3: 7,Bonn"),
        (1, "1", "Rome", "2.5", None),
        (2, "8", "Bonn", "1", f"4 of 3: {long}"),
        (3, "2", "Oslo", None, None),
        (4, "9", None, None, "1 of 3: 9"),
    ]


def test_lines_within_a_quote_that_is_closed_later_are_one_record_whose_text_is_kept(table: Tabulate) -> None:
    found = table(HEADER + '1,Rome,2.5\n3,"20\n2,Oslo,NA\n4",5,6\n2,Oslo,NA\n')
    assert found.height == 3
    assert "Oslo" in found[FIELDS][1]


def test_bytes_that_are_not_utf8_are_replaced_in_their_row_alone(table: Tabulate) -> None:
    found = table((HEADER + ROWS).encode().replace(b"Rome", b"Gen\xe8ve"))
    assert found["b"].to_list() == ["Gen\N{REPLACEMENT CHARACTER}ve", "Oslo"]
