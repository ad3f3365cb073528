"""What becomes of the answers when the inputs are not as they should be: noise, gaps, strange values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from core.past import Past
from core.spec import Derived, Lookup, Spec
from models.card.disguise import TRICKS
from models.card.outside import Seen
from models.card.sample import Answers, as_read, asked
from models.measures.intervals import drawn_blocks
from models.measures.paired import Blocks, Interval
from models.problem import Problem
from models.rows import Rows

NOISE = (0.1, 0.5)
BEYOND = 3.0
UNSEEN = "∅ never seen"


@dataclass(frozen=True, slots=True)
class Trial:
    """What one change to some features of all rows does.

    `change` is `noise 0.1` (normal noise of so many standard deviations), `missing`, `unseen` (a
    category that nobody knows), `clipped` (into the 1st to 99th percentile of training), `beyond`
    (3 standard deviations past the nearer end of these), or, of a text, a trick of spelling, by its name
    in `models.card.disguise`. `what` names the features: one, `all`, or
    the source that they come from. `rise` is by how much the loss rises, `mean_move` and
    `largest_move` are by how much answers change (of classes, the one that changes most). It
    `matters` when the loss surely rises, and by more than the slice margin, or when an answer is no
    number any more.
    """

    change: str
    what: str
    features: tuple[str, ...]
    rise: Interval
    mean_move: float
    largest_move: float
    matters: bool


def trials(problem: Problem, answers: Answers, rows: Rows, seen: Seen, spec: Spec) -> tuple[Trial, ...]:
    """Try every change on these rows: each feature alone, those of one source, and all together."""
    frame = as_read(rows.frame, seen.columns)
    before, blocks = answers(frame), drawn_blocks(rows, spec)
    of_units = Blocks(blocks.block[problem.units(rows)], blocks.weights)
    losses = problem.losses(rows, before)
    changes = list(_changes(frame, seen, spec))
    changed = (frame.with_columns(columns) for _, _, columns in changes)
    found = []
    for (change, what, columns), after in zip(changes, asked(answers, changed), strict=True):
        moves = np.abs(after - before)
        moves = moves if moves.ndim == 1 else moves.max(axis=1)
        rise = of_units.mean(problem.losses(rows, after) - losses, spec.gate.confidence)
        matters = not np.isfinite(moves).all() or (rise.low > 0 and rise.value > spec.gate.slice_margin)
        features = tuple(column.name for column in columns)
        found.append(Trial(change, what, features, rise, float(moves.mean()), float(moves.max()), matters))
    return tuple(found)


def sources(spec: Spec) -> dict[str, tuple[str, ...]]:
    """The features that are lost together when a source fails, by source.

    A source is a dataset that features look up, or the past of the events, which trails behind when
    outcomes are late. A feature by a function is lost with any of its inputs.
    """
    found: dict[str, list[str]] = {}
    for name, feature in spec.features.items():
        inputs = list(feature.inputs.values()) if isinstance(feature, Derived) else [feature]
        looked_up = {each.dataset for each in inputs if isinstance(each, Lookup)}
        past = {f"the past of {spec.events}" for each in inputs if isinstance(each, Past)}
        for source in sorted(looked_up | past):
            found.setdefault(source, []).append(name)
    return {source: tuple(names) for source, names in found.items()}


def _changes(frame: pl.DataFrame, seen: Seen, spec: Spec) -> Iterator[tuple[str, str, list[pl.Series]]]:
    """The changes to be tried: their name, that of the features, and the changed columns."""
    missing = {name: pl.Series(name, [None] * frame.height, frame.schema[name]) for name in frame.columns}
    unseen = {name: pl.Series(name, [UNSEEN] * frame.height) for name in seen.columns.categories}
    tricks = {trick: _spelled(frame, seen, spell) for trick, spell in TRICKS.items()}
    kinds = {**_numbers(frame, seen, spec.training.seed), "missing": missing, "unseen": unseen, **tricks}
    for change, columns in kinds.items():
        if change != "clipped":  # says something of the tails of all, hardly anything of one
            for name, column in columns.items():
                yield change, name, [column]
        if len(columns) > 1:
            yield change, "all", list(columns.values())
    for source, names in sources(spec).items():
        yield "missing", source, [missing[name] for name in names]


def _spelled(frame: pl.DataFrame, seen: Seen, spell: Callable[[str], str]) -> dict[str, pl.Series]:
    """The texts in another spelling, each by name."""
    return {
        name: pl.Series(name, [text and spell(text) for text in frame[name]], pl.String)
        for name in seen.columns.texts
    }


def _numbers(frame: pl.DataFrame, seen: Seen, seed: int) -> dict[str, dict[str, pl.Series]]:
    """The numbers that vary in training with noise, clipped, and pushed beyond, each by name."""
    random = np.random.default_rng(seed)
    found: dict[str, dict[str, pl.Series]] = {f"noise {share:g}": {} for share in NOISE}
    found |= {"clipped": {}, "beyond": {}}
    for place, name in enumerate(seen.columns.numbers):
        spread, low, high = seen.spread[place], seen.low[place], seen.high[place]
        if not spread > 0:
            continue
        values = frame[name].cast(pl.Float64).to_numpy()
        noise = random.normal(0, spread, frame.height)
        near_top = values > seen.middle[place]
        beyond = np.where(near_top, high + BEYOND * spread, low - BEYOND * spread)
        changed = [values + share * noise for share in NOISE]
        changed += [values.clip(low, high), np.where(np.isnan(values), np.nan, beyond)]
        for kind, each in zip(found, changed, strict=True):
            found[kind][name] = pl.Series(name, each, pl.Float32).fill_nan(None)
    return found
