"""How often a key may ask, over all worker processes of the service together."""

import mmap
import threading
from fcntl import LOCK_EX, LOCK_UN, lockf
from pathlib import Path

KEYS = 65_536
"""So many keys have a place of their own; later ones share, and so get less, never more, than their rate."""
_NUMBER = 8
_ROUNDING = 1e-6
"""Seconds: what sums of floats are off by is far less, and shall not cost a key the last of its burst."""


def allocate(path: Path) -> None:
    """Make the file that the workers share, anew: no key has asked yet.

    The service does so once, before its workers start: what an earlier boot of the machine left would be
    of another clock. The file is written in full, for a sparse one in memory kills its reader when the
    disk is full. Raises OSError where the disk takes no more.
    """
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)  # nobody else's: the folder may be open to all
    path.write_bytes(bytes(KEYS * _NUMBER))


class Rates:
    """When each key's requests so far are paid off, in the file at `path`, which `allocate` has made.

    This is the generic cell rate algorithm, as a virtual schedule (ITU-T I.371, annex A): each request
    moves that instant on by what it costs, and is refused where it would then lie further ahead than a
    burst. So in any span of t seconds at most burst + rate · t is admitted, and one number a key is all
    there is to keep. Any number of threads and processes may ask at once; a killed one lets go.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        self._map = mmap.mmap(self._file.fileno(), KEYS * _NUMBER)
        self._paid_off = memoryview(self._map).cast("d")
        self._one_thread = threading.Lock()  # the lock of a file is its process's, whichever thread asks

    def take(self, number: int, rate: float, cost: float, now: float) -> float:
        """Admit a request of a key and return 0, or return the seconds after which it would be admitted.

        `rate` is what the key may spend a second, and as much of it, but no less than 1, is its burst; a
        request that costs more than that is admitted where all is paid off, and paid off after it. `now` is
        `time.monotonic()`: all processes of a machine have that clock in common.
        """
        place = number % KEYS
        with self._one_thread:
            lockf(self._file, LOCK_EX, _NUMBER, place * _NUMBER)
            try:
                after = max(self._paid_off[place], now) + cost / rate
                wait = after - now - max(1.0, rate, cost) / rate
                if wait > _ROUNDING:
                    return wait
                self._paid_off[place] = after
                return 0.0
            finally:
                lockf(self._file, LOCK_UN, _NUMBER, place * _NUMBER)

    def close(self) -> None:
        """Let go of the file."""
        self._paid_off.release()
        self._map.close()
        self._file.close()
