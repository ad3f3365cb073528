"""The bins in which drift is measured: a reference's own, counted from profiles, or by day from rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.learning.tokens import words_of
from monitoring.drift.stability import CUTS
from monitoring.profiles.profile import Profile
from monitoring.profiles.profiling import MOST_TEXTS, as_categories, as_lengths, as_numbers
from monitoring.profiles.quantiles import Counts, Floats

# A bin costs about 1/reference rows + 1/batch rows of PSI by chance alone: few bins, or 500 rows
# without any drift come near the threshold.
MAX_CATEGORIES = 20


@dataclass(frozen=True, slots=True, eq=False)
class NumberBins:
    """Between ascending `cuts`, and a last bin for what is missing."""

    cuts: Floats

    def of(self, profile: Profile) -> Counts:
        """The rows of a profile in each bin [cuts + 2]."""
        assert profile.numbers is not None
        return np.append(profile.numbers.between(self.cuts), profile.tally.missing)

    def by_block(self, values: Floats, blocks: NDArray[np.intp], count: int) -> Counts:
        """The rows of values [n], NaN where missing, by block and bin [count, cuts + 2]."""
        bins = np.minimum(np.searchsorted(self.cuts, values), self.cuts.size)
        return _by_block(
            np.where(np.isnan(values), self.cuts.size + 1, bins), blocks, count, self.cuts.size + 2
        )


@dataclass(frozen=True, slots=True, eq=False)
class ValueBins:
    """At each of the `kept` values, at any other, and without one."""

    kept: tuple[str, ...]

    def of(self, profile: Profile, extra: Sequence[str] = ()) -> Counts:
        """The rows of a profile in each bin [kept + extra + 2]; more values may have a bin of their own."""
        assert profile.values is not None
        counts = profile.values.counts()
        own = [counts.get(value, 0) for value in (*self.kept, *extra)]
        missing = profile.tally.missing if profile.kind == "category" else 0
        return np.array([*own, max(0, profile.values.known - sum(own)), missing], np.int64)

    def by_block(self, values: pl.Series, blocks: NDArray[np.intp], count: int) -> Counts:
        """The rows of values [n] by block and bin [count, kept + 2]."""
        places = pl.DataFrame(
            {"value": self.kept, "place": range(len(self.kept))}, {"value": pl.String, "place": pl.Int64}
        )
        found = values.alias("value").to_frame().join(places, on="value", how="left", maintain_order="left")
        bins = found["place"].fill_null(len(self.kept)).to_numpy()
        return _by_block(
            np.where(values.is_null().to_numpy(), len(self.kept) + 1, bins), blocks, count, len(self.kept) + 2
        )


def number_bins(profile: Profile) -> NumberBins:
    """Deciles of the known values, each a bin of its own too.

    So a value that many rows share (zero rain, a constant) is seen leaving in either direction.
    """
    assert profile.numbers is not None
    deciles = np.unique(profile.numbers.at([place / (CUTS + 1) for place in range(1, CUTS + 1)]))
    return NumberBins(np.unique(np.concatenate([deciles, np.nextafter(deciles, -np.inf)])))


def value_bins(profile: Profile) -> ValueBins:
    """The most frequent values: rare ones share a bin."""
    assert profile.values is not None
    return ValueBins(tuple(profile.values.counts())[:MAX_CATEGORIES])


def by_block(profile: Profile, values: pl.Series, blocks: NDArray[np.intp], count: int) -> Iterator[Counts]:
    """The rows behind a profile by block and bin [count, bins]: of a text, of its length and its words.

    `blocks` [n] says in which of `count` blocks each value lies.
    """
    if profile.kind == "number":
        yield number_bins(profile).by_block(as_numbers(values), blocks, count)
    elif profile.kind == "category":
        yield value_bins(profile).by_block(as_categories(values), blocks, count)
    else:
        step = max(1, -(-len(values) // MOST_TEXTS))
        words, some = words_of(values.cast(pl.String).gather_every(step)), blocks[::step]
        yield number_bins(profile).by_block(as_lengths(words), some, count)
        said = pl.DataFrame({"word": words, "block": some}).explode("word").drop_nulls()
        yield value_bins(profile).by_block(said["word"], said["block"].to_numpy(), count)


def _by_block(bins: NDArray[np.intp], blocks: NDArray[np.intp], count: int, width: int) -> Counts:
    return np.bincount(blocks * width + bins, minlength=count * width).reshape(count, width)
