"""/api/deliveries"""

import datetime as dt
from typing import Any, Final

from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404
from django.utils.functional import cached_property
from django_filters import ChoiceFilter, FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.catalogue import IdFilter, MomentFilter
from api.describing import problems
from api.errors import ConflictError
from api.rest.given import Given
from api.rest.owned import Owned
from catalog.models import ReleaseEvent
from notifications.messages import BOOK, NOTICE
from notifications.models import SHARDS, Attempt, Channel, Delivery, Message
from notifications.reasons import reasons
from notifications.replaying import (
    NotReplayableError,
    replay_delivery,
    replay_failed,
    replay_held,
)
from notifications.retry import UNCONFIRMED
from stalkerr import clock
from workers.hints import hint_once

# Of no use to a reader, and most of a row's bytes.
_UNREAD: Final = ("metadata", "search_vector", "folded", "summary")
_OF_MESSAGES: Final = [state for state in Message.State if state != Message.State.HELD]


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    class Meta:
        model = Attempt
        fields = ("started_at", "duration_ms", "verdict", "status", "detail")


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    kind = serializers.SerializerMethodField(help_text="Of the news; or notice, or book.")
    title = serializers.SerializerMethodField()
    marketplace = serializers.CharField(
        source="event.audiobook.marketplace", default=None, allow_null=True
    )
    asin = serializers.CharField(source="event.audiobook.asin", default=None, allow_null=True)
    new_date = serializers.DateField(source="event.new_date", default=None, allow_null=True)
    watches = serializers.ListField(
        child=serializers.IntegerField(), source="watch_ids", help_text="Why, by id."
    )
    why = serializers.SerializerMethodField(
        help_text="Why, in words: each watch that asked, and by what it met the title."
    )
    state = serializers.SerializerMethodField()
    sent_at = serializers.SerializerMethodField()
    reason = serializers.CharField(
        source="message.reason", default="", help_text="Why the last attempt was not accepted."
    )
    unconfirmed = serializers.SerializerMethodField(
        help_text="It failed because nobody said whether it arrived: a replay may be a second copy."
    )
    webhook_id = serializers.UUIDField(
        source="message.wire_id",
        default=None,
        allow_null=True,
        help_text="The id that every try carries; null before it is on its way.",
    )
    attempts = AttemptSerializer(source="message.log", many=True, default=())

    class Meta:
        model = Delivery
        fields = (
            *("id", "kind", "title", "marketplace", "asin", "new_date", "watches", "why"),
            *("channel", "channel_kind", "state", "reason", "unconfirmed", "webhook_id"),
            *("created_at", "due_at", "sent_at", "attempts"),
        )
        read_only_fields = fields

    @cached_property
    def _reasons(self) -> dict[int, list[str]]:
        """Of all that are shown, in two statements."""
        shown: Any = self.parent.instance if self.parent else [self.instance]
        return reasons(shown)

    def get_kind(self, delivery: Delivery) -> str:
        if delivery.event:
            return delivery.event.kind
        return BOOK if delivery.posting else NOTICE

    def get_title(self, delivery: Delivery) -> str:
        if delivery.event:
            return delivery.event.audiobook.title
        return str(delivery.posting or delivery.notice)

    def get_why(self, delivery: Delivery) -> list[str]:
        return self._reasons[delivery.pk]

    def get_state(self, delivery: Delivery) -> str:
        """pending, held, cancelled; once on its way: sending, due, held, sent or failed."""
        return delivery.message.state if delivery.message else delivery.state

    def get_unconfirmed(self, delivery: Delivery) -> bool:
        message = delivery.message
        return (
            message is not None
            and message.state == Message.State.FAILED
            and message.reason.startswith(UNCONFIRMED)
        )

    def get_sent_at(self, delivery: Delivery) -> dt.datetime | None:
        message = delivery.message
        return message.finalized_at if message and message.state == Message.State.SENT else None


class DeliveryFilter(FilterSet):
    """Which of them."""

    state = ChoiceFilter(
        method="in_state",
        choices=[(each, each) for each in ("pending", "held", "cancelled", *_OF_MESSAGES)],
        label="As it is shown.",
    )
    channel = IdFilter("channel_id", label="One of yours, by id.")
    kind = ChoiceFilter(
        method="of_kind",
        choices=[(each, each) for each in (*ReleaseEvent.Kind.values, NOTICE, BOOK)],
        label="Of the news; or notice, or book.",
    )
    since = MomentFilter("created_at", "gte", label="Promised at this moment or later.")

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = ()

    def in_state(self, rows: QuerySet[Delivery], _name: str, state: str) -> QuerySet[Delivery]:
        own = Q(message=None, state=state)
        return rows.filter(Q(message__state=state) | own)

    def of_kind(self, rows: QuerySet[Delivery], _name: str, kind: str) -> QuerySet[Delivery]:
        others = {NOTICE: Q(notice__isnull=False), BOOK: Q(posting__isnull=False)}
        return rows.filter(others.get(kind, Q(event__kind=kind)))


class OwnedDeliveries(Owned[Delivery]):
    """What a user was told or will be told."""

    def owned(self, user_id: int) -> QuerySet[Delivery]:
        unread = [f"event__audiobook__{name}" for name in _UNREAD]
        return (
            Delivery.objects.filter(user_id=user_id)
            .select_related("event__audiobook", "notice", "posting", "message")
            .defer(*unread)
            .prefetch_related(Prefetch("message__log", Attempt.objects.order_by("claim_no")))
        )


class DeliveryListView(OwnedDeliveries, ListAPIView[Delivery]):
    """What you were told or will be told, newest first: what, why, where, and how it went."""

    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    keyset = ("-id",)

    def get_queryset(self) -> QuerySet[Delivery]:
        return self.mine()


class ReplayView(OwnedDeliveries):
    """Send one piece of news once more: it failed, or was held for a channel that hears again.

    Its whole message goes, with the id it had: a receiver that knows the id drops a second copy.
    """

    @extend_schema(request=None, responses={200: DeliverySerializer, **problems(409)})
    def post(self, request: Request, pk: int) -> Response:
        delivery = self.mine().filter(id=pk).first()
        if delivery is None:
            raise Http404
        try:
            replay_delivery(delivery=delivery, now=clock.now())
        except NotReplayableError as error:
            raise ConflictError(str(error)) from error
        tell_soon(delivery.channel_kind, delivery.channel_id)
        return Response(DeliverySerializer(self.mine().get(id=pk)).data)


class ReplaySerializer(Given[Any]):
    channel = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    state = serializers.ChoiceField(choices=["failed", "held"])
    since = serializers.DateTimeField(
        allow_null=True, default=None, help_text="Only what was promised then or later."
    )


class ReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField()


class ReplayAllView(Owned[Channel]):
    """Send all that failed, or all that was held, over one of your channels once more."""

    def owned(self, user_id: int) -> QuerySet[Channel]:
        return Channel.objects.filter(user_id=user_id)

    @extend_schema(
        operation_id="deliveries_replay_all",
        request=ReplaySerializer,
        responses={200: ReplayedSerializer, **problems(409)},
    )
    def post(self, request: Request) -> Response:
        asked = ReplaySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        channel = self._channel(asked.validated_data["channel"])
        replay = {"failed": replay_failed, "held": replay_held}[asked.validated_data["state"]]
        try:
            count = replay(channel=channel, now=clock.now(), since=asked.validated_data["since"])
        except NotReplayableError as error:
            raise ConflictError(str(error)) from error
        tell_soon(channel.kind, channel.pk)
        return Response({"replayed": count})

    def _channel(self, channel_id: int) -> Channel:
        channel = self.mine().filter(id=channel_id).first()
        if channel is None:
            raise serializers.ValidationError({"channel": f"You have no channel {channel_id}."})
        return channel


def tell_soon(kind: str, channel_id: int) -> None:
    """What is due now, once it is committed, need not wait for the next sweep."""
    shard = channel_id % SHARDS
    transaction.on_commit(lambda: hint_once("notifications.tell", "tell", kind=kind, shard=shard))
