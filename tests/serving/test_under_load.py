"""While many keep asking, the service lives through all that may befall it."""

from collections.abc import Iterator
from contextlib import suppress
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


def in_force(asked: Asking, before: Release, release: Release) -> None:
    """Wait until all are answered by a release; on the way each was by it, or by the one before."""
    place, last = len(asked.told), 300
    wait(lambda: len(asked.told) > place + last and all(by(release, each) for each in asked.told[-last:]))
    assert not [each for each in asked.told[place:] if not (by(release, each) or by(before, each))]
    assert not [each for each in asked.more() if not by(release, each)]


def by(release: Release, told: Told) -> bool:
    """Whether this was answered by its side of a release."""
    version = release.part_for(f"[{told.row['basket']}]").version
    return (told.status, told.answer.get("version")) == (200, version)


def test_a_release_grows_and_is_taken_back_and_nobody_is_failed(
    two: Running, place: Shop, asked: Asking
) -> None:
    registry = place.workspace.registry
    seen = registry.releases("orders")
    for share in (0.1, 0.5):
        seen.append(place.release(Part(place.trees, "canary", share)))
        in_force(asked, *seen[-2:])
    baskets = {f"[{each.row['basket']}]" for each in asked.told}
    small, half = ({one for one in baskets if each.part_for(one).version == place.trees} for each in seen[1:])
    assert small < half < baskets
    later = seen[-1].at + timedelta(hours=1)
    registry.promote(place.trees, over=place.linear, why="", evidence={}, at=later, by="tests")
    in_force(asked, *registry.releases("orders")[-2:])
    assert {each.answer["version"] for each in asked.more()} == {place.trees}
    registry.rollback("orders", why="", at=later + timedelta(hours=1), by="tests")
    in_force(asked, *registry.releases("orders")[-2:])
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
    path.chmod(0o644)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    release = place.release(Part(place.trees, "canary", 0.5))
    wait(
        lambda: all("was changed" in str(two.ready()["troubles"].get("release")) for _ in range(8)), two.ready
    )
    told = two.ready()
    assert told["ready"] and told["release"] == str(before)
    assert f"the release {release} is refused" in told["troubles"]["release"]
    assert {each.answer["version"] for each in asked.more()} == {place.linear}
    path.write_bytes(content)
    in_force(asked, before, release)
    wait(lambda: two.ready()["troubles"] == {}, two.ready)
    assert (asked.failed(), asked.broken) == ([], [])


def test_while_the_registry_is_lost_it_goes_on_and_so_does_a_worker_that_is_killed(
    two: Running, place: Shop, asked: Asking, tmp_path: Path
) -> None:
    release = place.workspace.registry.releases("orders")[-1]
    database, aside = place.settings.home / "registry.db", tmp_path / "registry.db"
    database.rename(aside)
    wait(lambda: all("registry" in two.ready()["troubles"] for _ in range(8)), two.ready)
    assert all(by(release, each) for each in asked.more())
    (victim, *_) = two.workers()
    victim.kill()
    killed = monotonic()
    wait(lambda: len(two.workers()) == 2 and victim.pid not in {each.pid for each in two.workers()})
    assert all(by(release, each) for each in asked.more(600))
    wait(lambda: all("registry" in two.ready()["troubles"] for _ in range(8)), two.ready)
    assert not database.exists()  # nobody has made an empty one in its place
    aside.rename(database)
    wait(lambda: all(two.ready()["troubles"] == {} for _ in range(8)), two.ready)
    in_force(asked, release, place.release())
    assert asked.failed() == []
    assert len(asked.broken) <= 16  # what was on its way over the connections of the one that was killed
    assert all(each.at - each.asked < 10 for each in asked.told if each.asked > killed)
    asked.broken.clear()


def test_without_the_online_store_answers_are_marked_until_it_is_back(
    two: Running, place: Shop, asked: Asking, tmp_path: Path
) -> None:
    database, aside = place.settings.home / "online.db", tmp_path / "aside"
    database.rename(aside)
    while not database.is_dir():  # who asks meanwhile puts an empty one there
        database.unlink(missing_ok=True)
        with suppress(FileExistsError):
            database.mkdir()
    wait(lambda: all("store" in two.ready()["troubles"] for _ in range(8)), two.ready)
    for each in asked.more():
        assert (each.status, each.answer["degraded"]) == (200, "orders_7d" not in each.row), each
    database.rmdir()
    aside.rename(database)
    wait(lambda: all(two.ready()["troubles"] == {} for _ in range(8)), two.ready)
    wait(lambda: not any(each.answer["degraded"] for each in asked.told[-300:]), two.ready)
    assert not any(each.answer["degraded"] for each in asked.more())
    assert (asked.failed(), asked.broken) == ([], [])
    assert len(asked.told) > 3_000
