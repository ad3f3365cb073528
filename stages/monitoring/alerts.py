"""Alerts: what the stages found, as news of the project; and those that are open."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from core.operating import SEVERITIES, Severity
from models.gate.judge import GateReport
from monitoring.alerts.alerts import Alert, Alerts
from monitoring.alerts.news import Kind, News, Over
from stages.monitoring.monitor import Judged
from stages.release.look import Look
from stages.workspace import Workspace

Told = list[News | Over]
LIFECYCLE = "lifecycle/index.html"


def open_alerts(workspace: Workspace) -> list[Alert]:
    """The alerts of what goes on in a project, the gravest first."""
    return alerts_of(workspace).open()


def alerts_of(workspace: Workspace) -> Alerts:
    """The project's alerts, in the database of its registry."""
    return Alerts(workspace.settings.registry, workspace.project.name)


def routes(workspace: Workspace) -> dict[str, Severity]:
    """The least severity that each block of the spec's routes is sent; named twice, it takes the lesser."""
    found: dict[str, Severity] = {}
    for route in workspace.spec.alerts:
        least = found.get(route.block, route.severity)
        found[route.block] = min(least, route.severity, key=SEVERITIES.index)
    return found


def record(workspace: Workspace, told: Iterable[News | Over]) -> None:
    """Put news on record, to be sent along the routes of the spec."""
    alerts_of(workspace).record(told, routes(workspace))


def stopped(
    workspace: Workspace, looked_at: Collection[str] | None, found: Mapping[str, str], as_of: datetime
) -> Told:
    """What stopped in an ingestion, with the reason; and what does not stop any more, of what it looked at.

    Without `looked_at` that is everything.
    """
    link = page(workspace, f"datasets/{workspace.spec.events}/index.html")
    told: Told = [
        News("batch stopped", what, f"{what} stopped", tuple(why.splitlines()), link, as_of)
        for what, why in found.items()
    ]
    ended = (alert.subject for alert in open_alerts(workspace) if alert.kind == "batch stopped")
    told += [
        Over("batch stopped", what, as_of)
        for what in ended
        if what not in found and (looked_at is None or what in looked_at)
    ]
    return told


def decided(workspace: Workspace, judged: Judged, as_of: datetime) -> Told:
    """The decision after a batch: about its version, for as long as not all is well.

    A batch before the newest one that was judged tells nothing new: it is judged again.
    """
    start = workspace.batch(judged.batch).start
    if any(workspace.batch(each).start > start for each in workspace.ledger.results("monitor")):
        return []
    if judged.decision == "nothing":
        return [Over("decision", None, as_of)]
    link = page(workspace, f"drift/{judged.batch}.html")
    title = f"{judged.decision}, after batch {judged.batch} scored by {judged.version}"
    severity: Severity | None = "info" if judged.decision == "watch" else None
    return [News("decision", judged.version, title, tuple(judged.reasons), link, as_of, severity)]


def opened(workspace: Workspace, subject: str, reasons: Sequence[str], as_of: datetime) -> Told:
    """A retraining has begun; `subject` tells it from the others."""
    link = page(workspace, LIFECYCLE)
    title = f"retraining opened, on what is known at {as_of:%Y-%m-%d %H:%M} UTC"
    return [News("retraining opened", subject, title, tuple(reasons), link, as_of)]


def judged_by_gate(workspace: Workspace, report: GateReport, as_of: datetime) -> Told:
    """The gate's answer; what was decided about the champion before is over with a new one."""
    reasons, link = tuple(report.reasons), page(workspace, LIFECYCLE)
    if not report.accepted:
        title = f"{report.challenger} refused, {report.champion or 'no version'} stays champion"
        return [News("refused", report.challenger, title, reasons, link, as_of)]
    if report.challenger in _on_the_way(workspace):
        title = f"{report.challenger} let through, it takes over from {report.champion} by steps"
        return [News("released", report.challenger, title, reasons, link, as_of)]
    title = f"{report.challenger} promoted" + (f" over {report.champion}" if report.champion else "")
    return [
        News("promoted", report.challenger, title, reasons, link, as_of),
        Over("decision", None, as_of),
    ]


def _on_the_way(workspace: Workspace) -> list[str]:
    """Who answers beside the champion."""
    in_force = workspace.registry.releases(workspace.project.name)[-1:]
    return [release.candidate.version for release in in_force if release.candidate]


def released(workspace: Workspace, looked: Look, as_of: datetime) -> Told:
    """What a look at a release did: nothing is told of one that changed nothing."""
    if looked.outcome == "held":
        return []
    if looked.outcome == "rolled back":
        return taken_back(workspace, looked.version, looked.champion, "; ".join(looked.reasons), as_of)
    link, subject = page(workspace, LIFECYCLE), f"{looked.version} {as_of.isoformat()}"
    titles = {
        "advanced": f"{looked.version} answers {100 * looked.now:g} % from now on",
        "promoted": f"{looked.version} answers all, in place of {looked.champion}",
        "ended": f"the test of {looked.version} is over, {looked.champion} answers alone",
    }
    return [News("released", subject, titles[looked.outcome], looked.reasons, link, as_of)]


def taken_back(workspace: Workspace, version: str, champion: str, why: str, as_of: datetime) -> Told:
    """What was released beside the champion answers nobody any more."""
    title = f"{version} taken back, {champion} answers alone"
    link, subject = page(workspace, LIFECYCLE), f"{version} {as_of.isoformat()}"
    return [News("release rolled back", subject, title, (why,), link, as_of)]


def rolled_back(workspace: Workspace, champion: str, why: str, as_of: datetime) -> Told:
    """An earlier champion serves again."""
    link = page(workspace, LIFECYCLE)
    told = News(
        "rolled back",
        f"{champion} {as_of.isoformat()}",
        f"rolled back, {champion} is champion again",
        (why,),
        link,
        as_of,
    )
    return [told, Over("decision", None, as_of)]


def failed(workspace: Workspace, flow: str, why: str, as_of: datetime) -> Told:
    """A flow that failed: the same until it succeeds."""
    link = page(workspace, LIFECYCLE)
    return [News(_kind(flow), flow, f"{flow} failed", tuple(why.splitlines()), link, as_of)]


def succeeded(flow: str, as_of: datetime) -> Told:
    """A flow that succeeded."""
    return [Over(_kind(flow), flow, as_of)]


def _kind(flow: str) -> Kind:
    return "housekeeping failed" if flow == "housekeeping" else "failed"


def page(workspace: Workspace, name: str) -> str:
    """The link of a page of the project's reports."""
    return (workspace.reports / name).as_uri()
