"""A few rows, and what their answers are made of."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from core.spec import Spec
from models.card.explain import Added
from models.card.outside import Seen
from models.family import Fitted
from models.problem import Floats, Problem, in_one_number
from models.problems.quantiles import Quantiles
from models.rows import Columns, Rows

# So many features and words are told, of a text's first words so many are tried, and so much of it is shown.
TOLD, READ, SHOWN = 6, 60, 200


@dataclass(frozen=True, slots=True)
class Part:
    """What one feature, by its value, adds to a margin."""

    feature: str
    value: float | str | None
    added: float


@dataclass(frozen=True, slots=True)
class Example:
    """One row: why it was chosen, which event it is, what was said, what was so.

    `said` is the class that `answer` is the probability of, of quantiles the span of all of them beside
    the middle one, or ""; `actual` is the label. `parts` are the features that add most to the margin,
    `rest` is what all others add. Of SHAP values `base` makes the sum whole: base + parts + rest =
    margin; None otherwise.
    `words` are those of its texts that move the margin most: what it would lose without them.
    """

    role: str
    event: Mapping[str, str]
    answer: float
    said: str
    actual: float | str
    margin: float
    base: float | None
    parts: tuple[Part, ...]
    rest: float
    words: tuple[Part, ...] = ()


def examples(
    problem: Problem, model: Fitted, rows: Rows, answers: Floats, seen: Seen, spec: Spec
) -> tuple[Example, ...]:
    """The highest, a middle and the lowest answer (or the surest class), and those furthest off."""
    chosen = _chosen(problem, rows, answers)
    part = rows.at(np.array(list(chosen.values())))
    added, margins = Added.of(model, part.frame, seen), model.margins(part.frame)
    found = []
    for row, (role, place) in enumerate(chosen.items()):
        said = _place(problem, answers[place])
        values, margin = added.values[row, :, said], float(margins[row, said])
        parts, rest = _parts(part.frame[row], values, seen.columns)
        base = margin - float(values.sum()) if added.exact else None
        event = _event(part.frame[row], spec)
        told = _told(problem, answers[place : place + 1], part.labels[row])
        words = _words(model, part.frame[row], said, seen.columns)
        found.append(Example(role, event, *told, margin, base, parts, rest, words))
    return tuple(found)


def _chosen(problem: Problem, rows: Rows, answers: Floats) -> dict[str, int]:
    """The position of the row for each role."""
    height, classes = in_one_number(problem, answers), problem.kind == "multiclass"
    order = np.argsort(height, kind="stable")
    names = ("surest", "middling", "least sure") if classes else ("highest", "middling", "lowest")
    found = dict(zip(names, (int(order[-1]), int(order[len(order) // 2]), int(order[0])), strict=True))
    if classes:
        true = answers[np.arange(len(rows)), rows.labels.astype(np.int64)]
        return found | {"furthest off": int(true.argmin())}
    off = height - rows.labels
    if problem.kind == "ranking":  # scores have no unit: what stands out is the wrong end of the order
        relevant = rows.labels > 0
        off = np.where(relevant, height - height.max(), height - height.min())
    return found | {"furthest too high": int(off.argmax()), "furthest too low": int(off.argmin())}


def _told(problem: Problem, answer: Floats, label: float) -> tuple[float, str, float | str]:
    """The answer [1] or [1, K] in one number, what more it says, and what was so."""
    said = float(in_one_number(problem, answer)[0])
    if problem.kind == "multiclass":
        names = problem.outputs
        return said, names[int(answer.argmax())], names[int(label)]
    spans = isinstance(problem, Quantiles) and len(problem.levels) > 1
    return said, f"{answer.min():.4g} to {answer.max():.4g}" if spans else "", float(label)


def _place(problem: Problem, answer: Floats) -> int:
    """Which margin of a row stands for its answer [] or [K]: that of the likeliest class, of the middle."""
    if isinstance(problem, Quantiles):
        return int(problem.middle(np.arange(len(answer), dtype=np.float64)[None])[0])
    return int(answer.argmax())


def _parts(row: pl.DataFrame, values: Floats, columns: Columns) -> tuple[tuple[Part, ...], float]:
    """What the weightiest features of a row add, and the sum of all others."""
    top = np.argsort(-np.abs(values), kind="stable")[:TOLD]
    top = top[values[top] != 0]
    parts = [(columns.names[feature], float(values[feature])) for feature in top]
    rest = float(np.delete(values, top).sum())
    return tuple(Part(name, _value(row[name][0]), added) for name, added in parts), rest


def _words(model: Fitted, row: pl.DataFrame, said: int, columns: Columns) -> tuple[Part, ...]:
    """The words of a row's texts without which a margin moves most, by blanks, and what each adds."""
    texts = {name: (row[name][0] or "").split()[:READ] for name in columns.texts}
    left_out = [
        (name, word, row.with_columns(pl.lit(" ".join(words[:place] + words[place + 1 :])).alias(name)))
        for name, words in texts.items()
        for place, word in enumerate(words)
    ]
    if not left_out:
        return ()
    whole = row.with_columns(pl.lit(" ".join(words)).alias(name) for name, words in texts.items())
    margins = model.margins(pl.concat([whole, *(frame for _, _, frame in left_out)]))[:, said]
    added = margins[0] - margins[1:]
    top = np.argsort(-np.abs(added), kind="stable")[:TOLD]
    named = [(*left_out[place][:2], float(added[place])) for place in top]
    return tuple(Part(name, word, moved) for name, word, moved in named if moved)


def _event(row: pl.DataFrame, spec: Spec) -> dict[str, str]:
    """When the event was, and its key."""
    key = [name for name in spec.datasets[spec.events].key if name in row.columns]
    time = row["event_time"].dt.convert_time_zone(spec.batches.timezone)[0]
    return {"event_time": f"{time:%Y-%m-%d %H:%M}"} | {name: str(row[name][0]) for name in key}


def _value(value: object) -> float | str | None:
    if isinstance(value, str) and len(value) > SHOWN:
        return f"{value[:SHOWN]} …"
    if value is None or isinstance(value, str):
        return value
    return float(value) if isinstance(value, int | float) else str(value)
