"""What keeps an answer to one statement a level: rows that were found together look further together."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

RowT = TypeVar("RowT")
FoundT = TypeVar("FoundT")


class Level(Generic[RowT]):
    """The rows of one level. The first that is asked for something asks for all of them."""

    def __init__(self, rows: Sequence[RowT]) -> None:
        self.rows = rows
        self._found: dict[Hashable, Any] = {}

    def once(
        self,
        look: Callable[..., Mapping[int, FoundT]],
        *asked: Hashable,
    ) -> Mapping[int, FoundT]:
        """What `look(rows, *asked)` finds, by the row it is of; looked for once."""
        place = (look, *asked)
        if place not in self._found:
            self._found[place] = look(self.rows, *asked)
        return cast("Mapping[int, FoundT]", self._found[place])
