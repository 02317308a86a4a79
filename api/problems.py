"""The shape of every error of the API: problem details (RFC 9457). Imports no framework."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"


def problem(status: int, detail: str, errors: Mapping[str, list[str]] | None = None) -> Any:
    """The body of an error: what went wrong, and for each field a list of sentences."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    return body
