"""Candidates: what a spec may say of the rows of a ranking that nobody chose."""

from datetime import timedelta

from pydantic import Field

from core.scalars import Model, Window


class Candidates(Model):
    """The lists of a ranking are drawn from a catalogue, so that it learns from what it could have shown.

    The catalogue of a batch are the values of the column `item` among the events that were known when
    it began. A list is one `outcome.group` with an event in the batch; its rows are the `count` items
    that a retriever puts first for the entity `by` at the instant of decision, without those that it
    is known to have had by then. What was chosen among them keeps its outcome, the others have the
    lowest grade; what was chosen and not retrieved is missed, and no row of the list.

    A row of a list knows the columns of its group, its item and what is `about` the item (as in the
    newest event of it that was known), and nothing else of the event: whether it was chosen or not.
    Without a history, the items are in the order of their popularity, in which an event that is
    `half_life` older counts half.
    """

    item: str
    by: tuple[str, ...] = Field(min_length=1)
    about: tuple[str, ...] = ()
    count: int = Field(default=50, ge=2)
    half_life: Window = timedelta(days=365)
