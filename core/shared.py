"""What several histories share: made once, by whichever comes to it first, and read by the others."""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Shared:
    """A folder of what was made, by step and by the fingerprint of all that it was made from.

    Any number of processes may ask at once: of those that want the same, one makes it and the others
    wait for it. A process that is killed leaves nothing half made behind, and its lock is gone with it.
    """

    folder: Path

    def once(self, step: str, made_from: str, make: Callable[[], Any]) -> Any:
        """A document (as of JSON, and NaN) that is made once: what `make` returns, or returned before."""

        def text() -> bytes:
            return json.dumps(make(), separators=(",", ":")).encode()

        return json.loads(self._made(step, f"{made_from}.json", text).read_bytes())

    def array(
        self, step: str, made_from: str, make: Callable[[], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """An array that is made once, likewise."""

        def content() -> bytes:
            with tempfile.TemporaryFile() as file:
                np.save(file, make(), allow_pickle=False)
                file.seek(0)
                return file.read()

        found: NDArray[np.float64] = np.load(
            self._made(step, f"{made_from}.npy", content), allow_pickle=False
        )
        return found

    def _made(self, step: str, name: str, make: Callable[[], bytes]) -> Path:
        path = self.folder / step / name[:2] / name
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                _write(path, make())
        return path


def _write(path: Path, content: bytes) -> None:
    """Put a file in its place whole, or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="new-", delete=False) as draft:
        try:
            draft.write(content)
            draft.close()
            os.replace(draft.name, path)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
