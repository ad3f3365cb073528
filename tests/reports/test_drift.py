"""Evidently's page is written whatever the columns are, from a bounded sample, and says so."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.rows import Columns
from reports.monitoring.drift import SAMPLE, drift_page

pytestmark = pytest.mark.slow

ROWS = 6_000
NUMBERS = ("wind", "hour", "half", "infinite", "unseen", "constant", "gone", "<b>bold</b>")
CATEGORIES = ("carrier", "tail", "empty")


def frame(seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    wind = random.gamma(2 + seed, 5, ROWS).astype(np.float32)
    return pl.DataFrame(
        {
            "wind": wind,
            "hour": random.integers(5, 23, ROWS),
            "half": np.where(random.random(ROWS) < 0.5, np.nan, wind),
            "infinite": np.where(random.random(ROWS) < 0.1, np.inf, wind),
            "unseen": pl.Series([None] * ROWS, dtype=pl.Float32),
            "constant": pl.Series([3.0] * ROWS),
            "carrier": random.choice(["UA", "B6", "EV"], ROWS),
            "tail": [f"N{number}" for number in random.integers(0, 3_000, ROWS)],
            "empty": pl.Series([None] * ROWS, dtype=pl.String),
        }
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a month with every kind of awkward column."""
    path = tmp_path_factory.mktemp("drift") / "2013-05.html"
    assert drift_page(frame(1), frame(2), Columns(NUMBERS, CATEGORIES), path) == path
    assert path.stat().st_size < 5_000_000
    return path.read_text(encoding="utf-8")


def test_every_usable_column_is_shown(page: str) -> None:
    for name in ("wind", "hour", "half", "infinite", "carrier", "tail"):
        assert f"Drift in column '{name}'" in page


def test_what_evidently_cannot_show_is_left_out_by_name(page: str) -> None:
    head = page[: page.index("Left out") + 500]
    told = (
        "unseen (no values in the reference); constant (always 3.0); gone (not in the reference); "
        "&lt;b&gt;bold&lt;/b&gt; (not in the reference); empty (no values in the reference)."
    )
    assert told in head
    assert "Drift in column 'unseen'" not in page


def test_the_sample_is_bounded_and_said(page: str) -> None:
    assert f"{SAMPLE:,} of {ROWS:,} reference rows and {SAMPLE:,} of {ROWS:,} batch rows" in page
    missing = re.search(
        r"'half' missing values: Current.*?\"value\": \"([\d.]+)\", \"label\": \"Count\"", page
    )
    assert missing
    assert float(missing[1]) == pytest.approx(SAMPLE / 2, rel=0.06)


def test_rare_categories_are_pooled(page: str) -> None:
    assert "(other values)" in page
    assert len(set(re.findall(r'"N\d+"', page))) <= 20


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    assert not re.search(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="?(?:https?:)?//', page)


def test_with_nothing_to_show_there_is_still_a_page_that_says_so(tmp_path: Path) -> None:
    path = drift_page(frame(1), frame(2), Columns(("unseen", "gone"), ()), tmp_path / "page.html")
    assert "unseen (no values in the reference); gone (not in the reference)" in path.read_text()


def test_many_columns_stay_under_the_limit(tmp_path: Path) -> None:
    many = {f"wind_{place}": pl.col("wind") * (place + 1) for place in range(40)}
    before, now = frame(1).with_columns(**many), frame(2).with_columns(**many)
    path = drift_page(before, now, Columns(tuple(many), ()), tmp_path / "page.html")
    assert path.stat().st_size < 5_000_000
    assert "wind_39 (after the first 32 columns)" in path.read_text()
