"""Request bodies. Their size is bounded by DATA_UPLOAD_MAX_MEMORY_SIZE, here goes their depth.

A file to be imported has a bound of its own, IMPORT_MAX_BYTES.
"""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, JSONParser

from api.errors import TooLargeError


class BoundedJSONParser(JSONParser):
    """JSON that does not exhaust the stack, of text that an answer can repeat."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        try:
            body = super().parse(stream, media_type, parser_context)
            json.dumps(body, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError("This JSON is nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise ParseError("This JSON holds halves of characters.") from error
        return body


class FileParser(BaseParser):
    """A body that is a file, whatever it calls itself."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = settings.IMPORT_MAX_BYTES
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLargeError(f"This file is too large: {limit} bytes are the limit.")
        return body
