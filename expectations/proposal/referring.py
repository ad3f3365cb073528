"""Referential integrity as a suite may expect it: values that are those of another dataset's column."""

from collections.abc import Iterator

import polars as pl

from expectations.proposal import bounds
from expectations.proposal.draft import Entry
from expectations.proposal.seen import Seen

_NEARLY = 0.95
_SPEAKING = 3  # distinct values from which lying in another dataset's column is no accident


def referred(seen: Seen, column: str) -> Iterator[Entry]:
    """That the values are those of another dataset's column: all, or (only told) nearly all."""
    rows = [one.held for one in seen.columns[column]]
    shares = {
        name: [
            closer.members[column, name] / held
            for closer, held in zip(seen.closer, rows, strict=True)
            if held
        ]
        for name in seen.lists
        if (column, name) in seen.closer[0].members
    }
    # First the list whose column is called the same, then the one that says the most.
    best = sorted(
        shares, key=lambda name: (-min(shares[name]) < 1, not _namesake(column, name), len(seen.lists[name]))
    )
    whole = [name for name in best if min(shares[name]) == 1 and _speaks(seen, column, name)]
    nearly = [name for name in best if _NEARLY <= min(shares[name]) < 1 and _speaks(seen, column, name)]
    kind, sparse = "expect_column_values_to_be_in_set", seen.sparse(column)
    if whole:
        kwargs = {"column": column, "value_set": {"$PARAMETER": whole[0]}}
        yield Entry(kind, "warning", kwargs, f"All of them are in {whole[0]}.", sparse)
    elif nearly:
        least = min(shares[nearly[0]])
        mostly = bounds.share_below(shares[nearly[0]], 0.01)
        arguments = {"column": column, "value_set": {"$PARAMETER": nearly[0]}, "mostly": mostly}
        yield Entry(kind, "info", arguments, f"In {nearly[0]}: {least:.2%} at least.", sparse)


def may_refer(seen: Seen, column: str, name: str) -> bool:
    """Whether it is worth counting how many of the column's values are in the list of that name."""
    mine, theirs = seen.schema[column], seen.lists[name].dtype
    if theirs == pl.String:
        return isinstance(mine, pl.String | pl.Categorical | pl.Enum)
    return mine.is_integer() and theirs.is_integer() and _namesake(column, name)


def _namesake(column: str, name: str) -> bool:
    dataset, _, other = name.partition(".")
    words = column.casefold().replace("-", "_").split("_")
    return column.casefold() in (other.casefold(), f"{dataset}_{other}".casefold()) or (
        dataset.casefold().rstrip("s") in words
    )


def _speaks(seen: Seen, column: str, name: str) -> bool:
    return _namesake(column, name) or max(one.distinct for one in seen.columns[column]) >= _SPEAKING
