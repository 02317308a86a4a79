"""Problem details (RFC 9457), for whoever refuses: REST framework's views, Django, what stands before."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpResponse, JsonResponse

CONTENT_TYPE: Final = "application/problem+json"
_FOR_PROGRAMS: Final = ("/api/", "/graphql")


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


def refused(path: str, status: int, detail: str) -> HttpResponse:
    """Problem details under /api and /graphql, plain text elsewhere."""
    if is_for_programs(path):
        return JsonResponse(problem(status, detail), status=status, content_type=CONTENT_TYPE)
    return HttpResponse(detail, status=status, content_type="text/plain; charset=utf-8")


def is_for_programs(path: str) -> bool:
    return path.startswith(_FOR_PROGRAMS)
