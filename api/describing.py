"""How an operation is described: beside what it does, all the ways in which it can say no."""

from collections.abc import Iterator
from typing import Any, Final

from django.core.validators import RegexValidator
from django_filters import Filter
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import SAFE_METHODS, AllowAny, IsAuthenticated

from api.auth import ForOperators, InScope
from api.problems import CONTENT_TYPE

_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
WORDS: Final = {
    400: "Something in the request can't be used.",
    401: "Sign in first; or the token opens nothing (any more).",
    403: "You may not do this.",
    404: "There is no such thing, or it is not yours.",
    406: "Only JSON is answered.",
    409: "This is not possible as things stand.",
    412: "It has changed since you have seen it.",
    413: "The body is too large.",
    415: "Only the media types above are taken.",
    422: "This is understood, and too much.",
    429: "Too many requests; come back later.",
    503: "This can't be answered now; try again in a minute.",
}
_LISTS: Final = (serializers.ListField, serializers.ListSerializer)
# Neither says no to somebody who is signed in and only reads.
_ANYBODY: Final = {AllowAny, IsAuthenticated, InScope}
# What str.strip() takes off, and the zero, which PostgreSQL can't hold.
_BLANK: Final = r"\u0000\t-\r\u001c- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
SAYABLE: Final = r"^[^\u0000]*$"
_NOT_BLANK: Final = rf"^[^\u0000]*[^{_BLANK}][^\u0000]*$"


def problems(*statuses: int) -> dict[tuple[int, str], Any]:
    """For `extend_schema(responses=…)`: what only this operation answers, beside what all do."""
    return {(status, CONTENT_TYPE): _PROBLEM for status in statuses}


class Description(AutoSchema):
    """What DEFAULT_SCHEMA_CLASS makes of a view, held to what the view does by tests/chaos/fuzz.py."""

    def get_operation(self, *where: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*where)
        if operation is None:
            return None
        filters = getattr(getattr(self.view, "filterset_class", None), "base_filters", {})
        for parameter in operation.get("parameters", ()):
            _complete_parameter(parameter, filters.get(parameter["name"]))
        answers = operation["responses"]
        refusals = {int(status) for status in answers} & WORDS.keys()
        for status in refusals.union(self._refusals(operation)):
            answers[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
        operation["responses"] = dict(sorted(answers.items()))
        return operation

    def _refusals(self, operation: dict[str, Any]) -> Iterator[int]:
        """The statuses by which an operation like this one can say no."""
        places = {parameter["in"] for parameter in operation.get("parameters", ())}
        takes_body = "requestBody" in operation
        if takes_body or "query" in places:
            yield 400
        if "security" in operation:
            yield 401
            if self.method not in SAFE_METHODS or not _ANYBODY.issuperset(
                self.view.permission_classes
            ):
                yield 403
        if "path" in places or ForOperators in self.view.permission_classes:
            yield 404
        if self.view.content_negotiation_class is DefaultContentNegotiation:
            yield 406
        if takes_body:
            yield 413
            if "*/*" not in self.map_parsers():
                yield 415
        yield 429

    def _get_request_body(self, direction: str = "request") -> dict[str, Any] | None:
        """Also of a DELETE whose view says that it `needs_body`."""
        method = self.method
        if method == "DELETE" and getattr(self.view, "needs_body", False):
            self.method = "POST"
        body: dict[str, Any] | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        self.method = method
        return body

    def _map_serializer_field(
        self, field: Any, direction: str, *options: Any, **more: Any
    ) -> dict[str, Any]:
        described: dict[str, Any] = super()._map_serializer_field(  # type: ignore[no-untyped-call]
            field, direction, *options, **more
        )
        if direction != "request" or field.read_only:
            return described
        if isinstance(field, _LISTS):
            described |= _bounds(field)
        if isinstance(field, serializers.DateField | serializers.DateTimeField):
            described["minLength"] = len("2027-03-09")
        if isinstance(field, serializers.CharField) and "format" not in described:
            described |= _pattern(field)
        return described

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        """Where any text will do an empty one does: it is not one of two ways to do so."""
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        if schema.get("oneOf", [{}])[0].get("pattern") == SAYABLE:
            schema |= schema.pop("oneOf")[0]

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        """One that `is_closed` has no other fields."""
        described: dict[str, Any] = super()._map_basic_serializer(  # type: ignore[no-untyped-call]
            serializer, direction
        )
        if getattr(serializer, "is_closed", False):
            described["additionalProperties"] = False
        return described


def _bounds(field: Any) -> dict[str, int]:
    """How many there may be."""
    most = {} if field.max_length is None else {"maxItems": field.max_length}
    return most if field.allow_empty else most | {"minItems": 1}


def _pattern(field: Any) -> dict[str, str]:
    """What a text must look like, unless a validator of the field's own says it."""
    if any(isinstance(each, RegexValidator) for each in field.validators):
        return {}
    is_any = field.allow_blank or not field.trim_whitespace
    return {"pattern": SAYABLE if is_any else _NOT_BLANK}


def _complete_parameter(parameter: dict[str, Any], its_filter: Filter | None) -> None:
    """An empty one in the query is as good as none."""
    schema = parameter["schema"]
    if parameter["in"] != "query":
        return
    if schema.get("type") == "string" and not schema.keys() & {"format", "enum", "pattern"}:
        schema["pattern"] = SAYABLE
    if its_filter is not None and "max_length" in its_filter.extra:
        schema["maxLength"] = its_filter.extra["max_length"]
    if not parameter.get("required") and schema.get("type") != "array":
        parameter["allowEmptyValue"] = True
