"""Deliveries without rows, and deliveries that are gone."""

import shutil
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from core.errors import DeliveryError


def test_a_file_without_rows_empties_the_batch_of_its_name(
    depot: Any, make_trips: Callable[..., pl.DataFrame]
) -> None:
    source = {"kind": "files", "path": "inbox/{batch}.csv"}
    depot.spec(lambda document: document["datasets"]["trips"].update(source=source))
    for day in (1, 2, 3):
        depot.deliver(f"2013-03-0{day}.csv", make_trips(day * 10, 4, day=day))
    assert depot.take_in()["2013-03-02"].accepted == 4
    depot.deliver("2013-03-02.csv", make_trips(0, 0))
    found = depot.take_in()
    assert [found[f"2013-03-0{day}"].received for day in (1, 2, 3)] == [4, 0, 4]
    assert depot.open().lake.scan("raw/trips", ["2013-03-02"]).collect().is_empty()


def test_rows_that_are_neither_staged_nor_at_their_source_are_asked_for(
    depot: Any, make_trips: Callable[..., pl.DataFrame]
) -> None:
    path = depot.deliver("a.csv", make_trips(0, 4))
    depot.take_in()
    path.unlink()
    shutil.rmtree(depot.settings.staging)
    depot.deliver("b.csv", make_trips(10, 4))
    with pytest.raises(DeliveryError, match=r"inbox/a\.csv: its rows are no longer in .*: deliver it again"):
        depot.take_in()
    depot.deliver("a.csv", make_trips(0, 4))
    assert depot.take_in()["2013-03-01"].accepted == 8
