"""What every answer says to browsers, whoever gives it: Django (api/middleware.py) or the edge.

Pages may load what they need from here and nothing from elsewhere; all other answers nothing at all.
"""

from collections.abc import Mapping
from typing import Final

from django.conf import settings

CSP: Final = "Content-Security-Policy"

_ALONE: Final = "frame-ancestors 'none'; base-uri 'none'"
# JSON, feeds, files: there is nothing to load, even where a browser takes one for a page.
NOTHING: Final = f"default-src 'none'; form-action 'none'; {_ALONE}"
# Our own pages: a style sheet, an icon that is empty, forms that lead back here. No script at all.
PAGE: Final = f"default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; {_ALONE}"
# The admin's theme reads expressions from attributes (Alpine.js: 'unsafe-eval') and writes styles
# into the page. It runs no inline script, and what it loads is ours.
ADMIN: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; {_ALONE}"
)
# Swagger UI and ReDoc write styles into the page; ReDoc's search is a worker made of a blob.
DOCS: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; connect-src 'self'; worker-src blob:; form-action 'none'; {_ALONE}"
)
_PAGES: Final = {"/admin/": ADMIN, "/api/docs": DOCS, "/api/redoc": DOCS}

# The same for all; a page whose address is a secret says a stricter Referrer-Policy itself. Not
# "no-referrer" everywhere: a form's POST would come from the origin "null", which CSRF refuses.
SAME: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # who may by CORS is not asked for this
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def headers_of(*, path: str, content_type: str, is_secure: bool) -> Mapping[str, str]:
    """What an answer carries that does not say otherwise itself. `is_secure`: it was asked by TLS."""
    return {CSP: _policy(path, content_type)} | SAME | (_transport() if is_secure else {})


def _policy(path: str, content_type: str) -> str:
    if not content_type.startswith("text/html"):
        return NOTHING
    return next((policy for start, policy in _PAGES.items() if path.startswith(start)), PAGE)


def _transport() -> dict[str, str]:
    """HSTS, as SecurityMiddleware words it."""
    if not settings.SECURE_HSTS_SECONDS:
        return {}
    words = [f"max-age={settings.SECURE_HSTS_SECONDS}"]
    words += ["includeSubDomains"] * settings.SECURE_HSTS_INCLUDE_SUBDOMAINS
    words += ["preload"] * settings.SECURE_HSTS_PRELOAD
    return {"Strict-Transport-Security": "; ".join(words)}


def may_ask(origin: str) -> bool:
    """Whether that origin's pages may ask the API: it is listed in just these letters."""
    return origin in settings.CORS_ALLOWED_ORIGINS
