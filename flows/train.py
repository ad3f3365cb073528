"""The train flow: every family fitted on what is known, tracked, exported and registered."""

from datetime import datetime

from prefect import flow

from flows.tune import tune
from models.family import family
from models.waves import waves
from stages.train import Candidate
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.training import register_candidates, train_family


@flow(name="train", flow_run_name="train {project}", task_runner=fan_out())
def train(project: str, as_of: datetime) -> list[str]:
    """Fit each family of the spec, those that others are made of first; the ids of their versions.

    Where the spec asks for tuning, the families that it names are tuned before.
    """
    rules = open_workspace(project).spec.training
    tuned = {each.family: each.parameters for each in tune(project, as_of)} if rules.tuning else {}
    fits: dict[str, Candidate] = {}
    for wave in waves(rules.families, rules.parameters):
        takes = {name: family(name).takes(rules.parameters.get(name, {})) for name in wave}
        futures = {
            name: train_family.submit(project, name, as_of, [fits[each] for each in takes[name]], tuned)
            for name in wave
        }
        fits |= {name: future.result() for name, future in futures.items()}
    return register_candidates(project, [fits[name] for name in rules.families])
