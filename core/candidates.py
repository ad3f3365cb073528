"""Candidates: what a spec may say of the rows of a ranking that nobody chose."""

from datetime import timedelta

from pydantic import Field

from core.scalars import Model, Window, example


class Candidates(Model):
    """The lists of a ranking are drawn from a catalogue, so that it learns from what it could have shown.

    The catalogue of a batch are the items among the events that were known when it began. A list is one
    `outcome.group` with an event in the batch; its rows are the items that a retriever puts first for the
    entity at the instant of decision, without those that it is known to have had by then. What was chosen
    among them keeps its outcome, the others have the lowest grade; what was chosen and not retrieved is
    missed, and no row of the list. A row knows the columns of its group, its item and what is about it
    (as in the newest event of it that was known), and nothing else of the event, chosen or not.
    """

    model_config = example({"item": "title", "by": ["user"], "about": ["genre"], "count": 50})

    item: str
    """The column of the events that names the item."""
    by: tuple[str, ...] = Field(min_length=1)
    """The columns of the entity for which a list is drawn."""
    about: tuple[str, ...] = ()
    """The columns of the events that are about the item."""
    count: int = Field(default=50, ge=2)
    """How many items a list has."""
    half_life: Window = timedelta(days=365)
    """Without a history of the entity, items are in the order of their popularity, in which an event that
    is so much older counts half."""
