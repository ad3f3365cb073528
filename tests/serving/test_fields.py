"""How the fields of a row are read: as columns of the events, as features, and as whom the row is about."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
import yaml

from core.spec import Spec
from serving.request.columns import decided, features_of, texts, typed
from serving.request.fields import Fields, Malformed, instant
from tests.serving.shop import CHANGES
from tests.stages.orders import SPEC

NOW = datetime(2013, 6, 1, tzinfo=UTC)
EVENTS = pl.Schema(
    {
        "id": pl.Int64(),
        "basket": pl.Int64(),
        "at": pl.Datetime("us", "UTC"),
        "city": pl.String(),
        "rain": pl.Float64(),
        "load": pl.Float64(),
    }
)


def fields(**serving: Any) -> Fields:
    return Fields(spec(**serving), EVENTS)


def spec(**serving: Any) -> Spec:
    document = yaml.safe_load(SPEC) | {"serving": serving}
    for section in ("datasets", "features"):
        document[section] |= CHANGES[section]
    return Spec.model_validate(document)


def faults(read: Fields, *rows: Any) -> list[tuple[int, str]]:
    with pytest.raises(Malformed) as found:
        read.rows(rows, NOW)
    return [(fault.row, fault.field) for fault in found.value.faults]


def test_a_row_is_read_as_columns_and_as_features() -> None:
    sent = {"id": 3.0, "rain": 0.1, "city": "Bergen", "late_7d": 0.5, "at": "2013-05-28T12:00:00+02:00"}
    (row,) = fields().rows([sent], NOW)
    assert row.held["id"] == 3 and type(row.held["id"]) is int
    assert row.held["at"] == 1_369_735_200_000_000
    assert row.given == {"city": "Bergen", "rain": 0.10000000149011612, "late_7d": 0.5}
    assert row.decision_time == NOW
    (row,) = fields().rows([{"decision_time": "2013-05-28T12:00:00+02:00"}], NOW)
    assert row.decision_time == datetime(2013, 5, 28, 10, tzinfo=UTC)


def test_what_is_required_has_to_be_there_in_each_row() -> None:
    read = fields(required=["rain", "founded"])
    assert faults(read, {"rain": 1.0, "founded": 5.0}, {"rain": None}, {}) == [
        (1, "rain"),
        (1, "founded"),
        (2, "rain"),
        (2, "founded"),
    ]
    good = pl.DataFrame({"rain": [1.0], "founded": [5.0]})
    full = good.with_columns(city=pl.lit("x"), **dict.fromkeys(spec().features.keys() - {"city"}, 1.0))
    assert features_of(spec(required=["rain"]), full).width == len(spec().features)
    for lacking in (full.with_columns(rain=pl.lit(None, pl.Float64)),):
        with pytest.raises(Malformed):
            features_of(spec(required=["rain"]), lacking)


def test_no_more_is_told_than_can_be_read_and_the_rest_is_not_looked_at() -> None:
    read = fields()
    assert len(faults(read, {f"field {place} {'x' * 300}": 1 for place in range(50_000)})) == 100
    assert len(faults(read, *[{"rain": "wet", "load": "wet"}] * 5_000)) == 100
    with pytest.raises(Malformed) as found:
        read.rows([{"x" * 100_000: 1}, {"city": ["y" * 100_000]}], NOW)
    assert all(len(fault.field) <= 200 and len(fault.reason) <= 200 for fault in found.value.faults)


@pytest.mark.parametrize("held", [-(2**62), 2**62, 253_402_300_800_000_000, -62_135_596_800_000_001])
def test_an_instant_that_no_year_has_is_told(held: int) -> None:
    with pytest.raises(Exception, match="should lie in the years from 1 to 9999"):
        instant(held, NOW)


def test_whom_a_row_is_about_is_one_text_however_it_was_sent() -> None:
    rules = {"entity": ["basket", "city"]}
    read, columns = fields(**rules), tuple(rules["entity"])
    expected = '[487,"Bergen"]'
    for basket in (487, 487.0):
        (row,) = read.rows([{"basket": basket, "city": "Bergen"}], NOW)
        assert read.entity(row, row.given) == expected
    for dtype in (pl.Int16, pl.UInt64, pl.Float64, pl.Float32):
        sent = pl.DataFrame({"basket": pl.Series([487], dtype=dtype), "city": ["Bergen"]})
        assert texts(columns, typed(read.dtypes, sent)) == [expected]
    (row,) = read.rows([{"city": "Bergen"}], NOW)
    assert read.entity(row, row.given) is None
    assert texts(columns, pl.DataFrame({"city": ["Bergen"]})) is None


def test_the_instants_of_columns_are_filled_and_not_later_than_now() -> None:
    assert decided(pl.DataFrame({"x": [1, 2]}), NOW).to_list() == [NOW, NOW]
    earlier = datetime(2013, 5, 1, tzinfo=UTC)
    sent = typed(fields().dtypes, pl.DataFrame({"decision_time": [None, earlier]}))
    assert decided(sent, NOW).to_list() == [NOW, earlier]
    late = typed(fields().dtypes, pl.DataFrame({"decision_time": [earlier, NOW.replace(year=2014)]}))
    with pytest.raises(Malformed) as found:
        decided(late, NOW)
    assert (found.value.faults[0].row, found.value.faults[0].field) == (1, "decision_time")


def test_columns_are_features_only_where_no_name_means_another_column() -> None:
    names = [*spec().features, "basket"]
    assert fields().give_all(names) and not fields().give_all(names[1:])
    named = spec()
    weekday = Fields(named, pl.Schema({**EVENTS, "weekday": pl.Int64()}))
    assert not weekday.give_all(names)  # a column of the events, which the feature is not made of
