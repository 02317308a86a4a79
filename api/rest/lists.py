"""/api/lists: named sets of your watches, and what others see of one by its link."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from accounts.models import User
from api.errors import ConflictError
from api.feeds.contents import shared_upcoming
from api.feeds.views import FORMATS
from api.rest.given import Given
from api.rest.once import Once
from api.rest.owned import OwnedViewSet
from api.rest.preferred import preferences_of
from api.rest.watches import look_soon
from api.shared import UNSEEN, opened, watched
from api.throttling import IMPORTS, limit
from catalog.lists import TooManyListsError, copy_list, fill, make_list, share, stop_sharing
from catalog.models import Watch, WatchList, WatchListEntry
from stalkerr import clock

NAME_MAX: Final = 80
WATCHES_MAX: Final = 500
_ID_MAX: Final = 2**63 - 1


@contextmanager
def _room() -> Iterator[None]:
    """TooManyListsError as a conflict."""
    try:
        yield
    except TooManyListsError as error:
        raise ConflictError(str(error)) from error


class WatchIdsField(serializers.ListField):
    """The watches in a list, by id."""

    child = serializers.IntegerField(min_value=1, max_value=_ID_MAX)

    def get_attribute(self, watch_list: WatchList) -> list[int]:
        return [entry.watch_id for entry in watch_list.entries.all()]

    def run_child_validation(self, data: list[Any]) -> list[int]:
        ids = sorted(set(super().run_child_validation(data)))
        mine = Watch.objects.of(self.context["request"].user.pk).filter(id__in=ids)
        if missing := sorted(set(ids) - set(mine.values_list("id", flat=True))):
            raise serializers.ValidationError(f"You have no watch {missing[0]}.")
        return ids


class WatchListSerializer(Given[WatchList]):
    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=NAME_MAX)
    watches = WatchIdsField(max_length=WATCHES_MAX, default=list, help_text="Yours, by id.")
    shared_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When its link was made; null: it has none."
    )
    created_at = serializers.DateTimeField(read_only=True)


class LinkSerializer(serializers.Serializer[Any]):
    """Where a shared list is read. Each address is a secret: whoever knows one may look."""

    page = serializers.URLField()
    api = serializers.URLField(help_text="The same as JSON; POST to its /copy makes a copy.")
    rss = serializers.URLField()
    atom = serializers.URLField()
    json = serializers.URLField()
    ics = serializers.URLField()


class SharedListSerializer(WatchListSerializer):
    urls = LinkSerializer(read_only=True, help_text="Shown in this answer alone.")


class WatchListViewSet(OwnedViewSet[WatchList]):
    """Named sets of your watches. One that is shared can be looked at, and copied, by its link.

    Whoever has the link sees the list's name, what its watches are of, and titles to come: nothing of
    you, and nothing of what you have or do not want to hear.
    """

    serializer_class = WatchListSerializer

    def owned(self, user_id: int) -> QuerySet[WatchList]:
        entries = WatchListEntry.objects.filter(watch__ended_at=None).order_by("watch_id")
        return WatchList.objects.filter(user_id=user_id).prefetch_related(
            Prefetch("entries", entries)
        )

    def perform_create(self, serializer: BaseSerializer[WatchList]) -> None:
        values = serializer.validated_data
        with _room():
            made = make_list(
                user=self.user, name=values["name"], watch_ids=values["watches"], now=clock.now()
            )
        serializer.instance = self.mine().get(id=made.pk)

    def perform_update(self, serializer: BaseSerializer[WatchList]) -> None:
        watch_list: Any = serializer.instance
        values = serializer.validated_data
        if "name" in values:
            watch_list.name = values["name"]
            watch_list.save(update_fields=["name"])
        if "watches" in values:
            fill(watch_list=watch_list, watch_ids=values["watches"])
        serializer.instance = self.mine().get(id=watch_list.pk)

    @extend_schema(request=None, responses=SharedListSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def share(self, request: Request, **_: Any) -> Response:
        """Give the list a link; the one before, if any, opens nothing any more."""
        watch_list = self.get_object()
        secret = share(watch_list=watch_list, now=clock.now())
        body = {**self.get_serializer(watch_list).data, "urls": _urls(secret)}
        return Response(body, headers={"Cache-Control": "no-store"})

    @extend_schema(operation_id="lists_unshare", responses={204: None})
    @share.mapping.delete
    @transaction.atomic
    def unshare(self, request: Request, **_: Any) -> Response:
        """Its link opens nothing any more."""
        stop_sharing(watch_list=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _urls(secret: str) -> dict[str, str]:
    paths = {
        "page": reverse("shared-list-page", args=[secret]),
        "api": reverse("shared-list", args=[secret]),
        **{form: reverse("feed-shared-list", args=[secret, form]) for form in FORMATS},
    }
    return {name: settings.PUBLIC_URL + path for name, path in paths.items()}


class WatchedSerializer(serializers.Serializer[Watch]):
    kind = serializers.ChoiceField(choices=Watch.Kind.choices)
    query = serializers.CharField()


class ToComeSerializer(serializers.Serializer[Any]):
    marketplace = serializers.CharField()
    asin = serializers.CharField()
    title = serializers.CharField()
    authors = serializers.ListField(child=serializers.CharField())
    series = serializers.ListField(child=serializers.CharField())
    release_date = serializers.DateField()
    url = serializers.URLField(source="link")


class SeenListSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    watches = WatchedSerializer(many=True)
    upcoming = ToComeSerializer(many=True, help_text="The next hundred, soonest first.")


class SharedListView(APIView):
    """A shared list, for whoever has its link: its name, what is watched, what is to come."""

    permission_classes = (AllowAny,)

    @extend_schema(operation_id="shared_list", responses=SeenListSerializer)
    def get(self, request: Request, token: str) -> Response:
        watch_list = opened(request, token)
        seen = {
            "name": watch_list.name,
            "watches": watched(watch_list),
            "upcoming": shared_upcoming(watch_list, clock.now()),
        }
        return Response(SeenListSerializer(seen).data, headers=UNSEEN)


class CopySerializer(Given[Any]):
    name = serializers.CharField(
        max_length=NAME_MAX, required=False, help_text="Of your list; else that of the shared one."
    )


class CopyListView(Once):
    """Watch what a shared list watches: a list of yours, with watches that ask for the same.

    What you watch already is taken as it is; new watches have your own channels and reminders. The two
    lists have nothing more to do with each other.
    """

    @extend_schema(
        operation_id="shared_list_copy",
        request=CopySerializer,
        responses={201: WatchListSerializer},
    )
    def post(self, request: Request, token: str) -> Response:
        asked = CopySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        shared, user = opened(request, token), request.user
        if not isinstance(user, User):
            raise NotAuthenticated
        limit(request, group="copy", rate=IMPORTS, who=str(user.pk))
        with _room(), transaction.atomic():
            made = copy_list(
                shared=shared,
                user=user,
                name=asked.validated_data.get("name", shared.name),
                remind_days=preferences_of(user.pk).remind_days,
                now=clock.now(),
            )
            transaction.on_commit(look_soon)
        return Response(WatchListSerializer(made).data, status=status.HTTP_201_CREATED)
