"""Every request, whoever answers it, has an id, a line in the log and its share of the figures."""

import asyncio
import datetime as dt
import json
import logging
import string
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import User
from accounts.services import make_feed
from api.auth import issue_token
from api.edge import witness
from catalog import revisions
from stalkerr import clock, figures
from stalkerr.logging import _formatter
from tests.edge import Edge, Reply, forgetful
from tests.factories import make_audiobook

pytestmark = pytest.mark.django_db(transaction=True)

UPCOMING = "/api/upcoming"


class Lines(logging.Handler):
    """What is logged of requests, as it is written in production."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_formatter(json=True))
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def last(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self.texts[-1])
        return line


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, logger = Lines(), logging.getLogger("stalkerr.requests")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def edge(now: dt.datetime) -> Iterator[Edge]:
    with forgetful():
        make_audiobook(now=now)
        revisions.publish()
        with Edge() as edge:
            yield edge


def labels() -> set[tuple[str, ...]]:
    (family,) = figures.REQUESTS.collect()
    return {tuple(sample.labels.values()) for sample in family.samples}


def count(*values: str) -> float:
    return float(figures.REQUESTS.labels(*values)._value.get())


def test_the_lane_and_django_are_seen_alike(
    edge: Edge, lines: Lines, fresh_limits: None, db: None
) -> None:
    before = count("edge", "GET", "api/upcoming", "2xx")
    edge.get(UPCOMING)
    assert edge.get(UPCOMING).status == 200
    line = lines.last()
    assert (line["lane"], line["route"], line["status"]) == ("edge", "api/upcoming", 200)
    assert count("edge", "GET", "api/upcoming", "2xx") > before
    edge.get(f"{UPCOMING}?q=x", authorization="Basic none")
    line = lines.last()
    assert (line["lane"], line["route"]) == ("django", "api/upcoming")
    assert {"method", "process_time", "request_id", "trace_id", "user_id"} <= line.keys()


@pytest.mark.parametrize("path", ["/feeds/upcoming.rss", "/feeds/authors/1.atom"])
def test_the_lane_names_routes_as_django_does(
    edge: Edge, lines: Lines, fresh_limits: None, db: None, path: str
) -> None:
    edge.get(path)
    edge.get(path, authorization="Basic none")
    routes = {json.loads(text)["route"] for text in lines.texts}
    assert len(routes) == 1
    assert routes.pop().endswith(".<format:extension>")


def test_a_line_says_who_asked(edge: Edge, lines: Lines, alice: User, fresh_limits: None) -> None:
    token = issue_token(user=alice, now=clock.now())
    assert edge.get("/api/watches", authorization=f"Bearer {token}").status == 200
    assert lines.last()["user_id"] == alice.pk
    assert token not in lines.texts[-1]
    assert edge.get("/api/watches").status == 401
    assert lines.last()["user_id"] is None


def test_what_permits_stands_in_no_line(
    edge: Edge, lines: Lines, alice: User, fresh_limits: None
) -> None:
    _, token = make_feed(user_id=alice.pk, watch_id=None, now=clock.now(), name="mine")
    assert edge.get(f"/feeds/private/{token}.rss").status == 200
    assert token not in "".join(lines.texts)
    assert lines.last()["route"] == "feeds/private/<str:token>.<format:extension>"


@pytest.mark.parametrize(
    ("given_id", "is_taken"),
    [
        ("0123456789abcdef", True),
        ("a-b_c.d-e-f-1", True),
        ("short", False),
        ("x" * 65, False),
        ("with space in it", False),
        ('"},"level":"fatal', False),
        ("-begins-with-it", False),
        ("\u00e9" * 10, False),
    ],
)
def test_an_id_is_taken_where_it_is_short_and_plain(
    edge: Edge, lines: Lines, fresh_limits: None, given_id: str, is_taken: bool
) -> None:
    """Proves the guard _PLAIN: nobody writes into our log."""
    reply = edge.get("/health/live", x_request_id=given_id)
    said = reply.request_id
    assert (said == given_id) is is_taken
    assert lines.last()["request_id"] == said
    assert edge.get("/health/live").request_id != said


def test_an_id_of_the_shape_of_a_trace_is_the_trace(edge: Edge, lines: Lines) -> None:
    edge.get("/health/live", x_request_id="0af7651916cd43dd8448eb211c80319c")
    assert lines.last()["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    edge.get("/health/live", x_request_id="my-request-17")
    assert len(lines.last()["trace_id"]) == 32


HOSTILE = st.text(
    alphabet=string.ascii_letters + string.digits + "/.-_~%{}<>|\"'\\;\x00\u00e9", max_size=40
)
ROOTS = st.sampled_from(
    ["/", "/api/", "/api/watches/", "/feeds/", "/admin/", "/static/", "/lists/"]
)
VERBS = st.sampled_from(["GET", "POST", "BREW", "PROPFIND", "get", "X" * 50])


def test_whatever_is_asked_labels_stay_few(edge: Edge, fresh_limits: None, db: None) -> None:
    """Proves the guard route template: no path, no method and no title becomes a label."""
    before = labels()
    seen: set[str] = set()

    @hypothesis_settings(max_examples=150)
    @given(ROOTS, HOSTILE, VERBS)
    def ask(root: str, rest: str, verb: str) -> None:
        reply: Reply = edge.get((root + rest).replace("?", "").replace("#", ""), method=verb)
        seen.add(f"{root}{rest}{verb}")
        assert reply.status < 500

    with override_settings(LIMITS_FACTOR=1_000_000):
        ask()
    new = labels() - before
    assert len(seen) > 100
    assert {method for _, method, *_ in new} <= witness.METHODS | {"(other)"}
    known = {witness.NOWHERE, witness.FILES}
    assert all(route in known or not set(route) & set("%{}|\"'\\;~") for _, _, route, _ in new)
    assert len(new) < 60


def test_a_path_that_breaks_is_counted_as_broken(lines: Lines) -> None:
    """An application that raises before it answers: 500, as whoever asked sees it."""

    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise RuntimeError("canary")

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    with pytest.raises(RuntimeError):
        asyncio.run(witness.Witness(broken)(scope, None, None))  # type: ignore[arg-type]
    assert (lines.last()["status"], lines.last()["route"]) == (500, "(none)")
