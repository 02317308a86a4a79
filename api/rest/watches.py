"""/api/watches"""

from collections.abc import Mapping
from typing import Any, cast

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.models import User
from api.describing import problems
from api.rest.contributors import NamesakeSerializer, shown
from api.rest.given import IS_ASIN, Given
from api.rest.owned import OwnedViewSet
from api.rest.preferred import preferred
from api.rest.replays import WatchReplaySerializer, replayed
from catalog import marketplaces
from catalog.classify import HIDEABLE
from catalog.models import Watch
from catalog.models.watch import HEARABLE, default_event_kinds, default_hidden, default_marketplaces
from catalog.normalise import name_key
from catalog.people import Namesake, choices
from catalog.reminders import DAYS_MAX
from catalog.watch_rules import LIST_MAX, TEXT_MAX, tidy_languages, tidy_query, watch_errors
from catalog.watching import end_watch, save_watch
from notifications.models import Channel
from notifications.registration import route_watch
from stalkerr import clock
from workers.hints import hint

_ID_MAX = 2**63 - 1
REPLAYED: dict[Any, Any] = {200: WatchReplaySerializer, **problems(422, 503)}
EXAMPLE = {"kind": "author", "query": "Ada Example", "marketplaces": ["us", "uk"]}
# What a watch asks for; the rest says how and when it is told.
ASKED = (
    *("kind", "query", "asin", "aliases", "marketplaces", "languages", "hidden"),
    *("excluded_words", "event_kinds", "include_announced", "per_edition"),
)


class ChannelIdsField(serializers.ListField):
    """The channels that hear a watch, by id."""

    child = serializers.IntegerField(min_value=1, max_value=_ID_MAX)

    def get_attribute(self, watch: Watch) -> list[int]:
        return sorted(route.channel_id for route in watch.routes.all())

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        ids = super().run_child_validation(data)
        if not ids:
            return []
        channels = self._mine()
        if missing := sorted(set(ids) - channels.keys()):
            raise serializers.ValidationError(f"You have no channel {missing[0]}.")
        return [channels[channel_id] for channel_id in sorted(set(ids))]

    def _mine(self) -> dict[int, Channel]:
        """All of the user's, read once however many watches are looked at."""
        context: Any = self.context
        if "channels" not in context:
            context["channels"] = Channel.objects.filter(user=context["request"].user).in_bulk()
        known: dict[int, Channel] = context["channels"]
        return known


@extend_schema_serializer(examples=[OpenApiExample("An author", EXAMPLE, request_only=True)])
class WatchSerializer(Given[Watch]):
    id = serializers.IntegerField(read_only=True)
    kind = serializers.ChoiceField(choices=Watch.Kind.choices)
    query = serializers.CharField(
        max_length=TEXT_MAX,
        help_text='A name, a series title, a category\'s id, words ("a phrase" in quotes), or an ASIN.',
    )
    asin = serializers.CharField(
        max_length=10,
        allow_blank=True,
        default="",
        validators=[IS_ASIN],
        help_text="Of the author or series. An author's is filled in where only one has the name.",
    )
    aliases = serializers.ListField(
        child=serializers.CharField(max_length=10),
        max_length=LIST_MAX,
        default=list,
        help_text="Further ASINs of the same author: pen names, a second page.",
    )
    marketplaces = serializers.ListField(
        child=serializers.ChoiceField(choices=marketplaces.CHOICES),
        allow_empty=False,
        default=preferred("marketplaces", default_marketplaces),
    )
    languages = serializers.ListField(
        child=serializers.CharField(max_length=TEXT_MAX),
        max_length=LIST_MAX,
        default=preferred("languages", list),
        help_text='English words, such as german. Empty: the marketplace\'s own; "any": every one. '
        "A title whose language is unknown is never left out.",
    )
    hidden = serializers.ListField(
        child=serializers.ChoiceField(choices=HIDEABLE),
        default=preferred("hidden", default_hidden),
        help_text="What the watch does not hear of. One by ASIN hears all, in every language.",
    )
    excluded_words = serializers.ListField(
        child=serializers.CharField(max_length=TEXT_MAX), max_length=LIST_MAX, default=list
    )
    event_kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=HEARABLE),
        allow_empty=False,
        default=default_event_kinds,
    )
    remind_days = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=DAYS_MAX),
        max_length=LIST_MAX,
        default=preferred("remind_days", list),
        help_text="Reminded so many days before a title is due; 0: on its day. Empty: not at all.",
    )
    include_announced = serializers.BooleanField(
        default=True, help_text="Also later news of what was announced and unreleased at the start."
    )
    per_edition = serializers.BooleanField(
        default=False, help_text="Told once an edition instead of once a work."
    )
    muted = serializers.BooleanField(default=False, help_text="Recorded, not told, not told later.")
    snoozed_until = serializers.DateTimeField(
        allow_null=True, default=None, help_text="Told when it ends."
    )
    channels = ChannelIdsField(
        max_length=LIST_MAX,
        default=list,
        help_text="Yours, by id. Empty: all that hear every watch.",
    )
    choices = serializers.SerializerMethodField(
        help_text="Where several authors have the name: the watch hears of all of them until it is "
        "given the ASIN of one."
    )
    created_at = serializers.DateTimeField(read_only=True)

    @extend_schema_field(NamesakeSerializer(many=True))
    def get_choices(self, watch: Watch) -> Any:
        return shown(self._choices.get(watch.id, []))

    @cached_property
    def _choices(self) -> dict[int, list[Namesake]]:
        """Of all watches that are shown, in one statement."""
        watches: Any = self.parent.instance if self.parent else [self.instance]
        return choices(watches)

    def validate_marketplaces(self, codes: list[str]) -> list[str]:
        return list(dict.fromkeys(codes))

    def validate_languages(self, languages: list[str]) -> list[str]:
        return tidy_languages(languages)

    def validate_aliases(self, asins: list[str]) -> list[str]:
        return list(dict.fromkeys(asins))

    def validate_hidden(self, traits: list[str]) -> list[str]:
        return list(dict.fromkeys(traits))

    def validate_remind_days(self, days: list[int]) -> list[int]:
        return sorted(set(days), reverse=True)

    def validate_event_kinds(self, kinds: list[str]) -> list[str]:
        return list(dict.fromkeys(kinds))

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """The rules over several fields, those of a partial change taken together with the rest."""
        values = self._of_others(values) | values
        names = ("kind", "query", "asin", "aliases", "hidden", "excluded_words")
        asked = {name: values.get(name, getattr(self.instance, name, "")) for name in names}
        asked["query"] = tidy_query(asked["kind"], asked["query"])
        errors = watch_errors(**asked)
        if errors:
            raise serializers.ValidationError(errors)
        return values | {"query": asked["query"]}

    def _of_others(self, values: dict[str, Any]) -> dict[str, Any]:
        """What a change drops unless it says otherwise: another author has other ASINs."""
        watch = self.instance
        if watch is None or watch.kind != Watch.Kind.AUTHOR:
            return {}
        kind, query = values.get("kind", watch.kind), values.get("query", watch.query)
        same = kind == watch.kind and name_key(query) == name_key(watch.query)
        return {} if same else {"asin": "", "aliases": []}


def draft_of(user: User, values: Mapping[str, Any]) -> Watch:
    """A watch that is not kept: what these values ask for."""
    return Watch(user=user, **{name: values[name] for name in ASKED if name in values})


class WatchViewSet(OwnedViewSet[Watch]):
    """What you care about. A change applies to all that is not on its way to you yet."""

    serializer_class = WatchSerializer
    untagged = frozenset({"choices"})

    def owned(self, user_id: int) -> QuerySet[Watch]:
        return Watch.objects.of(user_id).prefetch_related("routes")

    def perform_create(self, serializer: BaseSerializer[Watch]) -> None:
        self._save(Watch(user=self.user), serializer)

    def perform_update(self, serializer: BaseSerializer[Watch]) -> None:
        self._save(cast(Watch, serializer.instance), serializer)

    def perform_destroy(self, watch: Watch) -> None:
        end_watch(watch=watch, now=clock.now())

    @extend_schema(operation_id="watches_replay_draft", responses=REPLAYED)
    @action(detail=False, methods=["post"], url_path="replay")
    def replay_draft(self, request: Request) -> Response:
        """What such a watch would have told you in the last 90 days. It is not kept."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self._replay(serializer, {})

    @extend_schema(request=WatchSerializer(partial=True), responses=REPLAYED)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: int) -> Response:
        """What this watch would have told you in the last 90 days, with these changes, if any."""
        watch = get_object_or_404(Watch.objects.of(self.user.pk), pk=pk)
        serializer = self.get_serializer(watch, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self._replay(serializer, {name: getattr(watch, name) for name in ASKED})

    def _replay(self, serializer: BaseSerializer[Watch], given: dict[str, Any]) -> Response:
        return replayed(self.request, draft_of(self.user, given | serializer.validated_data))

    def _save(self, watch: Watch, serializer: BaseSerializer[Watch]) -> None:
        values = dict(serializer.validated_data)
        channels = values.pop("channels", None)
        for name, value in values.items():
            setattr(watch, name, value)
        save_watch(watch=watch, now=clock.now())
        if channels is not None:
            route_watch(watch=watch, channels=channels)
        serializer.instance = self.get_queryset().get(id=watch.id)
        transaction.on_commit(look_soon)


def look_soon() -> None:
    """The first visit need not wait for the next sweep."""
    hint("scraping.visit_new_targets", "scrape")
