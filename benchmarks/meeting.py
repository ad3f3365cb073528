"""The champions of a project beside its baselines: the same rows, the same losses, one bootstrap."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from benchmarks.baselines import Benchmark, Floats
from core.errors import IntegrityError
from core.spec import Spec
from features.declared import columns_asked, plain
from features.derived import expressions
from models.answers import from_column
from models.measures.intervals import drawn_blocks
from models.measures.paired import Interval
from models.problem import problem_of, relative_loss
from models.rows import Rows
from stages.features.featurise import labelled
from stages.workspace import Workspace

CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Meeting:
    """The labelled rows of scored batches in order of event time, and everybody's `answers` to them.

    `rows` hold the events' columns, the features, `batch`, `version` (which gave the champion's
    answers), `label` and `known_at`. Answers are [n] or [n, K], the champion's first. Where the rows are
    not `all_rows` that were answered, but what somebody put first, a constant has no place among them.
    """

    spec: Spec
    rows: pl.DataFrame
    answers: Mapping[str, Floats]
    all_rows: bool = True

    def by_batch(self) -> Iterator[tuple[str, "Meeting"]]:
        """What of it was in each batch, in order of time."""
        for batch in self.rows["batch"].unique(maintain_order=True):
            among = (self.rows["batch"] == batch).to_numpy()
            answers = {name: answer[among] for name, answer in self.answers.items()}
            yield batch, replace(self, rows=self.rows.filter(among), answers=answers)

    def measures(self, name: str) -> dict[str, float]:
        """The problem's measures of somebody's answers."""
        problem, rows, answers = problem_of(self.spec), self._labelled, self.answers[name]
        found = problem.measures(rows, answers)
        if self.all_rows:
            found["relative_loss"] = relative_loss(problem, rows, answers)
        return found

    def gain(self, over: str) -> Interval:
        """By how much the champion's loss is lower than a baseline's, drawn by blocks as the gate draws."""
        problem, rows = problem_of(self.spec), self._labelled
        theirs, ours = (problem.losses(rows, self.answers[name]) for name in (over, CHAMPION))
        blocks = drawn_blocks(rows, self.spec)
        of_units = replace(blocks, block=blocks.block[problem.units(rows)])
        return of_units.mean(theirs - ours, self.spec.gate.confidence)

    @property
    def _labelled(self) -> Rows:
        return Rows.of(self.rows, self.spec.outcome)


def meeting(workspace: Workspace, benchmark: Benchmark) -> Meeting:
    """Hold the baselines against the predictions that the lake has, batch by batch.

    Raises IntegrityError when nothing was scored that has an outcome.
    """
    rows = _rows(workspace)
    scored, asked = rows.filter(pl.col("version").is_not_null()), _asked(workspace, rows.columns)
    if scored.is_empty():
        raise IntegrityError(
            f"{workspace.spec.name}: no prediction has an outcome, so there is nothing to compare"
        )
    found: dict[str, list[Floats]] = {name: [] for name in (CHAMPION, *benchmark.baselines)}
    for (batch,), part in scored.group_by("batch", maintain_order=True):
        start = workspace.batch(str(batch)).start
        known = rows.filter(pl.col("known_at") <= start).drop("prediction", "version")
        champion = from_column(part["prediction"])
        found[CHAMPION].append(champion)
        for name in benchmark.baselines:
            found[name].append(benchmark.answers(name, known, part.select(asked), champion.shape))
    answers = {name: np.concatenate(parts) for name, parts in found.items()}
    return Meeting(workspace.spec, scored.drop("prediction"), answers)


def _rows(workspace: Workspace) -> pl.DataFrame:
    """Every labelled row with all of its event and, where it was scored, `prediction` and `version`."""
    spec, lake = workspace.spec, workspace.lake
    key = list(spec.datasets[spec.events].key)
    rows = labelled(workspace, spec.batches.calendar().batches()[-1].end + spec.outcome.maturity)
    events, predictions = lake.scan(f"raw/{spec.events}"), lake.scan("predictions")
    more = [name for name in events.collect_schema() if name not in (*rows.columns, "row", "row_hash")]
    joined = rows.lazy().join(events.select(*key, "batch", *more), on=[*key, "batch"], how="left")
    answered = predictions.select(*key, "batch", "prediction", "version")
    return joined.join(answered, on=[*key, "batch"], how="left").sort("event_time", *key).collect()


def _asked(workspace: Workspace, columns: Sequence[str]) -> list[str]:
    """The columns that are known when the decision falls: no outcome is among them, nor what tells it."""
    spec, inputs = workspace.spec, plain(workspace.spec)
    made = expressions(spec, workspace.project.functions).values()
    read = [*columns_asked(inputs), *(root for each in made for root in each.meta.root_names())]
    known = {*spec.datasets[spec.events].key, "event_time", "decision_time", *spec.features, *read}
    return [name for name in columns if name in known]
