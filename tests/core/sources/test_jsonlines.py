"""Every line of a JSON Lines file becomes one row, in its place, with what it holds."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from core.errors import DeliveryError
from core.sources import jsonlines
from core.sources.jsonlines import tabulate

Tabulate = Callable[..., list[tuple[Any, ...]]]
BAD = "\N{REPLACEMENT CHARACTER}"


@pytest.fixture
def table(tmp_path: Path) -> Tabulate:
    """Writes this to a file and gives the rows of its columns, a and b by default, with `:fields`."""

    def read(
        content: str | bytes, *columns: str, nulls: tuple[str, ...] = ("", "NA")
    ) -> list[tuple[Any, ...]]:
        path, target = tmp_path / "x.jsonl", tmp_path / "x.parquet"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        tabulate(path, target, columns or ("a", "b"), nulls, "x.jsonl")
        frame = pl.read_parquet(target)
        assert frame.columns == ["row", *(columns or ("a", "b")), ":fields"]
        assert frame["row"].to_list() == list(range(frame.height))
        assert frame.schema["row"] == pl.UInt32
        return frame.drop("row").rows()

    return read


def test_values_are_the_texts_that_were_delivered(table: Tabulate) -> None:
    numbers = ["1.50", "-0", "123456789012345678901234567890", "1e400", "0.1000", "1E+2", "9007199254740993"]
    assert [row[0] for row in table("".join(f'{{"a":{n},"b":1}}\n' for n in numbers))] == numbers
    others = {
        "true": "true",
        "false": "false",
        "null": None,
        '"null"': "null",
        '"1"': "1",
        '""': None,
        '"NA"': None,
        '" NA"': " NA",
        '"\\""': '"',
        '"a\\nb\\u00e9\\\\"': "a\nbé\\",
        '"\\ud83d\\ude00"': "\N{GRINNING FACE}",
        '"{"': "{",
        '[1, {"x": 1.50}]': '[1, {"x": 1.50}]',
        "{}": "{}",
    }
    found = table("".join(f'{{"a" :\t{text} , "b":1}}\r\n' for text in others))
    assert [row[0] for row in found] == list(others.values())
    assert table('{"a":"","b":1}\n', nulls=())[0][0] == ""
    assert table('{"a":1.0,"b":1}\n', nulls=("1.0",))[0][0] is None


def test_keys_may_be_missing_more_doubled_or_in_any_order(table: Tabulate) -> None:
    assert table('{"b":1,"x":[{"a":9}],"a":2}\n{"a":3}\n{}\n{"a":4,"a":5,"b":null}\n{"\\u0061":6}\n') == [
        ("2", "1", None),
        ("3", None, None),
        (None, None, None),
        ("5", None, None),
        ("6", None, None),
    ]


@pytest.mark.parametrize("column", ['we"ird', "back\\slash", "über 日本", "a.b", "$.a", "", "def", "row_"])
def test_any_name_may_be_that_of_a_column(table: Tabulate, column: str) -> None:
    text = json.dumps({column: "é\n", "b": 1}) + "\n" + json.dumps({"b": 2}) + "\n"
    assert table(text, column, "b") == [("é\n", "1", None), (None, "2", None)]


@pytest.mark.parametrize(
    "line",
    [
        *(
            "[1]",
            "1",
            '"a"',
            "null",
            "nonsense",
            "\\",
            '{"a":1,}',
            '{"a":NaN}',
            '{"a":01}',
            '{"a":1',
            "{'a':1}",
        ),
        *(
            '{"a":1}{"a":2}',
            '{"a":1} x',
            '{"a":"\t"}',
            '{"a":"\\q"}',
            '{"a":' + "[" * 9999 + "]" * 9999 + "}",
        ),
    ],
)
def test_a_line_that_is_no_object_is_a_row_with_its_text(table: Tabulate, line: str) -> None:
    text = f'{{"a":1,"b":2}}\n{line}\n{{"a":3,"b":4}}\n'
    assert table(text) == [("1", "2", None), (None, None, f"no JSON object: {line}"), ("3", "4", None)]


def test_what_stands_around_the_lines_is_no_matter(table: Tabulate) -> None:
    rows = [("1", "2", None), ("3", "4", None)]
    assert table('{"a":1,"b":2}\n{"a":3,"b":4}') == rows
    assert table('\N{BYTE ORDER MARK}{"a":1,"b":2}\r\n\r\n \t\n{"a":3,"b":4}\r\n\n') == rows
    assert table("") == table("\n \n") == table("\N{BYTE ORDER MARK}") == []


def test_what_is_no_character_is_replaced_in_its_row_alone(table: Tabulate) -> None:
    content = b'{"a":"Gen\xe8ve","b":1}\n{"a":"Oslo","b":"\\ud800 \\\\ud800 \\ude00\\ud83d"}\n\xff\n'
    assert table(content) == [
        (f"Gen{BAD}ve", "1", None),
        ("Oslo", f"{BAD} \\ud800 {BAD}{BAD}", None),
        (None, None, f"no JSON object: {BAD}"),
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), JSON), max_size=9),
    st.booleans(),
    st.sampled_from([1, 60]),
)
@example_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_python_writes_is_read_back(
    table: Tabulate, records: list[dict[str, Any]], ascii_only: bool, block: int
) -> None:
    records = [*records, {"a": 0, "b": 0}]
    lines = [json.dumps(record, ensure_ascii=ascii_only) for record in records]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonlines, "_BLOCK", block)
        found = table("\n".join(lines).encode("utf-8", "surrogatepass"), nulls=())
    for record, row in zip(records, found, strict=True):
        assert row[2] is None
        for name, text in zip("ab", row[:2], strict=True):
            value = record.get(name)
            if value is None or isinstance(value, str):
                assert text == value
            else:
                assert json.loads(text) == value


def test_long_lines_are_rows_like_others(table: Tabulate) -> None:
    long = "x" * (16 << 20)
    found = table(f'{{"a":"{long}","b":1}}\n{{"a":2,"b":"{long}"}}\n{{"a":3,"b":3}}\n')
    assert [(a == long, b == long) for a, b, _ in found] == [(True, False), (False, True), (False, False)]


def test_rows_keep_their_numbers_across_the_parts_of_a_large_file(table: Tabulate) -> None:
    count = 400_000
    lines = [f'{{"a":{number},"b":"{"x" * 45}"}}' for number in range(count)]
    ragged = [0, 1, 250_000, count - 1]
    for number in ragged:
        lines[number] = str(number)
    found = table("\n".join(lines) + "\n")
    assert len(found) == count
    assert [row for row, (_, _, why) in enumerate(found) if why] == ragged
    assert found[350_000] == ("350000", "x" * 45, None)
    assert found[250_000] == (None, None, "no JSON object: 250000")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a":1,"b":2}\n{"a":1,"b"', "is truncated: its last line is no whole JSON object"),
        ('{"a":1,"b":2', "is truncated: its last line"),
        ('{"a":1,"bb":2}\nnonsense\n', "has no column 'b'; did you mean 'bb'"),
        ('nonsense\n{"a":1}\n', "has no column 'b'; it has a"),
        ("a,b\n1,2\n", "is no JSON Lines, one object a line: it begins with 'a,b'"),
        ('[{"a":1,"b":2},\n{"a":1,"b":2}]', "is no JSON Lines"),
        ('[{"a":1,"b":2}]\n', "is no JSON Lines"),
        ('{\n"a":1,\n"b":2\n}\n', "is no JSON Lines"),
        ('{"a":1,"b":2}\n'.encode("utf-16"), "is no JSON Lines"),
        (b'{"a":"' + b"x" * (130 << 20), "a line is longer than 128 MB"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(table: Tabulate, content: str | bytes, said: str) -> None:
    with pytest.raises(DeliveryError, match=f"^x.jsonl: {said}"):
        table(content)


def test_infinities_written_by_python_are_set_aside(table: Tabulate) -> None:
    text = json.dumps({"a": math.inf, "b": 1}) + '\n{"a":1,"b":2}\n'
    assert table(text)[0] == (None, None, 'no JSON object: {"a": Infinity, "b": 1}')
