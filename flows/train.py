"""The train flow: every family fitted on what is known, tracked, exported and registered."""

from datetime import datetime

from prefect import flow
from prefect.logging import get_run_logger

from flows.instants import standing
from flows.tune import tune
from stages.champion.attempt import Wave, in_waves
from stages.models.train import Candidate, Unfit
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.training import register_candidates, train_family


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
    as_of, workspace = standing(as_of), open_workspace(project)
    tuning = workspace.spec.training.tuning
    tuned = {each.family: each.parameters for each in tune(project, as_of)} if tuning else {}

    def fit(wave: Wave) -> dict[str, Candidate | Unfit]:
        futures = {
            name: train_family.submit(project, name, as_of, list(members), tuned, stateful=stateful)
            for name, members in wave.items()
        }
        return {name: _told(name, future.result()) for name, future in futures.items()}

    return register_candidates(project, in_waves(workspace, fit))


def _told(name: str, found: Candidate | Unfit) -> Candidate | Unfit:
    """What came of a family; that it is left out is said."""
    if isinstance(found, Unfit):
        get_run_logger().warning("%s is left out: %s", name, found.reason)
    return found
