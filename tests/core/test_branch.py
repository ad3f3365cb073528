"""A branch reads the trunk's tables as they were, and writes to none of them."""

from pathlib import Path

import polars as pl
import pytest

from core.branch import Branch
from core.errors import IntegrityError
from core.lake import Lake


def rows(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"id": list(values)})


def ids(lake: Lake, table: str, batches: list[str] | None = None) -> list[int]:
    return sorted(lake.scan(table, batches).collect()["id"].to_list())


@pytest.fixture
def trunk(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "trunk"), "shop")
    lake.write("features", "a", rows(1, 2))
    lake.write("predictions", "a", rows(7))
    return lake


@pytest.fixture
def branch(trunk: Lake, tmp_path: Path) -> Branch:
    return Branch(str(tmp_path / "own"), "shop", trunk, {"features": trunk.version("features")})


def test_it_reads_the_version_that_was_pinned_whatever_came_since(trunk: Lake, branch: Branch) -> None:
    then = trunk.version("features")
    trunk.write("features", "a", rows(8, 9))
    trunk.write("features", "b", rows(3))
    assert ids(branch, "features") == [1, 2]
    assert branch.version("features") == branch.open("features").version() == then
    assert ids(trunk, "features") == [3, 8, 9]


def test_an_older_version_may_be_asked_for(trunk: Lake, branch: Branch) -> None:
    trunk.write("features", "a", rows(8))
    newer = Branch(branch.root, "shop", trunk, {"features": trunk.version("features")})
    assert ids(newer, "features") == [8]
    older = newer.scan("features", ["a"], branch.version("features")).collect()
    assert older["id"].to_list() == [1, 2]


def test_no_borrowed_table_is_written_to(trunk: Lake, branch: Branch) -> None:
    before = trunk.version("features")
    with pytest.raises(IntegrityError, match="features: a branch reads this table and does not write to it"):
        branch.write("features", "a", rows(5))
    assert (trunk.version("features"), ids(trunk, "features")) == (before, [1, 2])


def test_all_other_tables_are_its_own(trunk: Lake, branch: Branch) -> None:
    assert not branch.exists("predictions")
    with pytest.raises(IntegrityError, match="no such table yet"):
        branch.scan("predictions")
    branch.write("predictions", "a", rows(5))
    branch.write("predictions", "a", rows(6))
    assert ids(branch, "predictions") == [6]
    assert ids(trunk, "predictions") == [7]
    assert branch.exists("features")
