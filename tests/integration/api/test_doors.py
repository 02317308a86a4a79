"""Row 42: every way in says who may come, on its view or in RULES; internals are closed to strangers.

The ways are those of the URL resolver, whatever is behind them: API, pages, admin, feeds, docs,
health, metrics. Beside them there are only static files.
"""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, path
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from api.auth import ForOperators
from stalkerr import urls
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_strangers import RULES

# What a view's own permissions can mean.
BEHIND: Final = {
    "anybody": {"anybody", "secret", "staff"},  # of two pages staff is asked by a decorator
    "signed in": {"own", "object", "shared", "secret"},  # to copy a list takes both
    "staff": {"staff"},
}
# Ways of the admin that are not behind its own door, each with why.
ADMIN_DOORS: Final = {
    "admin/login/": "the door itself",
    # Behind the door like the others, but their views do not show it; that nobody gets through:
    # test_a_stranger_finds_no_way_into_the_admin.
    "admin/search/": "of the theme",
    "admin/accounts/user/<id>/password/": "of Django's users",
}
INTERNALS: Final = ("metrics", "api/admin/jobs", "api/admin/jobs/slots", "api/docs", "admin/")


def ways(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every path with its view."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from ways(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern):
            yield here, pattern.callback


def said_by(view: Any) -> str | None:
    """Who may come, as the view itself says it; None where it says nothing."""
    if hasattr(view, "admin_site") or hasattr(view, "model_admin"):
        return "staff"
    asked = set(getattr(getattr(view, "cls", None), "permission_classes", ()))
    if AllowAny in asked:
        return "anybody"
    if IsAuthenticated in asked:
        return "staff" if ForOperators in asked else "signed in"
    return None


def undeclared() -> list[str]:
    """Ways whose view and whose rule do not say the same, or of which neither says anything."""
    return [where for where, view in ways() if not _is_declared(where, said_by(view))]


def _is_declared(where: str, said: str | None) -> bool:
    if where.startswith("admin/"):
        return said == "staff" or where in ADMIN_DOORS
    rule = RULES.get(where)
    return rule is not None and (said is None or rule in BEHIND[said])


def test_every_way_in_says_who_may_come() -> None:
    """Proves the guard of doors: where neither a view nor RULES says it, this is red."""
    assert undeclared() == []
    assert len(dict(ways())) > 150


class Careless(APIView):
    permission_classes = ()

    def get(self, _request: Any) -> Response:
        return Response({})


class Wrong(Careless):
    permission_classes = (AllowAny,)  # type: ignore[assignment]


def careless(_request: Any) -> HttpResponse:
    return HttpResponse()


@pytest.mark.parametrize(
    ("where", "view"),
    [
        ("api/new", Careless.as_view()),
        ("new", careless),
        ("health/new", careless),
        ("admin/new/", careless),
        ("api/watches", Wrong.as_view()),  # declared for its owner, open to anybody
    ],
)
def test_a_new_way_that_nobody_thought_of_is_found_out(
    where: str, view: Callable[..., Any], settings: Any
) -> None:
    """The check above can be red."""
    with_another = ModuleType("with_another")
    with_another.urlpatterns = [path(where, view), *urls.urlpatterns]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = with_another
    assert undeclared() == [where]


def test_beside_these_there_are_static_files_only(client: Client, db: None) -> None:
    """They are our own, from the installed apps: no folder of data is served."""
    assert settings.STATIC_URL == "/static/"
    assert not getattr(settings, "WHITENOISE_ROOT", None)
    assert not settings.MEDIA_URL.strip("/")
    file = client.get("/static/api/docs.css")
    file.close()
    assert file.status_code == 200
    for guess in ("../manage.py", "%2e%2e/manage.py", "secrets/jwt_key", "", ".env"):
        assert client.get(f"/static/{guess}").status_code == 404


@pytest.mark.parametrize("where", INTERNALS)
def test_internals_are_closed_to_strangers(
    where: str, client: Client, stranger: User, client_of: ClientOf
) -> None:
    """Row 42, by every method, for those who are nobody and those who are somebody else."""
    signed_in = Client()
    signed_in.force_login(stranger)
    for asker in (client, signed_in, client_of(stranger)):
        for method in ("get", "head", "post", "put", "delete", "options"):
            answer = getattr(asker, method)(f"/{where}")
            assert answer.status_code in (302, 401, 403, 404, 405), (method, where)
            if answer.status_code == 302:
                assert "/admin/login/" in answer["Location"]
            assert b"stalkerr_" not in answer.content
