"""What several histories share: made once, by whichever comes to it first, and read by the others."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from core.whole import whole


@dataclass(frozen=True, slots=True)
class Shared:
    """A folder of what was made, by step and by the fingerprint of all that it was made from.

    Any number of processes may ask at once: of those that want the same, one makes it and the others
    wait for it. A process that is killed leaves nothing half made in its place, and its lock is gone with it.
    """

    folder: Path

    def once(self, step: str, made_from: str, make: Callable[[], Any]) -> Any:
        """A document (as of JSON, and NaN) that is made once: what `make` returns, or returned before."""

        def write(draft: Path) -> None:
            draft.write_text(json.dumps(make(), separators=(",", ":")))

        return json.loads(self._made(step, f"{made_from}.json", write).read_bytes())

    def array(
        self, step: str, made_from: str, make: Callable[[], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """An array that is made once, likewise."""

        def write(draft: Path) -> None:
            np.save(draft, make(), allow_pickle=False)

        path = self._made(step, f"{made_from}.npy", write)
        found: NDArray[np.float64] = np.load(path, allow_pickle=False)
        return found

    def _made(self, step: str, name: str, write: Callable[[Path], None]) -> Path:
        path = self.folder / step / name[:2] / name
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                with whole(path) as draft:
                    write(draft)
        return path
