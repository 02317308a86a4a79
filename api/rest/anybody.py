"""What all reads of the catalogue have in common: no sign-in, and a bound for those without one."""

from typing import Any

from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny

from api.throttling import CATALOGUE


class AnybodysView(GenericAPIView[Any]):
    """For whoever asks; without a token, 600 requests an hour from one address over all of them."""

    permission_classes = (AllowAny,)
    anonymous_group = "catalogue"
    anonymous_rate = CATALOGUE
