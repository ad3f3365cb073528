"""Headers: what a request says of itself."""

from starlette.requests import Request


def header(request: Request, name: bytes) -> str | None:
    """The value of the header with this name, in small letters; None where it is not there.

    Starlette decodes and compares them one after the other each time.
    """
    found: bytes | None = next((value for key, value in request.scope["headers"] if key == name), None)
    return None if found is None else found.decode("latin-1")
