"""Without keys the service answers this machine alone."""

import pytest

from core.errors import PerennialError
from serving.access.opening import require_guarded


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_keys_may_be_off(host: str) -> None:
    require_guarded(host, open_to_all=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "localhost.example.org", ""])
def test_elsewhere_keys_are_on(host: str) -> None:
    require_guarded(host, open_to_all=False)
    with pytest.raises(PerennialError, match=r"PERENNIAL_SERVE_OPEN .*make api-key.*PERENNIAL_SERVE_HOST"):
        require_guarded(host, open_to_all=True)
