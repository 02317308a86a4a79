"""What the emulated store does instead of answering."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scraping.emulator.catalogue import EmulatorError
from scraping.emulator.shelves import Shelves

Surface = Literal["api", "html"]
SURFACES: tuple[Surface, ...] = ("api", "html")
STATUSES = {
    "error400": 400,
    "error403": 403,
    "error404": 404,
    "error500": 500,
}
BREAKAGES = (
    "empty",
    "blank",
    "stubs",
    "partial",
    "partial_stubs",
    "captcha",
    "truncated",
    "slow",
    "untagged",
    "not_modified",
    "led_away",
    "abroad",
    *STATUSES,
)
# How pages look: by chance (mostly legacy) unless one of these is asked for.
LAYOUTS = ("legacy", "modern", "undated")
_MODERN_SHARE = 0.4


@dataclass(slots=True)
class Mood:
    """What a marketplace does instead of answering; `requests`: for how many more, None: all."""

    kind: str  # "throttle" or one of BREAKAGES
    requests: int | None = None
    status: int = 429
    retry_after: float | str | None = None
    as_date: bool = False
    seconds: float = 0


class Moods(Shelves):
    """The verbs that put marketplaces into moods, as a whole or one surface of them."""

    moods: dict[str, Mood]  # by marketplace ("us") or one surface of it ("us/api")
    layouts: dict[str, str]  # by marketplace, where it is not left to chance
    chance: random.Random

    def throttle(
        self,
        marketplace: str | None = None,
        *,
        status: int = 429,
        retry_after: float | str | None = None,
        as_date: bool = False,
        requests: int | None = None,
        only: Surface | None = None,
    ) -> None:
        """Send everybody away; `retry_after` in seconds (or verbatim, as text), `as_date` as an
        HTTP date. None: everywhere, until healed, without saying for how long. `only`: "api" or
        "html"."""
        mood = ("throttle", requests, status, retry_after, as_date)
        self._set_mood(marketplace, only, lambda: Mood(*mood))

    def break_(
        self,
        kind: str,
        marketplace: str | None = None,
        *,
        requests: int | None = None,
        seconds: float = 30,
        only: Surface | None = None,
    ) -> None:
        """Answer with nonsense: see BREAKAGES. `seconds`: how slow "slow" is.

        "partial" leaves out every second product of a listing or batch, "partial_stubs" says
        nothing of it but its ASIN; "stubs" of all; "untagged" knows no ETags; "not_modified" says 304 to all.
        "led_away" pages that have nothing to show lead elsewhere, "abroad" everything does.
        """
        if kind not in BREAKAGES:
            raise EmulatorError(f"no such breakage: {kind}")
        self._set_mood(marketplace, only, lambda: Mood(kind, requests, seconds=seconds))

    def heal(self, marketplace: str | None = None, *, only: Surface | None = None) -> None:
        """Answer as usual again."""
        for code in self._codes(marketplace):
            for key in _keys(code, only):
                self.moods.pop(key, None)

    def show_layout(self, layout: str | None, marketplace: str | None = None) -> None:
        """Show series and products in one of LAYOUTS; None: by chance, as the real one does.

        The "undated" one is the modern one without release dates in its lists.
        """
        if layout not in (None, *LAYOUTS):
            raise EmulatorError(f"no such layout: {layout}")
        for code in self._codes(marketplace):
            self.layouts.pop(code, None)
            if layout:
                self.layouts[code] = layout

    def take_layout(self, marketplace: str) -> str:
        """How the next page looks."""
        by_chance = "modern" if self.chance.random() < _MODERN_SHARE else "legacy"
        return self.layouts.get(marketplace, by_chance)

    def take_mood(self, marketplace: str, surface: Surface = "api") -> Mood | None:
        """What to do with the next request; counts it."""
        key = f"{marketplace}/{surface}"
        key = key if key in self.moods else marketplace
        mood = self.moods.get(key)
        if mood and mood.requests is not None:
            mood.requests -= 1
            if mood.requests <= 0:
                self.moods.pop(key, None)
        return mood

    def _set_mood(
        self, marketplace: str | None, only: Surface | None, make: Callable[[], Mood]
    ) -> None:
        if only not in (None, *SURFACES):
            raise EmulatorError(f"no such surface: {only}")
        for code in self._codes(marketplace):
            self.moods[f"{code}/{only}" if only else code] = make()


def _keys(code: str, only: Surface | None) -> list[str]:
    return [f"{code}/{only}"] if only else [code, *(f"{code}/{each}" for each in SURFACES)]
