"""Secrets that are kept in Prefect's blocks."""

import re

from prefect.blocks.system import Secret

from core.errors import SpecError


def block(name: str) -> str:
    """What the Secret block of this name holds, as text.

    Raises SpecError when there is no such block, or it is empty.
    """
    if not re.fullmatch("[a-z0-9-]+", name):
        raise SpecError(f"${{block:{name}}}: the name of a block is of lower-case letters, digits and -")
    value = _held(name)
    if not value:
        raise SpecError(
            f"${{block:{name}}}: Prefect has no Secret block {name!r} that holds one: make it in Prefect's "
            f"UI under Blocks, or by Secret(value=...).save({name!r})"
        )
    return value


def _held(name: str) -> str | None:
    try:
        found = Secret.load(name)
    except ValueError:  # which is what Prefect makes of a block that is not there
        return None
    assert isinstance(found, Secret)  # no coroutine: stages are not asynchronous
    return str(found.get())
