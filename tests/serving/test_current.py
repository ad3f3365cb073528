"""What a worker serves is the release in force, or what it had while it cannot be told or loaded."""

from pathlib import Path

import pytest

from core.projects import load
from models.registry.registry import Registry
from models.registry.releases import Part, Release
from serving.answering.current import Current
from tests.serving.shop import Shop

pytestmark = pytest.mark.slow


def current(shop: Shop) -> Current:
    return Current(shop.settings, load("orders", shop.settings).spec)


def in_force(found: Current) -> Release:
    assert found.in_force is not None, found.failure
    return found.in_force.release


def test_another_release_takes_the_place_of_the_present_and_loads_what_is_new(copied: Shop) -> None:
    found = current(copied)
    found.look()
    assert (str(in_force(found)), found.failure, found.refused) == ("100% orders/2", None, None)
    before = found.in_force
    found.look()
    assert found.in_force is before
    copied.release(Part(copied.trees, "canary", 0.25))
    found.look()
    assert str(in_force(found)) == "75% orders/2, 25% orders/3 (canary)"
    assert before and found.in_force
    assert found.in_force.versions[copied.linear] is before.versions[copied.linear]


def test_without_a_registry_what_was_at_work_goes_on_even_in_a_worker_that_is_started_then(
    copied: Shop, tmp_path: Path
) -> None:
    first = current(copied)
    first.look()
    database = copied.settings.home / "registry.db"
    database.rename(tmp_path / "aside.db")
    later = current(copied)
    for found in (first, later):
        found.look()
        assert found.is_registry_lost and "registry.db is not there" in str(found.failure)
        assert in_force(found) == in_force(first)
    assert not database.exists()
    Registry(copied.settings.registry, copied.settings.files)  # somebody else has made an empty one
    for found in (first, later, current(copied)):
        found.look()
        assert found.is_registry_lost and "no release of orders any more" in str(found.failure)
        assert in_force(found) == in_force(first)
    database.write_bytes(b"no database at all" * 100)
    first.look()
    assert first.is_registry_lost and in_force(first) == in_force(later)
    (tmp_path / "aside.db").replace(database)
    for found in (first, later):
        found.look()
        assert (found.is_registry_lost, found.failure) == (False, None)


@pytest.mark.parametrize("content", ["", "{}", '{"release": {"parts": [{"share": 1}]}}'])
def test_where_nothing_tells_what_to_serve_nothing_is_served(copied: Shop, content: str) -> None:
    kept = copied.settings.home / "serving" / "orders" / "release.json"
    (copied.settings.home / "registry.db").unlink()
    found = current(copied)
    found.look()
    assert found.in_force is None and "registry.db is not there" in str(found.failure)
    kept.parent.mkdir(parents=True)
    kept.write_text(content)
    found.look()
    assert found.in_force is None and "release.json" in str(found.failure)


def test_a_release_that_cannot_be_loaded_is_refused_until_another_is_there(copied: Shop) -> None:
    found = current(copied)
    found.look()
    before = in_force(found)
    registry = copied.workspace.registry
    version = registry.version(copied.trees)
    path = registry.file(version, f"{version.metrics['serves']}.onnx")
    path.unlink()
    refused = copied.release(Part(copied.trees, "canary", 0.5))
    for _ in range(2):
        found.look()
        assert (in_force(found), found.refused) == (before, refused.number)
        assert f"the release {refused} is refused: {copied.trees}" in str(found.failure)
        assert str(found.failure).endswith(f"{before} goes on")
    again = copied.release(hours=2)
    found.look()
    assert (in_force(found), found.refused, found.failure) == (again, None, None)


def test_a_version_of_other_features_is_refused(copied: Shop) -> None:
    found = current(copied)
    spec = load("orders", copied.settings).spec
    fewer = {name: each for name, each in spec.features.items() if name != "rain"}
    found._spec = spec.model_copy(update={"features": fewer})
    found.look()
    assert found.in_force is None and "serve a version that was trained on these" in str(found.failure)
