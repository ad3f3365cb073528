"""Champions and baselines that choose from a whole catalogue: each shows its own first items of a list.

Of a project with `candidates` a champion ranks what was retrieved, so that the rows that it answers are
no fair field. Here everybody scores every item that a list could have held, and what was chosen counts
wherever it stands: what was not retrieved, or was in no catalogue yet, is missed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.baselines import Benchmark, Floats
from benchmarks.meeting import CHAMPION, Meeting
from core.batches import Batch
from core.errors import IntegrityError
from core.spec import Candidates
from models.retrieval.fit import DECISION, KNOWN, entities, instants
from models.retrieval.pasts import Pasts
from stages.features.retrieval import chosen, facts
from stages.workspace import Workspace

Whole = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists of a batch, what they could hold, and what was `known` when the batch began.

    `asks` has the columns of the group, `decision_time`, `past` (the items that were had by then, the
    newest last) and what was `chosen`. `items` are the catalogue in rising order, and behind its `size`
    what was chosen and not in it.
    """

    batch: Batch
    asks: pl.DataFrame
    known: pl.DataFrame
    items: pl.Series
    size: int

    def marks(self, column: str) -> Marks:
        """Which of the items are in a column of lists [lists, items]."""
        places = pl.DataFrame({"item": self.items}).with_row_index("place")
        held = self.asks.select(item=column).with_row_index("row").explode("item").drop_nulls()
        found = held.join(places, on="item")
        marks = np.zeros((self.asks.height, len(self.items)), bool)
        marks[found["row"].to_numpy(), found["place"].to_numpy()] = True
        return marks


def meeting(workspace: Workspace, benchmark: Benchmark) -> Meeting:
    """Hold the baselines against the champions, batch by batch, on the first items of everybody.

    A baseline is called with the events `known` (their columns that retrieval reads, and the label) and
    the `asks` of `Lists` but for what was chosen. It scores each list's items, [lists, items]: a column
    for each item of `known`, in rising order. The rows are what anybody put among the first
    `objective.cutoff` and all that was chosen, with `popularity` (the share of the catalogue that is
    known of less often; null of what is not in it), `had` (how many items were had by then) and
    `catalogue` (how many items there are).
    Raises IntegrityError when nothing was scored that has an outcome.
    """
    rules, found = workspace.spec.candidates, list[tuple[pl.DataFrame, Mapping[str, Floats]]]()
    for batch in workspace.spec.batches.calendar().batches() if rules else ():
        if rules and workspace.ledger.result("score", batch.id):
            lists = _lists(workspace, rules, batch)
            if lists.asks.height and lists.size:
                found.append(_met(workspace, rules, benchmark, lists))
    if not found:
        raise IntegrityError(
            f"{workspace.spec.name}: no prediction has an outcome: nothing is to be compared"
        )
    answers = {name: np.concatenate([said[name] for _, said in found]) for name in found[0][1]}
    return Meeting(workspace.spec, pl.concat([rows for rows, _ in found]), answers, all_rows=False)


def _lists(workspace: Workspace, rules: Candidates, batch: Batch) -> Lists:
    spec, key = workspace.spec, list(workspace.spec.datasets[workspace.spec.events].key)
    everything = facts(workspace, rules, batch.end)
    asks = chosen(workspace, rules, batch.start, batch.end + spec.outcome.maturity)
    asks = asks.filter(pl.col(spec.decision.before) < batch.end).sort(
        spec.decision.before, *spec.outcome.group
    )
    labels = workspace.lake.scan("outcomes").select(*key, "label").collect()
    before = everything.filter(pl.col(KNOWN) <= batch.start).join(labels, on=key, how="left")
    catalogue = before[rules.item].unique().drop_nulls().sort()
    new = asks["chosen"].explode().unique().sort()
    items = pl.concat([catalogue, new.filter(~new.is_in(catalogue.implode()))])
    return Lists(batch, asks.with_columns(_past(rules, everything, asks)), before, items, len(catalogue))


def _past(rules: Candidates, known: pl.DataFrame, asks: pl.DataFrame) -> pl.Series:
    who, asking = entities([known, asks], rules.by)
    past, items = Pasts.of(who, instants(known, KNOWN), np.arange(known.height)), known[rules.item]
    stretches = zip(*past.until(asking, instants(asks, DECISION)), strict=True)
    had = [items.gather(past.items[start:end]) for start, end in stretches]
    return pl.Series("past", had, dtype=pl.List(items.dtype))


def _met(
    workspace: Workspace, rules: Candidates, benchmark: Benchmark, lists: Lists
) -> tuple[pl.DataFrame, Mapping[str, Floats]]:
    """The rows of one batch, and everybody's answers to them: the item's place, from 0 down."""
    asks, shape = lists.asks.drop("chosen"), (lists.asks.height, lists.size)
    scores = {CHAMPION: _champion(workspace, rules, lists)}
    scores |= {name: benchmark.answers(name, lists.known, asks, shape) for name in benchmark.baselines}
    had, watched = lists.marks("past"), lists.marks("chosen")
    places = {name: _places(each, had) for name, each in scores.items()}
    cutoff = workspace.spec.objective.cutoff
    shown = np.any([place < cutoff for place in places.values()], axis=0)
    row, item = np.nonzero(shown | watched)
    answers = {name: -place[row, item].astype(np.float64) for name, place in places.items()}
    return _rows(workspace, rules, lists, row, item), answers


def _champion(workspace: Workspace, rules: Candidates, lists: Lists) -> Floats:
    """The champion's predictions [lists, catalogue]; minus infinity of what was not retrieved."""
    group = list(workspace.spec.outcome.group)
    places = pl.DataFrame({rules.item: lists.items}).with_row_index("place")
    said = workspace.lake.scan("predictions", [lists.batch.id]).collect().join(places, on=rules.item)
    said = said.join(lists.asks.select(group).with_row_index("row"), on=group)
    found = np.full((lists.asks.height, lists.size), -np.inf)
    found[said["row"].to_numpy(), said["place"].to_numpy()] = said["prediction"].to_numpy()
    return found


def _places(scores: Floats, had: Marks) -> Whole:
    """The place of each item in its list [lists, items], from 0; last are those that nobody can show."""
    open_to = np.full(had.shape, -np.inf)
    open_to[:, : scores.shape[1]] = scores
    open_to[had] = -np.inf
    order = np.argsort(-open_to, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(had.shape[1])[None], axis=1)
    return np.where(np.isneginf(open_to), had.shape[1], places)


def _rows(workspace: Workspace, rules: Candidates, lists: Lists, row: Whole, item: Whole) -> pl.DataFrame:
    spec = workspace.spec
    events, asks = spec.datasets[spec.events], lists.asks
    counts = lists.known[rules.item].drop_nulls().value_counts().sort(rules.item)["count"]
    share = (counts.rank("min") - 1) / max(lists.size - 1, 1)
    outcomes = workspace.lake.scan("outcomes", [lists.batch.id]).select(*events.key, "label").collect()
    version = (workspace.ledger.result("score", lists.batch.id) or {})["version"]
    return (
        asks.select(
            *spec.outcome.group, event_time=pl.col(events.event_time or ""), had=pl.col("past").list.len()
        )[row]
        .with_columns(
            lists.items.gather(item).alias(rules.item),
            pl.concat([share, pl.repeat(None, len(lists.items) - lists.size, eager=True)])
            .gather(item)
            .alias("popularity"),
            catalogue=pl.lit(lists.size),
            batch=pl.lit(lists.batch.id),
            version=pl.lit(version),
        )
        .join(outcomes, on=list(events.key), how="left", maintain_order="left")
        .with_columns(pl.col("label").fill_null(pl.lit(0).cast(outcomes.schema["label"])))
    )
