"""POST /api/webhooks/new-book"""

import json
from collections.abc import Callable
from typing import Any, Final

from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from api.describing import problems
from api.rest.given import IS_ASIN, Given
from api.rest.once import Once
from api.throttling import limit
from catalog import marketplaces
from notifications.channels.base import ConfigError
from notifications.messages import (
    NAME_MAX,
    NAMES_MAX,
    SUMMARY_MAX,
    TEXT_MAX,
    URL_MAX,
    one_line,
    web_url,
)
from notifications.models import SHARDS, Delivery
from notifications.postings import NotSentError, post_book
from stalkerr import clock
from stalkerr.addresses import URL_MAX as ADDRESS_MAX
from workers.hints import hint_once

RATE: Final = "60/h"  # books of one user
SIZE_MAX: Final = 20_000  # bytes of a book as JSON
RUNTIME_MAX: Final = 100_000  # minutes: ten weeks
EXAMPLE: Final = {
    "webhook_url": "https://receiver.example/hook",
    "book_data": {
        "title": "Glass Tide",
        "authors": ["Ada Example"],
        "release_date": "2027-06-09",
    },
}
_NAMED_MAX: Final = 5  # unknown fields that an answer names


class CannotSendError(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "Nothing can be sent there now."


def _text(most: int = TEXT_MAX) -> serializers.CharField:
    return serializers.CharField(max_length=most, required=False, allow_blank=True)


def _names() -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=NAME_MAX), max_length=NAMES_MAX, required=False
    )


def _web_address(text: str) -> None:
    if text and not web_url(text):
        raise serializers.ValidationError("This is not a plain web address (http or https).")


def _link(check: Callable[[str], None], most: int) -> serializers.CharField:
    return serializers.CharField(
        max_length=most, required=False, allow_blank=True, validators=[check]
    )


class BookSerializer(Given[Any]):
    """The `audiobook` of a webhook's body; one that came that way can be posted as it came."""

    is_closed = True

    title = serializers.CharField(max_length=TEXT_MAX)
    subtitle = _text()
    series = _text()
    authors = _names()
    narrators = _names()
    marketplace = serializers.ChoiceField(
        choices=marketplaces.CHOICES, required=False, allow_blank=True
    )
    asin = serializers.CharField(
        max_length=10, required=False, allow_blank=True, validators=[IS_ASIN]
    )
    language = _text(NAME_MAX)
    release_date = serializers.DateField(required=False, allow_null=True)
    runtime_minutes = serializers.IntegerField(
        min_value=0, max_value=RUNTIME_MAX, required=False, allow_null=True
    )
    cover_url = _link(_web_address, URL_MAX)
    url = _link(_web_address, URL_MAX)
    summary = _text(SUMMARY_MAX)

    def to_internal_value(self, data: Any) -> Any:
        """First as a whole: a book of a million letters, or of fields there are not, is read no further."""
        if len(json.dumps(data, ensure_ascii=False).encode()) > SIZE_MAX:
            raise serializers.ValidationError(f"This may have {SIZE_MAX // 1000} kB at most.")
        if isinstance(data, dict) and (unknown := sorted(data.keys() - self.fields.keys())):
            sentence = f"There is no such field; there are {', '.join(self.fields)}."
            raise serializers.ValidationError(
                {one_line(name, NAME_MAX): sentence for name in unknown[:_NAMED_MAX]}
            )
        return super().to_internal_value(data)

    def validate_title(self, title: str) -> str:
        if not one_line(title, TEXT_MAX):
            raise serializers.ValidationError("There is nothing to see in this.")
        return title


@extend_schema_serializer(examples=[OpenApiExample("A book", EXAMPLE, request_only=True)])
class PostingSerializer(Given[Any]):
    book_data = BookSerializer()
    webhook_url = serializers.CharField(max_length=ADDRESS_MAX)


class PostedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(
        help_text="Of the delivery: /api/deliveries has what became of it."
    )
    webhook_id = serializers.UUIDField(
        allow_null=True, help_text="What the receiver sees as `webhook-id`; null: not composed yet."
    )
    channel = serializers.IntegerField(help_text="Your webhook to that address, by id.")
    secret = serializers.CharField(
        required=False,
        help_text="What signs it, where it was made for this address: the only time it is shown.",
    )


class NewBookView(Once):
    """Send one audiobook to one address, signed, and tried until it is taken.

    An address that you have no webhook for gets one, which hears none of your watches; its secret
    is in this answer only. 60 books an hour; a token needs the scope `write`.
    """

    @extend_schema(
        request=PostingSerializer, responses={202: PostedSerializer, **problems(409, 503)}
    )
    def post(self, request: Request) -> Response:
        if not isinstance(request.user, User):
            raise NotAuthenticated
        asked = PostingSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        limit(request, group="new-book", rate=RATE, who=str(request.user.pk), guarded=True)
        body = _send(request.user, **asked.validated_data)
        headers = {"Cache-Control": "no-store"}
        return Response(body, status=status.HTTP_202_ACCEPTED, headers=headers)


def _send(user: User, book_data: dict[str, Any], webhook_url: str) -> dict[str, Any]:
    date = book_data.get("release_date")
    book = book_data | ({"release_date": date.isoformat()} if date else {})
    try:
        posted = post_book(user=user, book=book, url=webhook_url, now=clock.now())
    except ConfigError as error:
        words = " ".join(error.errors.values())
        raise serializers.ValidationError({"webhook_url": [words]}) from error
    except NotSentError as error:
        raise CannotSendError(str(error)) from error
    delivery = posted.delivery
    transaction.on_commit(lambda: _tell_soon(delivery))
    shown = {"id": delivery.pk, "webhook_id": None, "channel": delivery.channel_id}
    return shown | {name: posted.made[name] for name in ("secret",) if name in posted.made}


def _tell_soon(delivery: Delivery) -> None:
    shard = delivery.channel_id % SHARDS
    hint_once("notifications.tell", "tell", kind=delivery.channel_kind, shard=shard)
