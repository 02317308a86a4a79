"""POST /api/token"""

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from api.auth import SCOPES, issue_token
from api.throttling import limit_guesses
from stalkerr import clock


class CredentialsSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    scope = serializers.ChoiceField(
        choices=SCOPES, default="write", help_text="What the token is for; write includes read."
    )


class TokenSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    token_type = serializers.CharField()
    scope = serializers.ChoiceField(choices=SCOPES)
    expires_in = serializers.IntegerField(help_text="Seconds.")


class TokenView(APIView):
    """A token for an e-mail address and its password.

    Send it as `Authorization: Bearer …`. One of scope `read` changes nothing: it may only GET.
    Attempts are counted, good ones too: 10 in 15 minutes for an account from one address.
    """

    permission_classes = (AllowAny,)
    throttle_classes = ()  # its guesses have limits of their own

    def perform_authentication(self, request: Request) -> None:
        """Whoever asks for a token need not have one, not even an old one."""

    @extend_schema(request=CredentialsSerializer, responses=TokenSerializer, auth=[])
    def post(self, request: Request) -> Response:
        credentials = CredentialsSerializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        email, password, scope = credentials.validated_data.values()
        limit_guesses(request, account=email)
        user = authenticate(email=email, password=password)
        if not isinstance(user, User):
            raise AuthenticationFailed("There is no user with this address and password.")
        seconds = int(settings.JWT_LIFETIME.total_seconds())
        token = {
            "access": issue_token(user=user, now=clock.now(), scope=scope),
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": seconds,
        }
        return Response(token, headers={"Cache-Control": "no-store"})
