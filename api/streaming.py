"""Answers that leave as they are made, also where the server is asynchronous."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

_END: Final = b""


def streamed(
    request: HttpRequest, pieces: Iterator[bytes], *, content_type: str, filename: str
) -> StreamingHttpResponse:
    """A download of `pieces`; each is made when the one before it has left."""
    headers = {
        "Content-Disposition": f'attachment; filename="{filename}"',
        "Cache-Control": "no-store",
    }
    # Under ASGI Django would read a plain iterator to its end before it sent the first byte.
    content = _each(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)


async def _each(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(_following)
    while piece := await following(pieces):
        yield piece


def _following(pieces: Iterator[bytes]) -> bytes:
    """The next piece that is not empty; empty at the end."""
    return next(filter(None, pieces), _END)
