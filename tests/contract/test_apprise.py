import asyncio
import datetime as dt
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from notifications import cage
from notifications.channels import registry
from notifications.channels.apprise import CHILDREN_MAX, _turns
from notifications.channels.base import Outcome, Verdict
from stalkerr.outbound import Client
from stalkerr.vetting_proxy import BYTES_MAX
from tests.contract.channels import (
    Harness,
    Row,
    Sink,
    envelope_of,
    http_rows,
    replying,
    send,
)
from tests.news import BOOK
from tests.sinks import FOREVER, HttpSink, RawSink, Reply, SecureSink, wait_until

PointTo = Callable[[Sink], None]

TOKEN = "s3cret-access-t0ken"
URL = f"pbul://{TOKEN}"  # a service that takes 200 and 204 for a yes
SHY = f"{URL}/?rto=0.3"  # which itself waits for an answer for 0.3 seconds

HARNESS = Harness(
    sink=SecureSink,
    config=lambda _url: {"url": SHY},
    rows=(
        *(row for row in http_rows(410) if row.name not in ("201", "202")),
        # A yes that the plugin does not know: it may have arrived.
        *(Row(f"{n}", replying(n), Verdict.AMBIGUOUS, n) for n in (201, 202)),
    ),
    bad_configs=tuple(
        {"url": url}
        for url in (
            *("", "x", "pbul:", "pbul://", "://x", "pbul://a b", "pbul://ä", None, 5),
            *("https://api.pushbullet.com/", "https://hooks.slack.com/services/a/b/c"),
            *("json://127.0.0.1/", "jsons://evil.example/", "mailto://u:p@evil.example"),
            *("gotify://evil.example/x", "ntfy://evil.example/x", "matrix://u:p@evil.example/"),
            *("syslog://", "dbus://", "windows://", "macosx://", "exec://x", "mqtt://evil.example"),
            *("rsyslog://127.0.0.1", "xmpp://u:p@evil.example", "growl://127.0.0.1", "smpp://x"),
            *("workflows://evil.example/a/b/c", "mastodon://t@evil.example", "nostr://x"),
            *("discord://1/x", "slack://a/b/c", "tgram://1:x/y", "pover://u@t", "schema://x"),
            *("pbul\n://x", "pbul://x\r\ny", "pbul://" + "a" * 2000, "pbul://\ud800"),
        )
    ),
)


def order(url: str, module: str, gate: int, **changes: Any) -> dict[str, Any]:
    """What a child is told."""
    return {
        "module": module,
        "scheme": url.partition(":")[0],
        "url": url,
        "plans": [[["Title", "Body"]]],
        "proxy": f"http://127.0.0.1:{gate}",
        "gate": gate,
        "ca": "",
        "seconds": 20,
        "parent": os.getpid(),
        **changes,
    }


def carried_out(order: dict[str, Any], **env: str) -> dict[str, Any]:
    """The report of a real child."""
    done = subprocess.run(  # noqa: S603 (the words are ours)
        [sys.executable, "-I", "-B", cage.__file__],
        input=json.dumps(order).encode(),
        capture_output=True,
        env={"HOME": "/nonexistent", **env},
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def children() -> list[str]:
    """Processes of this one that run the cage, by their id."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if parent == str(os.getpid()) and cage.__file__.encode() in words:
            found.append(folder.name)
    return found


# -- what goes out ------------------------------------------------------------------------------


def bodies(*contents: Any, point_to: PointTo, url: str = URL) -> list[dict[str, Any]]:
    """What the service was asked to show."""
    channel = registry.get("apprise")
    with SecureSink() as sink:
        point_to(sink)
        outcome = send(channel, envelope_of(*contents), channel.parse_config({"url": url}))
        assert outcome.verdict is Verdict.ACCEPTED, outcome
        return [request.json() for request in sink.requests]


def test_the_news_arrive(point_to: PointTo) -> None:
    (body,) = bodies(BOOK, BOOK, point_to=point_to)
    assert body["title"] == "New: The Long Way and 1 more"
    assert body["body"].count("New: The Long Way") == 2
    assert body["body"].count(BOOK.url) == 2
    assert "You hear of it because of: author A. Writer" in body["body"]


def test_several_devices_are_asked_one_after_the_other(point_to: PointTo) -> None:
    asked = bodies(BOOK, point_to=point_to, url=f"{URL}/one/two")
    assert [body["device_iden"] for body in asked] == ["one", "two"]


def test_nobody_is_called_and_nothing_is_linked_by_a_title(point_to: PointTo) -> None:
    title = "@everyone [x](javascript:alert(1))"
    book = type(BOOK)(kind="announced", title=title)
    (body,) = bodies(book, point_to=point_to)
    assert "@everyone" not in body["title"] + body["body"]
    assert "](" not in body["title"] + body["body"]


class Small:
    """A service with little room."""

    title_maxlen = 0
    body_maxlen = 160
    overflow_amalgamate_title = False


@pytest.mark.parametrize(
    ("lengths", "chosen"),
    [((150, 10, 5), 0), ((151, 10, 5), 1), ((500, 151, 5), 2), ((500, 500, 500), 2)],
)
def test_it_says_as_much_as_the_service_has_room_for(lengths: tuple[int, ...], chosen: int) -> None:
    plans = [[("8 signs.", "x" * length)] for length in lengths]
    assert cage.fitting(plans, Small) is plans[chosen]


# -- the verdict --------------------------------------------------------------------------------


def outcome_of(*replies: Reply, point_to: PointTo, url: str = URL) -> Outcome:
    channel = registry.get("apprise")
    with SecureSink() as sink:
        point_to(sink)
        sink.replies.extend(replies)
        return send(channel, envelope_of(), channel.parse_config({"url": url}))


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (200, 500, Verdict.AMBIGUOUS),
        (500, 200, Verdict.AMBIGUOUS),
        (500, 503, Verdict.NOT_ACCEPTED),
        (410, 500, Verdict.NOT_ACCEPTED),
        (500, 410, Verdict.NOT_ACCEPTED),
        (410, 410, Verdict.REFUSED),
    ],
)
def test_what_some_devices_got_is_not_known_to_be_lost(
    first: int, second: int, verdict: Verdict, point_to: PointTo
) -> None:
    outcome = outcome_of(Reply(first), Reply(second), point_to=point_to, url=f"{URL}/one/two")
    assert (outcome.verdict, outcome.status) == (verdict, second)


@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("soon", None), ("1e9", 86400)])
def test_it_hears_retry_after(value: str, seconds: int | None, point_to: PointTo) -> None:
    outcome = outcome_of(Reply(429, headers={"Retry-After": value}), point_to=point_to)
    assert outcome.verdict is Verdict.NOT_ACCEPTED
    assert outcome.retry_after == (None if seconds is None else dt.timedelta(seconds=seconds))
    assert not outcome.costs_try


def test_what_it_tells_is_short_and_holds_no_part_of_the_url(point_to: PointTo) -> None:
    echo = Reply(401, body=f"who is {TOKEN}? ".encode() * 1000)
    outcome = outcome_of(echo, point_to=point_to)
    assert outcome.detail == (
        "401: Failed to deliver payload to PushBullet:Unauthorized - Invalid Token., error=401."
    )
    for key in (TOKEN, f"%73{TOKEN[1:]}", TOKEN * 50):
        outcome = outcome_of(point_to=point_to, url=f"kumulos://{key}/{TOKEN}")
        assert "An invalid Kumulos API Key (***) was specified." in outcome.detail
        assert len(outcome.detail) <= 300


def test_a_url_that_apprise_does_not_understand_is_a_refusal(point_to: PointTo) -> None:
    outcome = outcome_of(point_to=point_to, url="kumulos://x/y")
    assert (outcome.verdict, outcome.refusal) == (Verdict.NOT_ACCEPTED, True)
    assert outcome.detail.startswith("Apprise does not understand this URL.")


def test_an_answer_without_end_is_cut_off(point_to: PointTo) -> None:
    """Proves the guard BYTES_MAX: what passes is bounded, and the outcome unclear."""
    outcome = outcome_of(Reply(200, body=b"x" * (2 * BYTES_MAX)), point_to=point_to)
    assert outcome.verdict is Verdict.AMBIGUOUS


def test_a_certificate_that_nobody_vouches_for_gets_nothing(
    point_to: PointTo, settings: Settings
) -> None:
    """Proves the guard verify_certificate: a URL can't say that anybody will do."""
    channel = registry.get("apprise")
    with SecureSink() as sink:
        point_to(sink)
        settings.APPRISE_DETOUR = ("127.0.0.1", sink.port, "")
        outcome = send(channel, envelope_of(), channel.parse_config({"url": f"{URL}/?verify=no"}))
        assert sink.requests == []
    assert (outcome.verdict, outcome.refusal) == (Verdict.NOT_ACCEPTED, False)


@pytest.mark.parametrize("more", ["", "?redirect=yes"])
def test_it_follows_no_redirect(more: str, point_to: PointTo) -> None:
    """Proves the guard redirects: a URL can't ask for them."""
    channel = registry.get("apprise")
    with SecureSink() as sink:
        point_to(sink)
        sink.replies.append(Reply(307, headers={"Location": "https://api.pushbullet.com/x"}))
        outcome = send(channel, envelope_of(), channel.parse_config({"url": f"{URL}/{more}"}))
        assert len(sink.requests) == 1
    assert (outcome.verdict, outcome.status) == (Verdict.NOT_ACCEPTED, 307)


@pytest.mark.parametrize("more", ["?optional=yes", "?retry=5&wait=0", "?overflow=split"])
def test_what_a_url_asks_for_changes_no_verdict(more: str, point_to: PointTo) -> None:
    outcome = outcome_of(Reply(500), Reply(500), point_to=point_to, url=f"{URL}/{more}")
    assert (outcome.verdict, outcome.status) == (Verdict.NOT_ACCEPTED, 500)


def test_an_address_that_may_not_be_contacted_is_a_refusal(
    point_to: PointTo, settings: Settings
) -> None:
    """Proves the guard of the proxy: the service's name leads home, and nobody is contacted."""
    channel = registry.get("apprise")
    with SecureSink() as sink:
        point_to(sink)
        settings.OUTBOUND_ALLOW = []
        outcome = send(channel, envelope_of(), channel.parse_config({"url": URL}))
        assert sink.connections == 0
    assert (outcome.verdict, outcome.refusal) == (Verdict.NOT_ACCEPTED, True)
    assert "OUTBOUND_ALLOW" in outcome.detail


# -- the cage -----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_the_child_reaches_nothing_but_its_proxy(host: str) -> None:
    """Proves the guard wall: told to go without the proxy, a plugin gets nowhere."""
    with RawSink() as canary, RawSink() as gate:
        told = order(f"json://{host}:{canary.port}/", "custom_json", gate.port)
        report = carried_out(told, NO_PROXY="*")
        assert (canary.connections, gate.connections) == (0, 0)
    assert (report["understood"], report["accepted"]) == (True, False)


def test_without_the_wall_that_plugin_would_get_there() -> None:
    with HttpSink() as gate:
        told = order(f"json://127.0.0.1:{gate.port}/", "custom_json", gate.port)
        report = carried_out(told, NO_PROXY="*")
        assert len(gate.requests) == 1
    assert report["accepted"]


def test_a_child_that_wants_too_much_memory_ends_alone(point_to: PointTo) -> None:
    """Proves the guard RLIMIT_AS: a small answer that unpacks to a large one is not swallowed."""
    bomb = gzip.compress(b"\0" * (192 << 20), 9)
    assert len(bomb) < BYTES_MAX
    outcome = outcome_of(
        Reply(200, body=bomb, headers={"Content-Encoding": "gzip"}), point_to=point_to
    )
    assert outcome.verdict is Verdict.AMBIGUOUS


def test_no_secret_is_on_a_command_line_or_in_an_environment(point_to: PointTo) -> None:
    seen: list[bytes] = []

    def look(_request: Any) -> Reply:
        for child in children():
            for name in ("cmdline", "environ"):
                seen.append(Path("/proc", child, name).read_bytes())
        return Reply()

    channel = registry.get("apprise")
    with SecureSink(look) as sink:
        point_to(sink)
        outcome = send(channel, envelope_of(), channel.parse_config({"url": URL}))
    assert outcome.verdict is Verdict.ACCEPTED
    assert len(seen) == 2
    assert TOKEN.encode() not in b"".join(seen)
    assert seen[1] == b"HOME=/nonexistent\0"


@pytest.mark.slow
def test_a_child_whose_time_is_up_is_killed(point_to: PointTo, settings: Settings) -> None:
    """Proves the guard SIGKILL: a plugin that would wait for an hour is not waited for."""
    channel = registry.get("apprise")
    with SecureSink(Reply(delay=FOREVER)) as sink:
        point_to(sink)
        settings.OUTBOUND_TIMEOUT = dt.timedelta(seconds=8)
        config = channel.parse_config({"url": f"{URL}/?rto=3600"})
        outcome = send(channel, envelope_of(), config)
        assert len(sink.requests) == 1
    assert outcome.verdict is Verdict.AMBIGUOUS
    assert children() == []


def test_a_send_that_is_given_up_leaves_no_child(point_to: PointTo) -> None:
    channel = registry.get("apprise")

    async def give_up(sink: SecureSink) -> None:
        async with Client() as client:
            config = channel.parse_config({"url": f"{URL}/?rto=3600"})
            going = channel.send(envelope_of(), config, client, dt.datetime.now(dt.UTC))
            task = asyncio.create_task(going)
            await asyncio.to_thread(sink.wait_for, 1, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with SecureSink(Reply(delay=FOREVER)) as sink:
        point_to(sink)
        asyncio.run(give_up(sink))
    wait_until(lambda: children() == [])


def test_it_sends_from_a_thread_of_its_own_as_workers_do(point_to: PointTo) -> None:
    with ThreadPoolExecutor(1) as thread:
        outcome = thread.submit(lambda: outcome_of(Reply(), point_to=point_to)).result()
    assert outcome.verdict is Verdict.ACCEPTED


def test_many_at_once_take_turns(point_to: PointTo) -> None:
    """Proves the guard CHILDREN_MAX: a digest hour does not fill the machine with processes."""
    channel = registry.get("apprise")
    most = 0

    def count(_request: Any) -> Reply:
        nonlocal most
        most = max(most, len(children()))
        return Reply()

    async def all_at_once(many: int) -> list[Outcome]:
        config = channel.parse_config({"url": URL})
        now = dt.datetime.now(dt.UTC)
        async with Client() as client:
            sends = (channel.send(envelope_of(), config, client, now) for _ in range(many))
            return await asyncio.gather(*sends)

    with SecureSink(count) as sink:
        point_to(sink)
        outcomes = asyncio.run(all_at_once(CHILDREN_MAX + 2))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert 1 <= most <= CHILDREN_MAX


def test_who_gets_no_turn_in_time_has_lost_no_try(point_to: PointTo, settings: Settings) -> None:
    channel = registry.get("apprise")

    async def crowd_out() -> Outcome:
        crowded = asyncio.Semaphore(1)
        await crowded.acquire()
        _turns[asyncio.get_running_loop()] = crowded
        async with Client() as client:
            config = channel.parse_config({"url": URL})
            return await channel.send(envelope_of(), config, client, dt.datetime.now(dt.UTC))

    with SecureSink() as sink:
        point_to(sink)
        settings.OUTBOUND_TIMEOUT = dt.timedelta(seconds=0.1)
        outcome = asyncio.run(crowd_out())
        assert sink.connections == 0
    assert (outcome.verdict, outcome.costs_try) == (Verdict.NOT_ACCEPTED, False)
    assert outcome.detail == "Nothing was sent in time."


def test_its_destination_is_one_url_and_hides_it() -> None:
    channel = registry.get("apprise")
    one, same, other = (
        channel.destination(channel.parse_config({"url": url})) for url in (URL, URL, f"{URL}2")
    )
    assert one == same != other
    assert one.startswith("pbul#")
