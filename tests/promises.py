"""News on its way to promises, as the product's tasks take it there."""

import datetime as dt

from catalog.models import ReleaseEvent
from notifications import services


def fan_out(now: dt.datetime, *, limit: int = 200, chunk: int = 1000) -> None:
    """Promise all that is untold to everybody who asked."""
    while services.fan_out_due(now=now, limit=limit, chunk=chunk):
        pass


def untold() -> list[int]:
    """The events whose fan-out is not finished, oldest first."""
    return list(ReleaseEvent.objects.unprocessed().values_list("id", flat=True))
