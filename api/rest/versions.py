"""ETag and If-Match: an edit of what somebody else has changed meanwhile does not happen.

A tag stands for a row as its owner made it, not for the bytes of one answer: so it holds through
a proxy that packs answers and marks the tag as weak, and while what others do is shown beside.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.utils.http import parse_etags, quote_etag
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import APIView

EDITS: Final = ("PUT", "PATCH", "DELETE")


class ChangedMeanwhileError(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "This was changed since you read it: GET it again, then change that."


class Versioned(APIView):
    """For every view that shows and changes one row: its tag goes out, and what is asked of it holds."""

    untagged: ClassVar[frozenset[str]] = frozenset()  # fields that say what others do

    def is_of_row(self) -> bool:
        """Whether what is asked is about the row itself."""
        return True

    def tag(self, shown: Mapping[str, Any]) -> str:
        """The ETag of a row as it is shown."""
        own = {name: value for name, value in shown.items() if name not in self.untagged}
        text = json.dumps(own, sort_keys=True, default=str)
        return quote_etag(hashlib.blake2b(text.encode(), digest_size=16).hexdigest())

    def tagged(self, response: Response) -> Response:
        """An answer that shows a row, with its tag."""
        response["ETag"] = self.tag(response.data)
        return response

    def has_condition(self) -> bool:
        """Whether an edit asks that what it changes is as it was."""
        return self.request.method in EDITS and "If-Match" in self.request.headers

    def check_tag(self, shown: Mapping[str, Any]) -> None:
        """Raises ChangedMeanwhileError where If-Match names other tags. The caller holds the row."""
        asked = [each.removeprefix("W/") for each in parse_etags(self.request.headers["If-Match"])]
        if self.tag(shown) not in asked and "*" not in asked:
            raise ChangedMeanwhileError
