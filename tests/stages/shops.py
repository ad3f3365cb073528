"""A project with a champion, a challenger that the gate let through and one that it refused, and its log."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from core.settings import Settings
from models.gate.judge import GateReport
from models.registry.versions import Version
from serving.log.tables import OUTCOMES, PREDICTIONS, Outcome, Prediction, by_day, schemas
from stages.release.change import in_force
from stages.release.look import Look, look
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import fits, make_orders

FAMILIES = {"families": ["constant", "linear", "lightgbm"], "parameters": {"lightgbm": {"rounds": 20}}}
RULES = {"requests": 200, "hold": "10m", "steps": [0.2, 0.5, 1]}
NOW = datetime(2013, 4, 2, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Shop:
    """A project with a champion (linear), a challenger that was let through (the trees), and one refused."""

    workspace: Workspace
    champion: Version
    challenger: Version
    refused: Version

    def log(self, count: int, first: int = 0, **how: float) -> None:
        """Have so many users ask, each once, under the release in force; their outcomes are told.

        The candidate's answers are wrong by `off`, its failures and its slow answers have these shares; a
        share `worth` more of its users have the outcome.
        """
        release, random = in_force(self.workspace), np.random.default_rng(first + count)
        rows, outcomes = [], []
        for user in range(first, first + count):
            entity = f'["user {user}"]'
            part = release.part_for(entity)
            ours = part.role != "champion"
            chance = float(random.uniform(0.1, 0.9))
            label = bool(random.random() < chance + (how.get("worth", 0) if ours else 0))
            said = min(max(chance + (how.get("off", 0) if ours else 0), 0.01), 0.99)
            fails = ours and random.random() < how.get("failing", 0)
            slow = 10 if ours and random.random() < how.get("slow", 0) else 1
            at = NOW + timedelta(milliseconds=user)
            facts = {"key": None, "input": "{}", "features": "{}", "degraded": False}
            who = {"request_id": f"r{user}", "version": part.version, "role": part.role, "entity": entity}
            row = Prediction(
                **who,  # type: ignore[arg-type]
                **facts,  # type: ignore[arg-type]
                at=at,
                decision_time=at,
                release=release.number,
                prediction=None if fails else said,
                seconds=slow * float(random.lognormal(-6, 0.3)),
                error="OSError" if fails else None,
            )
            rows.append(row)
            if fails:
                rows.append(
                    row._replace(version=release.champion, role="champion", prediction=said, error=None)
                )
            outcomes.append(Outcome(f"r{user}", None, label, at, at))
        self.append(PREDICTIONS, rows, first + count)
        self.append(OUTCOMES, outcomes, first + count)

    def append(self, table: str, rows: list[Prediction] | list[Outcome], number: int) -> None:
        schema = schemas(pl.Boolean(), wide=False)[table]
        frame = by_day(pl.DataFrame(rows, schema=schema, orient="row"))
        self.workspace.lake.append(table, "tests", {number: frame})

    def look(self, minutes: int = 0) -> Look:
        found = look(self.workspace, NOW + timedelta(minutes=minutes))
        assert found is not None
        return found


def make_shop(root: Path) -> None:
    """Make the project, with three versions of April."""
    workspace = make_orders(root, training=FAMILIES, release=RULES, monitoring={"min_rows": 50})
    trained = workspace.batch("2013-03").end + timedelta(days=1)
    constant, linear, trees = fits(workspace, trained)
    registry, told = workspace.registry, {"at": trained, "by": "tests", "why": "", "evidence": {}}
    registry.promote(linear, over=None, **told)
    gate = GateReport(trees, linear, 100, 10, True, ())
    registry.accept(trees, **told | {"evidence": {"gate": gate}})
    refused = GateReport(
        constant,
        linear,
        100,
        10,
        False,
        (),
    )
    registry.retire(constant, **told | {"evidence": {"gate": refused}, "at": trained + timedelta(hours=1)})


def copy_shop(made: Path, root: Path, **rules: object) -> Shop:
    """A copy of the project, its release rules changed."""
    shutil.copytree(made, root)
    path = root / "projects" / "orders" / "project.yaml"
    document = yaml.safe_load(path.read_text())
    document["release"] |= rules
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    settings = Settings(home=root / "state", projects=root / "projects", suites=root / "expectations")
    workspace = open_workspace("orders", settings)
    constant, linear, trees = workspace.registry.versions("orders")
    return Shop(workspace, linear, trees, constant)
