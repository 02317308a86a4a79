"""Errors as GraphQL shows them: what REST would say of them; of a bug, nothing."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404
from graphql import GraphQLError
from rest_framework.exceptions import APIException
from strawberry.utils.str_converters import to_camel_case

from api.away import AWAY
from api.errors import problem_details

# What a caller did, or a database that is away; everything else that is raised while an answer is made is a bug of ours.
KNOWN: Final = (APIException, Http404, PermissionDenied, *AWAY)
HIDDEN: Final = "Something broke here; it has been logged."

_log = structlog.get_logger(__name__)


def refused(error: GraphQLError) -> dict[str, Any]:
    """What is wrong with a question, its text or its variables."""
    return _located(error, error.message, {"status": 400})


def shown(error: GraphQLError) -> dict[str, Any]:
    """What went wrong while an answer was made."""
    cause = error.original_error
    if isinstance(cause, KNOWN):
        return _located(error, *_words_of(cause))
    _log.error("graphql_broke", path=error.path, exc_info=cause or error)
    return _located(error, HIDDEN, {"status": 500})


def _words_of(cause: Exception) -> tuple[str, dict[str, Any]]:
    response = problem_details(cause, {})
    if response is None:
        raise TypeError(f"REST has no words for {type(cause).__name__}")
    said: Mapping[str, Any] = response.data
    more: dict[str, Any] = {"status": said["status"]}
    if "Retry-After" in response:
        more["retryAfter"] = int(response["Retry-After"])
    if "errors" in said:
        more["errors"] = {to_camel_case(name): words for name, words in said["errors"].items()}
    return said["detail"], more


def _located(error: GraphQLError, message: str, extensions: Mapping[str, Any]) -> dict[str, Any]:
    located: dict[str, Any] = {"message": message}
    if error.locations:
        located["locations"] = [each.formatted for each in error.locations]
    if error.path is not None:
        located["path"] = error.path
    return located | {"extensions": dict(extensions)}
