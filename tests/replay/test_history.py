"""A history has a registry, a ledger and tables of its own, and leaves the project as it was."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from core.errors import IntegrityError, PerennialError, SpecError
from core.ledger import Ledger
from replay.compared import compared
from replay.history import history, place_of
from replay.plan import Plan, alone, folder_of, plan_of
from replay.policies import NEVER, PRESENT, REFERENCE, Policy, policies_of, wanted
from stages.models import lineage
from stages.workspace import Workspace, open_workspace
from tests.replay.worlds import World, in_production, make_world, planned
from tests.stages.orders import AS_OF, orders, write_spec

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A project that has lived: it has champions, judgements and requests of its own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "disabled")
        found = make_world(tmp_path_factory.mktemp("world"), rows=orders(300, risen=1.0))
        in_production(found.workspace)
        yield planned(found.workspace)


def state(workspace: Workspace) -> dict[str, str]:
    """All that a project has on the disk but for its replays: each file, and each row of its database."""
    home = workspace.settings.home
    found = {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file() and path.parts[len(home.parts)] != "replays" and "registry.db" not in path.name
    }
    with sqlite3.connect(home / "registry.db") as database:
        return found | {"database": "\n".join(database.iterdump())}


def test_a_replay_leaves_the_project_as_it_was(world: World) -> None:
    before = state(world.workspace)
    assert any("predictions" in name for name in before)
    found = world.live(REFERENCE, PRESENT, NEVER)
    compared(found, world.plan)
    after = state(world.workspace)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == set()


def test_no_history_writes_to_the_projects_tables(world: World) -> None:
    lake = world.history(NEVER).lake
    for table in ("features", "outcomes", "raw/orders"):
        with pytest.raises(IntegrityError, match="does not write to it"):
            lake.write(table, "2013-01", pl.DataFrame({"id": [1]}))


def test_what_was_done_with_models_is_not_taken_over(world: World) -> None:
    ours = planned_policy(world, "untouched")
    assert ours.registry.versions("orders") == []
    assert ours.champion(AS_OF) is None
    theirs = world.workspace.ledger
    for step in ("score", "monitor", "holdout", "profile/predictions"):
        assert theirs.results(step), step
        assert ours.ledger.results(step) == {}, step
    for step in ("features", "ingest/orders", "profile"):
        assert ours.ledger.results(step) == theirs.results(step) != {}, step


def test_a_history_stays_when_other_policies_are_compared(world: World) -> None:
    world.history(NEVER).ledger.record("monitor", "kept", "", {}, AS_OF)
    other = planned(world.workspace, policies=[Policy(NEVER, {"gate": {"gain": 0.5}}), Policy("new", {})])
    assert "kept" not in other.history(NEVER).ledger.results("monitor")  # it says something else by now
    assert "kept" in world.history(NEVER).ledger.results("monitor")


def test_other_code_begins_a_replay_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_from() -> str:
        return plan_of(world.workspace, [Policy(NEVER, {})], AS_OF).made_from

    found = [made_from()]
    assert made_from() == found[0]
    for edit in ("one edit", "another"):
        said = {"describe": "abc-dirty", "diff": edit}
        monkeypatch.setattr(lineage, "_git", lambda command, *_, said=said: said[command])
        found.append(made_from())
    assert len(set(found)) == 3


def test_two_replays_of_one_name_are_not_at_work_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "policies" / "replay"
    with alone(folder), pytest.raises(PerennialError, match="another replay is at work"), alone(folder):
        pass
    with alone(folder):
        pass


def planned_policy(world: World, name: str) -> Workspace:
    """A history of a policy that changes nothing, in a folder of its own."""
    plan = plan_of(world.workspace, [Policy(name, {})], AS_OF)
    folder = folder_of(world.workspace.settings, f"orders@{name}")
    plan.write(folder)
    return history(world.workspace.settings, folder, plan, name)


def test_any_number_may_open_a_history_at_once(world: World) -> None:
    plan = plan_of(world.workspace, [Policy("at once", {})], AS_OF)
    folder = folder_of(world.workspace.settings, "orders@at once")
    plan.write(folder)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: history(world.workspace.settings, folder, plan, "at once"), range(8)))
    features = world.workspace.ledger.results("features")
    assert all(each.ledger.results("features") == features for each in found)


def test_opened_again_a_ledger_is_as_it_was_left(world: World, tmp_path: Path) -> None:
    ours, theirs = Ledger(f"sqlite:///{tmp_path}/a.db", "orders"), world.workspace.ledger
    ours.record("features", "2013-01", "own", {"content": "own"}, AS_OF)
    ours.adopt(theirs, without=())
    assert ours.results("features") == {"2013-01": {"content": "own"}}


def test_each_policy_has_a_place_of_its_own(world: World, tmp_path: Path) -> None:
    names = ["a/b", "a b", "A b", "a" * 90, "a" * 91, "../..", "on drift, stateless"]
    plan = replace(world.plan, policies={name: {} for name in names})
    places = [place_of(tmp_path, plan, name) for name in names]
    assert len({str(place).lower() for place in places}) == len(names)
    assert all(place.parent == tmp_path / "histories" for place in places)


def test_a_plan_comes_back_as_it_was_written(world: World, tmp_path: Path) -> None:
    world.plan.write(tmp_path / "here")
    assert Plan.read(tmp_path / "here") == world.plan
    assert Plan.find(tmp_path / "nowhere") is None
    with pytest.raises(PerennialError, match=r"nowhere has no plan.json: call make replay"):
        Plan.read(tmp_path / "nowhere")


def test_a_replay_begins_anew_where_something_is_another_and_else_goes_on(world: World) -> None:
    workspace, policies = world.workspace, policies_of(world.workspace.spec)

    def made_from(of: Workspace = workspace, which: list[Policy] = policies, at: object = AS_OF) -> str:
        return plan_of(of, which, at).made_from  # type: ignore[arg-type]

    known = made_from()
    assert made_from() == known
    assert made_from(at=AS_OF.replace(hour=9)) == known  # nothing more has happened by then
    assert made_from(at=AS_OF.replace(month=5, day=3)) != known
    assert made_from(which=policies[1:]) == known  # a policy comes out the same, whichever others there are
    write_spec(workspace.settings, "binary", gate={"gain": 0.03})
    assert made_from(open_workspace("orders", workspace.settings)) != known
    workspace.ledger.record("features", "2013-05", "", {"content": "another"}, AS_OF)
    assert made_from() != known


def test_which_policies_are_wanted(world: World) -> None:
    known = policies_of(world.workspace.spec)
    assert [each.name for each in wanted(known, None)] == [each.name for each in known]
    asked = wanted(known, f"{PRESENT}; {REFERENCE};{PRESENT}")
    assert [each.name for each in asked] == [PRESENT, REFERENCE, NEVER]
    with pytest.raises(SpecError, match=r"no policy 'as it iss'.*as it is"):
        wanted(known, "as it iss")
    assert json.dumps([dict(each.changes) for each in known])
