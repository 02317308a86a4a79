"""Each kind of watch, from the store's shelf to the promise: one for what was asked for, else none."""

import datetime as dt
from typing import Any

import pytest

from accounts.models import User
from catalog.models import ReleaseEvent, Series, Watch
from notifications import services
from notifications.models import Delivery
from scraping.emulator.server import Emulator
from tests.factories import make_channel, make_watch
from tests.visits import Clock, visit_all

pytestmark = pytest.mark.django_db

AUTHOR, NAMESAKE = "B00ADAONE1", "B00ADATWO2"
GENRE = "90100000011"
TITLE = {
    "title": "Glass Tide",
    "author_asin": AUTHOR,
    "series": "Tides",
    "sequence": "2",
    "narrators": ["Nora Reader"],
    "publisher": "Lantern House",
    "genre": GENRE,
    "sparse": False,
}
WATCHES = {
    "author": "Ada Example",
    "series": "Tides",
    "narrator": "Nora Reader",
    "publisher": "Lantern House",
    "genre": GENRE,
    "keyword": '"glass tide"',
    "asin": "B0GLASS001",
}
NOT_WANTED: dict[str, dict[str, Any]] = {
    "foreign": {"language": "german"},
    "podcast": {"kind": "podcast"},
    "omnibus": {"kind": "omnibus"},
    "part": {"kind": "part"},
    "ai_voice": {"kind": "ai_voice"},
    "back catalogue": {"age": dt.timedelta(days=400)},
    "namesake": {"author_asin": NAMESAKE},
}


@pytest.fixture(params=WATCHES)
def watch(request: pytest.FixtureRequest, alice: User, emulator: Emulator, clock: Clock) -> Watch:
    """A watch of each kind, of a store that has the first volume; its baseline is over."""
    make_channel(alice)
    announce(emulator, title="Low Tide", sequence="1", asin="B0LOWTIDE1")
    make_watch(alice, "Low Tide", kind="keyword", now=clock.now, is_active=False, muted=True)
    visit_all(clock)
    kind: str = request.param
    asin = {"author": AUTHOR, "series": Series.objects.get(title="Tides").asin}.get(kind, "")
    watch = make_watch(alice, WATCHES[kind], kind=kind, asin=asin, now=clock.now, is_active=False)
    visit_all(clock)
    return watch


def announce(emulator: Emulator, **facts: Any) -> str:
    if age := facts.pop("age", None):
        facts["release_date"] = emulator.today("us") - age
    return emulator.announce("us", "Ada Example", **{"asin": "B0GLASS001", **TITLE, **facts})


def promised(user: User, clock: Clock) -> list[str]:
    """The kinds of news that a user is promised after some more visits."""
    for _ in range(2):
        visit_all(clock)
        for event_id in ReleaseEvent.objects.unprocessed().values_list("id", flat=True):
            while not services.fan_out(event_id=event_id, now=clock.now, chunk=100):
                pass
    mine = Delivery.objects.filter(user=user, state=Delivery.State.PENDING, notice=None)
    return list(mine.values_list("event__kind", flat=True))


def test_what_was_asked_for_is_promised_once(
    watch: Watch, alice: User, emulator: Emulator, clock: Clock
) -> None:
    announce(emulator)
    assert promised(alice, clock) == ["announced"]


@pytest.mark.parametrize("case", NOT_WANTED)
def test_what_was_not_asked_for_is_not(
    case: str, watch: Watch, alice: User, emulator: Emulator, clock: Clock
) -> None:
    is_explicit = watch.kind == "asin" and case != "back catalogue"
    is_somebody_elses = watch.kind != "author" and case == "namesake"
    announce(emulator, **NOT_WANTED[case])
    assert promised(alice, clock) == (["announced"] if is_explicit or is_somebody_elses else [])
