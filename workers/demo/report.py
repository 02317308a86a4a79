"""What the demo says: lines while it goes on, and the table at the end."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workers.demo.receivers import Arrival, News
from workers.demo.story import EVERYWHERE
from workers.demo.tally import Shown, delays, tally

LABELS = {"email": "E-mail", "webhook": "Webhook", "discord": "Discord"}
COLOURS = {"store": "yellow", "trouble": "red"} | dict.fromkeys(LABELS.values(), "green")
WIDTH = 100  # columns, where there is no terminal to ask


class Report:
    """Lines on a console, each with the seconds since the start and who speaks.

    On a terminal there are colours, and below the lines a sign of what is waited for.
    """

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = WIDTH
        self.waiting = self.console.status("")
        self._start = time.monotonic()

    def wait_for(self, words: str) -> None:
        """What goes on until the next line."""
        self.waiting.update(f"[dim]{words}[/]")
        self.waiting.start()

    def line(self, who: str, words: str) -> None:
        """Somebody did something."""
        elapsed = f"[dim]{time.monotonic() - self._start:5.1f} s[/]"
        speaker = f"[{COLOURS.get(who, 'cyan')}]{who:<9}[/]"
        self.console.print(f"{elapsed}  {speaker} {escape(words)}", soft_wrap=True)

    def arrival(self, arrival: Arrival, shown: Sequence[Shown]) -> None:
        """Somebody was told."""
        news = arrival.news
        after = [f"{delay:.1f} s after the act" for delay in delays(news, shown, [arrival])]
        words = f"{kind_words(news.kind)}: {news.title} ({''.join(after) or 'UNEXPECTED'})"
        self.line(LABELS[news.channel], words)

    def table(self, shown: Sequence[Shown], arrivals: Sequence[Arrival]) -> None:
        """What was news, who was told where, after how many seconds; and the sum of it."""
        table = Table("News", "Title", *LABELS.values())
        for each in shown:
            if each.act.channels:
                cells = [_cell(each, channel, shown, arrivals) for channel in EVERYWHERE]
                table.add_row(kind_words(each.act.kind), escape(each.act.title), *cells)
        self.console.print()
        self.console.print(table)
        self._sum(shown, arrivals)

    def _sum(self, shown: Sequence[Shown], arrivals: Sequence[Arrival]) -> None:
        total = tally(shown, arrivals)
        found = {
            "missing": total.missing,
            "more than once": total.repeated,
            "unexpected": total.unexpected,
        }
        counts = ", ".join(f"{len(news)} {words}" for words, news in found.items())
        colour = "green" if total.is_right else "red"
        self.console.print(
            f"[{colour}]{total.expected.total()} expected, {total.arrived.total()} arrived: "
            f"{counts}.[/]"
        )
        for words, several in found.items():
            for news in several:
                title = escape(f"{LABELS[news.channel]}, {kind_words(news.kind)}, {news.title}")
                self.console.print(f"[red]{words}[/]: {title}", soft_wrap=True)

    def places(self, places: Mapping[str, str]) -> None:
        """Where to look."""
        self.console.print()
        for name, place in places.items():
            self.console.print(f"  [cyan]{name:<9}[/] {escape(place)}", soft_wrap=True)
        self.console.print()


def kind_words(kind: str) -> str:
    """A kind of news for people."""
    return kind.replace("_", " ")


def _cell(each: Shown, channel: str, shown: Sequence[Shown], arrivals: Sequence[Arrival]) -> str:
    if channel not in each.act.channels:
        return "[dim]not asked[/]"
    news = News(channel, each.act.kind, each.act.title)
    times = [f"{delay:.1f} s" for delay in delays(news, shown, arrivals)]
    return ", ".join(times) or "[red]missing[/]"
