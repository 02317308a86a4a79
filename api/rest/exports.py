"""GET /api/export"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from api.export.parts import PARTS, pages
from api.export.shapes import as_csv, as_json, as_opml
from api.streaming import streamed
from stalkerr import clock

FORMS: Final[dict[str, tuple[str, Callable[..., Iterator[bytes]]]]] = {
    "json": ("application/json", as_json),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "opml": ("text/x-opml; charset=utf-8", as_opml),
}


class FormByName(BaseContentNegotiation):
    """`?format=` is ours here, and says more than a media type; errors are JSON as everywhere."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ExportView(APIView):
    """All that is kept of you, without secrets: yours to read, or to take elsewhere.

    `json` and `csv` hold profile, watches, channels, marks, the log of deliveries, what you were
    told, notices and books that you had sent; `opml` holds the watches, and can be imported again.
    In `csv` a text that a spreadsheet would take for a formula begins with an apostrophe.
    """

    content_negotiation_class = FormByName

    @extend_schema(
        operation_id="export",
        parameters=[OpenApiParameter("format", str, enum=list(FORMS), default="json")],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "text/x-opml"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        name = request.query_params.get("format") or "json"
        if name not in FORMS:
            raise ValidationError({"format": [f"This is one of {', '.join(FORMS)}."]})
        content_type, shape = FORMS[name]
        user_id, now = request.user.pk or 0, clock.now()
        parts = ((part, pages(part, user_id=user_id)) for part in PARTS)
        return streamed(
            request._request,
            shape(parts, now),
            content_type=content_type,
            filename=f"stalkerr-{now:%Y-%m-%d}.{name}",
        )
