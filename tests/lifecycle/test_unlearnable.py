"""A month that teaches nothing: the history is lived to its end, with the champion that was or that comes."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.errors import UnfitError
from core.settings import Settings

pytestmark = pytest.mark.slow

AS_OF = datetime(2014, 1, 1, tzinfo=UTC)
Inhabit = Callable[[Settings], AbstractContextManager[None]]


def forgetful(document: dict[str, Any]) -> None:
    """One family, tried anew after every batch, on no more than the month before."""
    document["training"] = {"families": ["linear"], "first_batches": 1, "window": "29d", "holdout": 0.3}
    document["gate"] = {"draws": 200, "gain": 0.1, "confidence": 0.6, "max_calibration_error": 0.5}
    document["monitoring"] = {"min_rows": 10, "every": 1}


def keep(settings: Settings, month: str, count: int) -> None:
    """Leave so many rows of a month's delivery."""
    path = settings.projects / "flights" / "delivered" / f"{month}.csv"
    pl.read_csv(path, infer_schema=False).head(count).write_csv(path)


def batches(page: Path) -> dict[str, Any]:
    """What became of each batch."""
    return {each["batch"]: each for each in json.loads((page.parent / "summary.json").read_text())["batches"]}


@pytest.fixture
def lived(make_project: Callable[..., Settings], inhabit: Inhabit) -> Callable[[range, str], dict[str, Any]]:
    """Lives through months of 2013, one of which teaches nothing: what became of each."""
    from flows.lifecycle import lifecycle

    def live(months: range, poor: str) -> dict[str, Any]:
        settings = make_project(months, share=2, edit=forgetful)
        keep(settings, poor, 600)
        with inhabit(settings):
            return batches(lifecycle("flights", AS_OF))

    return live


def test_the_champion_serves_on_when_a_month_teaches_nothing(
    lived: Callable[[range, str], dict[str, Any]],
) -> None:
    told = lived(range(3, 6), "2013-04")
    assert told["2013-03"]["retrained"] == "flights/1"
    assert (told["2013-04"]["decision"], told["2013-04"]["retrained"]) == ("retrain stateless", None)
    assert told["2013-05"]["champion"] == "flights/1"
    assert told["2013-05"]["baseline"] == {}  # no family but the champion's own was fitted


def test_where_no_champion_serves_yet_the_next_month_is_learnt_from(
    lived: Callable[[range, str], dict[str, Any]],
) -> None:
    told = lived(range(3, 5), "2013-03")
    assert (told["2013-03"]["retrained"], told["2013-04"]["retrained"]) == (None, "flights/1")


def test_where_none_comes_it_is_told_in_the_end(
    make_project: Callable[..., Settings], inhabit: Inhabit
) -> None:
    from flows.lifecycle import lifecycle

    settings = make_project(range(3, 4), share=2, edit=forgetful)
    keep(settings, "2013-03", 600)
    with inhabit(settings), pytest.raises(UnfitError, match="it takes at least 20: train on more batches"):
        lifecycle("flights", AS_OF)
    assert batches(settings.home / "reports/flights/lifecycle/index.html")["2013-03"]["accepted"] == 600
