"""A month that teaches nothing: the champion serves on, the history is lived to its end."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from core.errors import UnfitError
from core.settings import Settings
from stages.workspace import open_workspace

pytestmark = pytest.mark.slow

AS_OF = datetime(2014, 1, 1, tzinfo=UTC)
Inhabit = Callable[[Settings], AbstractContextManager[None]]


def forgetful(document: dict[str, Any]) -> None:
    """One family, tried anew after every batch, on no more than the month before."""
    document["training"] = {"families": ["linear"], "first_batches": 1, "window": "29d"}
    document["gate"] = {"draws": 200, "confidence": 0.6, "max_calibration_error": 0.5}
    document["monitoring"] = {"min_rows": 10, "every": 1}


def keep(settings: Settings, month: str, count: int) -> None:
    """Leave so many rows of a month's delivery."""
    path = settings.projects / "flights" / "delivered" / f"{month}.csv"
    pl.read_csv(path, infer_schema=False).head(count).write_csv(path)


def test_the_champion_serves_on_when_a_month_teaches_nothing(
    make_project: Callable[..., Settings], inhabit: Inhabit
) -> None:
    from flows.lifecycle import lifecycle

    settings = make_project(range(3, 6), share=10, edit=forgetful)
    keep(settings, "2013-04", 40)
    with inhabit(settings):
        page = lifecycle("flights", AS_OF)
        champion = open_workspace("flights").champion(AS_OF)
    told = {each["batch"]: each for each in json.loads((page.parent / "summary.json").read_text())["batches"]}
    assert told["2013-04"]["decision"] == "retrain"
    assert told["2013-05"]["champion"] == told["2013-04"]["champion"] == "flights/1"
    assert champion is not None


def test_where_no_champion_serves_it_is_an_error(
    make_project: Callable[..., Settings], inhabit: Inhabit
) -> None:
    from flows.lifecycle import lifecycle

    settings = make_project(range(3, 4), share=10, edit=forgetful)
    keep(settings, "2013-03", 40)
    with inhabit(settings), pytest.raises(UnfitError, match="it takes at least 20: train on more batches"):
        lifecycle("flights", AS_OF)
