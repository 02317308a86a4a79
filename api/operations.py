"""What the API's description says of an operation beside its own words: headers in, headers out."""

from collections.abc import Iterator
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter

from api.describing import Description
from api.rest.once import HEADER, KEY_MAX, Once
from api.rest.versions import EDITS, Versioned

_KEY: Final = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": KEY_MAX, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="Yours, another for each thing to be done, such as a UUID. Under the same key the same "
    "request is done once and answered alike for 24 hours; another one is 422.",
)
_MATCH: Final = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` that you have seen: if the row is another by now, nothing changes (412).",
)
_TAG: Final = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200],
    description="Of the row as its owner made it; goes into `If-Match`.",
)


class Operation(Description):
    def get_override_parameters(self) -> list[Any]:
        """With the headers that go with the operation's view and method."""
        found: list[Any] = [*super().get_override_parameters()]
        if self.method == "POST" and isinstance(self.view, Once):
            found.append(_KEY)
        if isinstance(self.view, Versioned) and self.view.is_of_row():
            found += [_MATCH] if self.method in EDITS else []
            found += [_TAG] if self.method != "DELETE" else []
        return found

    def _refusals(self, operation: dict[str, Any]) -> Iterator[int]:
        yield from super()._refusals(operation)
        headers = {
            each["name"] for each in operation.get("parameters", ()) if each["in"] == "header"
        }
        if HEADER in headers:
            yield from (400, 409, 422)
        if "If-Match" in headers:
            yield from (400, 412)
