"""A batch in a few numbers a feature, so that later questions need not read its rows again."""

import json
from typing import Any

import polars as pl

from models.learning.tokens import words_of
from models.rows import Columns, require

SCHEMA = pl.Schema(
    {
        "batch": pl.String(),
        "feature": pl.String(),
        "kind": pl.String(),
        "rows": pl.UInt32(),
        "nulls": pl.UInt32(),
        "document": pl.String(),
    }
)
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
TOP = 20


def profile(frame: pl.DataFrame, columns: Columns, batch: str) -> pl.DataFrame:
    """One row a feature, in the shape of the table `profiles`; the whole batch is read once.

    `document` is JSON. A number's: mean, std (population), min, max and quantiles; null where no
    value is known. A category's: distinct, and its `TOP` most frequent values with their counts
    (ties in order of the value). A text's: that of its words, and of how many there are of these.
    NaN and infinity count as null, and so does a text without words.

    PerennialError names the columns that the frame lacks.

    >>> frame = pl.DataFrame({"wind": [4.0, None, 6.0], "carrier": ["UA", "UA", "B6"]})
    >>> table = profile(frame, Columns(("wind",), ("carrier",)), "2013-01")
    >>> table.select("feature", "rows", "nulls").rows()
    [('wind', 3, 1), ('carrier', 3, 0)]
    >>> json.loads(table["document"][1])
    {'distinct': 2, 'top': [{'value': 'UA', 'count': 2}, {'value': 'B6', 'count': 1}]}
    """
    require(frame, columns.names)
    wanted = [_number(name).alias(name) for name in columns.numbers]
    wanted += [_category(name).alias(name) for name in columns.categories]
    found: dict[str, dict[str, Any]] = frame.select(wanted).row(0, named=True) if wanted else {}
    found |= {name: _text(words_of(frame[name])) for name in columns.texts}
    kinds = dict.fromkeys(columns.categories, "category") | dict.fromkeys(columns.texts, "text")
    rows = [
        {
            "batch": batch,
            "feature": name,
            "kind": kinds.get(name, "number"),
            "rows": frame.height,
            "nulls": document.pop("nulls"),
            "document": json.dumps(document),
        }
        for name, document in found.items()
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _number(name: str) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64)
    value = pl.when(number.is_finite()).then(number)
    quantiles = [value.quantile(share, "linear").alias(str(share)) for share in QUANTILES]
    return pl.struct(
        value.null_count().alias("nulls"),
        value.mean().alias("mean"),
        value.std(ddof=0).alias("std"),
        value.min().alias("min"),
        value.max().alias("max"),
        pl.struct(quantiles).alias("quantiles"),
    )


def _category(name: str) -> pl.Expr:
    known = pl.col(name).cast(pl.String).drop_nulls()
    counts = known.value_counts()
    fields = counts.struct.rename_fields(["value", "count"])
    frequent = fields.sort_by([-fields.struct.field("count").cast(pl.Int64), fields.struct.field("value")])
    return pl.struct(
        pl.col(name).null_count().alias("nulls"),
        known.n_unique().alias("distinct"),
        frequent.head(TOP).implode().alias("top"),
    )


def _text(words: pl.Series) -> dict[str, Any]:
    counts = pl.DataFrame({"count": words.list.len().replace(0, None), "word": words})
    told: dict[str, Any] = counts.select(_number("count").alias("count")).row(0, named=True)["count"]
    said: dict[str, Any] = (
        counts.select(pl.col("word").explode()).select(_category("word").alias("word")).row(0, named=True)
    )["word"]
    return told | {"distinct": said["distinct"], "top": said["top"]}
