"""A database that is gone, full, slow or locked: not a bug, but a reason to come back soon."""

from http import HTTPStatus
from typing import Final

import sqlalchemy.exc
import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException

from api.problems import refused

# What Django and the ledger's engine raise then.
AWAY: Final = (
    OperationalError,
    InterfaceError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.TimeoutError,
)

_log = structlog.get_logger(__name__)


class UnavailableError(APIException):
    """503, and for how many seconds; what was asked for may or may not have come about."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = "The database can't answer just now; please try again in a few seconds."
    wait = 5


def away(error: Exception) -> UnavailableError:
    """What there is to say of it."""
    _log.warning("database_away", error=type(error).__name__, detail=str(error)[:200])
    return UnavailableError()


def unavailable(request: HttpRequest, error: BaseException | None) -> HttpResponseBase | None:
    """503 where the database is away, whatever was asked; None where something else is wrong."""
    if not isinstance(error, AWAY):
        return None
    said = away(error)
    answer = refused(request.path, said.status_code, str(said.detail))
    answer["Retry-After"] = str(said.wait)
    return answer
