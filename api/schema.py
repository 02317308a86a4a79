"""The API's description (OpenAPI 3.1): what it says of every operation, and where it is read."""

from functools import cache
from typing import Any, Final

from django.contrib.admin.views.decorators import staff_member_required
from django.urls import path
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)
from rest_framework.request import Request
from rest_framework.response import Response

from api.auth import TokenAuthentication
from api.describing import WORDS
from api.problems import CONTENT_TYPE


class DescriptionView(SpectacularAPIView):
    """OpenAPI, as YAML or JSON."""

    def _get_schema_response(self, request: Request) -> Response:
        media_type = self.perform_content_negotiation(request, force=True)[0].format
        disposition = f'inline; filename="Stalkerr.{media_type}"'
        return Response(_description(), headers={"Content-Disposition": disposition})


@cache
def _description() -> dict[str, Any]:
    """Made once: it is the same for all, and takes a tenth of a second."""
    found: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return found


# The description is anybody's. The pages that show it run other people's scripts beside a session:
# they are for staff, like the admin, and so is what these scripts could be talked into.
_docs = SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="api/docs.html")
_redoc = SpectacularRedocView.as_view(url_name="schema", template_name="api/redoc.html")
urlpatterns = [
    path("schema", DescriptionView.as_view(), name="schema"),
    path("docs", staff_member_required(_docs), name="docs"),
    path("redoc", staff_member_required(_redoc), name="redoc"),
]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How to show a token."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "Sentences about each field, such as `query` or `config.url`.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "required": ["type", "title", "status", "detail"],
}
_COUNTS: Final = {
    "RateLimit-Limit": "How many requests are allowed in the period.",
    "RateLimit-Remaining": "How many are left now.",
    "RateLimit-Reset": "In how many seconds there will be one more.",
}

_WAIT: Final = {
    "description": "How many seconds to wait.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_SCHEME: Final = {"required": True, "schema": {"type": "string"}}


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A drf-spectacular hook: what api/describing.py refers to."""
    components = result["components"]
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    whole = {"type": "integer", "minimum": 0}
    counts = {name: {"description": words, "schema": whole} for name, words in _COUNTS.items()}
    own = {401: {"WWW-Authenticate": _SCHEME}, 429: {"Retry-After": _WAIT}}
    schema = {"$ref": "#/components/schemas/Problem"}
    components["responses"] = {
        f"Problem{status}": {
            "description": words,
            "headers": counts | own.get(status, {}),
            "content": {CONTENT_TYPE: {"schema": schema}},
        }
        for status, words in WORDS.items()
    }
    return result
