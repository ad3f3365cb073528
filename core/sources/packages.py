"""Installed Python packages that data files are taken from: located, never imported."""

import importlib.util
from importlib import metadata
from pathlib import Path

from core.errors import DeliveryError
from core.sources.declared import PackageSource


def installed(package: str) -> str | None:
    """The version in which a package is installed; None where it is not."""
    try:
        return metadata.version(package)
    except (metadata.PackageNotFoundError, ValueError):
        return None


def folder_of(source: PackageSource, project: str) -> Path:
    """The folder of the source's package, in which its files are named.

    Raises DeliveryError when the package is not installed, or in another version than is declared.
    """
    get = f"`make data PROJECT={project}` installs it"
    # The package is not imported: its data is wanted, not its code, which may not run here.
    try:
        found = importlib.util.find_spec(source.package)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.submodule_search_locations:
        raise DeliveryError(f"the Python package {source.package!r} is not installed: {get}")
    version = installed(source.package)
    if source.version is not None and version != source.version:
        is_what = f"is installed as {version}" if version else "is installed in a version that nothing tells"
        wanted = f"{project}'s spec declares {source.version}"
        raise DeliveryError(f"the Python package {source.package!r} {is_what}, and {wanted}: {get}")
    return Path(next(iter(found.submodule_search_locations)))


def verify(source: PackageSource, digest: str, project: str) -> None:
    """Raise DeliveryError unless the file whose bytes have this SHA-256 is the declared one."""
    if source.sha256 is not None and digest != source.sha256:
        raise DeliveryError(
            f"{source.package}/{source.file}: has the SHA-256 {digest}, and {project}'s spec declares "
            f"{source.sha256}: this is not the file that it was written for. `make data PROJECT={project}` "
            "installs the declared version; if the new content is wanted, declare its `sha256`"
        )
