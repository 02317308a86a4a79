"""/api/keys"""

import datetime as dt
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.keys import KEYS_MAX, TooManyKeysError, make_key
from accounts.models import ApiKey, Scope
from api.auth import Access, may_grant
from api.describing import problems
from api.errors import ConflictError
from api.rest.given import Given
from api.rest.owned import OwnedViewSet
from stalkerr import clock


class ApiKeySerializer(Given[ApiKey]):
    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=100, help_text="Which program has it.")
    prefix = serializers.CharField(read_only=True, help_text="What stands behind its first stk_.")
    scope = serializers.ChoiceField(
        choices=Scope.choices,
        default=Scope.READ,
        help_text="What it is for; write includes read. admin is for staff.",
    )
    created_at = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(
        allow_null=True, default=None, help_text="Null: it does not."
    )
    last_used_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="To the minute; null: not yet."
    )

    def validate_scope(self, scope: str) -> str:
        if not may_grant(self.context["request"], scope):
            raise serializers.ValidationError("You may not do this yourself.")
        return scope

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """A key ends in the future, and one made with another key not after that."""
        ends, last = values["expires_at"], self._last_end()
        if ends is not None and ends <= clock.now():
            raise serializers.ValidationError({"expires_at": "This has passed."})
        if last is not None and (ends is None or ends > last):
            sentence = f"The key you use expires {last.isoformat()}; this one can't live longer."
            raise serializers.ValidationError({"expires_at": sentence})
        return values

    def _last_end(self) -> dt.datetime | None:
        access = self.context["request"].auth
        return access.key.expires_at if isinstance(access, Access) and access.key else None


class MadeKeySerializer(ApiKeySerializer):
    key = serializers.CharField(read_only=True, help_text="The only time it is shown.")


class ApiKeyViewSet(OwnedViewSet[ApiKey]):
    """Keys for programs: sent as `Authorization: Bearer stk_…`, good until they expire or are deleted.

    Another password does not end them. A key makes no key that may do more or lives longer than it.
    """

    serializer_class = ApiKeySerializer
    http_method_names = ("get", "post", "delete", "head", "options")

    def owned(self, user_id: int) -> QuerySet[ApiKey]:
        return ApiKey.objects.filter(user_id=user_id)

    @extend_schema(responses={201: MadeKeySerializer, **problems(409)})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a key. It is in this answer only."""
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            row, key = make_key(user=self.user, **asked.validated_data, now=clock.now())
        except TooManyKeysError as error:
            sentence = f"You have {KEYS_MAX} keys; delete one that you don't need."
            raise ConflictError(sentence) from error
        shown = self.get_serializer(row).data | {"key": key}
        headers = {"Cache-Control": "no-store"}
        return Response(shown, status=status.HTTP_201_CREATED, headers=headers)
