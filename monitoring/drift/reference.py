"""What a version's batches are compared with: profiles, and how far its own days lie apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from models.rows import Columns
from monitoring.drift.binning import by_block
from monitoring.drift.stability import thresholds
from monitoring.profiles.profile import Profile, from_table, to_table
from monitoring.profiles.profiling import profile
from monitoring.profiles.quantiles import Counts

# So many of the newest days tell how far days differ: the file stays small over decades of hours.
MOST_BLOCKS = 1_000
_BLOCKS = pl.List(pl.List(pl.List(pl.Int64)))


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The profile of each feature, and its rows by block and bin, one histogram or several of each."""

    profiles: Mapping[str, Profile]
    blocks: Mapping[str, tuple[Counts, ...]] = field(default_factory=dict)
    # Kept here, and in no cache of a module's: that would outlive the modules that free the sketches.
    _found: dict[tuple[int, float], dict[str, float]] = field(default_factory=dict, init=False, repr=False)

    @property
    def days(self) -> int:
        """How many blocks there are."""
        return max((len(counts[0]) for counts in self.blocks.values() if counts), default=0)

    def thresholds(self, drawn: int, floor: float) -> dict[str, float]:
        """How far a feature of `drawn` days may lie from this: see `monitoring.drift.stability`."""
        if (drawn, floor) not in self._found:
            self._found[drawn, floor] = thresholds(self.blocks, drawn, floor)
        return self._found[drawn, floor]


def reference_of(rows: pl.DataFrame, columns: Columns, blocks: pl.Series | None = None) -> Reference:
    """The reference that rows make; `blocks` says of which day, or shorter stretch, each of them is.

    Without it nothing is known of how days differ.
    """
    if blocks is None:
        return Reference(profile(rows, columns))
    found = profile(rows, columns, blocks.n_unique())
    # As many as are kept, from the newest on: older ones are left out of the count by day alone.
    newest = blocks.unique().sort(descending=True).head(MOST_BLOCKS).sort()
    kept = blocks.is_in(newest.implode())
    places = np.searchsorted(newest.to_physical().to_numpy(), blocks.filter(kept).to_physical().to_numpy())
    return Reference(
        found,
        {
            name: tuple(by_block(each, rows[name].filter(kept), places, len(newest)))
            for name, each in found.items()
            if name in rows.columns
        },
    )


def blocks_of(times: pl.Series, every: str, timezone: str) -> pl.Series:
    """The block in which each instant lies: its day in the time zone, or its hour where batches are hours."""
    zoned = times.dt.convert_time_zone(timezone)
    return zoned.dt.truncate("1h").dt.convert_time_zone("UTC") if every == "1h" else zoned.dt.date()


def to_file(reference: Reference) -> pl.DataFrame:
    """The reference as a table, one row a feature."""
    counts = [
        [histogram.tolist() for histogram in reference.blocks.get(name, ())] for name in reference.profiles
    ]
    return to_table(reference.profiles).with_columns(pl.Series("blocks", counts, _BLOCKS))


def from_file(table: pl.DataFrame, where: str) -> Reference:
    """The reference that `to_file` made a table of; IntegrityError when a sketch is damaged."""
    blocks = {
        name: tuple(np.array(histogram, np.int64) for histogram in histograms)
        for name, histograms in table.select("feature", "blocks").iter_rows()
        if histograms
    }
    return Reference(from_table(table, where), blocks)
