"""News on its way to promises, as the product's tasks take it there."""

import datetime as dt

from catalog.models import ReleaseEvent
from notifications import services
from notifications.sender import sender
from notifications.telling import tell
from stalkerr import clock


def fan_out(now: dt.datetime, *, limit: int = 200, chunk: int = 1000) -> None:
    """Promise all that is untold to everybody who asked."""
    while services.fan_out_due(now=now, limit=limit, chunk=chunk):
        pass


def untold() -> list[int]:
    """The events whose fan-out is not finished, oldest first."""
    return list(ReleaseEvent.objects.unprocessed().values_list("id", flat=True))


def tell_all(kind: str, *, shard: int | None = None) -> None:
    """Send what is due and wait until it is written down: by another thread, so it must be committed."""
    while tell(kind=kind, shard=shard, clock=clock.now):
        pass
    assert sender().wait(left=0, within=60)
