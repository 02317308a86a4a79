"""What the pages show of the API is what it answers, but for moments, days and numbers."""

import datetime as dt
import json
import re
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from catalog.listing import SeriesPlace
from catalog.models import Series, Watch
from catalog.services import publish_events
from notifications.models import SHARDS
from tests.factories import make_audiobook, make_channel, make_watch
from tests.integration.api.conftest import ClientOf
from tests.promises import tell_all
from tests.sinks import HttpSink
from tests.unit.test_docs import blocks_of

HOUR = dt.timedelta(hours=1)
VARYING = {  # by how it is spelt, or by its name
    r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)": "MOMENT",
    r"\d{4}-\d\d-\d\d": "DAY",
    r"\d{4}-\d\d": "MONTH",
    r"whsec_[\w+/=]+": "SECRET",
    r"(eyJ|str_)\S+": "TOKEN",
}
NUMBERS = {"id", "channel", "work_id", "audiobook_id"}


def examples(page: str) -> list[tuple[str, dict[str, Any]]]:
    """Each request of a page with what it is said to be answered."""
    blocks = [block for block in blocks_of(f"docs/howto/{page}.md") if block[0] in ("sh", "json")]
    return [
        (text, json.loads(blocks[place + 1][1]))
        for place, (language, text) in enumerate(blocks)
        if language == "sh"
    ]


def ask(client: APIClient, block: str) -> Any:
    (path,) = re.findall(r"http://127\.0\.0\.1:8000([^\s\"]+)", block)
    bodies = re.findall(r"-d '(.+)'", block)
    answer = client.post(path, json.loads(bodies[0])) if bodies else client.get(path)
    assert answer.status_code in (200, 202), answer.json()
    return answer.json()


def ask_as_shown(client: APIClient, block: str, **names: str) -> Any:
    """What is answered to a block, with its headers; `names` stand for its variables."""
    for name, value in names.items():
        block = block.replace(f"${name}", value)
    (path,) = re.findall(r"http://127\.0\.0\.1:8000([^\s\"]+)", block)
    bodies = re.findall(r"-d '(.+)'", block)
    (method,) = re.findall(r"-X (\w+)", block) or (["POST"] if bodies else ["GET"])
    return client.generic(
        method,
        path,
        bodies[0] if bodies else "",
        content_type="application/json",
        headers=dict(re.findall(r"-H '([\w-]+): (.+?)'", block)),
    ).json()


def timeless(value: Any, name: str = "") -> Any:
    """Without what differs from run to run."""
    if isinstance(value, dict):
        return {key: timeless(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [timeless(each) for each in value]
    if name in NUMBERS and str(value).isdecimal():
        return "NUMBER"
    if isinstance(value, str):
        value = re.sub(r"\(watch \d+\)", "(watch N)", value)
        return next((word for form, word in VARYING.items() if re.fullmatch(form, value)), value)
    return value


@pytest.mark.django_db(transaction=True)
def test_one_book_goes_out_as_the_page_shows(alice: User, client_of: ClientOf) -> None:
    ((block, shown),) = examples("send-one-book")
    received = json.loads(blocks_of("docs/howto/send-one-book.md")[2][1])
    with HttpSink() as sink:
        answer = ask(client_of(alice), block.replace("https://receiver.example", sink.url))
        tell_all("webhook", shard=answer["channel"] % SHARDS)
        (request,) = sink.requests
    assert timeless(answer) == timeless(shown)
    assert timeless(request.json()) == timeless(received)


@pytest.mark.django_db
def test_all_news_is_read_as_the_page_shows(now: dt.datetime) -> None:
    (signing_in, token), (reading, shown) = examples("read-all-news")
    (who,) = re.findall(r"-d '(.+)'", signing_in)
    facts = {name: json.loads(who)[name] for name in ("email", "password")}
    User.objects.create_user(**facts)
    make_audiobook(now=now, title="Glass Tide", asin="B0GLASS001")
    publish_events()
    client = APIClient()
    answer = ask(client, signing_in)
    assert timeless(answer) == timeless(token)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer['access']}")
    assert timeless(ask(client, reading)) == timeless(shown)


def test_the_catalogue_is_read_as_the_page_shows(anybody: APIClient, now: dt.datetime) -> None:
    (searching, hits), (reading, series) = examples("read-the-catalogue")
    place = SeriesPlace("B0SERIES01", "The Long Tide", "2")
    make_audiobook(now=now, title="Glass Tide", asin="B0GLASS001", series=[place])
    assert timeless(ask(anybody, searching)) == timeless(hits)
    reading = reading.replace("series/1", f"series/{Series.objects.get().id}")
    assert timeless(ask(anybody, reading)) == timeless(series)


def test_graphql_answers_as_the_page_shows(
    alice: User, anybody: APIClient, client_of: ClientOf, now: dt.datetime
) -> None:
    (reading, books), *writing = examples("ask-with-graphql")
    for number, title in (("1", "Glass Shore"), ("2", "Glass Tide")):
        make_audiobook(
            now=now, title=title, series=[SeriesPlace("B0COAST001", "The Coast", number)]
        )
    assert timeless(ask(anybody, reading)) == timeless(books)
    for block, shown in writing:
        assert timeless(ask(client_of(alice), block)) == timeless(shown)


def test_why_and_what_would_have_been_are_answered_as_the_page_shows(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    (asking, why), (trying, would) = examples("why-did-i-not-hear-of-it")
    make_channel(alice)
    make_watch(alice, now=now - 2 * HOUR)
    for code in ("us", "uk"):
        make_audiobook(now=now - HOUR, title="Sand", asin="B0GLASS002", marketplace=code)
    title = "Glass Tide (Part 1 of 2)"
    make_audiobook(now=now - HOUR, title=title, asin="B0GLASS001")
    publish_events()
    answer = ask(client_of(alice), asking)
    del answer["ways"]
    assert timeless(answer) == timeless(why)
    assert timeless(ask(client_of(alice), trying)) == timeless(would)


def test_the_catalogue_is_put_right_as_the_page_shows(
    operator: APIClient, now: dt.datetime
) -> None:
    book = make_audiobook(now=now, title="Glsas Tide")
    blocks = blocks_of("docs/howto/correct-the-catalogue.md")
    listing, *changes = [text.replace("$ID", str(book.pk)) for kind, text in blocks if kind == "sh"]
    shown = [json.loads(text) for kind, text in blocks if kind == "json"]
    assert ask(operator, listing)["results"] == []
    for block, said in zip(changes, [*shown, {}], strict=True):
        (path,) = re.findall(r"http://127\.0\.0\.1:8000(\S+)", block)
        bodies = re.findall(r"-d '(.+)'", block)
        answer = operator.patch(path, json.loads(bodies[0])) if bodies else operator.post(path)
        assert answer.status_code == 200
        assert answer.json() | said == answer.json()
    assert answer.json()["hidden_at"] is not None


def test_a_program_asks_again_as_the_page_shows(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    blocks = blocks_of("docs/howto/give-a-program-access.md")[2:]
    client = client_of(alice)
    answers: list[Any] = []
    for (_, asked), (_, shown) in zip(blocks[::2], blocks[1::2], strict=True):
        ids = {"ID": str(Watch.objects.get().pk)} if answers else {}
        answers.append(ask_as_shown(client, asked, **ids))
        assert answers[-1] | json.loads(shown) == answers[-1]
    assert len(answers) == 3
    assert Watch.objects.count() == 1


def test_a_list_is_shared_and_copied_as_the_page_shows(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    making, made, sharing, looking, seen, copying, copied = (
        text for _, text in blocks_of("docs/howto/share-a-list.md")
    )
    watch, client = make_watch(alice, now=now), client_of(alice)
    make_audiobook(now=now, title="Glass Tide", asin="B0GLASS001")
    answer = ask_as_shown(client, making.replace("[1]", f"[{watch.pk}]"))
    assert answer | json.loads(made) == answer
    urls = ask_as_shown(client, sharing, ID=str(answer["id"]))["urls"]
    secret = urls["page"].rsplit("/", 1)[1]
    looked = ask_as_shown(APIClient(), looking, SECRET=secret)
    assert timeless(looked) == timeless(json.loads(seen))
    answer = ask_as_shown(client_of(bob), copying, SECRET=secret)
    assert answer | json.loads(copied) == answer
    assert Watch.objects.filter(user=bob).count() == 1
