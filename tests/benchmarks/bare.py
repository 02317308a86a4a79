"""An ASGI application that does nothing but send: what a server costs by itself.

It sends the file named by BARE_BODY, and under /304 nothing.
"""

import os
from pathlib import Path

from api.edge.protocol import Receive, Scope, Send

_BODY = Path(os.environ["BARE_BODY"]).read_bytes()
_HEAD = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


async def application(scope: Scope, _receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    is_known = scope["path"] == "/304"
    head = [] if is_known else _HEAD
    status = 304 if is_known else 200
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": b"" if is_known else _BODY})
