"""The emulated store: its shelves, its moods, what it was asked, and the verbs that change it."""

import datetime as dt
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from catalog.marketplaces import MARKETPLACES
from scraping.emulator.catalogue import Product
from scraping.emulator.moods import Moods
from scraping.emulator.shelves import utc_now
from scraping.emulator.titles import Titles

_REMEMBERED_REQUESTS = 100_000


class Store(Titles, Moods):
    """All of it, in one place."""

    def __init__(
        self,
        *,
        seed: int = 1,
        marketplaces: Iterable[str] = tuple(MARKETPLACES),
        authors: int = 8,
        now: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        super().__init__(seed=seed, marketplaces=marketplaces, authors=authors, now=now)
        self.moods, self.layouts = {}, {}
        self.chance = random.Random(f"{seed}/layouts")  # noqa: S311 (which page is shown)
        self.requests: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED_REQUESTS)

    def state(self) -> dict[str, Any]:
        """Everything on the shelves and every mood, as JSON."""
        return {
            "now": self.now().isoformat(),
            "moods": {code: mood.kind for code, mood in list(self.moods.items())},
            "marketplaces": {
                code: {
                    "today": self.today(code).isoformat(),
                    "products": [_outline(each) for each in list(shelf.products.values())],
                    "series": {each.asin: each.title for each in list(shelf.series.values())},
                }
                for code, shelf in self.shelves.items()
            },
        }


def _outline(product: Product) -> dict[str, Any]:
    return {
        "asin": product.asin,
        "title": product.title,
        "authors": [each.name for each in product.authors],
        "language": product.language,
        "release_date": product.release_date and product.release_date.isoformat(),
        "is_withdrawn": product.is_withdrawn,
    }
