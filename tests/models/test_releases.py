"""Releases name versions and shares, keep a user on one side, and leave a record of every change."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from core.errors import IntegrityError, PerennialError
from models.registry.registry import Lineage, Registry, Version
from models.registry.releases import Part, Release, parts_of
from models.registry.releasing import release
from models.registry.snapshot import Snapshot

APRIL = datetime(2013, 4, 1, 4, tzinfo=UTC)
USERS = [f'["user {number}"]' for number in range(4_000)]


def made(*others: Part) -> Release:
    return Release(parts_of("shop/1", *others), "release", APRIL, "tests", "why", {})


def side(of: Release) -> set[str]:
    return {user for user in USERS if of.part_for(user).version != "shop/1"}


@pytest.fixture
def registry(database: str, tmp_path: Path) -> Registry:
    return Registry(database, tmp_path / "store")


def registered(registry: Registry, folder: Path, count: int) -> list[Version]:
    folder.mkdir(exist_ok=True)
    (folder / "float32.onnx").write_text("graph")
    return [
        registry.register("shop", "linear", folder, {}, Lineage({}, (), APRIL, "", "", {}, seed, APRIL))
        for seed in range(count)
    ]


def crowned(registry: Registry, version: Version, over: Version | None = None, day: int = 0) -> Version:
    at = APRIL + timedelta(days=day)
    return registry.promote(version, over=over, why="better", evidence={"gate": 1}, at=at, by="tests")


def trial(registry: Registry, *others: Part, day: int = 1, over: Release | None = None) -> Release:
    at, present = APRIL + timedelta(days=day), over or registry.releases("shop")[-1]
    return release(registry, "shop", *others, over=present, action="canary", why="new", at=at, by="tests")


@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=5).map(sorted))
def test_who_is_on_the_side_of_a_canary_stays_there_as_its_share_grows(shares: Sequence[float]) -> None:
    sides = [side(made(Part("shop/2", "canary", share))) for share in shares]
    for smaller, larger in pairwise(sides):
        assert smaller <= larger


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_share_is_that_of_the_users(share: float) -> None:
    found = len(side(made(Part("shop/2", "canary", share)))) / len(USERS)
    assert abs(found - share) < 4 * (share * (1 - share) / len(USERS)) ** 0.5


def test_another_trial_falls_on_other_users() -> None:
    one, other = (side(made(Part(version, "canary", 0.5))) for version in ("shop/2", "shop/3"))
    assert 0.2 < len(one & other) / len(USERS) < 0.3


def test_shadows_answer_nobody() -> None:
    shadowed = made(Part("shop/2", "shadow", 1.0), Part("shop/3", "shadow", 0.5))
    assert not side(shadowed)
    assert all(shadowed.shadows_for(user)[0].version == "shop/2" for user in USERS)
    assert 0.45 < sum(len(shadowed.shadows_for(user)) == 2 for user in USERS) / len(USERS) < 0.55


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([Part("shop/2", "canary", 0.1), Part("shop/3", "test", 0.1)], "one version answers beside"),
        ([Part("shop/2", "canary", 0.1), Part("shop/2", "shadow", 0.1)], "names a version once"),
        ([Part("shop/1", "canary", 0.1)], "names a version once"),
        ([Part("shop/2", "canary", 0.0)], "above 0 and up to 1"),
        ([Part("shop/2", "shadow", 1.5)], "above 0 and up to 1"),
        ([Part("shop/2", "canary", 1.0)], "promote it instead"),
        ([Part("shop/2", "champion", 0.5)], "one champion"),
    ],
)
def test_what_is_no_release_is_refused(others: list[Part], why: str) -> None:
    with pytest.raises(PerennialError, match=why):
        made(*others)


def test_a_release_is_read_as_it_was_decided(registry: Registry, tmp_path: Path) -> None:
    first, second, third = registered(registry, tmp_path / "files", 3)
    crowned(registry, first)
    parts = (Part(second.id, "test", 0.25), Part(third.id, "shadow", 1.0))
    told = {"metric": "loss"}
    entered = release(
        registry,
        "shop",
        *parts,
        over=registry.releases("shop")[-1],
        action="test",
        why="which one?",
        at=APRIL,
        by="tests",
        evidence={"asked": "by hand"},
        test=told,
    )
    for seen in (registry, Snapshot(registry)):
        assert seen.releases("shop")[-1] == entered
    assert entered.versions == (first.id, second.id, third.id)
    assert (entered.test, entered.evidence) == (told, {"asked": "by hand"})
    assert str(entered) == "75% shop/1, 25% shop/2 (test), 100% shop/3 (shadow)"


def test_each_change_of_champion_is_a_release_of_its_own_and_ends_what_was_on_trial(
    registry: Registry, tmp_path: Path
) -> None:
    first, second, third = registered(registry, tmp_path / "files", 3)
    crowned(registry, first)
    trial(registry, Part(second.id, "canary", 0.1))
    crowned(registry, third, over=first, day=2)
    registry.rollback("shop", why="worse", at=APRIL + timedelta(days=3), by="tests")
    told = [(each.action, str(each)) for each in registry.releases("shop")]
    assert told == [
        ("promote", "100% shop/1"),
        ("canary", "90% shop/1, 10% shop/2 (canary)"),
        ("promote", "100% shop/3"),
        ("rollback", "100% shop/1"),
    ]


def test_crowning_the_champion_again_leaves_its_canary(registry: Registry, tmp_path: Path) -> None:
    first, second = registered(registry, tmp_path / "files", 2)
    crowned(registry, first)
    present = trial(registry, Part(second.id, "canary", 0.1))
    crowned(registry, first)
    assert registry.releases("shop")[-1] == present


def test_a_decision_about_a_release_that_is_not_in_force_is_refused(
    registry: Registry, tmp_path: Path
) -> None:
    first, second, third = registered(registry, tmp_path / "files", 3)
    crowned(registry, first)
    looked_at = trial(registry, Part(second.id, "canary", 0.1))
    crowned(registry, third, over=first, day=2)
    with pytest.raises(IntegrityError, match="100% shop/3 is in force: look again"):
        trial(registry, Part(second.id, "canary", 0.5), over=looked_at, day=3)
    assert registry.releases("shop")[-1].champion == third.id


def test_a_version_of_another_project_has_no_part(registry: Registry, tmp_path: Path) -> None:
    (first,) = registered(registry, tmp_path / "files", 1)
    crowned(registry, first)
    lineage = Lineage({}, (), APRIL, "", "", {}, 9, APRIL)
    other = registry.register("other", "linear", tmp_path / "files", {}, lineage)
    with pytest.raises(PerennialError, match="other/1 is no version of shop"):
        trial(registry, Part(other.id, "canary", 0.1))
    with pytest.raises(PerennialError, match="no version 'shop/7'"):
        trial(registry, Part("shop/7", "canary", 0.1))
    assert len(registry.releases("shop")) == 1


@pytest.mark.parametrize("role", ["canary", "shadow"])
def test_what_has_a_part_in_the_release_cannot_be_retired(
    registry: Registry, tmp_path: Path, role: str
) -> None:
    first, second = registered(registry, tmp_path / "files", 2)
    crowned(registry, first)
    trial(registry, Part(second.id, role, 0.1))  # type: ignore[arg-type]
    with pytest.raises(PerennialError, match=f"shop/2 is the {role} of the release"):
        registry.retire(second, why="old", evidence={}, at=APRIL, by="tests")
    with pytest.raises(PerennialError, match="end its part first"):
        registry.archive(second, "0" * 64, why="old", at=APRIL, by="tests")


def test_champions_of_before_releases_were_recorded_are_releases(registry: Registry, tmp_path: Path) -> None:
    first, second = registered(registry, tmp_path / "files", 2)
    crowned(registry, first)
    crowned(registry, second, over=first, day=1)
    with registry.writing("shop") as connection:
        connection.execute(sa.text("DELETE FROM releases"))
    told = [str(each) for each in registry.releases("shop")]
    assert told == ["100% shop/1", "100% shop/2"]
    trial(registry, Part(first.id, "canary", 0.1), day=2)
    assert [str(each) for each in registry.releases("shop")] == [
        *told,
        "90% shop/2, 10% shop/1 (canary)",
    ]
