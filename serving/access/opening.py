"""Whether the service may open its door without asking for keys."""

from core.errors import PerennialError
from core.hosts import is_loopback


def require_guarded(host: str, *, open_to_all: bool) -> None:
    """PerennialError where the service would answer others than this machine without asking for a key."""
    if open_to_all and not is_loopback(host):
        raise PerennialError(
            f"PERENNIAL_SERVE_OPEN would let everybody who can reach {host} ask without an API key:"
            " unset it and make keys by `make api-key`, or set PERENNIAL_SERVE_HOST=127.0.0.1"
        )
