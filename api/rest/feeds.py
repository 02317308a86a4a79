"""/api/feeds: private feeds, each under a secret address of its own."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import FeedToken
from accounts.services import TooManyFeedsError, make_feed, rotate_feed
from api.describing import problems
from api.errors import ConflictError
from api.feeds.views import FORMATS
from api.rest.given import Given
from api.rest.owned import OwnedViewSet
from catalog.models import Watch, WatchList
from catalog.reminders import DAYS_MAX
from stalkerr import clock

_ID_MAX = 2**63 - 1
_UNSEEN = {"Cache-Control": "no-store"}  # of answers that hold a secret


class FeedSerializer(Given[FeedToken]):
    id = serializers.IntegerField(read_only=True)
    watch = serializers.IntegerField(
        source="watch_id",
        min_value=1,
        max_value=_ID_MAX,
        allow_null=True,
        default=None,
        help_text="Yours, by id. Empty: the feed has what any of your watches finds.",
    )
    watch_list = serializers.IntegerField(
        source="list_id",
        min_value=1,
        max_value=_ID_MAX,
        allow_null=True,
        default=None,
        help_text="Instead of a watch, one of your lists: what any watch in it finds.",
    )
    name = serializers.CharField(max_length=80, allow_blank=True, default="")
    remind_days = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=DAYS_MAX),
        max_length=10,
        default=list,
        help_text="In the calendar: rings so many days before a title is due; 0: on its day.",
    )
    created_at = serializers.DateTimeField(read_only=True)
    rotated_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def validate_watch(self, watch_id: int | None) -> int | None:
        user_id = self.context["request"].user.pk
        if watch_id is not None and not Watch.objects.of(user_id).filter(id=watch_id).exists():
            raise serializers.ValidationError(f"You have no watch {watch_id}.")
        return watch_id

    def validate_watch_list(self, list_id: int | None) -> int | None:
        user_id = self.context["request"].user.pk
        if list_id is not None and not WatchList.objects.filter(id=list_id, user=user_id).exists():
            raise serializers.ValidationError(f"You have no list {list_id}.")
        return list_id

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if values["watch_id"] is not None and values["list_id"] is not None:
            raise serializers.ValidationError({"watch_list": "A feed is of a watch or of a list."})
        return values

    def validate_remind_days(self, days: list[int]) -> list[int]:
        return sorted(set(days), reverse=True)


class AddressesSerializer(serializers.Serializer[Any]):
    """Where a feed is read. Each address is a secret."""

    rss = serializers.URLField()
    atom = serializers.URLField()
    json = serializers.URLField()
    ics = serializers.URLField()


class MadeFeedSerializer(FeedSerializer):
    urls = AddressesSerializer(
        read_only=True, help_text="Shown in this answer alone: who knows one reads the feed."
    )


class FeedViewSet(OwnedViewSet[FeedToken]):
    """Feeds of what your watches find, for a reader or a calendar that can't sign in.

    Their addresses are shown once. A feed that is deleted is gone for all who have its address.
    """

    serializer_class = FeedSerializer
    http_method_names = ("get", "post", "delete", "head", "options")

    def owned(self, user_id: int) -> QuerySet[FeedToken]:
        return FeedToken.objects.filter(user_id=user_id)

    @extend_schema(responses={201: MadeFeedSerializer, **problems(409)})
    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a feed of one watch, of a list, or of all; the answer has its addresses."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            feed, secret = make_feed(
                user_id=self.user.pk, now=clock.now(), **serializer.validated_data
            )
        except TooManyFeedsError as error:
            raise ConflictError(str(error)) from error
        return self._shown(feed, secret, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=MadeFeedSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def rotate(self, request: Request, **_: Any) -> Response:
        """Give the feed other addresses; those of before open nothing any more."""
        feed = self.get_object()
        secret = rotate_feed(feed=feed, now=clock.now())
        return self._shown(feed, secret, status.HTTP_200_OK)

    def _shown(self, feed: FeedToken, secret: str, code: int) -> Response:
        urls = {
            extension: settings.PUBLIC_URL + reverse("feed-private", args=[secret, extension])
            for extension in FORMATS
        }
        body = {**self.get_serializer(feed).data, "urls": urls}
        return Response(body, status=code, headers=_UNSEEN)
