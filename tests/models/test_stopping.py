"""A fit is stopped by what its margins tell, not by how near they come to a new share of the positives."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models.families.lightgbm import fit
from models.family import Job
from models.measures.probabilities import auc
from models.problems.binary import Binary
from models.rows import Columns, Rows

COLUMNS = Columns(("a", "b", "c", "d"), ())


def rows(count: int, seed: int, base: float) -> Rows:
    """Rows whose log-odds are a sum over all numbers, and `base`."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(count, 4)).astype(np.float32)
    odds = numbers.sum(1) + base
    start = datetime(2013, 1, 1, tzinfo=UTC)
    times = pl.Series([start + timedelta(hours=row) for row in range(count)], dtype=pl.Datetime("us", "UTC"))
    labels = (random.random(count) < 1 / (1 + np.exp(-odds))).astype(float)
    return Rows(pl.DataFrame(numbers, schema=list(COLUMNS.numbers)), labels, times)


@pytest.mark.slow
def test_trees_learn_as_much_where_positives_have_become_frequent() -> None:
    train, later = rows(3000, 1, -3.0), rows(3000, 2, 2.0)
    found = []
    for validation in (rows(600, 3, -3.0), rows(600, 3, 2.0)):
        job = Job(Binary(), COLUMNS, train, validation, {"min_data_in_leaf": 10}, 1)
        found.append(auc(later.labels, fit(job).margins(later.frame)[:, 0]))
    assert found[1] > found[0] - 0.01
