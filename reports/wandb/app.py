"""All that is asked of wandb-workspaces: the only file that imports it, and only to publish."""

from collections.abc import Callable
from typing import Any

from models.tracking import client
from reports.wandb.report import RUN, Block, Definition


def send(found: Definition, entity: str, known: str, made: Callable[[str], object]) -> tuple[str, str]:
    """Create the report of a definition, or update the one that is `known` by its id; its id, and its link.

    Its project is made if need be. `made` is told the id as soon as there is one, whatever comes then.
    Whatever W&B raises when it does not take the report.
    """
    import wandb_workspaces.reports.v2 as app

    project = found["project"]
    _provide(entity, project)
    runs = f"{client.app_address()}/{entity}/{project}/runs/"
    report = app.Report(
        project=project,
        entity=entity,
        title=found["title"],
        description=found["description"],
        blocks=[_block(app, block, entity, project, runs) for block in found["blocks"]],
        width="fluid",
    )
    report.id = known
    try:
        report.save()
    finally:  # it asks the server once more, which may fail, after the report is there
        if report.id:
            made(report.id)
    return str(report.id), str(report.url)


def is_there(report: str) -> bool:
    """Whether the server still has the report of an id."""
    from wandb_workspaces._graphql import execute_graphql
    from wandb_workspaces.reports.v2 import gql

    return bool(execute_graphql(client.api(), gql.view_report, {"reportId": report}).get("view"))


def _provide(entity: str, project: str) -> None:
    """Make the project unless it is there: a report has its run sets looked up before it is saved."""
    from wandb_workspaces._graphql import execute_graphql
    from wandb_workspaces.reports.v2 import gql

    api, names = client.api(), {"entityName": entity, "projectName": project}
    if not execute_graphql(api, gql.projectInternalId, names).get("project"):
        api.create_project(project, entity)


def _block(app: Any, block: Block, entity: str, project: str, runs: str) -> Any:
    if block["kind"] == "heading":
        return app.H1(block["text"])
    if block["kind"] == "markdown":
        return app.MarkdownBlock(block["text"].replace(f"]({RUN}", f"]({runs}"))
    half = {"w": 12, "h": 8}
    curves = app.LinePlot(title="Losses", x="Step", y=block["curves"], layout=app.Layout(x=0, y=0, **half))
    return app.PanelGrid(
        runsets=[app.Runset(entity, project, name=block["title"])],
        panels=[
            curves,
            app.BarPlot(title="On the holdout", metrics=block["bars"], layout=app.Layout(x=12, y=0, **half)),
            app.RunComparer(diff_only="split", layout=app.Layout(x=0, y=8, w=24, h=12)),
        ],
    )
