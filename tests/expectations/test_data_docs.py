"""Great Expectations' own site shows the kept verdicts, those of the project's own expectations too."""

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from expectations.data_docs import build
from expectations.suites import Suite
from expectations.validate import validate


def told(page: Path) -> str:
    """What a person reads on a page."""
    body = page.read_text(encoding="utf-8").partition("<body")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def test_each_verdict_has_its_page(suite: Callable[..., Suite], tmp_path: Path) -> None:
    loaded = suite(
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "distance", "min_value": 1, "max_value": 6000},
        },
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "carrier", "value_set": {"$PARAMETER": "airlines.carrier"}},
        },
        {
            "type": "expect_column_median_to_be_between",
            "severity": "info",
            "kwargs": {"column": "distance", "max_value": 1},
        },
    )
    frame = pl.DataFrame(
        {
            "row": pl.Series([0, 1, 2], dtype=pl.UInt32),
            "distance": [500, -5, None],
            "carrier": ["AA", "<script>alert(1)", "AA"],
        }
    )
    document = validate(frame, loaded, {"airlines.carrier": ["AA"]}).document
    kept = json.loads(json.dumps(document))
    kept["results"] += [
        {
            "type": "expect_short_hop",
            "kwargs": {"column": "distance", "most": 900},
            "severity": "warning",
            "holds": False,
            "success": False,
            "result": {"element_count": 3, "unexpected_count": 1, "partial_unexpected_list": [1234]},
        },
        {"type": "expect_later", "kwargs": {}, "severity": "info", "why": "not judged: no value yet"},
    ]
    stopped = {**kept, "stopped": True}
    index = build({"flights/2013-01": kept, "flights/2013-02": stopped, "flüge/a b": kept}, tmp_path / "site")
    pages = {
        unquote(str(page.relative_to(index.parent)))
        for page in (index.parent / "validations").rglob("*.html")
    }
    assert pages == {
        f"validations/{name}.html" for name in ("flights/2013-01", "flights/2013-02", "flüge/a b")
    }
    listed = index.read_text(encoding="utf-8")
    assert "validations/flights/2013-01.html" in listed and "validations/flights/2013-02.html" in listed
    first = told(index.parent / "validations" / "flights" / "2013-01.html")
    assert "-5" in first and "airlines.carrier" in first and "most 900" in first and "1234" in first
    assert "Status: Succeeded" in first
    assert "Status: Failed" in told(index.parent / "validations" / "flights" / "2013-02.html")
    assert "<script>alert(1)" in first
    assert "<script>alert(1)" not in (index.parent / "validations/flights/2013-01.html").read_text("utf-8")
