"""What the pages say, held against what there is: links, names, defaults, examples."""

import ast
import dataclasses
import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient
from standardwebhooks import WebhookVerificationError

from accounts.models import User
from catalog.listing import CreditLine
from catalog.services import record_listings
from notifications.channels.base import Channel, Verdict
from notifications.channels.registry import CHANNELS
from notifications.channels.webhook import signed
from notifications.messages import NOTICE, Content
from notifications.models import Channel as ChannelRow
from notifications.models import Delivery, Message
from stalkerr.processes import ROOT
from tests.contract.channels import envelope_of, send
from tests.contract.test_channels import HARNESSES
from tests.contract.test_webhook import sent
from tests.factories import make_listing
from tests.news import BOOK
from tests.sinks import HttpSink

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
TEST_CODE = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
TESTS = set(re.findall(r"def (test_\w+)", TEST_CODE))


def page(name: str) -> str:
    return (ROOT / name).read_text()


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_of(name: str, language: str) -> list[str]:
    """The blocks of a page that are fenced as being in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", path.read_text())
    files = [target.partition("#")[0] for target in targets if "://" not in target]
    assert [file for file in files if not (path.parent / file).exists()] == []


def test_every_page_is_linked_from_the_index() -> None:
    linked = {
        (ROOT / "docs" / file).resolve()
        for file in re.findall(r"\]\((.+?\.md)\)", page("docs/README.md"))
    }
    assert set((ROOT / "docs").rglob("*.md")) - linked == {ROOT / "docs" / "README.md"}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_that_are_named_exist(path: Path) -> None:
    named = [
        text for text in quoted(path.read_text()) if re.fullmatch(r"[a-z]+(/[\w.-]+)+/?", text)
    ]
    ours = [
        name
        for name in named
        if (ROOT / name.split("/")[0]).is_dir() and not name.startswith("var/")
    ]
    assert [name for name in ours if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_tests_that_are_named_exist(path: Path) -> None:
    assert set(re.findall(r"\btest_\w+\b(?!\.py)", path.read_text())) <= TESTS


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_commands_that_are_named_exist(path: Path) -> None:
    text = path.read_text()
    commands = set(re.findall(r"(?:`|^ {4,}|\b[A-Z_]+=\S+ )make ([a-z]+)", text, re.MULTILINE))
    assert commands <= TARGETS
    scripts = set(re.findall(r"\bscripts/[\w-]+", text))
    assert [script for script in scripts if not (ROOT / script).exists()] == []


def test_the_readme_is_short_and_holds_the_two_commands() -> None:
    readme = page("README.md")
    assert len(readme.splitlines()) < 120
    assert {"demo", "test", "up"} <= set(re.findall(r"^ {4}make (\w+)", readme, re.MULTILINE))


def test_changes_are_written_down_for_the_version_there_is() -> None:
    version = re.search(r'^version = "(.+)"$', page("pyproject.toml"), re.MULTILINE)
    assert version
    headings = re.findall(r"^## \[(.+?)\]", page("CHANGELOG.md"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", version[1]]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_a_page_with_its_price(path: Path) -> None:
    lines = path.read_text().splitlines()
    number = int(path.name[:4])
    assert DECISIONS[number - 1] == path
    assert lines[0].startswith(f"# {number}. ")
    assert [line for line in lines if line.startswith("## ")] == [
        "## Context",
        "## Decision",
        "## Price",
    ]
    assert len(lines) < 60


# -- settings ----------------------------------------------------------------------------------


def settings_read() -> Iterator[tuple[str, Any]]:
    """Every name read from the environment, with its default where that is a plain value."""
    for path in (ROOT / "stalkerr" / "settings").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            reader = ast.unparse(call.func)
            if reader in ("seconds", "kept") or reader.startswith("env."):
                yield from _read_by(call)
    yield from re.findall(r"\$\{(\w+):-([^}]*)\}", page("Procfile"))


def _read_by(call: ast.Call) -> Iterator[tuple[str, Any]]:
    name, *values = call.args
    values += [keyword.value for keyword in call.keywords if keyword.arg == "default"]
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        yield name.value, _plain(values[0]) if values else None


def _plain(value: ast.expr) -> Any:
    """The value of `15`, `30 * 60` or `"x"`; None of what is no plain text or number."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):
        return _plain(value.left) * _plain(value.right)
    return value.value if isinstance(value, ast.Constant) else None


def settings_told() -> dict[str, str]:
    """The rows of the page: name and the column of its default."""
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (.*?) \|", page("docs/reference/settings.md"), re.MULTILINE
    )
    assert len(rows) == len(dict(rows)), "a setting is there twice"
    return dict(rows)


def test_the_page_of_settings_has_all_of_them_and_no_others() -> None:
    assert {name for name, _ in settings_read()} == set(settings_told())


def test_the_page_of_settings_tells_the_defaults() -> None:
    told = settings_told()
    plain = {(name, str(value)) for name, value in settings_read() if value not in (None, "")}
    wrong = {(name, value) for name, value in plain if value not in quoted(told[name])}
    # Where the default differs from place to place, the page says so in words.
    assert wrong == {("PUBLIC_URL", "http://127.0.0.1:8000")}
    assert len(plain) > 25


# -- what is told of messages ------------------------------------------------------------------


def test_the_page_of_deliveries_names_every_state() -> None:
    text = page("docs/explanation/deliveries.md")
    delivery, message = text.split("## A message")
    assert all(re.search(rf"\b{state}\b", delivery) for state in Delivery.State.values)
    assert all(re.search(rf"\b{state}\b", message) for state in Message.State.values)


def test_the_page_of_the_webhook_names_every_field() -> None:
    told = set(re.findall(r"`(\w+)`", page("docs/reference/webhook.md")))
    notice, _ = sent(Content(kind=NOTICE, title="Subject", summary="Text"))
    book, _ = sent(BOOK)
    assert set(fields(json.loads(book))) | set(fields(json.loads(notice))) <= told


def fields(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from fields(each)


CHANNEL_ROW = re.compile(r"\| `(\w+)` \| (.+) \| (\d+) \| (.+) \| (.+) \| (.+) \|")


@pytest.mark.parametrize("kind", CHANNELS)
def test_the_page_of_channels_tells_what_the_code_does(kind: str) -> None:
    rows = {row[0]: row[1:] for row in CHANNEL_ROW.findall(page("docs/reference/channels.md"))}
    settings, groups, wire_id, pace, _refusals = rows[kind]
    channel = CHANNELS[kind]
    assert re.findall(r"`(\w+)`", settings) == list(channel.fields)
    assert set(re.findall(r"\*\*`(\w+)`\*\*", settings)) == channel.secret_fields
    assert int(groups) == channel.groups
    assert (wire_id != "none") is channel.idempotent
    paces = channel.paces(channel.parse_config(HARNESSES[kind].config("http://127.0.0.1:1")))
    said = set(re.findall(r"\d+ in \d+ s", pace))
    assert {f"{each.count} in {each.seconds} s" for each in paces.values()} <= said
    assert bool(said) is bool(paces)


def test_the_page_of_channels_names_no_others() -> None:
    text = page("docs/reference/channels.md")
    assert {row[0] for row in CHANNEL_ROW.findall(text)} == set(CHANNELS)
    _, _, inert = text.partition("## What a store's text can do there")
    assert set(CHANNELS) <= set(re.findall(r"`(\w+)`", inert))


def test_the_page_of_deliveries_says_of_each_kind_what_a_lost_answer_costs() -> None:
    _, _, table = page("docs/explanation/deliveries.md").partition("| kind | the id on the wire |")
    rows = re.findall(r"^\| ([\w, -]+) \| (.+?) \| is (.+)", table, re.MULTILINE)
    without = {
        each.lower()
        for names, wire_id, _ in rows
        if "none" in wire_id
        for each in names.split(", ")
    }
    named = {each.lower() for names, _, _ in rows for each in names.split(", ")}
    assert named == {channel.label.lower() for channel in CHANNELS.values()}
    assert without == {each.label.lower() for each in CHANNELS.values() if not each.idempotent}


# -- examples ----------------------------------------------------------------------------------


def test_the_example_takes_a_signed_webhook_once_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = code_of("docs/howto/verify-a-webhook.md", "python")
    space: dict[str, Any] = {}
    exec(example, space)  # noqa: S102 (our own page)
    body = json.dumps({"type": "release.announced", "data": {"headline": "New: A Book"}}).encode()
    headers = signed("a-wire-id", dt.datetime.now(dt.UTC), body, space["SECRET"])
    assert space["receive"](body, headers) == 204
    assert space["receive"](body, headers) == 204
    assert capsys.readouterr().out == "release.announced New: A Book\n"
    assert space["receive"](body + b" ", headers) == 401
    assert space["WebhookVerificationError"] is WebhookVerificationError


def test_the_example_of_a_channel_is_one() -> None:
    (example,) = code_of("docs/howto/add-a-channel.md", "python")
    space: dict[str, Any] = {"__name__": __name__}
    exec(example, space)  # noqa: S102 (our own page)
    channel: Channel[Any] = space["PlainText"]()
    with HttpSink() as sink:
        config = channel.parse_config({"url": f"{sink.url}/hook"})
        outcome = send(channel, envelope_of(BOOK, BOOK), config)
        (request,) = sink.requests
    assert outcome.verdict is Verdict.ACCEPTED
    assert request.body.decode().count("\n") == 1
    assert channel.destination(config) == "127.0.0.1"


@pytest.mark.django_db
@pytest.mark.usefixtures("fresh_limits")
def test_what_is_said_to_the_api_is_understood() -> None:
    (_, who), *others = [request_in(block) for block in code_of("docs/howto/run-at-home.md", "sh")]
    User.objects.create_user(**who)
    client = APIClient()
    token = client.post("/api/token", who).json()["access"]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert [path for path, _ in others] == ["/api/channels", "/api/watches", "/api/watches"]
    for path, body in others:
        answer = client.post(path, body)
        assert answer.status_code == 201, answer.json()


def request_in(block: str) -> tuple[str, dict[str, Any]]:
    """Path and body of the one request of a block."""
    (path,) = re.findall(r"http://127\.0\.0\.1:8000(\S+)", block)
    (body,) = re.findall(r"-d '(.+)'", block)
    return path, json.loads(body)


@pytest.mark.django_db
@pytest.mark.usefixtures("fresh_limits")
def test_what_is_said_of_watches_is_so(alice: User, now: dt.datetime) -> None:
    titles = {"Glass Tide": "B00ADAONE1", "Sand": "B00ADAONE1", "Soil Mechanics": "B00ADATWO2"}
    for days, (title, asin) in enumerate(titles.items()):
        listing = make_listing(title=title, release_date=now.date() - days * dt.timedelta(days=1))
        credits = (CreditLine("Ada Example", asin, "author"),)
        listing = dataclasses.replace(listing, credits=credits)
        record_listings(listings=[listing], fetched_at=now, now=now)
    client = APIClient()
    client.force_authenticate(alice)
    answers: list[Any] = []
    for language, block in blocks_of("docs/howto/watch-what-you-care-about.md"):
        if language == "sh":
            answers.append(answer_to(block, client, answers))
        else:
            assert answers[-1] | json.loads(block) == answers[-1]
    assert answers[2] == answers[1]["choices"]
    assert len(answers) == 8


@pytest.mark.django_db
@pytest.mark.usefixtures("fresh_limits")
def test_what_is_said_of_times_and_words_is_so(alice: User) -> None:
    client = APIClient()
    client.force_authenticate(alice)
    answers: list[Any] = []
    for language, block in blocks_of("docs/howto/choose-when-you-hear.md"):
        if language == "sh" and "/deliveries/replay" in block:
            channel = ChannelRow.objects.get()
            ChannelRow.objects.update(unconfirmed_since=None)
            block = block.replace('"channel": 1', f'"channel": {channel.pk}')
        if language == "sh":
            answers.append(answer_to(block, client, answers))
        else:
            assert answers[-1] | json.loads(block) == answers[-1]
    assert [kind["kind"] for kind in answers[0]] == list(CHANNELS)
    assert answers[1]["unconfirmed_since"] < answers[2]["unconfirmed_since"]
    assert answers[-1] == {"replayed": 0}
    assert len(answers) == 11


def blocks_of(name: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page in order: (language, text)."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)


def answer_to(block: str, client: APIClient, before: list[Any]) -> Any:
    """What the API says to a block; `$ID` is the id in the answer before."""
    (path,) = re.findall(r"http://127\.0\.0\.1:8000([^\s\"]+)", block)
    method = client.patch if "-X PATCH" in block else client.post
    bodiless = client.post if "-X POST" in block else client.get
    if "$ID" in path:
        ids = (a["id"] for a in reversed(before) if isinstance(a, dict) and "id" in a)
        path = path.replace("$ID", str(next(ids)))
    bodies = re.findall(r"-d '(.+)'", block)
    answer = method(path, json.loads(bodies[0])) if bodies else bodiless(path)
    assert answer.status_code in (200, 201), answer.json()
    return answer.json()
