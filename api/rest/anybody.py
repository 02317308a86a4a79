"""What all reads of the catalogue have in common: no sign-in, and a bound for those without one."""

from typing import Any

from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from api.throttling import CATALOGUE, limit


class AnybodysView(GenericAPIView[Any]):
    """For whoever asks; without a token, 600 requests an hour from one address over all of them."""

    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not request.user.is_authenticated:
            limit(request, group="catalogue", rate=CATALOGUE)
