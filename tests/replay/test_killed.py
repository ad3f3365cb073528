"""A history whose process is killed, or that two processes live through at once, ends in the same."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.settings import CHECKOUT
from replay.live import SPENT
from replay.policies import REFERENCE
from tests.replay.worlds import TREES, World, assert_alike, make_world, twin
from tests.stages.orders import orders

pytestmark = pytest.mark.slow

# Lives through a history once for each function that is named, each time in a process of its own that
# kills itself when it is about to call that; or, of those without a name, at the same time to the end.
_LIVING = """
import importlib, os, signal, sys
from pathlib import Path
from core.settings import Settings
from replay.history import history
from replay.live import live
from replay.plan import Plan, folder_of

def lived(place):
    root, policy = Path(sys.argv[1]), sys.argv[2]
    settings = Settings(home=root / "state", projects=root / "projects", suites=root / "expectations")
    folder = folder_of(settings, "orders")
    plan = Plan.read(folder)
    if place:
        module, _, name = place.rpartition(".")
        setattr(importlib.import_module(module), name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    workspace = history(settings, folder, plan, policy)
    live(workspace, plan.as_of)
    assert len(workspace.ledger.results("monitor")) == 3, "it was left before its end"

def begun(place):
    if not (child := os.fork()):
        try:
            lived(place)
            os._exit(0)
        finally:
            os._exit(1)
    return child

def ended(child):
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

import models.families.lightgbm
if places := sys.argv[3:]:
    for place in places:
        ended(begun(place))
else:
    for child in [begun(""), begun("")]:
        ended(child)
"""
# In order of time: amid a fit, once it is made but not registered, once it is registered, between the
# gate's answer and the record of it, a batch that is answered and not judged, judged, not asked about.
POINTS = [
    "stages.models.fits.bundle",
    "replay.live.register",
    "replay.live.promote",
    "replay.live.settle",
    "replay.live.judge_batch",
    "replay.live.ask",
]


@dataclass(frozen=True)
class Calm:
    """A project whose history was lived through calmly, and copies of it in which nothing was."""

    world: World
    roots: tuple[Path, Path]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calm]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "disabled")
        world = make_world(tmp_path_factory.mktemp("calm"), rows=orders(400, risen=1.0), training=TREES)
        roots = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("twice")
        for root in roots:
            twin(world, root)
        world.live(REFERENCE)
        yield Calm(world, roots)


def living(root: Path, *places: str) -> list[int]:
    command = [sys.executable, "-c", _LIVING, str(root), REFERENCE, *places]
    environment = os.environ | {"WANDB_MODE": "disabled"}
    told = subprocess.run(
        command, check=False, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert told.returncode == 0, told.stderr
    codes = [int(line) for line in told.stdout.split()]
    assert len(codes) == (len(places) or 2), told.stderr
    return codes


def test_killed_at_every_turn_it_ends_as_if_nothing_had_been(calm: Calm) -> None:
    root = calm.roots[0]
    assert living(root, *POINTS) == [-signal.SIGKILL] * len(POINTS)
    found = at(root)
    found.live(REFERENCE)
    assert_alike(found.history(REFERENCE), calm.world.history(REFERENCE))
    spent = found.history(REFERENCE).ledger.results(SPENT)
    assert spent.keys() == calm.world.history(REFERENCE).ledger.results(SPENT).keys()
    assert all(each["seconds"] > 0 for each in spent.values()), "a kill has lost what the fits took"


def test_two_at_once_end_in_the_same_and_both_to_the_end(calm: Calm) -> None:
    root = calm.roots[1]
    assert living(root) == [0, 0]
    assert_alike(at(root).history(REFERENCE), calm.world.history(REFERENCE))


def at(root: Path) -> World:
    """The project in this home, with the replay that is there."""
    from core.settings import Settings
    from replay.plan import Plan, folder_of
    from stages.workspace import open_workspace

    settings = Settings(home=root / "state", projects=root / "projects", suites=root / "expectations")
    folder = folder_of(settings, "orders")
    plan = Plan.read(folder)
    assert plan is not None
    return World(open_workspace("orders", settings), plan, folder)
