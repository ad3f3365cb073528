"""The commands about what runs on this machine: up, down, the UI, and how a project stands."""

import argparse

from core.settings import Settings
from flows.backend import backend
from flows.machine import state
from flows.machine.state import Up
from flows.machine.up import bring_up, take_down


def up(settings: Settings, arguments: argparse.Namespace) -> int:
    """Bring up all that production needs, register the deployments, and say where things are."""
    there = state.read(settings)
    if not (there and there.supervisor.alive):
        print("starting the Prefect server, the Dask cluster and a worker ...", flush=True)
    found, before = bring_up(settings)
    try:
        with backend(settings):
            from flows.deployments import register
            from flows.machine.resume import resume_interrupted

            resumed = resume_interrupted(found)
            register(settings)
    except BaseException:
        if not before:
            take_down(settings)
        raise
    _tell(settings, found)
    if resumed:
        print(f"{resumed} interrupted runs are begun again")
    print("it was up already; the deployments are registered anew" if before else "up: `make down` ends it")
    return 0


def _tell(settings: Settings, found: Up) -> None:
    lines = [(part.name, part.address) for part in found.parts]
    lines += [("dashboard", found.dashboard)] if found.dashboard else []
    lines += [("password", str(settings.up / "password"))] if found.secured and found.own_server else []
    for name, where in (*lines, ("logs", str(settings.up))):
        print(f"{name:15} {where}")


def down(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take down what `up` has started, and nothing else."""
    ended = take_down(settings)
    print(f"ended: {', '.join(ended)}" if ended else f"nothing runs in {settings.home}")
    return 0


def ui(settings: Settings, arguments: argparse.Namespace) -> int:
    """Say where the Prefect UI is or, when nothing is up, serve it with the deployments until Ctrl-C."""
    found = state.read(settings)
    if found and found.alive:
        print(f"Prefect UI: {found.api.removesuffix('/api')}")
        return 0
    with backend(settings, settings.prefect_port) as server:
        from prefect import serve

        from flows.deployments import deployments

        server.wait()
        print(f"Prefect UI: {server.url.removesuffix('/api')}  (Ctrl-C stops it)", flush=True)
        serve(*deployments(settings), print_starting_message=False)
    return 0
