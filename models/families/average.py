"""The mean of what several families say."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.learning import Range
from models.family import Ability, Job, Parameter, read_parameters, report_losses, require_able
from models.learning.blend import Blend, Parameters, blended, load_blend, members_of, single

name = "average"
complexity = 6
abilities: frozenset[Ability] = frozenset({"monotone", "focal", "targets"})
space: Mapping[str, Range] = {}


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """The members."""
    return single(name, read_parameters(Parameters, name, parameters).members)


def fit(job: Job) -> Blend:
    """The mean of the members' margins: of log-odds, logits or values.

    The scores of a ranking have no unit, so that each member's are first divided by their spread on
    the validation rows. What a member is not able to do, it says itself.
    """
    require_able(name, abilities, job)
    members = members_of(job, takes(job.parameters))
    spreads = np.ones(len(members))
    if job.problem.kind == "ranking":
        spreads = np.array([model.margins(job.validation.frame).std() for model in members.values()])
    weights = 1 / (len(members) * np.where(spreads > 0, spreads, 1.0))
    model = blended(job, members, weights.tolist(), np.zeros(len(job.problem.outputs)))
    report_losses(job, model)
    return model


def load(folder: Path) -> Blend:
    """Read back what `Blend.save` wrote."""
    return load_blend(folder)
