"""Pages that hold all that they need, and are allowed nothing else."""

import base64
import hashlib
import re
from pathlib import Path

from starlette.responses import Response

from reports.pages import environment

TEMPLATES = Path(__file__).parent / "templates"
SITE = {"Service": "", "Documentation": "docs"}
"""The pages of the service, by what they are called."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(template: str, request_id: str, **values: object) -> Response:
    """A template of the service with these values, under the narrowest policy that it works with."""
    html = environment(TEMPLATES).get_template(template).render(values, site=SITE, root="/")
    headers = {"X-Request-Id": request_id, "Content-Security-Policy": policy(html), **_HEADERS}
    return Response(html, headers=headers, media_type="text/html")


def policy(html: str) -> str:
    """The Content-Security-Policy of a page: its own styles and scripts, and requests to its own host.

    >>> policy("<style>p {}</style>").split("; ")[:2]
    ["default-src 'none'", "style-src 'sha256-SNJDlN1Iy2mnt7DOjQIyDb2LQE6O5PQiSZomcdzawQ4='"]
    """
    rules = ["default-src 'none'"]
    for element in ("style", "script"):
        texts = re.findall(rf"<{element}[^>]*>(.*?)</{element}>", html, flags=re.DOTALL)
        rules += [f"{element}-src {' '.join(map(_hashed, texts))}"] if texts else []
    own = ("connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'")
    return "; ".join([*rules, *own, "frame-ancestors 'none'"])


def _hashed(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
