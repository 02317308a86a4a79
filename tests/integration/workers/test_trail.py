"""One id from the visit to the last message."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import User
from catalog.models import ReleaseEvent
from catalog.services import publish_events
from notifications.models import Message
from scraping import politeness
from scraping.emulator.server import Emulator
from scraping.models import Visit
from stalkerr import clock, figures, tracing
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.promises import fan_out, tell_all
from tests.sinks import HttpSink
from tests.visits import Clock, visit_all
from workers.trail import SHOWN, follow, trace_of

pytestmark = pytest.mark.django_db(transaction=True)

AUTHOR = "Ada Example"


@pytest.fixture
def store(settings: Settings, now: dt.datetime) -> Iterator[Emulator]:
    with Emulator(seed=7, marketplaces=("us",), now=clock.now) as emulator:
        settings.STORE_URL = emulator.base_url
        settings.STORE_REQUEST_INTERVAL = dt.timedelta()
        settings.STORE_SAME_URL_INTERVAL = dt.timedelta()
        politeness._redis().flushdb()
        emulator.stock("us", AUTHOR, 3)
        yield emulator


def shown(named: str) -> str:
    said = StringIO()
    call_command("trail", named, stdout=said)
    return said.getvalue()


def test_a_trace_leads_from_the_visit_to_the_attempt(
    alice: User, store: Emulator, move_clock: Callable[[dt.timedelta], dt.datetime]
) -> None:
    """Proves the guard traced: the visit's own, whatever its hint said."""
    moved, counted = Clock(clock.now()), figures.VISITS.labels("us", "found")._value.get
    before = counted()
    with HttpSink() as sink:
        watch = make_watch(alice, AUTHOR, now=moved.now, is_active=False)
        channel = make_channel(alice, config={"url": sink.url, "secret": "whsec_" + "a" * 32})
        watch.routes.create(user=alice, channel=channel)
        with tracing.traced() as of_hint:
            visit_all(moved)
            store.announce("us", AUTHOR)
            assert visit_all(moved) == ["announced"]
        move_clock(moved.now - clock.now())
        publish_events()
        fan_out(moved.now)
        tell_all("webhook")
        (request,) = sink.wait_for(1)
    event = ReleaseEvent.objects.get(kind="announced", fanned_out_at__isnull=False)
    visit = Visit.objects.get(trace_id=event.trace_id)
    assert visit.new == 1
    assert counted() - before == Visit.objects.filter(outcome="found").count() >= 2
    assert of_hint not in {each.trace_id.hex for each in Visit.objects.all() if each.trace_id}
    assert event.trace_id
    steps = follow(event.trace_id.hex)
    assert {step.what for step in steps} == {"visit", "event", "delivery", "attempt"}
    (attempt,) = (step for step in steps if step.what == "attempt")
    assert attempt.facts["message"] == request.headers["webhook-id"]
    assert (attempt.facts["verdict"], attempt.facts["state"]) == ("accepted", "sent")
    for named in (event.trace_id.hex, str(event.published_seq), attempt.facts["message"]):
        text = shown(named)
        assert text.startswith(f"trace {event.trace_id.hex}\n")
        assert sink.url not in text


def test_of_what_is_many_the_first_are_shown_by_as_many_questions(
    alice: User, now: dt.datetime
) -> None:
    trace = uuid.uuid4()
    event = event_of(make_audiobook(now=now))
    ReleaseEvent.objects.filter(pk=event.pk).update(trace_id=trace)
    for number in range(SHOWN + 5):
        make_delivery(make_channel(alice, address=f"{number}.example"), event, now=now)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        steps = follow(trace.hex)
    assert len(asked) == 4
    assert sum(step.what == "delivery" for step in steps) == SHOWN + 1
    assert steps[-1].facts == {"and": f"more than {SHOWN}: the first of them are shown"}


@pytest.mark.parametrize(
    "named", ["", "x", "0" * 400, "-1", "9" * 18, str(uuid.UUID(int=7)), "'; --"]
)
def test_what_nobody_knows_is_said(db: None, named: str) -> None:
    with pytest.raises(CommandError, match="Nothing goes by that name"):
        call_command("trail", named)
    assert Message.objects.count() == 0


def test_a_trace_is_known_by_its_shape() -> None:
    for text in (None, "", "x" * 32, "0af7651916cd43dd8448eb211c80319c0", 7, {"a": 1}):
        assert tracing.known(text) is None
    assert (
        tracing.known("0AF76519-16cd-43dd-8448-eb211c80319c") == "0af7651916cd43dd8448eb211c80319c"
    )
    assert trace_of("0af7651916cd43dd8448eb211c80319c x") is None
