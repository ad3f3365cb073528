"""What a proposal is made of holds for any values: bounds, patterns, and what is written as YAML."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import documents
from expectations.proposal import bounds
from expectations.proposal.draft import Entry, Section, scalar, written
from expectations.proposal.shapes import RANGES, Shapes, common, loose, pattern, shape

INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(INTEGERS, min_size=2, max_size=6) | st.lists(FLOATS, min_size=2, max_size=6))
def test_bounds_hold_for_what_they_were_found_on(values: list[Any]) -> None:
    low, high = bounds.least(values), bounds.greatest(values)
    assert low is None or low <= min(values)
    assert high is None or high >= max(values)
    if min(values) >= 0:
        assert low is None or low >= 0


@given(st.integers(-(10**12), 10**12) | st.floats(-1e12, 1e12), st.floats(1e-6, 1e6))
def test_rounding_goes_outward_and_not_far(value: Any, step: float) -> None:
    low, high = bounds.outward(value, step, ROUND_FLOOR), bounds.outward(value, step, ROUND_CEILING)
    room = max(1 if isinstance(value, int) else 0, step) + abs(value) * 1e-12
    assert value - room <= low <= value + abs(value) * 1e-15
    assert value - abs(value) * 1e-15 <= high <= value + room


def seen(texts: list[str], wild: bool) -> Shapes:
    """The shapes of some texts, as the profile finds them."""
    column = pl.Series("text", texts)
    backward = column.str.reverse()
    ends = common(column.min(), column.max()), common(backward.min(), backward.max())[::-1]  # type: ignore[arg-type]
    made = pl.select((loose if wild else shape)(pl.lit(column))).to_series()
    there = frozenset(span for span in RANGES if column.str.contains(f"[{span}]").any())
    return Shapes(frozenset(made), *ends, there if wild else frozenset())


CODES = st.from_regex(r"[A-Z]{2}-[0-9]{1,4}", fullmatch=True) | st.from_regex(
    r"N[0-9A-Z]{1,5}", fullmatch=True
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(TEXTS | CODES, min_size=1, max_size=5), min_size=2, max_size=4),
    st.booleans(),
)
def test_a_pattern_matches_all_that_it_was_found_on(batches: list[list[str]], wild: bool) -> None:
    rule = pattern([seen(texts, wild) for texts in batches])
    if rule is not None:
        for text in (text for texts in batches for text in texts):
            assert re.search(rule, text)
            assert pl.select(pl.lit(text).str.contains(rule)).item()


@pytest.mark.parametrize(
    ("batches", "rule"),
    [
        ([["N712JB", "N0EGMQ", "N9EA"], ["N12345", "N3EGAA", "N1XY"]], "^N[0-9A-Z]{3,5}$"),
        ([["AA-1", "BB-23"], ["CC-4", "DD-56"]], "^[A-Z]{2}-[0-9]{1,2}$"),
        ([["2013-01-02"], ["2014-11-12"]], "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        ([["[1].x^"], ["[2].y^"]], r"^\[[0-9]\]\.[a-z]\^$"),
        ([["short", "a long text, with words"], ["some other text.", "Ende"]], None),
        # What only one batch has is no form of all.
        ([["AA-1", "BB-23"], ["CC/4", "DD/56"]], None),
    ],
)
def test_a_form_is_what_every_batch_bears_out(batches: list[list[str]], rule: str | None) -> None:
    assert pattern([seen(texts, False) for texts in batches]) == rule


def test_hashes_have_a_form_without_shapes() -> None:
    one, other = ["3f2b-09ac", "00ff-1b2c"], ["a1b2-c3d4", "9999-0000"]
    assert pattern([seen(one, True), seen(other, True)]) == "^[0-9a-f]{4}-[0-9a-f]{4}$"


JSON = st.recursive(
    TEXTS | st.booleans() | st.integers() | FLOATS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, max_size=30), JSON, TEXTS)
def test_what_is_written_is_read_back(tmp_path: Path, values: list[str], value: Any, column: str) -> None:
    kwargs = {"column": column, "value_set": values, "other": value}
    entry = Entry("expect_x", "warning", kwargs, f"seen {column}\n{value}", allow_all_null=True)
    path = tmp_path / "suite.yaml"
    path.write_text(written("events", ["A header.", column], [Section(column, [entry])]), encoding="utf-8")
    read = documents.read(path).value
    assert read == {
        "name": "events",
        "version": 1,
        "expectations": [
            {"type": "expect_x", "severity": "warning", "kwargs": kwargs, "meta": {"allow_all_null": True}}
        ],
    }


@pytest.mark.parametrize(
    "text", ["NO", "true", "null", "~", "1e5", "010", "- a", "a: b", "a #b", "", " a", "é", "\x85"]
)
def test_a_text_stays_a_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(f"a: {scalar(text)}\n", encoding="utf-8")
    assert documents.read(path).value == {"a": text}
