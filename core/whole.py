"""Files that are there whole or not at all, whatever happens while they are written."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import PerennialError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file to write to that takes the place of `path` in one step, on disk, once the block is done.

    Its folder is made if need be. When the block fails, `path` is left as it was.
    PerennialError where there is no place to write it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:32]}-", suffix=path.suffix)
    except OSError as error:
        raise _unwritable(path, error) from error
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        if error.errno in FULL:
            raise _unwritable(path, error) from error
        raise
    finally:
        draft.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> PerennialError:
    return PerennialError(f"{path.parent} cannot be written to: {os.strerror(error.errno or errno.EIO)}")
