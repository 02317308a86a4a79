"""The admin's sign-in, where guesses count as they do at /api/token."""

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from api.throttling import TooManyError, UncountableError, limit_guesses, refusal


def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Django's own page; one guess too many is 429, in plain text."""
    if request.method == "POST":
        try:
            limit_guesses(request, account=request.POST.get("username", "").strip())
        except (TooManyError, UncountableError) as error:
            return refusal(error)
    return admin.site.login(request)
