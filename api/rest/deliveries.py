"""GET /api/deliveries"""

import datetime as dt

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from notifications.models import Attempt, Delivery, Message


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    class Meta:
        model = Attempt
        fields = ("started_at", "duration_ms", "verdict", "status", "detail")


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    kind = serializers.SerializerMethodField(help_text="Of the news, or notice.")
    title = serializers.SerializerMethodField()
    marketplace = serializers.CharField(
        source="event.audiobook.marketplace", default=None, allow_null=True
    )
    asin = serializers.CharField(source="event.audiobook.asin", default=None, allow_null=True)
    new_date = serializers.DateField(source="event.new_date", default=None, allow_null=True)
    watches = serializers.ListField(
        child=serializers.IntegerField(), source="watch_ids", help_text="Why."
    )
    state = serializers.SerializerMethodField()
    sent_at = serializers.SerializerMethodField()
    reason = serializers.CharField(
        source="message.reason", default="", help_text="Why the last attempt was not accepted."
    )
    attempts = AttemptSerializer(source="message.log", many=True, default=())

    class Meta:
        model = Delivery
        fields = (
            *("id", "kind", "title", "marketplace", "asin", "new_date", "watches"),
            *("channel", "channel_kind", "state", "reason"),
            *("created_at", "due_at", "sent_at", "attempts"),
        )
        read_only_fields = fields

    def get_kind(self, delivery: Delivery) -> str:
        return delivery.event.kind if delivery.event else "notice"

    def get_title(self, delivery: Delivery) -> str:
        if delivery.event:
            return delivery.event.audiobook.title
        return delivery.notice.subject if delivery.notice else ""

    def get_state(self, delivery: Delivery) -> str:
        """pending, held, cancelled; once on its way: sending, due, held, sent or failed."""
        return delivery.message.state if delivery.message else delivery.state

    def get_sent_at(self, delivery: Delivery) -> dt.datetime | None:
        message = delivery.message
        return message.finalized_at if message and message.state == Message.State.SENT else None


class DeliveryListView(ListAPIView[Delivery]):
    """What you were told or will be told, newest first: what, where, when, and how it went."""

    serializer_class = DeliverySerializer
    keyset = ("-id",)

    def get_queryset(self) -> QuerySet[Delivery]:
        return (
            Delivery.objects.filter(user_id=self.request.user.pk or 0)
            .select_related("event__audiobook", "notice", "message")
            .defer("event__audiobook__metadata", "event__audiobook__search_vector")
            .prefetch_related(
                Prefetch("message__log", Attempt.objects.order_by("claim_no")),
            )
        )
