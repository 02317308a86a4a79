"""/api/channels"""

from typing import Any, Final, cast

from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from api.rest.owned import OwnedViewSet
from catalog.normalise import clean
from notifications.channels.base import ConfigError
from notifications.channels.registry import CHANNELS
from notifications.models import SHARDS, Channel, Delivery, Message
from notifications.registration import change_channel, register_channel, shown_config
from notifications.services import enable_channel, replay_held
from stalkerr import clock
from workers.hints import hint_once

NAME_MAX: Final = 100


class DisabledError(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "This channel is disabled; enable it first."


def _settings_words() -> str:
    """The settings of every kind, for people."""
    kinds = (
        f"{kind}: {', '.join(f'`{name}` ({words})' for name, words in channel.fields.items())}."
        for kind, channel in CHANNELS.items()
    )
    return " ".join(
        [*kinds, "In a change, what is left out stays; an optional one may be emptied."]
    )


class ConfigField(serializers.DictField):
    """Settings of a kind of channel; secrets go in, and do not come out."""

    child = serializers.CharField(max_length=2000, allow_blank=True)

    def get_attribute(self, channel: Channel) -> dict[str, Any]:
        return shown_config(channel)


class ChannelSerializer(serializers.Serializer[Channel]):
    id = serializers.IntegerField(read_only=True)
    kind = serializers.ChoiceField(
        choices=[(kind, channel.label) for kind, channel in CHANNELS.items()]
    )
    name = serializers.CharField(max_length=NAME_MAX, allow_blank=True, default="")
    config = ConfigField(help_text=_settings_words())
    disabled_at = serializers.DateTimeField(read_only=True, allow_null=True)
    disabled_reason = serializers.CharField(read_only=True)
    held = serializers.IntegerField(
        read_only=True, default=0, help_text="Messages kept while it is disabled."
    )
    created_at = serializers.DateTimeField(read_only=True)

    def validate_kind(self, kind: str) -> str:
        if self.instance is not None and kind != self.instance.kind:
            raise serializers.ValidationError("A channel keeps its kind; make another channel.")
        return kind

    def validate_name(self, name: str) -> str:
        if len(clean(name)) > NAME_MAX:  # composing some letters takes more characters
            raise serializers.ValidationError(f"This may have {NAME_MAX} characters at most.")
        return name


class ReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField()


class ChannelViewSet(OwnedViewSet[Channel]):
    """Where you hear it. A new channel hears every watch that has no channels of its own."""

    serializer_class = ChannelSerializer

    def owned(self, user_id: int) -> QuerySet[Channel]:
        held = _held(Delivery.objects.all()) + _held(Message.objects.all())
        return Channel.objects.filter(user_id=user_id).annotate(held=held)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            registered = register_channel(user=self.user, **serializer.validated_data)
        except ConfigError as error:
            raise serializers.ValidationError({"config": error.errors}) from error
        body = dict(self.get_serializer(registered.channel).data)
        body["config"] |= registered.made
        headers = {"Cache-Control": "no-store"}
        return Response(body, status=status.HTTP_201_CREATED, headers=headers)

    def perform_update(self, serializer: BaseSerializer[Channel]) -> None:
        channel, values = cast(Channel, serializer.instance), serializer.validated_data
        try:
            change_channel(
                channel=channel,
                name=values.get("name", channel.name),
                config=values.get("config", {}),
            )
        except ConfigError as error:
            raise serializers.ValidationError({"config": error.errors}) from error

    @extend_schema(request=None, responses=ChannelSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def enable(self, request: Request, **_: Any) -> Response:
        """Send there again from now on; what was kept meanwhile stays until it is replayed."""
        enable_channel(channel=self.get_object())
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses=ReplayedSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def replay(self, request: Request, **_: Any) -> Response:
        """Send what was kept while the channel was disabled."""
        channel = self.get_object()
        if channel.disabled_at is not None:
            raise DisabledError
        replayed = replay_held(channel=channel, now=clock.now())
        transaction.on_commit(lambda: _tell_soon(channel))
        return Response({"replayed": replayed})


def _tell_soon(channel: Channel) -> None:
    hint_once("notifications.tell", "tell", kind=channel.kind, shard=channel.pk % SHARDS)


def _held(waiting: QuerySet[Any]) -> Coalesce:
    """How much of `waiting` is held for the channel of the outer query."""
    held = waiting.filter(channel=OuterRef("pk"), state="held").order_by().values("channel")
    return Coalesce(Subquery(held.annotate(count=Count("*")).values("count")), 0)
