"""The commands of a replay: compare policies, and adopt one."""

import argparse
import json

from core.settings import Settings
from flows.data_commands import provide
from flows.running import opened, running


def replay(settings: Settings, arguments: argparse.Namespace) -> int:
    """Live through the history once for each policy, and say which one to use."""
    workspace, as_of = opened(settings, arguments)
    provide([workspace.project])
    with running(settings, workspace, [], ("batches",)):
        from flows.replay import replay as flow

        path = flow(workspace.project.name, as_of, arguments.policy)
    facts = json.loads(path.read_text())
    print(json.dumps({name: facts[name] for name in ("recommended", "findings", "break_even")}, indent=2))
    return 0
