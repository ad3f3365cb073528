"""What a suite should expect of a column of texts: a set, another dataset's key, a pattern, a length."""

from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_CEILING

from expectations.proposal import bounds
from expectations.proposal.divergence import of_values
from expectations.proposal.draft import Entry
from expectations.proposal.profile import VALUES
from expectations.proposal.referring import referred
from expectations.proposal.seen import Seen, between
from expectations.proposal.shapes import pattern

_USUAL = 0.9  # share of known values from which new ones are strange


def expected(seen: Seen, column: str, notes: list[str]) -> Iterator[Entry]:
    """The entries on a column of texts; what cannot be told is put in `notes`."""
    each = seen.filled(column)
    if len(each) < 2:
        notes.append("Fewer than two batches have values: nothing can be told from them.")
        return
    sparse = seen.sparse(column)
    if values := stable(seen, column):
        told = f"The same {len(values)} in the batches, none new." if values[1:] else "Always the same."
        kwargs = {"column": column, "value_set": values}
        yield Entry("expect_column_values_to_be_in_set", "warning", kwargs, told, sparse)
        if values[1:] and (entry := of_values(seen, column)) is not None:
            yield entry
        return
    if max(one.distinct for one in each) <= VALUES:
        notes.append("New values keep coming from batch to batch: no set for all.")
        yield from _usual(seen, column)
    listed = list(referred(seen, column))
    yield from listed
    if not any(entry.severity == "warning" for entry in listed):
        yield from _form(seen, column)
    if _unique(seen, column):
        told = "Each batch has each value once."
        yield Entry("expect_column_values_to_be_unique", "info", {"column": column}, told, sparse)


def stable(seen: Seen, column: str) -> list[str]:
    """The values of a category, sorted, if each is known from two batches and none came late; or none."""
    values = [set(closer.values.get(column, ())) for closer in seen.closer]
    every = set.union(*values)
    early = set.union(*values[: max(1, seen.batches // 2)])
    known = all(sum(value in batch for batch in values) > 1 for value in every)
    small = len(every) <= VALUES and 2 * len(every) <= sum(one.held for one in seen.columns[column])
    return sorted(map(str, every)) if known and small and (seen.parts or every == early) else []


def _usual(seen: Seen, column: str) -> Iterator[Entry]:
    """That most of the values are known ones: as many as each batch had of those of all the others."""
    counts = [closer.values.get(column, {}) for closer in seen.closer]
    batches: Counter[str] = Counter(value for each in counts for value in each)
    shares = [
        sum(count for value, count in each.items() if batches[value] > 1) / sum(each.values())
        for each in counts
        if each
    ]
    if (least := bounds.share_below(shares, 0.05)) >= _USUAL:
        kwargs = {"column": column, "value_set": sorted(map(str, batches)), "mostly": least}
        told = f"Of a batch's values, {min(shares):.2%} at least are those of other batches, too."
        yield Entry("expect_column_values_to_be_in_set", "info", kwargs, told, seen.sparse(column))


def _form(seen: Seen, column: str) -> Iterator[Entry]:
    each, sparse = seen.columns[column], seen.sparse(column)
    found = [
        closer.shapes[column]
        for closer, one in zip(seen.closer, each, strict=True)
        if column in closer.shapes and one.held
    ]
    rule = pattern(found) if len(found) > 1 else None
    if rule is not None:
        told = f"All have this form, of a length of {_lengths(seen, column)}; no batch is alone in it."
        kwargs = {"column": column, "regex": rule}
        yield Entry("expect_column_values_to_match_regex", "warning", kwargs, told, sparse)
        return
    longest = max(one.greatest for one in seen.filled(column))
    shortest = min(one.least for one in seen.filled(column))
    room = bounds.outward(2 * longest, max(1, longest), ROUND_CEILING)
    lengths = {"column": column, "min_value": min(1, shortest), "max_value": room}
    told = f"Texts of no fixed form, of a length of {_lengths(seen, column)}."
    yield Entry("expect_column_value_lengths_to_be_between", "info", lengths, told, sparse)


def _lengths(seen: Seen, column: str) -> str:
    return between([length for one in seen.filled(column) for length in (one.least, one.greatest)])


def _unique(seen: Seen, column: str) -> bool:
    counts = [closer.exact.get(column) for closer in seen.closer]
    return (
        not seen.parts
        and column not in seen.dataset.key
        and counts == [one.held for one in seen.columns[column]]
    )
