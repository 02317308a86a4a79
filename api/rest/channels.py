"""/api/channels"""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from api.describing import problems
from api.errors import ConflictError
from api.rest.channel_fields import ChannelSerializer
from api.rest.deliveries import ReplayedSerializer, tell_soon
from api.rest.owned import OwnedViewSet
from api.throttling import limit_confirmations, limit_tests
from notifications.channels import registry
from notifications.channels.base import ConfigError
from notifications.confirmation import ask_to_confirm
from notifications.models import Channel
from notifications.registration import (
    change_channel,
    check_config,
    known_config,
    register_channel,
    rotate_secret,
)
from notifications.replaying import NotReplayableError, replay_held
from notifications.services import enable_channel
from notifications.trial import Trial, try_channels
from notifications.wishes import set_wish
from stalkerr import clock
from stalkerr.crypto import UnreadableSecretError

_UNSEEN = {"Cache-Control": "no-store"}  # of answers that hold a secret


class TrialSerializer(serializers.Serializer[Trial]):
    """How a test went."""

    verdict = serializers.CharField(
        source="outcome.verdict",
        help_text="accepted, not_accepted, ambiguous (no answer came), refused (for good).",
    )
    status = serializers.IntegerField(source="outcome.status", allow_null=True)
    detail = serializers.CharField(
        source="outcome.detail", help_text="What the other side said, its beginning."
    )
    duration_ms = serializers.SerializerMethodField()
    retry_after = serializers.SerializerMethodField(help_text="Seconds, where they were asked for.")

    def get_duration_ms(self, trial: Trial) -> int:
        return round(trial.duration.total_seconds() * 1000)

    def get_retry_after(self, trial: Trial) -> float | None:
        wait = trial.outcome.retry_after
        return wait.total_seconds() if wait is not None else None


class ChannelViewSet(OwnedViewSet[Channel]):
    """Where you hear it. A new channel hears every watch that has no channels of its own.

    A kind that sends a link first (`/api/channels/kinds`) is told nothing else before its owner has
    followed it: news is kept, and sent then. Another address has to be confirmed anew.
    """

    serializer_class = ChannelSerializer
    talking = frozenset({"test"})
    untagged = frozenset({"held"})

    def owned(self, user_id: int) -> QuerySet[Channel]:
        return ChannelSerializer.rows().filter(user_id=user_id)

    @extend_schema(responses={201: ChannelSerializer, **problems(503)})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        own = {name: values.pop(name) for name in ("kind", "name", "config")}
        with _sentences_of_config():
            check_config(kind=own["kind"], config=own["config"])
            self._count_confirmation(own["kind"], own["config"])
            with transaction.atomic():
                now = clock.now()
                registered = register_channel(user=self.user, **own, now=now)
                _adjust(registered.channel, values, now)
        channel = self.owned(self.user.pk).get(id=registered.channel.pk)
        if registered.channel.unconfirmed_since is not None:
            tell_soon(channel.kind, channel.pk)
        return self._shown(channel, registered.made, status=status.HTTP_201_CREATED)

    @extend_schema(responses={200: ChannelSerializer, **problems(503)})
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        config = request.data.get("config") if isinstance(request.data, Mapping) else None
        if isinstance(config, Mapping) and config:  # counted before any row is held
            channel = self._unlocked()
            self._count_confirmation(channel.kind, {**known_config(channel), **config})
        self.made: Mapping[str, Any] = {}
        super().update(request, *args, **kwargs)
        channel = self._unlocked()
        if channel.unconfirmed_since is not None:
            tell_soon(channel.kind, channel.pk)
        return self._shown(channel, self.made)

    @extend_schema(responses={200: ChannelSerializer, **problems(503)})
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().partial_update(request, *args, **kwargs)

    def perform_update(self, serializer: BaseSerializer[Channel]) -> None:
        channel, values = cast(Channel, serializer.instance), dict(serializer.validated_data)
        values.pop("kind", None)
        name, config = values.pop("name", channel.name), values.pop("config", {})
        with _sentences_of_config():
            now = clock.now()
            changed = change_channel(channel=channel, name=name, config=config, now=now)
        self.made = changed.made
        _adjust(channel, values, now)

    @extend_schema(request=None, responses=ChannelSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def enable(self, request: Request, **_: Any) -> Response:
        """Send there again from now on; what was kept meanwhile stays until it is replayed."""
        enable_channel(channel=self.get_object())
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses={200: ReplayedSerializer, **problems(409)})
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def replay(self, request: Request, **_: Any) -> Response:
        """Send what was kept while the channel was disabled."""
        channel = self.get_object()
        try:
            replayed = replay_held(channel=channel, now=clock.now())
        except NotReplayableError as error:
            raise ConflictError(str(error)) from error
        tell_soon(channel.kind, channel.pk)
        return Response({"replayed": replayed})

    @extend_schema(request=None, responses={200: TrialSerializer, **problems(503)})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, **_: Any) -> Response:
        """Send a test message there, now, and say how it went; it leaves no trace in your log.

        Disabled and unconfirmed channels can be tested too. Six a minute; three a day to an address
        that is not confirmed.
        """
        channel = self._unlocked()
        unconfirmed = "" if channel.unconfirmed_since is None else _address(known_config(channel))
        limit_tests(request, user_id=self.user.pk, unconfirmed=unconfirmed)
        (trial,) = try_channels(channels=[channel], now=clock.now())
        return Response(TrialSerializer(trial).data)

    @extend_schema(request=None, responses={200: ChannelSerializer, **problems(409, 503)})
    @action(detail=True, methods=["post"], url_path="send-confirmation")
    def send_confirmation(self, request: Request, **_: Any) -> Response:
        """Send the link once more to an address that is not confirmed; links of before are void."""
        channel = self._unlocked()
        if channel.unconfirmed_since is not None:
            self._count_confirmation(channel.kind, known_config(channel))
        with transaction.atomic():
            channel = self.get_object()
            if channel.unconfirmed_since is None:
                raise ConflictError("This channel waits for no confirmation.")
            if channel.disabled_at is not None:
                raise ConflictError("This channel is disabled; enable it first.")
            ask_to_confirm(channel=channel, now=clock.now())
        tell_soon(channel.kind, channel.pk)
        return self._shown(self._unlocked(), {})

    @extend_schema(request=None, responses={200: ChannelSerializer, **problems(409)})
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, **_: Any) -> Response:
        """Make a webhook's signing secret anew, shown in this answer alone.

        For 24 hours the one before signs beside it: give the new one to your receiver meanwhile.
        """
        try:
            with _sentences_of_config(), transaction.atomic():
                rotated = rotate_secret(channel=self.get_object(), now=clock.now())
        except UnreadableSecretError as error:
            raise ConflictError(str(error)) from error
        return self._shown(self._unlocked(), rotated.made)

    def _unlocked(self) -> Channel:
        """The channel that is asked for, as it is."""
        channel = self.owned(self.user.pk).filter(id=self.kwargs["pk"]).first()
        if channel is None:
            raise Http404
        return channel

    def _count_confirmation(self, kind: str, config: Mapping[str, Any]) -> None:
        """Where settings are of a kind that sends a link first."""
        if registry.get(kind).confirmed_by_link:
            limit_confirmations(self.request, user_id=self.user.pk, address=_address(config))

    def _shown(
        self, channel: Channel, made: Mapping[str, Any], status: int = status.HTTP_200_OK
    ) -> Response:
        """A channel with the secrets that were made for it just now."""
        body = dict(self.get_serializer(channel).data)
        headers = {**_UNSEEN, "ETag": self.tag(body)}
        if made:
            body["config"] = {**(body["config"] or {}), **made}
        return Response(body, status=status, headers=headers)


def _address(config: Mapping[str, Any]) -> str:
    """What limits know an address by: all settings of a kind that is confirmed by a link."""
    return " ".join(str(config[name]) for name in sorted(config))


def _adjust(channel: Channel, values: Mapping[str, Any], now: dt.datetime) -> None:
    """Its owner's wishes and words."""
    templates = {name: text for name, text in values.items() if name.endswith("_template")}
    if templates:
        Channel.objects.filter(id=channel.pk).update(**templates)
    if "wish" in values:
        set_wish(channel=channel, wish=values["wish"], now=now)


@contextmanager
def _sentences_of_config() -> Iterator[None]:
    """ConfigError as what is wrong with the fields of `config`."""
    try:
        yield
    except ConfigError as error:
        raise serializers.ValidationError({"config": error.errors}) from error
