"""Asking /graphql, and what there is to be asked about."""

import datetime as dt
from typing import Any

from rest_framework.test import APIClient

from accounts.models import User
from catalog.listing import SeriesPlace
from catalog.models import Audiobook
from catalog.services import publish_events
from notifications.models import Route
from tests.factories import make_audiobook, make_channel, make_watch


def ask(client: APIClient, document: str, **variables: Any) -> Any:
    answer = client.post("/graphql", {"query": document, "variables": variables})
    assert answer.status_code == 200, answer.content
    assert "errors" not in answer.json(), answer.json()
    return answer.json()["data"]


def problems(client: APIClient, document: str, **variables: Any) -> list[dict[str, Any]]:
    answer = client.post("/graphql", {"query": document, "variables": variables})
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["errors"]
    return found


def shelve(now: dt.datetime, count: int) -> None:
    """So many audiobooks of two authors and two series, two to a work."""
    for number in range(count):
        place = SeriesPlace(f"B0SERIES0{number % 2}", f"Series {number % 2}", str(number))
        authors = [f"Author {number % 2}", "Ada Example"]
        make_audiobook(now=now, out_in=30 + number, authors=authors, series=[place])
    books = list(Audiobook.objects.order_by("id"))
    for first, second in zip(books[::2], books[1::2], strict=True):
        Audiobook.objects.filter(id=second.id).update(work=first.work)
    publish_events()


def watch(user: User, now: dt.datetime, count: int) -> None:
    for number in range(count):
        channel = make_channel(user, address=f"hook{number}.example.org")
        each = make_watch(user, f"Author {number}", now=now)
        Route.objects.create(user=user, watch=each, channel=channel)
