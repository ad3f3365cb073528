"""A small transformer on the words of texts, in the place of the mean of tokens in the torch family."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from core.errors import SpecError
from core.learning import Range
from models.families import torch
from models.family import Ability, Job, Parameter, read_parameters, require_able
from models.learning import network
from models.learning.deep import Network, fit_network, load_network

name = "transformer"
complexity = 5
abilities: frozenset[Ability] = torch.abilities
space: Mapping[str, Range] = {
    **torch.space,
    "text_width": Range(choices=(16, 32, 64)),
    "blocks": Range(low=1, high=3),
}


class Parameters(network.Parameters):
    """What `training.parameters.transformer` may say: what the network of the torch family is told.

    There is at least one block, and `heads` divides `text_width`. It learns in small steps, fast, and
    once: what it reads twice it soon knows by heart.
    """

    text_width: int = Field(default=32, ge=1)
    blocks: int = Field(default=1, ge=1)
    learning_rate: float = Field(default=0.01, gt=0)
    batch_rows: int = Field(default=64, ge=2)
    epochs: int = Field(default=1, ge=1)
    min_steps: int = Field(default=100, ge=1)


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """None: a transformer is made of no other family."""
    return ()


def fit(job: Job) -> Network:
    """Fit a network that reads texts by attention; SpecError when no feature is a text."""
    require_able(name, abilities, job)
    chosen = read_parameters(Parameters, name, job.parameters)
    if not job.columns.texts:
        raise SpecError("the family transformer reads texts, and no feature is of kind text: leave it out")
    return fit_network(job, chosen)


def load(folder: Path) -> Network:
    """Read back what `Network.save` wrote."""
    return load_network(folder)
