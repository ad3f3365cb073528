"""How often does the drift check cry wolf, and how soon does it see what costs? `make drift-power`.

Streams of batches of which the truth is known (`benchmarks/drift_worlds.py`) go through the production
functions, from profiles to the decision: that of a project's first champion, by the default rules. A
stream ends with the first decision to act. Beside it: what the defaults of Evidently's drift preset say.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.drift_worlds import (
    DAY,
    KINDS,
    QUIET,
    Batch,
    Drift,
    Kind,
    World,
    batch_of,
    shocks_of,
    strength_for,
)
from benchmarks.measures import Measure, report
from core.settings import Settings
from core.spec import Monitoring, Spec
from models.answers import to_column
from models.measures.intervals import local
from models.problem import problem_of, relative_loss
from models.rows import Columns, columns
from monitoring.drift.drift import Drift as Moved
from monitoring.drift.drift import answers, answers_drift, drift_of
from monitoring.drift.reference import Reference, reference_of
from monitoring.performance.blocks import Block, blocks_of
from monitoring.performance.concept import changes
from monitoring.performance.concept_findings import of_concept
from monitoring.performance.promises import of_promises
from monitoring.performance.realised import Judgement, Realised, realised
from monitoring.policy import Decision, decide
from monitoring.profiles.profiling import profile
from stages.features.featurise import labelled
from stages.score import served
from stages.workspace import Workspace, open_workspace

STREAMS = 200
BATCHES, BEFORE, DAYS = 8, 3, 28
HOLDOUT = 14  # days
COST, MOST = 0.02, 0.04  # of AUC
SOON = 3  # batches
START = datetime(2014, 1, 1, tzinfo=UTC)
# Evidently's defaults: a column has drifted from a distance of 0.1 on, a dataset by half of its columns.
COLUMN, DATASET = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """What was said of a batch: whether to act, and by Evidently's defaults."""

    action: str
    reason: str
    columns: float
    costs: bool
    drifted: bool


def main() -> int:
    """Simulate, and print."""
    project = sys.argv[1] if len(sys.argv) > 1 else "flights"
    streams = int(sys.argv[2]) if len(sys.argv) > 2 else STREAMS
    with tempfile.TemporaryDirectory() as folder:
        settings = _lived(project, Path(folder))
        return report("drift_power", measures(project, settings, streams))


def measures(project: str, settings: Settings, streams: int) -> list[Measure]:
    """False alarms in 100 quiet batches, and the share of drifts that are seen soon, by kind."""
    started = time.monotonic()
    given = project, settings, _strengths(project, settings)
    spawn = get_context("spawn")  # Polars does not live through a fork
    with ProcessPoolExecutor(os.cpu_count(), spawn, _begin, given) as pool:
        tasks = [(kind, seed) for kind in KINDS for seed in range(streams)]
        found = list(pool.map(_stream, tasks, chunksize=5))
    by_kind = {kind: found[place * streams :][:streams] for place, kind in enumerate(KINDS)}
    told = [*_false_alarms(by_kind), *_seen_soon(by_kind)]
    for kind, seen in by_kind.items():
        _print(kind, seen)
    return [*told, Measure("streams of each kind", streams, ""), _seconds(started)]


def _false_alarms(by_kind: dict[Kind, list[list[Seen]]]) -> list[Measure]:
    """Of the batches before a drift, and of those of streams that have none."""
    told = []
    quiet = [each for seen in by_kind.values() for stream in seen for each in stream if not each.drifted]
    for kind in QUIET:
        batches = [each for stream in by_kind[kind] for each in stream]
        told.append(Measure(f"acted on, of 100 batches: {kind}", 100 * _acted(batches), ""))
    share = 100 * _acted(quiet)
    told.insert(0, Measure("acted on, of 100 quiet batches", share, "", "at most 1", share <= 1))
    for name, least in (("half of the columns", DATASET), ("any column", 1e-9)):
        alarms = float(np.mean([each.columns >= least for each in quiet]))
        told.append(Measure(f"Evidently's defaults, of 100 quiet batches: {name}", 100 * alarms, ""))
    return told


def _seen_soon(by_kind: dict[Kind, list[list[Seen]]]) -> list[Measure]:
    """Of drifts that cost 0.02 of AUC or more, the share that is seen within three batches."""
    told, all_of = [], []
    for kind, streams in by_kind.items():
        if kind in QUIET:
            continue
        # A stream that ended before its drift has not been tried; that is a false alarm.
        tried = [stream for stream in streams if any(each.costs for each in stream) or _ended_late(stream)]
        seen = [_soon(stream) for stream in tried]
        all_of += seen
        told.append(Measure(f"seen within {SOON} batches: {kind}", 100 * float(np.mean(seen)), "%"))
        for name, least in (("half of the columns", DATASET), ("any column", 1e-9)):
            alarms = [any(each.columns >= least for each in _costly(stream)) for stream in tried]
            told.append(Measure(f"Evidently's defaults: {kind}, {name}", 100 * float(np.mean(alarms)), "%"))
    share = 100 * float(np.mean(all_of))
    holds = share >= 90
    return [Measure(f"seen within {SOON} batches, all kinds", share, "%", "at least 90 %", holds), *told]


def _acted(batches: Sequence[Seen]) -> float:
    return float(np.mean([each.action not in ("nothing", "watch") for each in batches]))


def _ended_late(stream: Sequence[Seen]) -> bool:
    """Whether a drift was seen while it did not cost so much yet."""
    return stream[-1].drifted and stream[-1].action not in ("nothing", "watch")


def _costly(stream: Sequence[Seen]) -> list[Seen]:
    return [each for each in stream if each.costs][:SOON]


def _soon(stream: Sequence[Seen]) -> bool:
    return any(each.action not in ("nothing", "watch") for each in _costly(stream)) or (
        not _costly(stream) and _ended_late(stream)
    )


def _print(kind: Kind, streams: Sequence[Sequence[Seen]]) -> None:
    """How streams of a kind ended, and why: where nothing had happened yet, that is a false alarm."""
    counts = Counter(
        (
            "false alarm" if not stream[-1].drifted else "seen",
            stream[-1].action,
            stream[-1].reason.split(" ")[0],
        )
        for stream in streams
        if stream[-1].action not in ("nothing", "watch")
    )
    for (what, action, reason), count in counts.most_common():
        print(f"{kind}: {count} times {what}, {action} ({reason} ...)", flush=True)


def _seconds(started: float) -> Measure:
    return Measure("seconds", time.monotonic() - started, "s")


def _lived(project: str, folder: Path) -> Settings:
    """The settings of a home in which the project has a champion: the present one, or one made for it."""
    settings = Settings()
    if open_workspace(project, settings).registry.champion(project):
        return settings
    print("there is no champion yet: running the demo in a home of its own ...", flush=True)
    demo = [sys.executable, "-m", "flows", "demo", "--project", project]
    subprocess.run(
        demo, check=True, env={**os.environ, "PERENNIAL_HOME": str(folder)}, stdout=subprocess.DEVNULL
    )
    return Settings(home=folder)


@dataclass(frozen=True, slots=True)
class Lab:
    """What every stream needs: the world, the champion's references, and the strengths of what it costs."""

    spec: Spec
    world: World
    inputs: Reference
    names: Columns
    rules: Monitoring
    strengths: dict[Kind, tuple[float, float]]

    @classmethod
    def of(cls, workspace: Workspace, strengths: Mapping[Kind, tuple[float, float]]) -> "Lab":
        """The lab of a project's first champion."""
        spec, name = workspace.spec, workspace.project.name
        first = next(each for each in workspace.registry.transitions(name) if each.after == "champion")
        version = workspace.registry.version(first.version)
        model, names, made = served(workspace, version), columns(spec), version.lineage
        rows = labelled(workspace, workspace.batches(datetime.now(UTC))[-1].end + spec.outcome.maturity)
        unseen = rows.filter(pl.col("event_time") >= made.trained_until)
        truth = unseen["label"].cast(pl.Float64).to_numpy()
        shocks = shocks_of(truth, model.predict(unseen), unseen["event_time"])
        frame = rows.drop("label", "known_at")
        importance = version.metrics["importance"]
        zone = spec.batches.timezone
        world = World.of(frame, model, names, importance, made.as_of - spec.outcome.maturity, zone, shocks)
        usual = frame[np.concatenate([world.days[day] for day in world.usual])]
        days = pl.Series(local(usual["event_time"], zone) // DAY)
        return cls(spec, world, reference_of(usual, names, days), names, Monitoring(), dict(strengths))

    def drift(self, kind: Kind, random: np.random.Generator) -> tuple[Drift, float]:
        """A drift of a kind, and the strength from which on it costs what counts."""
        if kind in QUIET:
            return Drift(kind, start=BEFORE if kind == "seasonal" else BATCHES), np.inf
        low, high = self.strengths[kind]
        return Drift(kind, random.uniform(low, high), BEFORE), low


_LAB: list[Lab] = []


def _begin(project: str, settings: Settings, strengths: Mapping[Kind, tuple[float, float]]) -> None:
    _LAB.append(Lab.of(open_workspace(project, settings), strengths))


def _strengths(project: str, settings: Settings) -> dict[Kind, tuple[float, float]]:
    """By kind of drift, how strong one is that costs the least and the most that is tried."""
    world = Lab.of(open_workspace(project, settings), {}).world
    kinds = [kind for kind in KINDS if kind not in QUIET]
    return {kind: (strength_for(world, kind, COST), strength_for(world, kind, MOST)) for kind in kinds}


def _stream(task: tuple[Kind, int]) -> list[Seen]:
    """What is said of the batches of one stream, up to the first that something is done about."""
    kind, seed = task
    lab, random = _LAB[0], np.random.default_rng([KINDS.index(kind), seed])
    drift, costly = lab.drift(kind, random)
    problem, zone = problem_of(lab.spec), lab.spec.batches.timezone
    held = batch_of(lab.world, Drift("none"), 0, HOLDOUT, START - timedelta(days=HOLDOUT), random)
    reference = problem.measures(held.rows, held.answers)
    reference |= {"relative_loss": relative_loss(problem, held.rows, held.answers)}
    usual = blocks_of(problem, held.rows, held.answers, zone)
    said, told = answers(held.answers)
    clock = pl.Series(local(held.rows.times, "UTC") // DAY)
    before = reference_of(said, told, clock)
    history, past, moved_before = list[Decision](), list[list[Block]](), list[list[str]]()
    seen = list[Seen]()
    for place in range(BATCHES):
        batch = batch_of(lab.world, drift, place, DAYS, START + place * timedelta(days=DAYS), random)
        found = _realised(lab, batch)
        past.append([*found.blocks])
        moved = drift_of(lab.inputs, profile(batch.rows.frame, lab.names, DAYS), lab.rules)
        shift = answers_drift(before, profile(answers(batch.answers)[0], told, DAYS), lab.rules)
        changed = changes(usual, [block for blocks in past for block in blocks], seed)
        further = [
            *of_concept(changed, found, reference, lab.rules),
            *of_promises(usual, past, lab.rules),
        ]
        importance, rules = lab.world.importance, lab.rules
        decision = decide(
            moved, importance, shift, found, reference, rules, history, None, further, moved_before
        )
        history.append(decision)
        moved_before.append([each.feature for each in moved if each.drifted])
        strength = drift.at(place)
        drifted, costs = strength > 0 and kind not in QUIET, strength >= costly
        seen.append(Seen(decision.action, decision.reasons[0], _beyond(moved), costs, drifted))
        if decision.action not in ("nothing", "watch"):
            break
    return seen


def _beyond(moved: Sequence[Moved]) -> float:
    """The share of the columns that have drifted by Evidently's defaults: the same distances, as measured."""
    return float(np.mean([(each.distance or 0.0) >= COLUMN for each in moved]))


def _realised(lab: Lab, batch: Batch) -> Realised:
    key = pl.int_range(batch.rows.frame.height, eager=True).alias("row")
    times, known_at = batch.rows.times, batch.rows.times.dt.offset_by("1d").alias("known_at")
    predictions = pl.DataFrame({"row": key, "event_time": times}).with_columns(to_column(batch.answers))
    outcomes = pl.DataFrame({"row": key, "known_at": known_at, "label": batch.rows.labels})
    spec = lab.spec
    by = Judgement(problem_of(spec), spec.outcome, ["row"], spec.batches.timezone, spec.training.seed)
    as_of = times[-1] + timedelta(days=2)
    return realised(predictions, outcomes, as_of, by)


if __name__ == "__main__":
    sys.exit(main())
