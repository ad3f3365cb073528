"""A whole row that is read in one go is what reading it field by field makes of it, or is left to that."""

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.spec import Spec
from serving.request.fields import Fields, Malformed, Row
from serving.request.whole import WholeRows
from tests.stages.orders import SPEC

NOW = datetime(2013, 6, 1, tzinfo=UTC)
EVENTS = pl.Schema(
    {"id": pl.Int64(), "basket": pl.Int64(), "city": pl.String(), "rain": pl.Float64(), "count": pl.Int8()}
)
TRAILING = {"from": "trailing", "by": ["city"], "value": "late", "statistic": "mean", "over": "7d"}
COUNT = {"from": "row", "column": "count", "kind": "number"}

numbers = st.one_of(
    st.none(), st.integers(-300, 300), st.floats(allow_nan=False, allow_infinity=False), st.just(10**30)
)
texts = st.one_of(st.none(), st.text(), st.just("Bergen"))
rows = st.fixed_dictionaries({"city": texts, "rain": numbers, "late_7d": numbers, "count": numbers})


def spec(serving: dict[str, Any] | None = None, **features: Any) -> Spec:
    document = yaml.safe_load(SPEC) | {"serving": serving or {}}
    document["features"].pop("load")
    document["features"] |= {"late_7d": TRAILING, "count": COUNT} | features
    return Spec.model_validate(document)


def whole(spec: Spec) -> WholeRows:
    found = WholeRows.of(spec, EVENTS)
    assert found is not None
    return found


def told(row: Row) -> tuple[Any, ...]:
    return dict(row.given), dict(row.held), row.decision_time


SPEC_OF_ALL = spec()
READ, FIELDS = whole(SPEC_OF_ALL), Fields(SPEC_OF_ALL, EVENTS)


@given(rows)
def test_it_is_what_the_fields_make_of_it(sent: dict[str, Any]) -> None:
    found = READ.read(json.dumps(sent).encode(), NOW)
    try:
        (expected,) = FIELDS.rows([json.loads(json.dumps(sent))], NOW)
    except Malformed:
        assert found is None
        return
    if found is not None:
        assert told(found) == told(expected)
        assert {name: type(value) for name, value in found.given.items()} == {
            name: type(value) for name, value in expected.given.items()
        }


def test_rows_as_they_mostly_are_are_read() -> None:
    sent = {"city": "Århus", "rain": 0.1, "late_7d": None, "count": 3}
    found = READ.read(json.dumps(sent).encode(), NOW)
    assert found is not None
    assert found.given == {"city": "Århus", "rain": 0.10000000149011612, "late_7d": None, "count": 3.0}


@pytest.mark.parametrize(
    "body",
    [
        b'{"city": "x", "rain": 1, "late_7d": 2}',  # a feature is not there
        b'{"city": "x", "rain": 1, "late_7d": 2, "count": 3, "id": 4}',  # a field more
        b'{"city": "x", "rain": 1, "late_7d": 2, "count": 300}',  # no such whole number
        b'{"city": "x", "rain": true, "late_7d": 2, "count": 3}',
        b'{"city": 5, "rain": 1, "late_7d": 2, "count": 3}',
        b'[{"city": "x", "rain": 1, "late_7d": 2, "count": 3}]',
        b'{"city": "\\ud800", "rain": 1, "late_7d": 2, "count": 3}',
        b'{"city": "\xff", "rain": 1, "late_7d": 2, "count": 3}',
        b"{" * 100_000,
        b"",
    ],
)
def test_what_is_no_whole_row_is_left_to_who_has_words_for_it(body: bytes) -> None:
    assert READ.read(body, NOW) is None


def test_what_is_required_is_there_and_not_null() -> None:
    read = whole(spec({"required": ["rain"]}))
    sent = {"city": "x", "rain": None, "late_7d": 2, "count": 3}
    assert read.read(json.dumps(sent).encode(), NOW) is None
    assert read.read(json.dumps(sent | {"rain": 0}).encode(), NOW) is not None
    read = whole(spec({"required": ["basket"]}))  # which is no feature
    assert read.read(json.dumps(sent | {"rain": 0}).encode(), NOW) is None


def test_features_that_are_called_as_another_column_are_read_field_by_field() -> None:
    assert WholeRows.of(spec(basket={"from": "row", "column": "id", "kind": "category"}), EVENTS) is None
