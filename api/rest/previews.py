"""POST /api/watches/preview"""

from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.describing import problems
from api.rest.bulk import OwnedWatches
from api.rest.replays import BusyError
from api.rest.watches import WatchSerializer, draft_of
from api.throttling import limit
from notifications.previews import TITLES_MAX, Preview, preview
from notifications.replays import EVENTS_MAX, SPAN, TooSlowError
from stalkerr import clock

RATE: Final = "120/h"  # of one user: it is a lot of reading


class WatchPreviewSerializer(serializers.Serializer[Preview]):
    titles = serializers.IntegerField(
        allow_null=True, help_text=f"That it finds now. Null: more than {TITLES_MAX}."
    )
    upcoming = serializers.IntegerField(
        allow_null=True, help_text="Those of them that are to come. Null: as `titles`."
    )
    news = serializers.IntegerField(
        allow_null=True,
        help_text=f"Pieces that it would have sent in the last {SPAN.days} days. Null: it meets more "
        f"than {EVENTS_MAX}; try something narrower.",
    )


class WatchPreviewView(OwnedWatches):
    """How much a watch would find, before you make it: in seconds, or not at all. It is not kept."""

    @extend_schema(
        operation_id="watches_preview",
        request=WatchSerializer,
        responses={200: WatchPreviewSerializer, **problems(503)},
    )
    def post(self, request: Request) -> Response:
        context: dict[str, Any] = {"request": request}
        asked = WatchSerializer(data=request.data, context=context)
        asked.is_valid(raise_exception=True)
        limit(request, group="preview", rate=RATE, who=str(self.user.pk))
        watch = draft_of(self.user, asked.validated_data)
        try:
            found = preview(watch=watch, now=clock.now())
        except TooSlowError as error:
            raise BusyError from error
        return Response(WatchPreviewSerializer(found).data)
