"""Further: what is found of a batch beside drift and measures, by its days and by its answers alone."""

from models.registry.versions import Version
from monitoring.findings import Finding
from monitoring.performance.concept_findings import of_concept
from monitoring.performance.estimate_findings import of_estimates
from monitoring.performance.promises import of_promises
from stages.monitoring.seen import History, Seen, days_of
from stages.workspace import Workspace


def further(workspace: Workspace, version: Version, seen: Seen, history: History) -> list[Finding]:
    """The findings of what was estimated without labels, and of concept drift.

    `history` are the judgements of the version on earlier batches, in order.
    """
    rules, reference, found = workspace.spec.monitoring, version.metrics["holdout"], seen.realised
    findings = list(of_estimates(seen.estimates, found, reference, rules))
    if found.final and found.labelled >= rules.min_rows:
        findings += of_concept(seen.changes, found, reference, rules)
        findings += of_promises(seen.usual, [*days_of(history), found.blocks], rules)
    return findings
