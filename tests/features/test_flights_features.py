"""The flights project's own features on real flights, each of a sample of rows worked out in plain Python."""

import importlib.util
import struct
import zipfile
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from core.prepare import prepare
from core.projects import Project, load
from core.settings import Settings
from core.spec import Derived, LocalTime, Lookup, PackageSource, RowFeature, Trailing
from core.types import read_as
from features.build import build

pytestmark = pytest.mark.slow

FIRST, LAST = datetime(2013, 2, 26, 5, tzinfo=UTC), datetime(2013, 3, 13, 4, tzinfo=UTC)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def project() -> Project:
    return load("flights", Settings())


@pytest.fixture(scope="module")
def tables(project: Project) -> dict[str, pl.DataFrame]:
    found: dict[str, pl.DataFrame] = {}
    for name in ("airports", "airlines", "planes", "weather", "flights"):
        rules = project.spec.datasets[name]
        assert isinstance(rules.source, PackageSource)
        package = importlib.util.find_spec(rules.source.package)
        assert package is not None and package.submodule_search_locations
        file = Path(package.submodule_search_locations[0]) / rules.source.file
        content = zipfile.ZipFile(file).read("flights.csv") if file.suffix == ".zip" else file.read_bytes()
        raw = pl.read_csv(content, infer_schema=False, null_values=["", "NA"])
        if name == "flights":
            raw = raw.filter(pl.col("month").is_in(["2", "3"]))
        typed = raw.select(read_as(column, pl.String(), kind) for column, kind in rules.columns.items())
        others = {other: table.lazy() for other, table in found.items()}
        found[name] = prepare(project, name, typed.with_row_index("row"), others)
    return {
        **found,
        "flights": found["flights"].filter(pl.col("scheduled_departure").is_between(FIRST, LAST)),
    }


def single(value: float | None) -> float | None:
    """The nearest 32-bit float."""
    return None if value is None else struct.unpack("f", struct.pack("f", value))[0]


def of_past(feature: Trailing, flight: Row, now: datetime, flights: list[Row]) -> float | None:
    values = []
    for other in flights:
        known = other[feature.known_at or "arrived_at"]
        if known is None or other[feature.value or ""] is None:
            continue
        decided = other["scheduled_departure"] - timedelta(hours=2)
        same = all(flight[column] is not None and other[column] == flight[column] for column in feature.by)
        if same and decided < known <= now and known > now - feature.over:
            values.append(other[feature.value or ""])
    return float(sum(map(Fraction, values)) / len(values)) if values else None


def of_table(feature: Lookup, flight: Row, now: datetime, table: list[Row], known_at: str | None) -> Any:
    newest: Row | None = None
    for row in table:
        if any(row[there] != flight[here] or row[there] is None for here, there in feature.by.items()):
            continue
        if known_at is None:
            return row[feature.column]
        in_time = row[known_at] <= now and (feature.within is None or row[known_at] >= now - feature.within)
        if in_time and (newest is None or row[known_at] > newest[known_at]):
            newest = row
    return newest and newest[feature.column]


def of_clock(feature: LocalTime, flight: Row) -> float:
    local = flight[feature.column].astimezone(ZoneInfo(feature.timezone))
    return local.isoweekday() if feature.part == "weekday" else local.hour * 60 + local.minute


def test_each_feature_is_what_looking_at_every_row_in_turn_gives(
    project: Project, tables: dict[str, pl.DataFrame]
) -> None:
    spec = project.spec
    march = spec.batches.calendar().batch("2013-03")
    frames = {name: table.lazy() for name, table in tables.items()}
    built = build(spec, march, frames.pop("flights"), frames, project.functions)
    rows = {name: table.to_dicts() for name, table in tables.items()}
    flights = rows["flights"]
    asked = [flight for flight in flights if march.start <= flight["scheduled_departure"] < march.end]
    assert built.height == len(asked) > 5000
    for place in range(7, built.height, built.height // 12):
        flight, found = asked[place], built.row(place, named=True)
        now = flight["scheduled_departure"] - timedelta(hours=2)
        for name, feature in spec.features.items():
            if isinstance(feature, RowFeature):
                expected = flight[feature.column]
            elif isinstance(feature, LocalTime):
                expected = of_clock(feature, flight)
            elif isinstance(feature, Lookup):
                known_at = spec.datasets[feature.dataset].known_at
                expected = of_table(feature, flight, now, rows[feature.dataset], known_at)
            elif isinstance(feature, Trailing):
                expected = of_past(feature, flight, now, flights)
            else:
                assert isinstance(feature, Derived) and name == "plane_age"
                made = of_table(feature.inputs["built"], flight, now, rows["planes"], None)  # type: ignore[arg-type]
                expected = None if made is None else march.start.year - made
            right = expected if isinstance(expected, str) else single(expected)
            assert found[name] == right, (name, place)
