"""A deep and cross network on entity embeddings, standardised numbers, and the tokens of texts."""

from collections.abc import Mapping
from pathlib import Path

from core.learning import Range
from models.family import Ability, Job, Parameter, read_parameters, require_able
from models.learning.deep import Network, fit_network, load_network
from models.learning.network import Parameters

__all__ = ["Network", "Parameters"]

name = "torch"
complexity = 4
abilities: frozenset[Ability] = frozenset({"focal", "start", "targets"})
space: Mapping[str, Range] = {
    "learning_rate": Range(low=0.0003, high=0.01, log=True),
    "dropout": Range(low=0.0, high=0.4),
    "weight_decay": Range(low=0.0001, high=0.1, log=True),
    "width": Range(choices=(8, 16, 32)),
    "cross": Range(low=1, high=3),
    "batch_norm": Range(choices=(False, True)),
}


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """None: a network is made of no other family."""
    return ()


def fit(job: Job) -> Network:
    """Fit a network (see `models.learning.deep.fit_network`)."""
    require_able(name, abilities, job)
    return fit_network(job, read_parameters(Parameters, name, job.parameters))


def load(folder: Path) -> Network:
    """Read back what `Network.save` wrote."""
    return load_network(folder)
