"""What a spec's features may be declared as, and what is said where a declaration cannot be."""

from collections.abc import Callable
from typing import Any

import pytest

from core.errors import SpecError
from core.projects import Project
from core.spec import Expression, Lag, TargetRate, Trailing

PAST = {"from": "trailing", "by": ["city"], "over": "7d"}
LAG = {"from": "lag", "by": ["city"], "value": "paid"}
RATE = {"from": "target_rate", "by": ["city"], "over": "7d", "weight": 20}
SQL = {"from": "expression", "expression": "paid / founded"}


def adding(**features: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["features"].update(features)


def test_what_is_declared_rightly_is_read(make_trips: Callable[..., Project]) -> None:
    features = make_trips(
        adding(
            n={**PAST, "statistic": "count"},
            since={**PAST, "statistic": "since_last", "value": "paid"},
            high={**PAST, "statistic": "quantile", "quantile": 0.9, "value": "paid"},
            kinds={**PAST, "statistic": "distinct", "value": "city"},
            share={**PAST, "statistic": "rate", "value": "late"},
            smooth=RATE,
            last=LAG,
            word={**LAG, "value": "city", "kind": "category", "back": 3, "within": "2d"},
            sin={"from": "time", "column": "at", "part": "month", "timezone": "UTC", "cycle": "sin"},
            sql=SQL,
        )
    ).spec.features
    high, last, sql, smooth = (features[name] for name in ("high", "last", "sql", "smooth"))
    assert isinstance(high, Trailing) and high.quantile == 0.9
    assert isinstance(last, Lag) and (last.back, last.within, last.kind) == (1, None, "number")
    assert isinstance(smooth, TargetRate) and smooth.weight == 20.0
    assert isinstance(sql, Expression) and sql.kind == "number"


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ({**PAST, "statistic": "mean"}, "`statistic: mean` needs the column"),
        (
            {**PAST, "statistic": "quantile", "value": "paid"},
            "`statistic: quantile` goes with `quantile: 0.9`",
        ),
        (
            {**PAST, "statistic": "mean", "value": "paid", "quantile": 0.5},
            "`statistic: quantile` goes with `quantile: 0.9`",
        ),
        ({**PAST, "statistic": "quantile", "value": "paid", "quantile": 1.5}, "quantile: should be"),
        ({**PAST, "statistic": "median", "value": "paid"}, "statistic: "),
        (
            {**PAST, "statistic": "rate", "value": "paid"},
            "features.x.value: the column 'paid' of 'trips' is delivered as float: it should be a boolean",
        ),
        (
            {**PAST, "statistic": "sum", "value": "city"},
            "is delivered as string: it should be a float or an integer or a boolean",
        ),
        ({**PAST, "statistic": "count", "by": []}, "features.x.by: names no column"),
        (
            {**PAST, "statistic": "count", "by": ["late"]},
            "reads 'late' of the event itself, which is not known",
        ),
        ({**PAST, "statistic": "count", "known_at": "paid"}, "delivered as float: it should be a datetime"),
        (
            {**LAG, "value": "payd"},
            "delivers no column 'payd', and has no `prepare` to add it; did you mean 'paid'",
        ),
        ({**LAG, "back": 0}, "back: should be"),
        ({**RATE, "weight": 0}, "weight: should be"),
        ({**RATE, "by": ["town"]}, "delivers no column 'town'"),
        ({**SQL, "expression": "paid - AVG(paid)"}, "expression: reads other rows than the event's own"),
        ({**SQL, "expression": "paid +"}, "expression: is no SQL expression"),
        ({**SQL, "expression": "paid + late"}, "expression: reads 'late' of the event itself"),
        ({**SQL, "expression": "payd + 1"}, "expression: dataset 'trips' delivers no column 'payd'"),
        ({**SQL, "expression": "x + 1"}, "reads the feature 'x', which is itself made of others"),
        ({"from": "row", "column": "late", "kind": "number"}, "reads 'late' of the event itself"),
    ],
)
def test_what_cannot_be_is_said(
    make_trips: Callable[..., Project], feature: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecError) as caught:
        make_trips(adding(x=feature))
    found = str(caught.value).splitlines()
    assert len(found) == 1 and said in found[0], found
