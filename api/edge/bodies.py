"""What stands before Django: it takes all of a body to disk before it looks at its size."""

from api.edge.protocol import Application, Message, Receive, Scope, Send
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
            await _refuse(send, scope["path"])

    return edge


async def _refuse(send: Send, path: str) -> None:
    answer = refused(path, 413, "This is too large.")
    headers = [
        (b"content-type", answer.headers["Content-Type"].encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
