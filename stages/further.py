"""Further: what is found of a batch beside drift and measures, by its days and by its answers alone."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import polars as pl

from core.batches import Batch
from models.registry.versions import Version
from monitoring.findings import Finding
from monitoring.performance.blocks import Block
from monitoring.performance.concept import changes
from monitoring.performance.concept_findings import of_concept
from monitoring.performance.estimate_findings import Checked, checked, of_estimates
from monitoring.performance.promises import of_promises
from monitoring.performance.realised import Realised
from stages.estimate import estimate, holdout, known_then
from stages.workspace import Workspace

History = Sequence[Mapping[str, Any]]


def further(
    workspace: Workspace,
    batch: Batch,
    version: Version,
    predictions: pl.DataFrame,
    realised: Realised,
    history: History,
) -> tuple[dict[str, Checked], list[Finding]]:
    """What was estimated without labels, and the findings of it and of concept drift.

    `history` are the judgements of the version on earlier batches, in order.
    """
    rules, reference = workspace.spec.monitoring, version.metrics["holdout"]
    found = estimate(workspace, batch, version, predictions, history)
    told = checked(found, _naive(batch, version, history), realised)
    findings = list(of_estimates(told, realised, reference, rules))
    if realised.final and realised.labelled >= rules.min_rows:
        batches = [[Block.read(each) for each in past["blocks"]] for past in history if past["final"]]
        batches.append([*realised.blocks])
        usual = holdout(workspace, version)
        changed = changes(usual, [*chain(*batches)], workspace.spec.training.seed)
        findings += of_concept(changed, realised, reference, rules)
        findings += of_promises(usual, batches, rules)
    return told, findings


def _naive(batch: Batch, version: Version, history: History) -> dict[str, float]:
    """The guess that all stays as it was: as in the newest final judgement there was, or the reference."""
    known = known_then(batch, history)
    measures = known[-1]["measures"] if known else version.metrics["holdout"]
    return {name: float(value) for name, value in measures.items() if value is not None}
