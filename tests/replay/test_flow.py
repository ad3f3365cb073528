"""The replay flow, on a real server and cluster: what it lives through, writes, and does again."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import CompletedProcess

import polars as pl
import pytest

from core.settings import Settings
from replay.policies import NEVER, PRESENT, REFERENCE
from reports.pages import SITE
from stages.workspace import open_workspace
from tests.flows.conftest import run
from tests.replay.test_history import state
from tests.replay.worlds import CALM, PATIENT, World, assert_alike, in_production
from tests.stages.orders import AS_OF, make_orders, orders, take_in

pytestmark = pytest.mark.slow

__all__ = ["run"]

ONLY = f"{REFERENCE}; {PRESENT}"


def test_the_command_lives_through_the_history_and_says_what_to_use(
    run: Callable[..., CompletedProcess[str]],
    inhabit: Callable[[Settings], AbstractContextManager[None]],
    tmp_path: Path,
) -> None:
    from replay.plan import Plan, folder_of
    from tasks.replaying import plan_replay

    rows = orders(400, risen=1.0)
    workspace = make_orders(
        tmp_path, rows=rows, gate=CALM, constraints=PATIENT, training={"families": ["linear"]}
    )
    settings, before = workspace.settings, state(workspace)
    done = run(
        settings, "replay", "--project", "orders", "--policy", ONLY, "--as-of", AS_OF.isoformat(),
        suites=settings.suites,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = json.loads((settings.reports / "orders" / "replay" / "summary.json").read_text())
    assert f"Use {facts['recommended']['policy']}" in done.stdout
    assert all((settings.reports / "orders" / page).is_file() for page in SITE.values())
    assert {each["name"] for each in facts["policies"]} == {REFERENCE, PRESENT, NEVER, "oracle"}
    assert facts["batches"] == ["2013-03", "2013-04", "2013-05"]

    folder = folder_of(settings, "orders")
    plan = Plan.read(folder)
    after = state(workspace)
    assert {name for name in before if after.get(name) != before[name]} <= {"database"}
    world = World(open_workspace("orders", settings), plan, folder)
    assert world.workspace.registry.versions("orders") == []
    in_production(world.workspace)
    assert_alike(world.history(PRESENT), world.workspace)

    # Asked again, it goes on from there; other data begin it anew.
    with inhabit(settings):
        again = AS_OF.replace(hour=7)
        assert plan_replay.fn("orders", again, ONLY, None) == [REFERENCE, PRESENT, NEVER]
        assert len(world.history(PRESENT).ledger.results("monitor")) == 3
        assert Plan.read(folder) == plan
        late = pl.when(pl.col("id") < 1_950).then(pl.col("late")).otherwise(pl.lit("true"))
        take_in(workspace, rows.with_columns(late.alias("late")))
        plan_replay.fn("orders", AS_OF, ONLY, None)
        anew = Plan.read(folder)
        assert anew.made_from != plan.made_from
        assert not (folder / "shared").exists()
        assert World(workspace, anew, folder).history(PRESENT).ledger.results("monitor") == {}
