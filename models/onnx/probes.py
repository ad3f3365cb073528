"""Rows made to tell a graph from its native model: on the splits of trees, missing, unseen, and at random."""

import math
from collections.abc import Sequence

import numpy as np
import onnx
import polars as pl
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.rows import Columns, categories, numbers, texts

# Splits that get rows of their own, an even sample; rows that show each missing or unseen value; and
# rows at random, fewer where there are texts to be read.
MAX_SPLITS, SHOWN, FUZZED, FUZZED_TEXTS = 500, 8, 2000, 500
LESS_OR_EQUAL = 0
UNSEEN = "∅ never seen"
TINY, HUGE = np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).max
NUMBERS = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, TINY, -TINY, HUGE, -HUGE, 1e-35, -1e-35], np.float32)
TEXTS = (
    None,
    "",
    " ",
    "nan",
    "null",
    UNSEEN,
    "é",
    "e\N{COMBINING ACUTE ACCENT}",
    "🛫" * 9,
    "a\0b",
    "x" * 5000,
)
# Of free texts, what a tokeniser may stumble over, too: many words, blanks alone, controls, signs of
# other scripts in the place of Latin ones, and what is joined or turned by signs that nobody sees.
FREE = (
    *TEXTS,
    "word " * 3000,
    "! " * 400,
    "\n\t \u2028",
    "s p a c e d",
    "l33t $p34k",
    "\u0455\u0440\u0430\u0441\u0435d",
    "\u202edenrut",
    "\ufeffb\u200do\u200dm",
    "👩‍👩‍👧‍👦 👍🏽",
    "แมว 猫 кот",
    "".join(map(chr, range(1, 32))),
)


def compared_rows(
    model: onnx.ModelProto, columns: Columns, holdout: pl.DataFrame, train: pl.DataFrame, seed: int = 0
) -> pl.DataFrame:
    """The holdout rows, then rows made where a conversion would go wrong; the features only.

    Those have a number exactly on a split of the graph's trees, and one float32 to either side; each
    feature missing, then all of them; each category unseen, then all of them; and then there are rows
    at random over and far beyond the training rows (see `fuzzed`).
    """
    base, seen = (_typed(frame, columns) for frame in (holdout, train))
    missing = {name: pl.lit(None, base.schema[name]) for name in columns.names}
    unseen = {name: pl.lit(UNSEEN) for name in columns.categories + columns.texts}
    changes = [{name: value} for name, value in [*missing.items(), *unseen.items()]] + [missing, unseen]
    edges = [base.head(SHOWN).with_columns(**change) for change in changes]
    strange = fuzzed(seen, columns, FUZZED_TEXTS if columns.texts else FUZZED, seed)
    return pl.concat([base, _split_rows(model, columns, base), *edges, strange])


def fuzzed(train: pl.DataFrame, columns: Columns, rows: int, seed: int) -> pl.DataFrame:
    """So many rows at random, the same for the same seed; from nearly usual ones to wholly strange ones.

    Each value is drawn by itself: that of a training row; or, for a number, one within thrice the
    range of training, one of any magnitude that float32 has, or NaN, an infinity, a zero of either
    sign, a denormal; for a category or a text, null, nothing, another case, blanks, and ones never
    seen, some of them very long or beyond ASCII.
    """
    random = np.random.default_rng(seed)
    strange = random.random((rows, 1)) ** 2
    known = numbers(train, columns)
    values = _strange_numbers(known, strange, random)
    named = {
        series.name: _strange_texts(series, kinds, strange[:, 0], random)
        for kinds, every in ((TEXTS, categories(train, columns)), (FREE, texts(train, columns)))
        for series in every
    }
    made = dict(zip(columns.numbers, values.T, strict=True))
    found = pl.DataFrame(made | named, schema=_typed(train, columns).schema)
    # Long texts come last: each makes all those beside it as long.
    lengths = [pl.col(name).str.len_bytes().fill_null(0) for name in columns.texts]
    return found.sort(pl.max_horizontal(lengths), maintain_order=True) if lengths else found


def _typed(frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    strings = columns.categories + columns.texts
    kinds = dict.fromkeys(columns.numbers, pl.Float32) | dict.fromkeys(strings, pl.String)
    return frame.select(frame[name].cast(kind) for name, kind in kinds.items())


def _strange_numbers(
    known: NDArray[np.float32], strange: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float32]:
    """Numbers at random [rows, K]; a row's are strange as often as its share says."""
    shape = (len(strange), known.shape[1])
    finite = np.isfinite(known)
    low = np.where(finite, known, 0).min(axis=0)
    width = np.where(finite, known, 0).max(axis=0) - low
    usual = np.take_along_axis(known, random.integers(len(known), size=shape), axis=0)
    sign = random.choice([-1.0, 1.0], shape)
    kinds = [
        low + width * random.uniform(-1, 2, shape),
        sign * 10.0 ** random.uniform(-45, math.log10(HUGE), shape),
        random.choice(NUMBERS, shape),
    ]
    odd = np.choose(random.integers(len(kinds), size=shape), kinds)
    return np.where(random.random(shape) < strange, odd, usual).astype(np.float32)


def _strange_texts(
    series: pl.Series,
    kinds: Sequence[str | None],
    strange: NDArray[np.float64],
    random: np.random.Generator,
) -> list[str | None]:
    usual = series.gather(random.integers(len(series), size=len(strange))).to_list()
    odd = random.random(len(strange)) < strange
    places = np.where(odd, random.integers(1, 3 + len(kinds), len(strange)), 0)
    return [_odd(text, place, kinds) for text, place in zip(usual, places.tolist(), strict=True)]


def _odd(text: str, place: int, kinds: Sequence[str | None]) -> str | None:
    """The text as it is, with a blank, in the other case, or another one."""
    if place > 2:
        return kinds[place - 3]
    return (text, f"{text} ", text.swapcase())[place]


def _split_rows(model: onnx.ModelProto, columns: Columns, base: pl.DataFrame) -> pl.DataFrame:
    """Rows of `base` with one number at, just below, and just above a split."""
    features, splits = _splits(model, len(columns.numbers))
    below, above = (np.nextafter(splits, np.float32(side)) for side in (-np.inf, np.inf))
    at = np.column_stack([below, splits, above]).ravel()
    rows = np.arange(len(at)) % base.height
    values = numbers(base, columns)[rows]
    values[np.arange(len(at)), features.repeat(3)] = at
    replaced = pl.DataFrame(dict(zip(columns.numbers, values.T, strict=True))).fill_nan(None)
    return base[rows].with_columns(replaced)


def _splits(model: onnx.ModelProto, width: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The distinct splits on the first `width` features, as features and values [s]; an even sample."""
    found: set[tuple[int, float]] = set()
    for node in model.graph.node:
        if node.op_type == "TreeEnsemble":
            parts = {part.name: helper.get_attribute_value(part) for part in node.attribute}
            modes, features = numpy_helper.to_array(parts["nodes_modes"]), np.array(parts["nodes_featureids"])
            kept = (modes == LESS_OR_EQUAL) & (features < width)
            values = numpy_helper.to_array(parts["nodes_splits"])[kept].astype(np.float32).tolist()
            found.update(zip(features[kept].tolist(), values, strict=True))
    sample = sorted(found)[:: math.ceil(len(found) / MAX_SPLITS) or 1]
    return np.array([f for f, _ in sample], np.int64), np.array([v for _, v in sample], np.float32)
