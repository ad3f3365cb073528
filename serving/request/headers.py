"""Headers: what a request says of itself."""

from starlette.requests import Request


def header(request: Request, name: bytes) -> str | None:
    """The value of the header with this name, in small letters; None where it is not there.

    Starlette decodes and compares them one after the other each time.
    """
    for key, value in request.scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None
