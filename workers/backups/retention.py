"""Which backups are kept. Pure."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping


def kept(
    backups: Mapping[str, dt.datetime], *, now: dt.datetime, days: int, weeks: int, months: int
) -> set[str]:
    """Of good backups by their moment (UTC), the names of those to keep.

    All of the last `days`, the first of each of the last `weeks` calendar weeks and of each of the
    last `months` months that have one, and the newest, whatever its age.
    """
    ordered = sorted(backups, key=lambda name: (backups[name], name))
    recent = {name for name in ordered if backups[name] > now - dt.timedelta(days=days)}
    weekly = _firsts(ordered, lambda name: backups[name].isocalendar()[:2])
    monthly = _firsts(ordered, lambda name: (backups[name].year, backups[name].month))
    return recent | set(_last(weekly, weeks)) | set(_last(monthly, months)) | set(ordered[-1:])


def _firsts(ordered: Iterable[str], period: Callable[[str], tuple[int, int]]) -> list[str]:
    """The first of each period."""
    firsts: dict[tuple[int, int], str] = {}
    for name in ordered:
        firsts.setdefault(period(name), name)
    return list(firsts.values())


def _last(names: list[str], count: int) -> list[str]:
    return names[-count:] if count > 0 else []
