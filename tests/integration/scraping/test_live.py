"""`manage.py live` against the emulated store: what holds, what does not, what was not seen."""

import dataclasses
import datetime as dt
import io
import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from catalog.models import Audiobook
from scraping import politeness
from scraping.emulator.server import Emulator
from scraping.live.asking import PATIENCE, ask_all
from scraping.live.claims import CLAIMS, Finding, findings
from scraping.live.questions import QUESTIONS
from scraping.live.sights import Heard, Scope, Sights
from scraping.models import Visit
from scraping.sources.registry import DEFAULT
from tests.integration.scraping.conftest import AUTHOR
from tests.unit.test_docs import code_of
from tests.visits import Clock

pytestmark = pytest.mark.django_db

RIGHTS = "customer_rights is answered without signing in"
RETRY_AFTER = "Retry-After says seconds or a date"
CONDITIONS = "Conditional requests are answered with 304"
SERIES = "The Glass Cycle"


@pytest.fixture
def store(emulator: Emulator) -> Emulator:
    """One whose author has sixty titles, some of them in a series."""
    stocked = emulator.stock("us", AUTHOR, 57)
    for asin in stocked[:5]:
        emulator.place("us", asin, SERIES)
    emulator.announce("us", AUTHOR, "Glass Tide", series=SERIES)
    return emulator


def live(**options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("live", author=AUTHOR, json=True, stdout=out, stderr=io.StringIO(), **options)
    found = json.loads(out.getvalue())
    assert isinstance(found, dict)
    return found


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {claim["claim"]: claim["verdict"] for claim in found["claims"]}


def exceptions(found: dict[str, Any]) -> dict[str, str]:
    """What does not just hold."""
    return {claim: verdict for claim, verdict in verdicts(found).items() if verdict != "holds"}


def test_a_store_as_we_believe_it_to_be(store: Emulator) -> None:
    found = live()
    assert exceptions(found) == {RIGHTS: "does not hold", RETRY_AFTER: "not seen"}
    assert list(verdicts(found)) == [claim.text for claim in CLAIMS]
    assert found["requests"] == len(store.requests) == len(QUESTIONS) == 15
    assert not Visit.objects.exists()
    assert not Audiobook.objects.exists()


def test_a_claim_that_is_broken_is_the_only_one(store: Emulator) -> None:
    store.break_("untagged", "us", only="api")
    found = live()
    assert exceptions(found) == {
        RIGHTS: "does not hold",
        RETRY_AFTER: "not seen",
        CONDITIONS: "does not hold",
    }
    (evidence,) = [each["evidence"] for each in found["claims"] if each["claim"] == CONDITIONS]
    assert evidence == "no ETag, no Last-Modified: nothing to ask by"


def test_people_get_a_table(store: Emulator) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("live", author=AUTHOR, stdout=out, stderr=err)
    *rows, last = out.getvalue().splitlines()
    assert len(rows) == len(CLAIMS)
    assert rows[0].startswith("holds          The first page of a listing is page 0 ")
    assert rows[0].endswith("  50 titles on page 0, 11 others on page 1")
    assert last == "16 hold, 1 do not, 1 not seen; 15 requests to us."
    assert err.getvalue() == "Asking us, politely: about 0 seconds.\n"


def test_the_example_in_the_docs_is_what_people_see(store: Emulator) -> None:
    store.show_layout("legacy", "us")
    out = io.StringIO()
    call_command("live", author=AUTHOR, stdout=out, stderr=io.StringIO())
    (example,) = code_of("docs/howto/check-the-real-store.md", "text")
    assert timeless(out.getvalue()) == timeless(example)


def timeless(text: str) -> str:
    """Without what differs from run to run, and the store's own words."""
    days = re.sub(r"\d{4}-\d\d-\d\d", "DAY", text)
    return re.sub(r"\bB0(?!0{8})[0-9A-Z…]+|(?<=error detected: ).*", "…", days)


def test_nothing_is_written_to_the_database(store: Emulator) -> None:
    with CaptureQueriesContext(connection) as queries:
        live()
    assert [query["sql"] for query in queries if "clock_timestamp" not in query["sql"]] == []


def test_what_is_named_is_asked_for(store: Emulator) -> None:
    stocked = store.stock("us", AUTHOR, 1)
    series = next(iter(store.shelves["us"].series))
    found = live(asin=stocked[0].lower(), series=series)
    assert (found["asin"], found["series"]) == (stocked[0], series)
    assert any(stocked[0] in each["url"] for each in store.requests)


def test_what_the_answers_do_not_show_is_not_seen(emulator: Emulator) -> None:
    found = live(marketplace="uk")
    assert verdicts(found)["The first page of a listing is page 0"] == "not seen"
    assert verdicts(found)["A batch answers 50 titles at most"] == "not seen"
    assert verdicts(found)["A series names its titles (relationships)"] == "not seen"
    assert verdicts(found)["An unknown ASIN alone is a stub with status 200"] == "holds"


def test_a_store_that_is_not_there(settings: Settings, emulator: Emulator) -> None:
    settings.STORE_URL = "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="could not be reached: no answer: ConnectionError"):
        live()


def test_a_store_that_is_not_there_is_not_asked_everything(
    settings: Settings, emulator: Emulator, now: dt.datetime
) -> None:
    """Proves the guard PATIENCE: fifteen time-outs are four minutes, and no guest keeps knocking."""
    settings.STORE_URL = "http://127.0.0.1:9"
    sights = Sights(Scope("us", AUTHOR), now)
    ask_all(sights)
    assert sights.requests == PATIENCE


@pytest.mark.parametrize(
    ("asked", "as_date", "verdict"),
    [(120, False, "holds"), (120, True, "holds"), ("soon", False, "does not hold")],
)
def test_a_store_that_wants_to_be_left_alone_is(
    asked: float | str, as_date: bool, verdict: str, settings: Settings, store: Emulator
) -> None:
    """Proves the guard leave_alone: after a 429 nothing more is asked, by nobody."""
    settings.STORE_REQUEST_INTERVAL = dt.timedelta(seconds=0.1)
    settings.STORE_LONGEST_WAIT = dt.timedelta(seconds=1)
    store.throttle("us", retry_after=asked, as_date=as_date)
    found = live()
    assert len(store.requests) == found["requests"] == 1
    assert verdicts(found)[RETRY_AFTER] == verdict
    assert set(exceptions(found).values()) - {verdict} == {"not seen"}
    turn = politeness.acquire("us", "http://elsewhere")
    assert isinstance(turn, politeness.Postponed)


def test_a_store_that_sends_us_away_is_asked_nothing_more(store: Emulator) -> None:
    """Proves the guard `throttled`: also where it says that we may come back at once."""
    store.throttle("us", retry_after=0)
    assert live()["requests"] == len(store.requests) == 1


def test_questions_wait_for_their_turn(settings: Settings, store: Emulator) -> None:
    """Proves the guard acquire: the questions keep the store's pace."""
    settings.STORE_REQUEST_INTERVAL = dt.timedelta(seconds=0.1)
    live()
    asked_at = [request["at"] for request in store.requests]
    assert min(later - earlier for earlier, later in pairwise(asked_at)) > 0.08


def test_a_captcha_is_no_page(store: Emulator) -> None:
    store.break_("captcha", "us", only="html")
    found = exceptions(live())
    pages = [f"The {page} page is readable and agrees" for page in ("search", "product", "series")]
    assert [found[page] for page in pages] == ["does not hold"] * 3


def test_an_outage_shows_nothing(store: Emulator) -> None:
    store.break_("error500", "us")
    found = live()
    assert set(verdicts(found).values()) == {"not seen"}
    assert found["claims"][0]["evidence"] == "the store answered 500"


@pytest.mark.parametrize("option", ["asin", "series"])
def test_a_malformed_asin_is_an_error(option: str) -> None:
    with pytest.raises(CommandError, match="is not an ASIN"):
        live(**{option: "B0"})


# -- every claim can be seen not to hold -----------------------------------------------------------
Change = Callable[[dict[str, Any]], Any]


def _answer(**changes: Any) -> Change:
    return lambda body: body | changes


def _keep(number: int) -> Change:
    return lambda body: body | {"products": body["products"][:number]}


def _backwards(body: dict[str, Any]) -> Any:
    return body | {"products": body["products"][::-1]}


def _without(*fields: str) -> Change:
    def change(body: dict[str, Any]) -> Any:
        kept = [
            {name: value for name, value in each.items() if name not in fields}
            for each in body["products"]
        ]
        return body | {"products": kept}

    return change


def _refused(_: dict[str, Any]) -> Any:
    return {"message": "1 validation error detected"}


EMPTY = _answer(products=[])
DOCTORED: list[tuple[str, str, Change]] = [
    ("The first page of a listing is page 0", "next", EMPTY),
    ("-ReleaseDate puts the furthest date first", "listing", _backwards),
    ("asins= answers the titles named, and no others", "batch", _keep(1)),
    ("asins= answers the titles named, and no others", "batch", _refused),
    ("A batch says of an unknown ASIN that it is a stub", "batch", _keep(2)),
    ("An unknown ASIN alone is a stub with status 200", "unknown", _refused),
    (
        "The configured groups are answered without signing in",
        "listing",
        _without("authors", "narrators", "publisher_name"),
    ),
    (RIGHTS, "rights", _answer()),
    ("An unknown group is refused with 400", "unknown_group", lambda _: {"products": []}),
    ("products_since_timestamp has no effect", "since", EMPTY),
    (
        "A series names its titles (relationships)",
        "series",
        lambda body: {"product": body["product"] | {"relationships": []}},
    ),
]


def doctor(heard: Heard, change: Change) -> Heard:
    body = json.dumps(change(json.loads(heard.answer.body))).encode()
    return dataclasses.replace(heard, answer=dataclasses.replace(heard.answer, body=body))


def test_every_claim_can_be_seen_not_to_hold(store: Emulator, clock: Clock) -> None:
    """Proves each check: one that always says "holds" would say so of a doctored answer."""
    sights = Sights(Scope("us", AUTHOR), clock.now)
    ask_all(sights)
    before = dict(sights.heard)
    for text, name, change in DOCTORED:
        sights.heard = before | {name: doctor(before[name], change)}
        assert verdict_of(text, sights) == "does not hold", text


def test_what_a_store_says_moves_no_terminal(store: Emulator, clock: Clock) -> None:
    """Proves the guard `clean` in Finding."""
    sights = Sights(Scope("us", AUTHOR), clock.now)
    ask_all(sights)
    sights.heard["batch"] = doctor(sights.heard["batch"], lambda _: {"message": "\x1b[2Jno"})
    found = finding_of("asins= answers the titles named, and no others", sights)
    assert found.evidence == "the store refused: [2Jno"


def test_limits_that_are_none_are_seen(store: Emulator, clock: Clock) -> None:
    sights = Sights(Scope("us", AUTHOR), clock.now)
    ask_all(sights)
    listing, following = (
        json.loads(sights.heard[name].answer.body) for name in ("listing", "next")
    )
    many = {"products": listing["products"] + following["products"][:1]}
    for name in ("too_large", "large_batch"):
        sights.heard[name] = doctor(sights.heard[name], lambda _: many)
    assert verdict_of("A page shows 50 titles at most", sights) == "does not hold"
    assert verdict_of("A batch answers 50 titles at most", sights) == "does not hold"


def test_headers_are_held_against_what_we_believe(store: Emulator, clock: Clock) -> None:
    sights = Sights(Scope("us", AUTHOR), clock.now)
    ask_all(sights)
    first = sights.heard["listing"]
    headers = {**first.answer.headers, "cache-control": "no-store"}
    answer = dataclasses.replace(first.answer, headers=headers)
    sights.heard["listing"] = dataclasses.replace(first, answer=answer)
    assert verdict_of("Answers keep for 30 minutes (max-age)", sights) == "does not hold"
    sights.heard["again"] = dataclasses.replace(sights.heard["again"], status=200)
    assert verdict_of(CONDITIONS, sights) == "does not hold"


@pytest.mark.parametrize("page", ["search", "product", "series"])
@pytest.mark.parametrize("layout", ["legacy", "modern"])
def test_pages_that_contradict_the_api_are_named(
    layout: str, page: str, store: Emulator, clock: Clock
) -> None:
    store.show_layout(layout, "us")
    sights = Sights(Scope("us", AUTHOR), clock.now)
    ask_all(sights)
    text = f"The {page} page is readable and agrees"
    said = finding_of(text, sights)
    assert (said.verdict, said.evidence[:6]) == ("holds", "legacy" if page == "search" else layout)
    for name in ("listing", "next", "single"):
        sights.heard[name] = doctor(sights.heard[name], _retitled)
    found = finding_of(text, sights)
    assert found.verdict == "does not hold"
    assert 'title "Another Book" and "' in found.evidence


def _retitled(body: dict[str, Any]) -> Any:
    text = json.dumps(body)
    records = body.get("products") or [body["product"]]
    for each in records:
        text = text.replace(json.dumps(each["title"]), '"Another Book"')
    return json.loads(text)


def finding_of(text: str, sights: Sights) -> Finding:
    return {claim.text: finding for claim, finding in findings(sights)}[text]


def verdict_of(text: str, sights: Sights) -> str:
    return finding_of(text, sights).verdict


def test_every_question_is_asked_for_a_claim() -> None:
    asked = {name for claim in CLAIMS for name in claim.asks}
    assert asked == {question.name for question in QUESTIONS}
    assert QUESTIONS[0].source == DEFAULT
