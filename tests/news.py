"""A piece of news with everything in it."""

import datetime as dt

from notifications.messages import Content

BOOK = Content(
    kind="announced",
    title="The Long Way",
    subtitle="A Novel",
    series="Wayfarers, book 4",
    authors=("A. Writer", "B. Writer"),
    narrators=("C. Voice",),
    marketplace="uk",
    asin="B00TEST123",
    language="english",
    release_date=dt.date(2027, 6, 9),
    runtime_minutes=725,
    cover_url="https://images.example/cover.jpg",
    url="https://store.example/pd/B00TEST123",
    summary="First.\r\n\r\nSecond.",
    why="author A. Writer",
)
