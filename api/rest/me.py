"""/api/me"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotAuthenticated, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from api.describing import problems
from api.rest.given import Given
from api.throttling import limit_guesses
from stalkerr import clock
from workers.leaving import leave


class LeaveSerializer(Given[Any]):
    password = serializers.CharField(
        max_length=1000, trim_whitespace=False, help_text="Yours, once more."
    )


class MeView(APIView):
    """You."""

    needs_body = True  # to be deleted

    @extend_schema(
        operation_id="leave", request=LeaveSerializer, responses={204: None, **problems(503)}
    )
    def delete(self, request: Request) -> Response:
        """Leave for good. What is not sent yet is cancelled and your sign-in ends at once; all that is
        kept of you is removed within a day. `GET /api/export` comes first, if you want it.
        """
        user = request.user
        if not isinstance(user, User):
            raise NotAuthenticated
        asked = LeaveSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        limit_guesses(request, account=user.email)
        if not user.check_password(asked.validated_data["password"]):
            raise ValidationError({"password": ["This is not your password."]})
        leave(user=user, now=clock.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
