"""The page of a replay, from its histories alone."""

from pathlib import Path
from typing import Any, cast

from core.settings import Settings
from core.worlds import world_of
from replay.compared import compared
from replay.histories import histories
from replay.plan import Plan, folder_of
from replay.result import result
from reports.replay.page import Replay, page


def written(
    settings: Settings, project: str, wall_seconds: float, work_seconds: float
) -> tuple[dict[str, Any], Path]:
    """Write what came of a replay that was lived through; its facts, and the page about it.

    It took `wall_seconds`, in which the workers were at work for `work_seconds` together.
    """
    plan = Plan.read(folder_of(settings, project))
    facts = result(compared(histories(settings, project), plan), plan)
    facts |= {"wall_seconds": wall_seconds, "work_seconds": work_seconds, "workers": settings.workers}
    facts["question"] = question_of(settings, project)
    path = page(cast(Replay, facts), place_of_page(settings, project))
    return facts, path


def question_of(settings: Settings, project: str) -> str:
    """What the world of a replay was made to ask; "" for a replay of the project as it is."""
    name, _, world = project.partition("@")
    return world_of(settings, name, world).question if world else ""


def place_of_page(settings: Settings, project: str) -> Path:
    """The folder of a replay's page: of a project as it is that of its site, of a world one beside it."""
    name, _, world = project.partition("@")
    return settings.reports / name / (f"replay-{world}" if world else "replay")
