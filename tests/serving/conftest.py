"""A project to serve, made once for all tests, and a service of it for those that do not break it."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from filelock import FileLock

from tests.serving.running import Running, running
from tests.serving.shop import Shop, make_shop, shop_in


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The project, which no test changes; the processes of one session share it, for it takes its time."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(shared / "shop.lock"):
        if not (shared / "shop").exists():
            make_shop(shared / "draft")
            (shared / "draft").rename(shared / "shop")
    return shop_in(shared / "shop")


@pytest.fixture
def copied(shop: Shop, tmp_path: Path) -> Shop:
    """A copy of the project, for a test that breaks it."""
    return shop.copied(tmp_path / "shop")


@pytest.fixture(scope="module")
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that the tests of a module share, on a copy of the project; whoever may reach it may ask."""
    root = tmp_path_factory.mktemp("served")
    with running(shop.copied(root / "shop").settings, root / "outputs") as found:
        yield found


@pytest.fixture(scope="module")
def client(service: Running) -> Iterator[httpx.Client]:
    """Who asks it."""
    with service.client() as found:
        yield found
