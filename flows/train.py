"""The train flow: every family fitted on what is known, tracked, exported and registered."""

from collections.abc import Mapping
from datetime import datetime

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger

from core.errors import UnfitError
from flows.instants import standing
from flows.tune import tune
from models.family import family
from models.waves import waves
from stages.train import Candidate
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.training import Unfit, register_candidates, train_family


@flow(name="train", flow_run_name="train {project}", task_runner=fan_out())
def train(project: str, as_of: datetime | None = None, stateful: bool = True) -> list[str]:
    """Fit each family of the spec, those that others are made of first; the ids of their versions.

    Where the spec asks for tuning, the families that it names are tuned before. A family whose fit
    may not serve is left out, and so is what would be made of it; UnfitError when none is left.

    Args:
        project: The project, a folder of projects/.
        as_of: The instant to stand at; by default the scheduled start of the run.
        stateful: Whether the fit of the champion's family goes on from it, where the spec lets it.
    """
    as_of = standing(as_of)
    rules = open_workspace(project).spec.training
    tuned = {each.family: each.parameters for each in tune(project, as_of)} if rules.tuning else {}
    fits, faults = dict[str, Candidate](), list[str]()
    for wave in waves(rules.families, rules.parameters):
        takes = {name: family(name).takes(rules.parameters.get(name, {})) for name in wave}
        futures = {
            name: train_family.submit(
                project, name, as_of, [fits[each] for each in takes[name]], tuned, stateful=stateful
            )
            for name in wave
            if fits.keys() >= set(takes[name])
        }
        fits |= _fit_to_serve(futures, faults)
    left = [fits[name] for name in rules.families if name in fits]
    if not left:
        raise UnfitError(f"{project}: no family is left: {'; '.join(dict.fromkeys(faults))}")
    return register_candidates(project, left)


def _fit_to_serve(
    futures: Mapping[str, PrefectFuture[Candidate | Unfit]], faults: list[str]
) -> dict[str, Candidate]:
    """The fits by family, but for those that may not serve, whose `faults` are added."""
    fits = {}
    for name, future in futures.items():
        found = future.result()
        if isinstance(found, Unfit):
            get_run_logger().warning("%s is left out: %s", name, found.reason)
            faults.append(found.reason)
        else:
            fits[name] = found
    return fits
