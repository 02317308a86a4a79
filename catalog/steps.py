"""One step of a title's way to a reader, as `manage.py explain` says it."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from catalog.normalise import clean

Mark = Literal["passed", "stopped", "unknown"]
LONGEST = 300  # characters of a step's text


@dataclass(frozen=True, slots=True)
class Step:
    """Where the title came through, where it did not, or where nobody can know.

    `text` is one line; what stores and channels said in it can move no terminal.
    """

    name: str
    mark: Mark
    text: str

    def __post_init__(self) -> None:
        text = clean(self.text)
        cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
        object.__setattr__(self, "text", cut)


def moment(at: dt.datetime) -> str:
    """A moment as people read it."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 watch`, `3 watches`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def joined(words: Iterable[str], nothing: str = "nothing") -> str:
    """`a, b and c`."""
    *first, last = list(words) or [nothing]
    return f"{', '.join(first)} and {last}" if first else last
