"""How workers end when they are asked to: in peace, with nothing left for others to do again."""

from pathlib import Path

import pytest

from notifications.models import SHARDS, Attempt, Message
from stalkerr import clock
from tests.crowd import SECRET
from tests.e2e.crew import crew
from tests.factories import event_of, make_audiobook, make_channel, make_delivery
from tests.people import make_user
from tests.sinks import HttpSink, Reply
from workers.hints import hint_once

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(120),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
]


def test_a_worker_that_is_asked_to_end_settles_what_is_on_its_wire(tmp_path: Path) -> None:
    """Proves the guard finish_sends: the message would be sent again when its lease runs out."""
    with HttpSink(Reply(delay=2)) as sink, crew(tmp_path, workers=1) as processes:
        config = {"url": f"{sink.url}/hook", "secret": SECRET}
        channel = make_channel(make_user("alice"), config=config, address="127.0.0.1")
        make_delivery(channel, event_of(make_audiobook(now=clock.now())), now=clock.now())
        hint_once("notifications.tell", "tell", kind="webhook", shard=channel.id % SHARDS)
        sink.wait_for(1, within=30)
        processes.stop(patience=30)
        assert Message.objects.get().state == "sent"
        assert Attempt.objects.get().verdict == "accepted"
        assert len(sink.requests) == 1
