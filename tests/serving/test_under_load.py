"""While many keep asking, the service lives through all that may befall it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from models.registry.files import Files
from models.registry.releases import Part, Release
from tests.serving.asking import Asking, Told, asking
from tests.serving.running import Running, running, wait
from tests.serving.shop import Shop, sent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return shop.copied(tmp_path_factory.mktemp("load") / "shop")


@pytest.fixture(scope="module")
def two(place: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service of two workers."""
    with running(place.settings, tmp_path_factory.mktemp("outputs"), workers=2) as found:
        yield found


@pytest.fixture(scope="module")
def asked(two: Running, place: Shop) -> Iterator[Asking]:
    """Who keeps asking throughout: every second row needs the store."""
    orders = place.orders(200)
    given = place.features(orders).select("basket", "id", *place.workspace.spec.features).to_dicts()
    rows = [row for pair in zip(sent(orders), given, strict=True) for row in pair]
    with asking(two, rows) as found:
        found.more()
        yield found


def in_force(two: Running, release: Release) -> None:
    """Wait until both workers answer by a release."""
    streak = 0

    def is_everywhere() -> bool:
        nonlocal streak
        streak = streak + 1 if two.ready()["release"] == str(release) else 0
        return streak >= 12

    wait(is_everywhere, two.ready)


def sided(release: Release, told: list[Told]) -> None:
    """Each of these was answered by its side of the release."""
    for each in told:
        version = release.part_for(f"[{each.row['basket']}]").version
        assert (each.status, each.answer["version"]) == (200, version), each


def test_a_release_grows_and_is_taken_back_and_nobody_is_failed(
    two: Running, place: Shop, asked: Asking
) -> None:
    registry = place.workspace.registry
    seen = []
    for share in (0.1, 0.5):
        release = place.release(Part(place.trees, "canary", share))
        in_force(two, release)
        sided(release, asked.more())
        seen.append(release)
    baskets = {f"[{each.row['basket']}]" for each in asked.told}
    small, half = ({one for one in baskets if each.part_for(one).version == place.trees} for each in seen)
    assert small < half < baskets
    later = seen[-1].at + timedelta(hours=1)
    registry.promote(place.trees, over=place.linear, why="", evidence={}, at=later, by="tests")
    release = registry.releases("orders")[-1]
    in_force(two, release)
    assert {each.answer["version"] for each in asked.more()} == {place.trees}
    registry.rollback("orders", why="", at=later + timedelta(hours=1), by="tests")
    release = registry.releases("orders")[-1]
    in_force(two, release)
    assert {each.answer["version"] for each in asked.more()} == {place.linear}
    assert (asked.failed(), asked.broken) == ([], [])
    assert {each.answer["version"] for each in asked.told} == {place.linear, place.trees}


def test_a_file_that_is_another_is_refused_and_the_present_release_goes_on(
    two: Running, place: Shop, asked: Asking
) -> None:
    workspace = place.workspace
    version = workspace.registry.version(place.trees)
    digest = version.files[f"{version.metrics['serves']}.onnx"]
    path = Files(place.settings.files).path(digest, "the trees")
    content = path.read_bytes()
    before = workspace.registry.releases("orders")[-1]
    # Workers that have the version loaded go on with what they have verified.
    place.release()
    in_force(two, workspace.registry.releases("orders")[-1])
    path.chmod(0o644)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    release = place.release(Part(place.trees, "canary", 0.5))
    wait(lambda: all("was changed" in str(two.ready()["troubles"].get("release")) for _ in range(8)))
    told = two.ready()
    assert told["ready"] and told["release"] == str(before)
    assert f"the release {release} is refused" in told["troubles"]["release"]
    assert {each.answer["version"] for each in asked.more()} == {place.linear}
    path.write_bytes(content)
    in_force(two, release)
    assert two.ready()["troubles"] == {}
    sided(release, asked.more())
    assert (asked.failed(), asked.broken) == ([], [])


def test_while_the_registry_is_lost_it_goes_on_and_so_does_a_worker_that_is_killed(
    two: Running, place: Shop, asked: Asking, tmp_path: Path
) -> None:
    release = place.workspace.registry.releases("orders")[-1]
    database, aside = place.settings.home / "registry.db", tmp_path / "registry.db"
    database.rename(aside)
    wait(lambda: all("registry" in two.ready()["troubles"] for _ in range(8)))
    sided(release, asked.more())
    (victim, *_) = two.workers()
    victim.kill()
    killed = monotonic()
    wait(lambda: len(two.workers()) == 2 and victim.pid not in {each.pid for each in two.workers()})
    sided(release, asked.more(600))
    wait(lambda: all("registry" in two.ready()["troubles"] for _ in range(8)))
    assert not database.exists()  # nobody has made an empty one in its place
    aside.rename(database)
    wait(lambda: all(two.ready()["troubles"] == {} for _ in range(8)))
    in_force(two, place.release())
    assert {each.answer["version"] for each in asked.more()} == {place.linear}
    assert asked.failed() == []
    assert len(asked.broken) <= 16  # what was on its way over the connections of the one that was killed
    assert all(each.at - each.asked < 10 for each in asked.told if each.asked > killed)
    asked.broken.clear()


def test_without_the_online_store_answers_are_marked_until_it_is_back(
    two: Running, place: Shop, asked: Asking, tmp_path: Path
) -> None:
    database, aside = place.settings.home / "online.db", tmp_path / "online.db"
    database.rename(aside)
    database.mkdir()
    wait(lambda: all("store" in two.ready()["troubles"] for _ in range(8)))
    for each in asked.more():
        assert (each.status, each.answer["degraded"]) == (200, "orders_7d" not in each.row), each
    database.rmdir()
    aside.rename(database)
    wait(lambda: all(two.ready()["troubles"] == {} for _ in range(8)))
    assert not any(each.answer["degraded"] for each in asked.more())
    assert (asked.failed(), asked.broken) == ([], [])
    assert len(asked.told) > 3_000
