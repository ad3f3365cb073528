"""The commands of a replay: compare policies, ask what if, and adopt a policy."""

import argparse
import difflib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.documents import parsed
from core.errors import SpecError
from core.injections import injection
from core.settings import Settings
from flows import show_replay
from flows.data_commands import provide
from flows.running import console, opened, running
from replay.adopt import adopt, recommended
from replay.policies import PRESENT, policies_of
from replay.world import WHAT_IF, make_world
from stages.workspace import open_workspace

NAME = "what-if"


def replay(settings: Settings, arguments: argparse.Namespace) -> int:
    """Live through the history once for each policy, and say which one to use."""
    _replayed(settings, arguments, arguments.project, arguments.policy)
    return 0


def what_if(settings: Settings, arguments: argparse.Namespace) -> int:
    """Live through the history as it might have been: with other rules, other suites, or other deliveries."""
    changes = parsed(arguments.change, "CHANGE") if arguments.change else {}
    asked = injection(parsed(arguments.inject, "INJECT")) if arguments.inject else None
    serves, suites = arguments.version, arguments.suites and str(Path(arguments.suites).resolve())
    if not (changes or asked or suites or serves):
        raise SpecError("what if what? Say CHANGE=, INJECT=, SUITES= or VERSION= (docs/replay.md)")
    named, question = arguments.name or NAME, _question(arguments)
    project = make_world(settings, arguments.project, named, changes, suites, asked, serves, question)
    there = [each.name for each in policies_of(open_workspace(project, settings).spec)]
    by_default = ";".join(each for each in (PRESENT, WHAT_IF) if each in there)
    _replayed(settings, arguments, project, arguments.policy or by_default)
    return 0


def _question(arguments: argparse.Namespace) -> str:
    """What was asked, as `make what-if` takes it."""
    said = {name: getattr(arguments, name) for name in ("change", "inject", "suites", "version")}
    return " ".join(f"{name.upper()}={shlex.quote(text)}" for name, text in said.items() if text)


def adopt_policy(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write the recommended policy, or the one that is named, into the project's spec."""
    found = adopt(settings, arguments.project, arguments.policy)
    if found.before == found.after:
        print(f"{found.path} says that already: {found.policy}")
        return 0
    before, after = (text.splitlines(keepends=True) for text in (found.before, found.after))
    print("".join(difflib.unified_diff(before, after, "before", "after", n=1)), end="")
    print(f"{found.path}: the policy is now {found.policy!r}")
    if not arguments.policy and (sure := recommended(settings, arguments.project)["sure"]) < 0.95:
        print(f"(it was worth no less than the one before in {sure:.0%} of all draws of days)")
    return 0


def _replayed(
    settings: Settings, arguments: argparse.Namespace, project: str, policies: str | None
) -> Mapping[str, Any]:
    workspace, as_of = opened(settings, arguments)
    if arguments.end:
        last = workspace.batches(as_of, arguments.end, arguments.end)[0]
        as_of = min(as_of, last.end + workspace.spec.outcome.maturity)
    provide([workspace.project])
    with running(settings, workspace, [], ("batches",)):
        from flows.replay import replay as flow

        path = flow(project, as_of, policies, arguments.start)
    facts: Mapping[str, Any] = json.loads(path.with_name("summary.json").read_text(encoding="utf-8"))
    show_replay.replay(console(), facts)
    return facts
