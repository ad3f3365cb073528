"""What was counted in the last minutes: looked at and kept while nobody has the page open."""

import json
import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from core.errors import PerennialError
from core.whole import whole
from serving.pages.counted import counted_so_far

_LOG = logging.getLogger(__name__)
EVERY = 10.0  # seconds
KEPT = 32  # five minutes, and a little more
PAST = "past.json"
"""The file, in the folder that the workers share."""


class Keeper:
    """Looks at what the workers have counted, in a thread of the process that keeps them."""

    def __init__(self, shared: Path) -> None:
        self._kept, self._ended = shared / PAST, threading.Event()
        self._looks: deque[Mapping[str, Any]] = deque(maxlen=KEPT)
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except (PerennialError, OSError) as error:
                _LOG.warning("what was counted of late is not kept: %s", error)
            if self._ended.wait(EVERY):
                return

    def look(self) -> None:
        """Look once; raises what `core.whole.whole` does where it cannot be kept."""
        self._looks.append({"told_at": datetime.now(UTC), **counted_so_far()})
        with whole(self._kept) as draft:
            draft.write_bytes(msgspec.json.encode(list(self._looks)))


def past_looks(shared: Path | None) -> Sequence[Mapping[str, Any]]:
    """The looks of the last minutes, the oldest first; none where none was kept yet."""
    try:
        looks: list[Mapping[str, Any]] = json.loads((shared / PAST).read_bytes()) if shared else []
    except FileNotFoundError:
        return []
    return looks
