"""The manifest knows each delivery for what it is: new, replaced, withdrawn, or delivered before."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.contents import Content
from core.sources.manifest import Delivered, Manifest, Part

AS_OF = datetime(2013, 4, 1, tzinfo=UTC)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Manifest(f"sqlite:///{tmp_path / 'registry.db'}", "trips")


def delivered(name: str, digest: str, rows: int = 3, placed_by: str = "rules") -> Delivered:
    return Delivered(
        name=name,
        mark=f"{name} of {digest}",
        batch=None,
        digest=digest,
        size=100,
        rows=rows,
        staged=f"{digest}.parquet",
        read_by="columns",
        placed_by=placed_by,
        as_of=AS_OF,
    )


def part(digest: str, batch: str, rows: int, placed_by: str = "rules") -> Part:
    return Part(digest, placed_by, batch, Content(rows, rows * 7), 0, rows - 1)


def test_a_batch_is_the_sum_of_the_parts_of_all_its_deliveries(manifest: Manifest) -> None:
    manifest.add("trips", delivered("a", "1"), [part("1", "2013-01", 2), part("1", "2013-02", 1)])
    manifest.add("trips", delivered("late", "2"), [part("2", "2013-01", 4)])
    assert manifest.contents("trips", ["2013-01", "2013-02", "2013-03"]) == {
        "2013-01": Content(6, 42),
        "2013-02": Content(1, 7),
        "2013-03": Content(),
    }
    assert [(each.name, each.staged) for each in manifest.parts("trips", "2013-01")] == [
        ("a", "1.parquet"),
        ("late", "2.parquet"),
    ]


def test_the_order_of_delivery_does_not_change_a_batch(manifest: Manifest, tmp_path: Path) -> None:
    other = Manifest(f"sqlite:///{tmp_path / 'other.db'}", "trips")
    both = [("b", "2", 4), ("a", "1", 2)]
    for name, digest, rows in both:
        manifest.add("trips", delivered(name, digest), [part(digest, "2013-01", rows)])
    for name, digest, rows in reversed(both):
        other.add("trips", delivered(name, digest), [part(digest, "2013-01", rows)])
    assert manifest.parts("trips", "2013-01") == other.parts("trips", "2013-01")


def test_a_replaced_delivery_counts_no_longer_and_stays_in_the_history(manifest: Manifest) -> None:
    manifest.add("trips", delivered("a", "1"), [part("1", "2013-01", 2)])
    manifest.add("trips", delivered("a", "2"), [part("2", "2013-02", 5)])
    assert manifest.contents("trips", ["2013-01", "2013-02"]) == {
        "2013-01": Content(),
        "2013-02": Content(5, 35),
    }
    assert [(each.digest, each.present) for each in manifest.history("trips")] == [("1", False), ("2", True)]


def test_what_was_replaced_may_come_back(manifest: Manifest) -> None:
    for digest in ("1", "2", "1"):
        manifest.add("trips", delivered("a", digest), [part(digest, "2013-01", int(digest))])
    assert manifest.contents("trips", ["2013-01"])["2013-01"] == Content(1, 7)
    assert len(manifest.history("trips")) == 3


def test_the_same_content_under_two_names_is_received_once(manifest: Manifest) -> None:
    manifest.add("trips", delivered("a", "1"), [part("1", "2013-01", 2)])
    manifest.add("trips", delivered("copy of a", "1"), [part("1", "2013-01", 2)])
    assert manifest.contents("trips", ["2013-01"])["2013-01"] == Content(2, 14)
    assert len(manifest.parts("trips", "2013-01")) == 1
    assert {name: each.repeats for name, each in manifest.present("trips").items()} == {
        "a": None,
        "copy of a": "a",
    }


def test_a_copy_stands_in_once_the_first_is_replaced(manifest: Manifest) -> None:
    manifest.add("trips", delivered("a", "1"), [part("1", "2013-01", 2)])
    manifest.add("trips", delivered("copy of a", "1"), [part("1", "2013-01", 2)])
    manifest.add("trips", delivered("a", "2"), [part("2", "2013-01", 3)])
    assert manifest.contents("trips", ["2013-01"])["2013-01"].rows == 5
    assert manifest.present("trips")["copy of a"].repeats is None


def test_the_same_delivery_again_changes_its_mark_alone(manifest: Manifest) -> None:
    manifest.add("trips", delivered("a", "1"), [part("1", "2013-01", 2)])
    manifest.add("trips", replace(delivered("a", "1"), mark="touched"), [part("1", "2013-01", 2)])
    assert [each.mark for each in manifest.history("trips")] == ["touched"]


def test_rows_that_are_placed_by_other_rules_replace_the_old_places(manifest: Manifest) -> None:
    manifest.add("trips", delivered("a", "1"), [part("1", "2013-01", 2)])
    manifest.add("trips", delivered("a", "1", placed_by="new"), [part("1", "2013-02", 2, "new")])
    assert manifest.contents("trips", ["2013-01", "2013-02"]) == {
        "2013-01": Content(),
        "2013-02": Content(2, 14),
    }


def test_what_is_withdrawn_counts_no_longer(manifest: Manifest) -> None:
    manifest.add("trips", delivered("a", "1"), [part("1", "2013-01", 2)])
    manifest.withdraw("trips", ["a"])
    assert manifest.present("trips") == {}
    assert manifest.contents("trips", ["2013-01"])["2013-01"] == Content()


def test_projects_and_datasets_do_not_meet(manifest: Manifest, tmp_path: Path) -> None:
    other = Manifest(f"sqlite:///{tmp_path / 'registry.db'}", "other")
    manifest.add("trips", delivered("a", "1"), [part("1", "2013-01", 2)])
    assert other.present("trips") == {} == manifest.present("cities")


def test_many_may_enter_the_same_delivery_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"

    def enter(_: int) -> None:
        Manifest(url, "trips").add("trips", delivered("a", "1"), [part("1", "2013-01", 2)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(16)))
    assert len(Manifest(url, "trips").history("trips")) == 1
    assert Manifest(url, "trips").contents("trips", ["2013-01"])["2013-01"] == Content(2, 14)
