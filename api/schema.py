"""The API's description (OpenAPI 3.1): what it says of every operation, and where it is read."""

from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.urls import path
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)

from api.auth import TokenAuthentication
from api.errors import CONTENT_TYPE

# The description is anybody's. The pages that show it run other people's scripts beside a session:
# they are for staff, like the admin, and so is what these scripts could be talked into.
_docs = SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="api/docs.html")
_redoc = SpectacularRedocView.as_view(url_name="schema", template_name="api/redoc.html")
urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs", staff_member_required(_docs), name="docs"),
    path("redoc", staff_member_required(_redoc), name="redoc"),
]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How to show a token."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


_PROBLEM = {
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


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A drf-spectacular hook: every operation may answer with a problem."""
    result["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
    schema = {"$ref": "#/components/schemas/Problem"}
    answer = {"description": "It did not work.", "content": {CONTENT_TYPE: {"schema": schema}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = answer
    return result
