"""`python -m flows <command>`: what the make targets call."""

import argparse
import sys
from collections.abc import Callable
from datetime import datetime
from importlib import import_module

from sqlalchemy.exc import DatabaseError

from core import projects
from core.errors import PerennialError, SpecError
from core.settings import Settings

COMMANDS = (
    "adopt_policy",
    "new",
    "check",
    "data",
    "demo",
    "ingest",
    "backfill",
    "release_quarantine",
    "suite",
    "data_docs",
    "train",
    "tune",
    "score",
    "serve",
    "monitor",
    "retrain",
    "release",
    "rollback",
    "replay",
    "report",
    "reproduce",
    "retire",
    "housekeeping",
    "api_key",
    "api_keys",
    "revoke_key",
    "up",
    "down",
    "status",
    "ui",
    "wandb_sync",
    "what_if",
    "docs",
    "clean_state",
)
NEW = {
    "name": "what it is called",
    "data": "a file, a Delta table, or the URL of a database and #table",
    "table": "the table, where DATA does not name it",
    "label": "the column to be predicted",
    "time": "the column of the event's time; without it the order of the rows stands for it",
    "key": "the columns that tell whose the event is, with commas",
    "problem": "binary, multiclass, regression or ranking, where the label does not tell",
    "group": "of a ranking, the columns that tell one list from another, with commas",
}
# Those for which no project need be named.
OF_ALL = ("clean_state", "data", "docs", "down", "new", "ui", "up", "wandb_sync")


def main() -> int:
    """Run one command; its exit code. An error of ours is a sentence, without a stack trace."""
    arguments = _arguments()
    try:
        return _run(arguments)
    except PerennialError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except OSError as error:  # such as a full disk, a home that may not be written, or a file that is gone
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except DatabaseError as error:
        print(f"error: the database of PERENNIAL_REGISTRY: {error.orig}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    settings = Settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.apply()
    if arguments.project is None and arguments.command not in OF_ALL:
        there = ", ".join(projects.names(settings)) or f"none in {settings.projects}"
        raise SpecError(f"which project? Say PROJECT=, or --project: there is {there}")
    # Prefect reads its settings when it is imported: everything that imports it comes after them.
    modules = (
        "machine_commands",
        "status_command",
        "new_command",
        "data_commands",
        "model_commands",
        "housekeeping_command",
        "replay_commands",
        "serving_commands",
        "release_command",
        "commands",
    )
    found = (import_module(f"flows.{name}") for name in modules)  # one after the other: they take seconds
    module = next(each for each in found if hasattr(each, arguments.command))
    command: Callable[[Settings, argparse.Namespace], int] = getattr(module, arguments.command)
    return command(settings, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows", description="Run a flow of a project.")
    parser.add_argument("command", choices=COMMANDS, type=lambda name: name.replace("-", "_"))
    parser.add_argument("--project", help="a folder of projects/")
    parser.add_argument("--batch", help="the id of a batch, such as 2013-04; the newest by default")
    parser.add_argument("--dataset", help="the events by default")
    parser.add_argument("--start", help="the first batch, or a day in it")
    parser.add_argument("--end", help="the last batch, or a day in it")
    parser.add_argument(
        "--share", help="of a release: a share of the traffic, such as 0.1 or 10%%; 0 ends it"
    )
    parser.add_argument("--role", help="of a release: canary (by default), shadow or test")
    parser.add_argument("--metric", help="of a test: loss (by default) or label")
    parser.add_argument("--minimum", type=int, help="of a test: entities a version before it may be decided")
    parser.add_argument("--maximum", type=int, help="of a test: entities a version when it is over")
    parser.add_argument("--version", help="a model version, such as shop/2")
    parser.add_argument("--policy", help="of a replay: the names of some policies, with ; between them")
    parser.add_argument("--change", help="of a what-if: what the spec would say, as YAML")
    parser.add_argument("--inject", help="of a what-if: what would have been delivered, as YAML")
    parser.add_argument("--suites", help="of a what-if: a folder of suites, in place of expectations/")
    parser.add_argument("--as-of", type=datetime.fromisoformat, help="the instant to stand at (ISO 8601)")
    parser.add_argument("--scopes", help="of an API key: what it opens, with commas")
    parser.add_argument("--rate", help="of an API key: how many requests a second it may ask")
    for name, what in NEW.items():
        parser.add_argument(f"--{name}", help=f"of a new project: {what}")
    parser.add_argument("--json", action="store_true", help="print for machines")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
