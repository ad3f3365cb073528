"""The rules of a release say what is wrong with them."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from core.releasing import ReleaseRules


def test_by_default_the_traffic_is_handed_over_in_four_steps() -> None:
    rules = ReleaseRules()
    assert rules.steps == (0.01, 0.1, 0.5, 1.0)
    assert (rules.requests, rules.hold) == (1000, timedelta(minutes=10))


def test_all_at_once_is_a_release_too() -> None:
    assert ReleaseRules.model_validate({"steps": [1], "hold": "0s"}).steps == (1.0,)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"steps": []}, "no steps: the last step should be 1, all traffic"),
        ({"steps": [0.1, 0.5]}, "0.1, 0.5: the last step should be 1, all traffic"),
        ({"steps": [0.0, 1.0]}, "0, 1: the first step should be above 0"),
        ({"steps": [0.5, 0.1, 1]}, "0.5, 0.1, 1: the steps should rise, but 0.1 comes after 0.5"),
        ({"steps": [0.1, 0.1, 1]}, "0.1, 0.1, 1: the steps should rise, but 0.1 comes after 0.1"),
        ({"steps": [0.5, 1.5]}, "less than or equal to 1"),
        ({"requests": 5}, "greater than or equal to 100"),
        ({"prediction_shift": 0}, "greater than 0"),
        ({"confidence": 95}, "less than 1"),
        ({"request": 500}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_is_told(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ReleaseRules.model_validate(said)
