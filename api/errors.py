"""Every error of the API is said in one shape (api/problems.py)."""

import sys
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponseBase
from django.views import defaults
from rest_framework.exceptions import APIException, ErrorDetail
from rest_framework.response import Response
from rest_framework.views import exception_handler

from api.away import AWAY, away, unavailable
from api.problems import CONTENT_TYPE, is_for_programs, problem, refused

OF_THE_WHOLE = "non_field_errors"  # where REST framework puts what no field is to blame for


class TooLargeError(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "This is too large."


class ConflictError(APIException):
    status_code = HTTPStatus.CONFLICT
    default_detail = "This is not possible as things stand."


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's EXCEPTION_HANDLER. None: a bug, which `server_error` answers for."""
    if isinstance(error, RequestDataTooBig):
        error = TooLargeError()
    if isinstance(error, AWAY):
        error = away(error)
    response = exception_handler(error, context)
    if response is None:
        return None
    errors = dict(_sentences(response.data))
    detail = " ".join(errors.pop("detail", []) + errors.pop(OF_THE_WHOLE, []))
    response.data = problem(
        response.status_code, detail or "Some values can't be used; see errors.", errors
    )
    response.content_type = CONTENT_TYPE
    return response


def _sentences(data: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """(path of a field, what is wrong with it): nested fields have names such as `config.url`."""
    if isinstance(data, Mapping):
        for name, inner in data.items():
            yield from _sentences(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(data, ErrorDetail):
        yield path, [str(data)]
    else:
        sentences = [str(each) for each in data if isinstance(each, ErrorDetail)]
        if sentences:
            yield path or OF_THE_WHOLE, sentences
        for place, inner in enumerate(data):
            if not isinstance(inner, ErrorDetail):
                yield from _sentences(inner, f"{path}.{place}")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler400."""
    return _answer(request, 400, "This request can't be read.", exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler403."""
    return _answer(request, 403, "This is not allowed.", exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler404."""
    return _answer(request, 404, "There is nothing here.", exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500. Touches nothing that may be what broke."""
    # Views of REST framework say it themselves.
    return unavailable(request, sys.exc_info()[1]) or _answer(
        request, 500, "Something broke here; it has been logged.", None
    )


_PAGES: dict[int, Callable[..., HttpResponseBase]] = {
    400: defaults.bad_request,
    403: defaults.permission_denied,
    404: defaults.page_not_found,
}


def _answer(
    request: HttpRequest, status: int, detail: str, exception: Exception | None
) -> HttpResponseBase:
    """Problem details under /api and /graphql, plain text for feeds, Django's pages elsewhere."""
    if is_for_programs(request.path) or request.path.startswith("/feeds/"):
        return refused(request.path, status, detail)
    if exception is None:
        return defaults.server_error(request)
    return _PAGES[status](request, exception)
