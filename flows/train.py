"""The train flow: every family fitted on what is known, tracked, exported and registered."""

from datetime import datetime

from prefect import flow, unmapped

from flows.tune import tune
from models.family import family
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.training import register_candidates, train_family


@flow(name="train", flow_run_name="train {project}", task_runner=fan_out())
def train(project: str, as_of: datetime) -> list[str]:
    """Fit each family of the spec side by side, tuned before where it says so; the ids of their versions."""
    training = open_workspace(project).spec.training
    if training.tuning:
        tune(project, as_of)
    families = training.families
    # The most complex fits last longest: started first, they end with the others.
    order = sorted(families, key=lambda name: family(name).complexity, reverse=True)
    futures = dict(zip(order, train_family.map(unmapped(project), order, unmapped(as_of)), strict=True))
    return register_candidates(project, [futures[name].result() for name in families])
