"""The logged rows of two versions over the same stretch of time, as arms of a comparison."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.measures.sequential import Arm, Floats
from models.rows import require

NEEDED = ("request_id", "version", "at", "entity", "prediction", "seconds", "error")


@dataclass(frozen=True, slots=True)
class Sides:
    """Rows of `ours` and `theirs`, in order of time, with whose they are.

    `rows` has beside the columns of the log `unit`, the entity as a number, `ours`, whether the version is
    ours, and `answered`, whether there is a sound answer.
    """

    ours: str
    theirs: str
    rows: pl.DataFrame

    @classmethod
    def of(cls, rows: pl.DataFrame, ours: str, theirs: str) -> Self:
        """The rows of two versions among those of `served/predictions`; there may be others.

        A row without an entity stands for itself. PerennialError when a column is missing.
        """
        require(rows, NEEDED)
        entity = pl.col("entity").cast(pl.String).replace("", None)
        found = rows.filter(pl.col("version").is_in([ours, theirs])).sort("at", maintain_order=True)
        return cls(
            ours,
            theirs,
            found.with_columns(
                unit=pl.concat_str(
                    pl.when(entity.is_null()).then(pl.lit("request ")).otherwise(pl.lit("entity ")),
                    pl.coalesce(entity, pl.col("request_id")),
                )
                .rank("dense")
                .cast(pl.Int64),
                ours=pl.col("version") == ours,
                answered=pl.col("error").is_null() & _is_sound(found["prediction"]),
            ),
        )

    def requests(self) -> pl.DataFrame:
        """A row for each request to each version: a request of many rows fails, and takes long, as one."""
        return (
            self.rows.group_by("request_id", "ours", maintain_order=True)
            .agg(pl.col("unit").first(), pl.col("answered").all(), pl.col("seconds").max())
            .drop("request_id")
        )

    def answered(self) -> pl.DataFrame:
        """The rows that have an answer."""
        return self.rows.filter("answered")


def arms(rows: pl.DataFrame, values: Floats) -> tuple[Arm, Arm]:
    """The values [n] of rows with `ours` and `unit`: ours, and theirs."""
    units, ours = rows["unit"].to_numpy(), rows["ours"].to_numpy()
    return Arm.of(values[ours], units[ours]), Arm.of(values[~ours], units[~ours])


def ours_of(rows: pl.DataFrame) -> NDArray[np.bool_]:
    """Which rows are ours [n]."""
    return rows["ours"].to_numpy()


def _is_sound(predictions: pl.Series) -> pl.Series:
    """Whether there is a prediction, all of whose numbers are finite."""
    if isinstance(predictions.dtype, pl.List):
        finite = predictions.list.eval(pl.element().is_finite().fill_null(False)).list.all()
        return finite.fill_null(False) & (predictions.list.len() > 0).fill_null(False)
    return predictions.cast(pl.Float64).is_finite().fill_null(False)
