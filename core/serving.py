"""What a spec may say of the service: who is on which side of a release, and what a request may be."""

from typing import Literal

from pydantic import Field

from core.scalars import Model, example


class Serving(Model):
    """How single requests are answered."""

    model_config = example({"entity": ["customer"], "required": ["shop", "paid"], "without_store": "refuse"})

    entity: tuple[str, ...] = ()
    """Whom an answer is about: features or columns of the events' key. By their hash a version of a release
    is chosen, so that who has seen it goes on to. By default the columns of a ranking's list, else the
    events' key."""
    required: tuple[str, ...] = ()
    """The columns of the events, or features, that no row may lack; what else is not there is missing, as it
    may be in a batch."""
    without_store: Literal["degrade", "refuse"] = "degrade"
    """What becomes of a row that needs the online store while that cannot be read: it is answered without
    what it would have known, and marked so, or refused."""
    personal: tuple[str, ...] = ()
    """The columns of the events, or features, whose values are kept in no log of predictions."""
    max_rows: int = Field(default=100_000, ge=1)
    """How many rows one request may have."""
    max_body_mb: float = Field(default=32.0, gt=0)
    """How long one may be."""
