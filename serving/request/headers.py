"""Headers: what a request says of itself."""

from starlette.requests import Request


def header(request: Request, name: bytes) -> str | None:
    """The value of the header with this name, in small letters; None where it is not there.

    Starlette decodes and compares all of them each time, which takes as long as to read a row.
    """
    found: bytes | None = next((value for key, value in request.scope["headers"] if key == name), None)
    return None if found is None else found.decode("latin-1")
