"""Who may come in: nobody from outside by default, and whoever has the password and certificate otherwise."""

import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.hosts import is_loopback
from core.settings import Settings
from flows.machine.state import SCHEDULER, Up, keep

VALID = timedelta(days=10 * 365)


def make_keys(settings: Settings) -> None:
    """Write what is asked for at the doors, where it is not there yet: a password and a certificate.

    The user's own password is taken, on loopback as well; only this user may read the files. The
    certificate is Dask's, and vouches for itself.
    """
    own, password = os.environ.get("PREFECT_SERVER_API_AUTH_STRING", ""), _password(settings)
    if own:
        keep(password, own)
    elif is_loopback(settings.host):
        password.unlink(missing_ok=True)
    elif not password.exists():
        keep(password, f"perennial:{secrets.token_urlsafe(32)}")
    files = _certificate(settings)
    if not is_loopback(settings.host) and not all(path.exists() for path in files):
        for path, text in zip(files, _signed(), strict=True):
            keep(path, text)


def access(settings: Settings, up: Up) -> Mapping[str, str]:
    """The environment in which Prefect and Dask reach what runs; of a given server the user's own is kept."""
    found = {"PREFECT_API_URL": up.api}
    if not up.own_cluster or up.keeps(SCHEDULER):
        found["PERENNIAL_DASK"] = up.dask
    if up.own_server and _password(settings).exists():
        found["PREFECT_API_AUTH_STRING"] = _password(settings).read_text()
    if up.own_cluster and up.secured:
        certificate, key = map(str, _certificate(settings))
        prefix = "DASK_DISTRIBUTED__COMM__"
        found |= {f"{prefix}REQUIRE_ENCRYPTION": "True", f"{prefix}TLS__CA_FILE": certificate}
        for role in ("SCHEDULER", "WORKER", "CLIENT"):
            found |= {f"{prefix}TLS__{role}__CERT": certificate, f"{prefix}TLS__{role}__KEY": key}
    return found


def guarded(settings: Settings, up: Up) -> Mapping[str, str]:
    """The environment in which the Prefect server asks for what `access` brings."""
    given = access(settings, up).get("PREFECT_API_AUTH_STRING")
    asked = {"PREFECT_SERVER_API_AUTH_STRING": given} if given else {}
    return {**asked, "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true"} if up.secured else asked


def _password(settings: Settings) -> Path:
    return settings.up / "password"


def _certificate(settings: Settings) -> tuple[Path, Path]:
    return settings.up / "certificate.pem", settings.up / "key.pem"


def _signed() -> tuple[str, str]:
    """A certificate that vouches for itself, and its key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "perennial")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
