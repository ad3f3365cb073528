"""Projects of orders to replay, the production that they would have had, and what histories ended in."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from core.errors import UnfitError
from core.settings import Settings
from models.waves import waves
from replay.history import history
from replay.live import live
from replay.plan import Plan, folder_of, plan_of
from replay.policies import Policy, policies_of
from stages.champion.promote import promote
from stages.champion.retraining import ask, claimed, settle
from stages.champion.roll_back import roll_back
from stages.due import due
from stages.models.recalibrate import recalibrate
from stages.models.train import Candidate, register, train
from stages.monitoring.monitor import judge_batch
from stages.score import score
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import AS_OF, make_orders, orders

NAME = "policies"
# The gate promotes what is a little better, and no clock has a say: a margin is for what is faster, too.
CALM: dict[str, Any] = {"confidence": 0.6, "max_calibration_error": 0.5, "margin": 0}
PATIENT = {"max_latency_ms": 100_000}
TREES: dict[str, Any] = {"families": ["lightgbm"], "parameters": {"lightgbm": {"rounds": 8}}, "stateful": {}}
# What a clock measured of a fit, of its files and of the gate's look at these.
_TIMED = {"seconds", "p99_us", "p50_us", "latency", "rows_per_second", "described_seconds", "note", "run"}
TABLES = ("predictions", "metrics")


@dataclass(frozen=True)
class World:
    """A project, and the folder of its replay."""

    workspace: Workspace
    plan: Plan
    folder: Path

    def history(self, policy: str) -> Workspace:
        """The history of a policy, as it was left."""
        return history(self.workspace.settings, self.folder, self.plan, policy)

    def live(self, *policies: str) -> dict[str, Workspace]:
        """The histories of these policies (of all), lived through one after the other."""
        found = {name: self.history(name) for name in policies or self.plan.policies}
        for workspace in found.values():
            live(workspace, self.plan.as_of)
        return found


def make_world(
    root: Path,
    problem: str = "binary",
    rows: pl.DataFrame | None = None,
    own: Mapping[str, Any] | None = None,
    as_of: datetime = AS_OF,
    **changes: Any,
) -> World:
    """A project whose world moves in April, ingested, and its plan; `own` are policies of its spec."""
    rows = orders(600, risen=1.0) if rows is None else rows
    replay = {"policies": dict(own or {})} | changes.pop("replay", {})
    gate = CALM | changes.pop("gate", {})
    limits = {"constraints": PATIENT, "gate": gate, "replay": replay}
    return planned(make_orders(root, problem, rows, as_of, **{**limits, **changes}), as_of)


def planned(workspace: Workspace, as_of: datetime = AS_OF, policies: Sequence[Policy] | None = None) -> World:
    """The plan of a project's replay, written down."""
    plan = plan_of(workspace, policies or policies_of(workspace.spec), as_of)
    folder = folder_of(workspace.settings, workspace.project.name)
    plan.write(folder)
    return World(workspace, plan, folder)


def twin(world: World, root: Path) -> World:
    """The same project in another home, with all that was done in this one by now."""
    settings = world.workspace.settings
    shutil.copytree(settings.home.parent, root, dirs_exist_ok=True)
    places = {"home": root / "state", "projects": root / "projects", "suites": root / "expectations"}
    moved = Settings(**places)
    assert moved.lake != settings.lake
    return planned(open_workspace(world.workspace.project.name, moved), world.plan.as_of)


def in_production(workspace: Workspace, as_of: datetime = AS_OF) -> None:
    """Live through what is due with the plain stages, but for what the last batch asks for."""
    last = workspace.batches(as_of)[-1].id
    for instant, happens, batch in due(workspace, as_of):
        if happens == "score":
            score(workspace, batch, instant)
            continue
        scored = batch.id in workspace.ledger.results("score")
        judged = judge_batch(workspace, batch, instant) if scored else None
        request = ask(workspace, batch, instant, judged)
        if batch.id == last or request is None or request.state == "skipped":
            continue
        with claimed(workspace, request.id, as_of) as claim:
            assert claim is not None
            at = claim.stands_at
            if claim.action == "roll back":
                settle(workspace, claim, roll_back(workspace, at), 0.0)
            else:
                made = _made(workspace, claim.action, at)
                answer = promote(workspace, [version.id for version in register(workspace, made)], at)
                settle(workspace, claim, answer, 0.0)


def _made(workspace: Workspace, action: str, at: datetime) -> list[Candidate]:
    if action == "recalibrate":
        try:
            return [recalibrate(workspace, at)]
        except UnfitError:
            pass
    rules, made = workspace.spec.training, dict[str, Candidate]()
    for wave in waves(rules.families, rules.parameters):
        for name in wave:
            made[name] = train(workspace, name, at, stateful=action == "retrain stateful")
    return [made[name] for name in rules.families]


def story(workspace: Workspace) -> dict[str, Any]:
    """All that a history ended in but its tables and what a clock measured: it can be compared."""
    registry, ledger, name = workspace.registry, workspace.ledger, workspace.project.name
    return {
        "versions": [
            (each.id, each.family, each.stage, dict(each.files), each.lineage, untimed(each.metrics))
            for each in registry.versions(name)
        ],
        "transitions": [
            (each.version, each.action, each.before, each.after, each.at, *untimed([each.why, each.evidence]))
            for each in registry.transitions(name)
        ],
        "scored": ledger.results("score"),
        "judged": ledger.results("monitor"),
    }


def untimed(facts: Any) -> Any:
    """Facts without what a clock measured."""
    if isinstance(facts, Mapping):
        if facts.get("name") == "latency":
            return "latency"
        return {name: untimed(value) for name, value in facts.items() if name not in _TIMED}
    if isinstance(facts, list | tuple):
        return [untimed(each) for each in facts]
    if isinstance(facts, str):  # which of two is cheaper is what a clock says
        return facts.replace(", as it is cheaper", "")
    return repr(facts + 0.0) if type(facts) in (int, float) else facts


def tables(workspace: Workspace, until: datetime | None = None) -> dict[str, pl.DataFrame]:
    """The tables of a history, in an order of their own; those of batches that were over at an instant."""
    ids = [batch.id for batch in workspace.batches(until or AS_OF)]
    found = {}
    for table in TABLES:
        frame = workspace.lake.scan(table, ids).collect()
        plain = sorted(name for name, dtype in frame.schema.items() if not dtype.is_nested())
        found[table] = frame.select(sorted(frame.columns)).sort(plain)
    return found


def assert_alike(one: Workspace, other: Workspace) -> None:
    """Two histories ended in the same, to the last bit."""
    theirs = tables(other)
    for table, frame in tables(one).items():
        assert frame.height
        assert_frame_equal(frame, theirs[table], check_exact=True)
    ours, others = story(one), story(other)
    for part, facts in ours.items():
        assert facts == others[part], (part, *_differences(facts, others[part], part))


def _differences(one: Any, other: Any, place: str) -> list[str]:
    """The first places in which two stories differ: whole ones would fill a screen."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        pairs = [(f"{place}.{key}", one.get(key), other.get(key)) for key in {**one, **other}]
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = [(f"{place}[{at}]", *each) for at, each in enumerate(zip(one, other, strict=True))]
    else:
        return [] if one == other else [f"{place}: {one!r:.200} and {other!r:.200}"]
    found = [each for key, ours, theirs in pairs for each in _differences(ours, theirs, key)]
    return found[:5]
