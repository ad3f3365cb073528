"""Routes: along which blocks of a spec alerts of which gravity are sent."""

from collections.abc import Iterable

from core.operating import SEVERITIES, Route, Severity


def routes(rules: Iterable[Route]) -> dict[str, Severity]:
    """The least severity that each block is sent; named twice, it takes the lesser."""
    found: dict[str, Severity] = {}
    for route in rules:
        least = found.get(route.block, route.severity)
        found[route.block] = min(least, route.severity, key=SEVERITIES.index)
    return found
