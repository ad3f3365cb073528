"""Where something listens, and who can reach it there."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # what another name leads to may change


def reached(host: str) -> str:
    """The host under which this machine reaches what listens there, as a URL writes it.

    >>> [reached(host) for host in ("0.0.0.0", "::", "10.0.0.7")]
    ['127.0.0.1', '[::1]', '10.0.0.7']
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
