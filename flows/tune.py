"""The tune flow: parameters looked for on what is known, for the families that the spec names."""

from datetime import datetime

from prefect import flow, unmapped

from core.learning import Tuning
from flows.instants import standing
from flows.progress import now
from stages.models.tune import Tuned
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.tuning import tune_family


@flow(name="tune", flow_run_name="tune {project}", task_runner=fan_out())
def tune(project: str, as_of: datetime | None = None) -> list[Tuned]:
    """Search each family of `training.tuning` side by side; what was tried, in their order.

    Where the spec asks for no tuning, the defaults are searched, and no fit takes what they find.

    Args:
        project: The project, a folder of projects/.
        as_of: The instant to stand at; by default the scheduled start of the run.
    """
    as_of = standing(as_of)
    tuning = open_workspace(project).spec.training.tuning or Tuning()
    now(f"looking for parameters of {', '.join(tuning.families)}")
    futures = tune_family.map(unmapped(project), list(tuning.families), unmapped(as_of))
    found: list[Tuned] = [future.result() for future in futures]
    return found
