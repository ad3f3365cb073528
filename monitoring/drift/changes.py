"""What changed, by name: values that came or went, values missing, columns that are not what they were."""

from collections.abc import Iterator, Sequence
from typing import Literal

from monitoring.profiles.profile import Profile, Tally

Change = Literal[
    "new values", "vanished values", "missing", "all missing", "absent", "another kind", "infinite"
]
VALUES: frozenset[Change] = frozenset({"new values", "vanished values"})
"""The changes of a category; the others are of a column."""

# A value that is missing from one side is named when this many rows of it were to be expected
# there: by chance that happens about once in 20,000 times (Poisson, exp(-10)).
EXPECTED = 10
NAMED = 5
NOTED_SHARE = 0.01


def notes_of(before: Profile, now: Profile) -> tuple[tuple[Change, ...], list[str]]:
    """What changed besides the distribution of values, in fixed words, and in sentences of the columns.

    Neither side is without rows.
    """
    found = [*_missing(before.tally, now.tally), *_odd(before.tally, now.tally)]
    changes = [change for change, _ in found if change is not None]
    new, vanished = absences(before, now)
    if new:
        changes.append("new values")
    if vanished:
        changes.append("vanished values")
    return tuple(changes), [note for _, note in found]


def absences(before: Profile, now: Profile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The values that are new, and those that vanished: where enough rows were to be expected.

    Where no row has a value, that is said instead of all that vanished; and of no words there is no
    telling which they are.
    """
    if before.values is None or now.values is None or not now.values.known:
        return (), ()
    if before.kind == "text" and not before.values.known:
        return (), ()
    return _absent(now, before), _absent(before, now)


def named(what: str, values: Sequence[str]) -> str:
    """The first of some values in words; empty where there are none."""
    more = f" and {len(values) - NAMED} more" if len(values) > NAMED else ""
    return f"{what}: {', '.join(values[:NAMED])}{more}" if values else ""


def _missing(before: Tally, now: Tally) -> Iterator[tuple[Change | None, str]]:
    then, since = before.missing / before.rows, now.missing / now.rows
    if then == since == 1:
        yield None, "missing in all rows of both"
    elif abs(since - then) >= NOTED_SHARE:
        absent = now.absent == now.rows
        if absent:
            yield "absent", "the batch has no such column"
        change: Change = "all missing" if since == 1 else "missing"
        yield None if absent else change, f"missing in {since:.1%} of rows, {then:.1%} in the reference"


def _odd(before: Tally, now: Tally) -> Iterator[tuple[Change, str]]:
    """Values that are no numbers, which are missing, and infinite ones, which are not."""
    kinds: tuple[tuple[Change, str, int, int], ...] = (
        ("another kind", "no numbers", before.strange, now.strange),
        ("infinite", "infinite", before.infinite, now.infinite),
    )
    for change, what, then, since in kinds:
        if abs(since / now.rows - then / before.rows) >= NOTED_SHARE:
            told = f"{since / now.rows:.1%} of values are {what}, {then / before.rows:.1%} in the reference"
            yield change, told


def _absent(here: Profile, there: Profile) -> tuple[str, ...]:
    assert here.values is not None and there.values is not None
    known, scale = there.values.counts(), _said(there) / max(_said(here), 1)
    # A count may be too large by its error, and a value that is not counted may be there so often.
    least = EXPECTED + there.values.error
    return tuple(
        value
        for value, rows in here.values.counts().items()
        if value not in known and (rows - here.values.error) * scale >= least
    )


def _said(profile: Profile) -> int:
    assert profile.values is not None
    return profile.values.known if profile.kind == "text" else profile.tally.rows
