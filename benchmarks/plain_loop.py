"""The demo's work as one plain script: the same stages, with neither Prefect nor Dask nor W&B.

Run as `python -m benchmarks.plain_loop`, with PERENNIAL_HOME set to an empty folder.
"""

import os
from datetime import datetime
from itertools import chain

from core.settings import Settings
from models.family import family
from models.waves import waves
from stages.champion.promote import promote
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.features.featurise import featurise
from stages.models.train import Candidate, register, train
from stages.monitoring.monitor import judge_batch
from stages.reports.drift import drift_report
from stages.reports.lifecycle import lifecycle_report
from stages.score import score
from stages.workspace import Workspace, open_workspace


def main(project: str = "flights") -> None:
    """Live through the project's history."""
    os.environ["WANDB_MODE"] = "disabled"
    workspace = open_workspace(project, Settings().apply())
    spec = workspace.spec
    batches = spec.batches.calendar().batches()
    as_of = batches[-1].end + spec.outcome.maturity
    for dataset in [*workspace.whole, *workspace.cut]:
        for item in pending(workspace, dataset, batches):
            deliver(workspace, dataset, item, as_of)
        for each in [None] if dataset in workspace.whole else batches:
            ingest(workspace, dataset, each, as_of)
    for batch in batches:
        featurise(workspace, batch, as_of)
    for number, batch in enumerate(batches, start=1):
        matured = batch.end + spec.outcome.maturity
        score(workspace, batch, batch.end)
        judged = judge_batch(workspace, batch, matured)
        first = (
            judged is None and number >= spec.training.first_batches and workspace.champion(matured) is None
        )
        if first or (judged is not None and judged.decision.startswith("retrain")):
            versions = register(workspace, fits(workspace, matured))
            promote(workspace, [version.id for version in versions], matured)
    for batch in batches:
        drift_report(workspace, batch)
    lifecycle_report(workspace, as_of, 0.0)


def fits(workspace: Workspace, as_of: datetime) -> list[Candidate]:
    """A fit of each family, those that others are made of first."""
    rules = workspace.spec.training
    made: dict[str, Candidate] = {}
    for name in chain.from_iterable(waves(rules.families, rules.parameters)):
        takes = family(name).takes(rules.parameters.get(name, {}))
        made[name] = train(workspace, name, as_of, [made[each] for each in takes])
    return [made[name] for name in rules.families]


if __name__ == "__main__":
    main()
