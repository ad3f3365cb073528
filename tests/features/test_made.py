"""What features are made of: how far back, and which changes matter to which feature."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from core.spec import Spec
from features.made import MadeOf, horizon, look_back, made_of

MakeSpec = Callable[..., Spec]

PLANE = {"from": "row", "column": "plane", "kind": "category"}
RATE = {"from": "trailing", "by": ["plane"], "value": "late", "statistic": "mean", "over": "12h"}
SMOOTH = {"from": "target_rate", "by": ["plane"], "over": "7d", "weight": 3}
LAST = {"from": "lag", "by": ["plane"], "value": "delay"}
WIND = {
    "from": "lookup",
    "dataset": "weather",
    "column": "wind",
    "kind": "number",
    "by": {"plane": "at"},
    "within": "6h",
}
BUILT = {"from": "lookup", "dataset": "planes", "column": "built", "kind": "number", "by": {"plane": "plane"}}
AGE = {"from": "function", "function": "age", "kind": "number", "inputs": {"built": BUILT}}
RISK = {"from": "expression", "expression": "rate * wind"}
FUNCTIONS = {"age": lambda: pl.col("departs").dt.year() - pl.col("built")}
ALLOWANCE = timedelta(days=1, hours=2)  # the outcome's maturity and the decision's lead


def test_rows_matter_as_far_back_as_the_longest_window_and_facts_that_were_known_late(spec: MakeSpec) -> None:
    assert look_back(spec(plane=PLANE), "trips") == timedelta(0)
    assert look_back(spec(rate=RATE, smooth=SMOOTH, wind=WIND), "trips") == timedelta(days=7) + ALLOWANCE
    assert look_back(spec(rate=RATE, wind=WIND), "weather") == timedelta(hours=6) + ALLOWANCE
    assert look_back(spec(rate=RATE), "weather") == timedelta(0)


@pytest.mark.parametrize("last", [LAST, {**WIND, "within": None}, BUILT])
def test_without_a_tolerance_all_rows_may_matter(spec: MakeSpec, last: dict[str, Any]) -> None:
    dataset = last.get("dataset", "trips")
    assert look_back(spec(rate=RATE, last=last), dataset) is None
    derived = {**AGE, "inputs": {"built": last}}
    assert look_back(spec(rate=RATE, age=derived), dataset) is None


def test_the_horizon_is_the_longest_of_what_is_cut_into_batches(spec: MakeSpec) -> None:
    assert horizon(spec(rate=RATE, built=BUILT)) == timedelta(hours=12) + ALLOWANCE
    assert horizon(spec(rate=RATE, last=LAST)) is None
    declared = spec(rate=RATE, wind={**WIND, "within": "9d"})
    cut = declared.datasets["weather"].model_copy(update={"event_time": "seen"})
    declared = declared.model_copy(update={"datasets": {**declared.datasets, "weather": cut}})
    assert horizon(declared) == timedelta(days=9) + ALLOWANCE


def of(spec: Spec) -> dict[str, MadeOf]:
    return {name: made_of(spec, name, FUNCTIONS) for name in spec.features}


DECLARED = {"plane": PLANE, "rate": RATE, "wind": WIND, "age": AGE, "risk": RISK}


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"plane": {**PLANE, "column": "trip"}}, {"plane"}),
        ({"rate": {**RATE, "over": "13h"}}, {"rate", "risk"}),
        ({"wind": {**WIND, "column": "gust"}}, {"wind", "risk"}),
        ({"age": {**AGE, "inputs": {"built": {**BUILT, "column": "made"}}}}, {"age"}),
        ({"risk": {**RISK, "expression": "rate + wind"}}, {"risk"}),
        ({"more": RATE}, set()),
    ],
)
def test_a_changed_declaration_touches_what_reads_it(
    spec: MakeSpec, change: dict[str, Any], touched: set[str]
) -> None:
    before, after = of(spec(**DECLARED)), of(spec(**{**DECLARED, **change}))
    assert {name for name in DECLARED if before[name] != after[name]} == touched


def test_a_changed_outcome_touches_what_is_made_of_the_past(spec: MakeSpec) -> None:
    before = spec(**DECLARED)
    outcome = before.outcome.model_copy(update={"known_at": "landed"})
    after = before.model_copy(update={"outcome": outcome})
    assert {name for name in DECLARED if of(before)[name] != of(after)[name]} == {"rate", "risk"}


def test_it_says_what_data_and_code_a_feature_reads(spec: MakeSpec) -> None:
    found, none = of(spec(**DECLARED)), timedelta(0)
    assert {name: (it.functions, dict(it.back)) for name, it in found.items()} == {
        "plane": (False, {"trips": none}),
        "rate": (False, {"trips": timedelta(hours=12) + ALLOWANCE}),
        "wind": (False, {"trips": none, "weather": timedelta(hours=6) + ALLOWANCE}),
        "age": (True, {"trips": none, "planes": None}),
        "risk": (
            False,
            {"trips": timedelta(hours=12) + ALLOWANCE, "weather": timedelta(hours=6) + ALLOWANCE},
        ),
    }
