"""The page of a replay, from its histories alone."""

import json
from pathlib import Path
from typing import Any

from core.settings import Settings
from replay.compared import compared
from replay.histories import histories
from replay.plan import NAME, Plan, folder_of
from replay.result import result
from reports.pages import write


def written(
    settings: Settings, project: str, wall_seconds: float, work_seconds: float
) -> tuple[dict[str, Any], Path]:
    """Write what came of a replay that was lived through; its facts, and where they are.

    It took `wall_seconds`, in which the workers were at work for `work_seconds` together.
    """
    plan = Plan.read(folder_of(settings, project))
    facts = result(compared(histories(settings, project), plan), plan)
    name, _, world = project.partition("@")
    path = settings.reports / name / "replay" / ("" if world in ("", NAME) else world) / "summary.json"
    spent = {"wall_seconds": wall_seconds, "work_seconds": work_seconds, "workers": settings.workers}
    facts |= {**spent, "report": str(path)}
    write(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    return facts, path
