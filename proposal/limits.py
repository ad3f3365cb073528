"""The limits by which a table is judged, in one place."""

from typing import Final

from core.batches import Every

# How much of a table is looked at value by value; the rest is counted in a stream.
SAMPLE_ROWS: Final = 100_000
SAMPLE_CELLS: Final = 20_000_000

# A table. Three parts of a fit need 20 rows each, and something has to be left to be scored.
MIN_LABELLED: Final = 100
READ: Final = 0.99  # share of the values that are of a kind, from which the column is of this kind
MARKED: Final = 0.5  # share of markers of missing values up to which a column may still be of a kind

# A label.
MAX_CLASSES: Final = 50
CLASS_ROWS: Final = 20  # that each class should have
CODES: Final = 10  # whole numbers 0, 1, 2 ... up to so many are taken for classes

# Columns.
CATEGORY: Final = 1_000  # values that a category may have
REPEATS: Final = 5  # rows that a value of a category should have on average
UNIQUE: Final = 0.9  # share of distinct values from which a column names the rows
COUNTED_UP: Final = 0.99  # share of rising steps from which whole numbers, each once, count the rows
WORDS: Final = 4.0  # words from which a text is free text
MAX_FEATURES: Final = 150
ENTITIES: Final = 3  # columns beside KEY whose past becomes features

# What tells too much. The gate's own limits are those of `models.gate.leakage`.
FILLED: Final = 0.9  # AUC of whether a column is filled
PURE: Final = 0.995  # share of one label among the rows where a column is filled
PURE_ROWS: Final = 30
NAMED_ALIKE: Final = 0.85
TELLS_MUCH: Final = 0.9  # from which a column that stays is to be looked at
LATER: Final = 0.5  # share of a column's times that lie after the event

# Batches.
BATCHES: Final = (8, 40)
IDEAL: Final = 16
BATCH_ROWS: Final = 200
BATCH_MOST: Final = 500_000  # rows that are held at once
SORTED: Final = 0.1  # share of the label that stretches of the order may explain, where there is no time
SPARSE: Final = 0.05  # of a usual batch: with fewer rows, one at the ends of the calendar is left out
STRAY: Final = 0.01  # share of all rows that may be left out so
UNREADABLE: Final = 0.05  # share of rows without a readable time that is borne

# Fits and the gate, which wants seven blocks (`models.gate.checks.MIN_BLOCKS`).
FIRST_ROWS: Final = 1_000
PART_ROWS: Final = 25  # a fit wants 20 in each of its parts, and a cut falls where a day begins
BLOCKS: Final = 10
WINDOW_ROWS: Final = 1_000_000
NETWORK_ROWS: Final = 20_000  # from which the network is worth its time

# What a label takes to be known, where nothing tells: short beside a batch, and said to be a guess.
MATURITY: Final[dict[Every, str]] = {
    "1h": "5m",
    "1d": "1h",
    "1w": "6h",
    "1mo": "1d",
    "3mo": "3d",
    "6mo": "7d",
    "1y": "14d",
}

# The suite of a large table is proposed, and tried, on some of its batches, three at least: up to so many
# rows, and up to so many columns over all batches, each of which takes a suite some hundredths of a second.
REHEARSED_COLUMNS: Final = 1_500
REHEARSED_LEAST: Final = 3
REHEARSED_ROWS: Final = 2_000_000
