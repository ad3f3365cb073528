"""How the W&B server of the tests answers what is asked about reports, their projects and their links."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.models.wandb_server import WandbServer


def _viewer(server: WandbServer, asked: dict[str, Any]) -> Any:
    none: dict[str, Any] = {"edges": []}
    return {"viewer": {"id": "u", "entity": "ann", "username": "ann", "flags": "{}", "teams": none}}


def _project(server: WandbServer, asked: dict[str, Any]) -> Any:
    return {"project": {"id": "p", "internalId": "7"} if asked["projectName"] in server.projects else None}


def _projects(server: WandbServer, asked: dict[str, Any]) -> Any:
    about = {"id": "p", "entityName": "ann", "createdAt": "2026", "isBenchmark": False, "user": None}
    edges = [{"node": about | {"__typename": "Project", "name": name}} for name in server.projects]
    return {"models": {"edges": edges, "pageInfo": {"hasNextPage": False, "endCursor": None}}}


def _create_project(server: WandbServer, asked: dict[str, Any]) -> Any:
    server.projects.add(asked["input"]["name"])
    return {"upsertModel": {"project": {"id": "p"}, "model": None, "inserted": True}}


def _upsert_report(server: WandbServer, asked: dict[str, Any]) -> Any:
    identity = asked["id"] or f"Vmlldzo{len(server.reports) + 1}"
    server.reports[identity] = asked | {"spec": json.loads(asked["spec"])}
    view = {name: asked[name] for name in ("type", "name", "displayName", "description", "spec")}
    project = {"id": "p", "name": asked["projectName"], "entityName": asked["entityName"]}
    inserted = asked["id"] is None
    return {"upsertView": {"view": view | {"id": identity, "project": project}, "inserted": inserted}}


def _report(server: WandbServer, asked: dict[str, Any]) -> Any:
    return {"view": {"id": asked["reportId"]} if asked["reportId"] in server.reports else None}


ABOUT_REPORTS: dict[str, Callable[[WandbServer, dict[str, Any]], Any]] = {
    "Viewer": _viewer,
    "GetDefaultEntity": _viewer,
    "ProjectInternalId": _project,
    "GetProjects": _projects,
    "CreateProject": _create_project,
    "upsertView": _upsert_report,
    "SpecificReport": _report,
}
