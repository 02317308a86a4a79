"""What stands before Django: it takes all of a body to disk before it looks at its size."""

from api.edge.protocol import Application, Message, Receive, Scope, Send
from api.headers import headers_of
from api.problems import refused


def bounded(application: Application, limit: int) -> Application:
    """`application`, for which bodies end at `limit` bytes: a longer one is 413, its rest unread."""

    async def edge(scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def receive_some() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message if size <= limit else {"type": "http.disconnect"}

        await application(scope, receive_some, send)
        if size > limit:  # it gave up before it answered
            await _refuse(scope, send)

    return edge


async def _refuse(scope: Scope, send: Send) -> None:
    """As Django would: in the shape of the path's errors, and with what browsers are to know."""
    answer = refused(scope["path"], 413, "This is too large.")
    content_type = answer.headers["Content-Type"]
    is_secure = scope.get("scheme") == "https"
    told = headers_of(path=scope["path"], content_type=content_type, is_secure=is_secure)
    headers = {**told, "Content-Type": content_type, "Content-Length": len(answer.content)}
    head = [(name.lower().encode(), str(value).encode()) for name, value in headers.items()]
    head.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": 413, "headers": head})
    await send({"type": "http.response.body", "body": answer.content})
