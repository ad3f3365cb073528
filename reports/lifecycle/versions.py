"""Model versions as the page of a lifecycle tells them."""

from collections.abc import Sequence
from typing import Any

from reports.pages import NOTHING, size

Facts = dict[str, Any]


def told(version: Facts, batches: Sequence[Facts], headlines: Sequence[str]) -> Facts:
    """A version with the batches that it scored, its headlines and its files."""
    scored = [batch["batch"] for batch in batches if batch["champion"] == version["version"]]
    spell = scored[0] if len(scored) == 1 else f"{scored[0]} to {scored[-1]}" if scored else NOTHING
    files = [{"name": file["name"], "facts": _file_facts(file)} for file in version["files"]]
    shown = [version["metrics"].get(headline) for headline in headlines]
    return version | {"scored": spell, "files": files, "headlines": shown}


def _file_facts(file: Facts) -> str:
    told = [size(file["bytes"])] if file.get("bytes") is not None else []
    if file.get("p50_us") is not None:
        told.append(f"{file['p50_us']:.0f} µs")
        if file.get("p99_us") is not None:
            told[-1] = f"{file['p50_us']:.0f} / {file['p99_us']:.0f} µs"
    if not file.get("kept", True):
        told.append("not kept")
    if file.get("note"):
        told.append(file["note"])
    if file.get("sha256"):
        told.append(f"sha256 {file['sha256'][:8]}")
    return ", ".join(told)
