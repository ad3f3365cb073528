"""Running a command of ours as a process of its own: how long it took, and how much memory."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import PerennialError
from core.settings import CHECKOUT


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds of wall time, and the peak memory in GB of the largest of the processes."""

    seconds: float
    gigabytes: float


def run(module: str, arguments: Sequence[str], home: Path) -> Run:
    """Run `python -m module` on a home; PerennialError when it fails."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "PERENNIAL_HOME": str(home)},
        stdout=subprocess.DEVNULL,
    )
    # Popen's own wait would not tell what the process and its children have used.
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise PerennialError(f"python -m {' '.join([module, *arguments])} ended with {process.returncode}")
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(time.monotonic() - started, used.ru_maxrss * unit / 1e9)
