"""Order between columns: which of two is never above the other, where that is no matter of course."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import combinations

from expectations.proposal.closer import Pair
from expectations.proposal.draft import Entry
from expectations.proposal.profile import Column, sort
from expectations.proposal.seen import Seen

_EVIDENCE = 30  # rows with both values, in each batch
_CERTAIN = 1_000  # rows, in all, from which a pair that is never equal is not expected to be
_SURPRISE = 0.1  # share of unlike pairs that would be in the other order, were the columns independent
_MOST = 300


def candidates(seen: Seen) -> list[tuple[str, str]]:
    """Pairs of columns whose values overlap, so that an order between them would say something."""
    found: list[tuple[float, tuple[str, str]]] = []
    for a, b in combinations(seen.schema, 2):
        kind = sort(seen.schema[a])
        alike = kind == sort(seen.schema[b]) and (kind == "number" or seen.schema[a] == seen.schema[b])
        if kind not in ("number", "instant") or not alike or not seen.all_filled(a) or not seen.all_filled(b):
            continue
        pairs = list(zip(seen.columns[a], seen.columns[b], strict=True))
        above = sum(_above(first, second) for first, second in pairs) / len(pairs)
        below = sum(_above(second, first) for first, second in pairs) / len(pairs)
        if min(above, below) >= _SURPRISE:
            found.append((min(above, below), (a, b)))
    found.sort(key=lambda each: -each[0])
    return [pair for _, pair in found[:_MOST]]


def ordered(seen: Seen) -> Iterator[Entry]:
    """The orders that hold in every row of every batch, without those that follow from others."""
    edges: dict[tuple[str, str], list[Pair]] = {}
    for a, b in seen.closer[0].pairs:
        pairs = [closer.pairs[a, b] for closer in seen.closer]
        if min(pair.below + pair.equal + pair.above for pair in pairs) < _EVIDENCE:
            continue
        if not any(pair.below or pair.above for pair in pairs):
            yield _equal(a, b, pairs)
        elif not any(pair.below for pair in pairs):
            edges[a, b] = pairs
        elif not any(pair.above for pair in pairs):
            edges[b, a] = [Pair(pair.above, pair.equal, pair.below) for pair in pairs]
    for (high, low), pairs in edges.items():
        between = {end for start, end in edges if start == high and end != low}
        if not any((middle, low) in edges for middle in between):
            yield _greater(high, low, pairs)


def _above(first: Column, second: Column) -> float:
    """How often the first would be above the second if they had nothing to do with each other."""
    wins = sum(bisect_left(second.levels, level) for level in first.levels)
    return wins / (len(first.levels) * len(second.levels))


def _greater(high: str, low: str, pairs: list[Pair]) -> Entry:
    equal, rows = sum(pair.equal for pair in pairs), sum(pair.equal + pair.above for pair in pairs)
    loose = bool(equal) or rows < _CERTAIN
    said = "or equal " if equal else ""
    return Entry(
        "expect_column_pair_values_a_to_be_greater_than_b",
        "warning",
        {"column_A": high, "column_B": low}
        | ({"or_equal": True} if loose else {})
        | {"ignore_row_if": "either_value_is_missing"},
        f"Greater {said}in all of the {rows:,} rows that have both.",
    )


def _equal(a: str, b: str, pairs: list[Pair]) -> Entry:
    return Entry(
        "expect_column_pair_values_to_be_equal",
        "info",
        {"column_A": a, "column_B": b, "ignore_row_if": "either_value_is_missing"},
        f"Equal in all of the {sum(pair.equal for pair in pairs):,} rows that have both.",
    )
