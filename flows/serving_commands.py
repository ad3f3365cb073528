"""The commands about the service: serving, and the keys to it."""

import argparse
import sys
from datetime import UTC, datetime

from core.errors import SpecError
from core.projects import folder_of
from core.settings import Settings
from flows.running import console
from flows.show import headed_table
from serving.access.guard import RATE
from serving.access.keys import SCOPES, Keys
from stages.workspace import open_workspace


def serve(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve a project until Ctrl-C or SIGTERM: as of now or, for a history that is over, from its end on."""
    from serving.run import Clock  # it takes seconds to import
    from serving.run import serve as until_ended

    workspace = open_workspace(arguments.project, settings)
    end, now = workspace.spec.batches.calendar().batches()[-1].end, datetime.now(UTC)
    stands = min(now, arguments.as_of.astimezone(UTC) if arguments.as_of else end)
    told = [f"{workspace.spec.title}: http://{settings.serve_host}:{settings.serve_port}, until Ctrl-C"]
    if stands < now:
        told.append(f"as of {stands:%Y-%m-%d %H:%M} UTC, where the history of {workspace.project.name} ends")
    if settings.serve_open:
        told.append("without API keys: whoever is on this machine may ask")
    elif not Keys(settings.registry, workspace.project.name).live():
        told.append("nobody has a key yet: make api-key NAME=me SCOPES=predict,outcomes,admin")
    print("\n".join(told), flush=True)
    until_ended(workspace.project.name, settings, Clock(now - stands))
    return 0


def api_key(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make an API key, and print it this once: it alone on the output, for a program to take."""
    if not arguments.name or not arguments.scopes:
        raise SpecError(
            f"say NAME=… and SCOPES=…: make api-key NAME=web SCOPES=predict,outcomes [RATE=50]; SCOPES are of"
            f" {', '.join(SCOPES)}"
        )
    scopes = [scope.strip() for scope in arguments.scopes.split(",")]
    key = _keys(settings, arguments).create(
        arguments.name, scopes, rate=_rate(arguments.rate), at=datetime.now(UTC), by="make api-key"
    )
    print(key)
    print("keep it: only its hash is on record, and it is not shown again", file=sys.stderr)
    return 0


def api_keys(settings: Settings, arguments: argparse.Namespace) -> int:
    """List the API keys of a project, those that are revoked too; never a key itself."""
    table = headed_table(f"API keys of {arguments.project}", "name", "scopes", "rate", "since", "revoked")
    for key in _keys(settings, arguments).all():
        instants = (f"{at:%Y-%m-%d %H:%M}" if at else "-" for at in (key.created_at, key.revoked_at))
        table.add_row(key.name, ", ".join(sorted(key.scopes)), f"{key.rate or RATE:g}/s", *instants)
    console().print(table)
    return 0


def revoke_key(settings: Settings, arguments: argparse.Namespace) -> int:
    """End an API key: within two seconds the service refuses it."""
    if not arguments.name:
        raise SpecError("which key? Say NAME=web, or another that `make api-keys` lists")
    _keys(settings, arguments).revoke(arguments.name, at=datetime.now(UTC), by="make revoke-key")
    print(f"revoked: {arguments.name}")
    return 0


def _keys(settings: Settings, arguments: argparse.Namespace) -> Keys:
    folder = folder_of(arguments.project, settings)  # a key is to be revoked whatever is wrong with the spec
    return Keys(settings.registry, folder.name)


def _rate(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise SpecError(f"RATE={text}: should be a number of requests a second") from None
