"""What a spec may say of its data: how time is cut into batches, and what is delivered."""

from typing import Self

from pydantic import Field, model_validator

from core.batches import Calendar, Every
from core.scalars import Day, Kind, Model, Share, Zone, example
from core.sources.declared import Source


class BatchRules(Model):
    """How event time is cut into batches."""

    model_config = example({"every": "1mo", "start": "2025-01-01", "end": "2026-01-01"})

    every: Every
    """How long a batch is."""
    timezone: Zone = "UTC"
    """The time zone in which days, weeks and months begin."""
    start: Day
    """The first day of the first batch."""
    end: Day
    """The day after the last batch."""
    rows: int | None = Field(default=None, ge=1)
    """How many events, in the order of their delivery, count as one `every`, where they have no time of
    their own. The column that is their `event_time` is then made, not delivered."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"end {self.end} must be after start {self.start}")
        if self.rows is not None and (self.every not in ("1h", "1d", "1w") or self.timezone != "UTC"):
            raise ValueError(
                "`rows` are counted by `every: 1h`, `1d` or `1w` in UTC, which are of one length"
            )
        return self

    def calendar(self) -> Calendar:
        """The batches that these rules cut."""
        return Calendar(self.every, self.timezone, self.start, self.end)


class Dataset(Model):
    """A table as it is delivered: where from, its columns, and what its rows are known by."""

    model_config = example(
        {
            "source": {"kind": "files", "path": "inbox/{batch}.csv"},
            "columns": {"order": "integer", "ordered_at": "datetime", "shop": "string", "paid": "float"},
            "key": ["order"],
            "event_time": "ordered_at",
        }
    )

    source: Source
    """Where it is delivered."""
    columns: dict[str, Kind]
    """The delivered columns that are read, and what each holds."""
    key: tuple[str, ...] = Field(min_length=1)
    """The columns that tell one row from another."""
    prepare: str | None = None
    """A function of the project's `functions.py` that adds columns to the delivered ones."""
    event_time: str | None = None
    """The UTC column, delivered or prepared, by which rows are cut into batches; a dataset without one is
    ingested whole."""
    known_at: str | None = None
    """The UTC column that says when a row could first be known."""
    reference: str | None = None
    """The id of the batch that other batches are compared with; by default the first."""


class QuarantineRules(Model):
    """What becomes of a batch with failing rows."""

    model_config = example({"max_share": 0.05})

    max_share: Share = 0.1
    """Above this share of failing rows the whole batch stops."""
