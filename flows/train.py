"""The train flow: every family fitted on what is known, tracked, exported and registered."""

from collections.abc import Mapping
from datetime import datetime

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger

from core.errors import PerennialError, UnfitError
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

    Where the spec asks for tuning, the families that it names are tuned before. A family whose fit
    may not serve is left out, and so is what would be made of it; PerennialError when none is left.
    """
    rules = open_workspace(project).spec.training
    tuned = {each.family: each.parameters for each in tune(project, as_of)} if rules.tuning else {}
    fits: dict[str, Candidate] = {}
    for wave in waves(rules.families, rules.parameters):
        takes = {name: family(name).takes(rules.parameters.get(name, {})) for name in wave}
        futures = {
            name: train_family.submit(project, name, as_of, [fits[each] for each in takes[name]], tuned)
            for name in wave
            if fits.keys() >= set(takes[name])
        }
        fits |= _fit_to_serve(futures)
    left = [fits[name] for name in rules.families if name in fits]
    if not left:
        raise PerennialError(f"{project}: of no family a fit may serve; the runs of its tasks say why")
    return register_candidates(project, left)


def _fit_to_serve(futures: Mapping[str, PrefectFuture[Candidate]]) -> dict[str, Candidate]:
    """The fits by family, but for those that may not serve."""
    fits = {}
    for name, future in futures.items():
        try:
            fits[name] = future.result()
        except UnfitError as error:
            get_run_logger().warning("%s is left out: %s", name, error)
    return fits
