"""What had to arrive, held against what did. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from workers.demo.receivers import Arrival, News
from workers.demo.story import Act


@dataclass(frozen=True, slots=True)
class Shown:
    """An act, and when the store did it (monotonic seconds)."""

    act: Act
    at: float


@dataclass(frozen=True, slots=True)
class Tally:
    """Each piece of news as often as it was to arrive, and as it did."""

    expected: Counter[News]
    arrived: Counter[News]

    @property
    def missing(self) -> list[News]:
        return list(self.expected - self.arrived)

    @property
    def repeated(self) -> list[News]:
        return [news for news, count in self.arrived.items() if count > 1]

    @property
    def unexpected(self) -> list[News]:
        return [news for news in self.arrived if news not in self.expected]

    @property
    def is_right(self) -> bool:
        """Whether everything arrived just once, and nothing else did."""
        return self.expected == self.arrived


def tally(shown: Iterable[Shown], arrivals: Iterable[Arrival]) -> Tally:
    """The sum of it all so far."""
    expected = Counter(news for each in shown for news in each.act.news())
    return Tally(expected, Counter(arrival.news for arrival in arrivals))


def delays(news: News, shown: Iterable[Shown], arrivals: Iterable[Arrival]) -> list[float]:
    """Seconds from the store's act to each arrival; empty for what had not to arrive."""
    starts = [each.at for each in shown if news in each.act.news()]
    return [arrival.at - starts[0] for arrival in arrivals if starts and arrival.news == news]
