"""The demo as a newcomer runs it: its exit status, what it says, and what it leaves behind."""

import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from standardwebhooks.webhooks import Webhook

from notifications.channels.base import Envelope
from notifications.channels.discord import escaped
from notifications.channels.email import composed
from notifications.messages import Content, headline
from stalkerr.processes import ROOT
from tests.integration.embedded.people import are_gone, everybody
from tests.sinks import wait_until
from workers.demo import place, stage
from workers.demo.receivers import Arrival, News, Receivers, read_headline, read_mail
from workers.demo.story import Act
from workers.demo.tally import Shown, tally
from workers.launch import LaunchError


class Demo:
    """`manage.py demo` as a process; `var` is where the product would keep its data."""

    def __init__(self, var: Path, *arguments: str) -> None:
        self.folder = var / "demo"
        self.screen = var / "screen.txt"
        with self.screen.open("wb") as screen:
            self.process = subprocess.Popen(  # noqa: S603 - the words are ours
                [sys.executable, "manage.py", "demo", *arguments],
                cwd=ROOT,
                env={**os.environ, "VAR_DIR": str(var)},
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=screen,
            )

    def said(self) -> str:
        return self.screen.read_text()

    def wait_for(self, words: str) -> None:
        """Wait until it says so; fail at once where it has ended without."""
        wait_until(lambda: words in self.said() or self.process.poll() is not None, within=120)
        assert words in self.said(), self.said()

    def pids(self) -> list[int]:
        """All that belongs to it: itself, the servers, and whoever was told of its folder."""
        told = f"VAR_DIR={self.folder}\0".encode()
        found = [pid for pid in process_ids() if told in environment_of(pid)]
        return [self.process.pid, *everybody(self.folder), *found]

    def press_ctrl_c(self) -> int | None:
        """Press, and see whether it has ended."""
        self.process.send_signal(signal.SIGINT)
        return self.process.poll()


def process_ids() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # gone, or another user's
        return b""


@contextmanager
def running(var: Path, *arguments: str) -> Iterator[Demo]:
    demo = Demo(var, *arguments)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(timeout=60)


@pytest.fixture
def var() -> Iterator[Path]:
    """A folder that the servers' user can reach (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="stalkerr-demo-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_every_message_arrives_once_and_no_process_is_left(var: Path) -> None:
    with running(var, "--once") as demo:
        demo.wait_for("baseline")
        pids = demo.pids()
        assert len(set(pids)) >= 10  # itself, guardian, three servers, five of the Procfile
        status = demo.process.wait(timeout=120)
        assert (status, are_gone(pids)) == (0, True), demo.said()
    assert "13 expected, 13 arrived: 0 missing, 0 more than once, 0 unexpected." in demo.said()
    assert "\x1b" not in demo.said()  # no control codes where there is no terminal


@pytest.mark.long
@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_it_starts_afresh_each_time_and_stays_up_until_ctrl_c(var: Path) -> None:
    with running(var) as interrupted:
        interrupted.wait_for("baseline")
        pids = interrupted.pids()
        interrupted.press_ctrl_c()
        wait_until(lambda: any(are_gone([pid]) for pid in pids), within=40)
        # However impatient somebody gets: it takes the time to stop everything.
        wait_until(lambda: interrupted.press_ctrl_c() is not None, within=40)
        status = interrupted.process.wait()
        assert (status, are_gone(pids)) == (130, True), interrupted.said()
        assert "Traceback" not in interrupted.said()
    with running(var) as demo:
        demo.wait_for("stays up until Ctrl-C")
        pids = demo.pids()
        second = subprocess.run(
            [sys.executable, "manage.py", "demo"],
            cwd=ROOT,
            env={**os.environ, "VAR_DIR": str(var)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        demo.press_ctrl_c()
        status = demo.process.wait(timeout=40)
        assert (status, are_gone(pids)) == (0, True), demo.said()
    assert "13 expected, 13 arrived: 0 missing, 0 more than once, 0 unexpected." in demo.said()
    assert "Traceback" not in demo.said() + second.stderr
    assert (second.returncode, second.stderr.count("\n")) == (1, 1)
    assert "runs in" in second.stderr


def test_it_keeps_away_from_the_products_folder_and_servers() -> None:
    environ = {"DATABASE_URL": "postgres://prod/x", "SMTP_URL_FILE": "/run/smtp", "PORT": "81"}
    folder = place.move_in(Path("/srv/stalkerr"), environ)
    assert folder == Path("/srv/stalkerr/demo")
    assert environ == {**place.SETTINGS, "VAR_DIR": "/srv/stalkerr/demo", "PORT": "81"}


def test_it_empties_no_servers_but_its_own(tmp_path: Path) -> None:
    elsewhere = tmp_path / "demo"
    (elsewhere / "embedded").mkdir(parents=True)
    for urls in ({}, {"DATABASE_URL": "postgres://127.0.0.1:1/other"}):
        (elsewhere / "embedded" / "state.json").write_text(json.dumps({"urls": urls}))
        with pytest.raises(LaunchError, match="not its own"):
            stage.clear(elsewhere)
    with pytest.raises(LaunchError, match="not its own"):
        stage.clear(settings.VAR_DIR)  # the servers of this very test run


def test_a_busy_port_is_replaced_unless_it_was_asked_for() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        busy = str(holder.getsockname()[1])
        other = stage.choose_port("127.0.0.1", busy, None, "The web server", "PORT")
        assert other != int(busy)
        with pytest.raises(LaunchError, match=f"can't have port {busy}.*PORT"):
            stage.choose_port("127.0.0.1", "8000", busy, "The web server", "PORT")
    assert stage.choose_port("127.0.0.1", busy, None, "The web server", "PORT") == int(busy)
    with pytest.raises(LaunchError, match=r"can't listen at .*: correct PORT"):
        stage.choose_port("127.0.0.1", "8000", "none", "The web server", "PORT")


@pytest.fixture
def receivers(tmp_path: Path) -> Iterator[Receivers]:
    with Receivers(tmp_path) as receivers:
        yield receivers


def post(receivers: Receivers, body: bytes, headers: dict[str, str]) -> int:
    request = urllib.request.Request(receivers.webhook_url, body, headers)  # noqa: S310 (ours)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 (ours)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def sign(secret: str, body: bytes, at: dt.datetime) -> dict[str, str]:
    """Headers as another implementation of Standard Webhooks makes them."""
    signature = Webhook(secret).sign("msg_1", at, body.decode())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def test_the_webhook_hears_what_is_signed_and_nothing_else(receivers: Receivers) -> None:
    body = json.dumps({"type": "release.out_now", "data": {"audiobook": {"title": "Tide"}}})
    now = dt.datetime.now(dt.UTC)
    good = sign(receivers.secret, body.encode(), now)
    forged = [
        {},
        good | {"webhook-signature": "v1,AAAA"},
        good | {"webhook-id": "msg_2"},
        good | {"webhook-timestamp": "soon"},
        sign(receivers.secret, body.encode(), now - dt.timedelta(hours=1)),
        sign(f"whsec_{'A' * 32}", body.encode(), now),
    ]
    assert [post(receivers, body.encode(), headers) for headers in forged] == [401] * len(forged)
    assert post(receivers, body.encode() + b" ", good) == 401
    assert (receivers.arrivals, receivers.rejected) == ([], len(forged) + 1)
    assert post(receivers, body.encode(), good) == 204
    assert [each.news for each in receivers.arrivals] == [News("webhook", "out_now", "Tide")]


CONTENTS = tuple(
    Content(kind=kind, title=f"The *{kind}*: a Tide", summary="One.\nTwo.", release_date=day)
    for kind in ("announced", "date_moved", "out_now", "withdrawn", "restored", "detail_changed")
    for day in (dt.date(2027, 6, 9), None)
)
TOLD = [(content.kind, content.title) for content in CONTENTS]


def test_a_mail_with_many_pieces_of_news_is_heard_piece_by_piece() -> None:
    envelope = Envelope(
        wire_id="1",
        contents=CONTENTS,
        created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        unsubscribe_url="https://demo.example/stop",
    )
    mail = composed(envelope, "reader@demo.example")
    assert read_mail(mail) == TOLD
    assert read_mail(mail.replace(b"\r\n", b"\n")) == TOLD


def test_the_discord_hears_a_title_without_its_escapes(receivers: Receivers) -> None:
    embeds = [{"title": escaped(headline(content), 256)} for content in CONTENTS]
    body = json.dumps({"embeds": embeds}).encode()
    request = urllib.request.Request(receivers.discord_url, body)  # noqa: S310 (ours)
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 (ours)
        assert answer.status == 200
    assert [(each.news.kind, each.news.title) for each in receivers.arrivals] == TOLD


def test_what_is_no_headline_is_nobodys_news() -> None:
    assert read_headline("Your channel was switched off") == (
        "notice",
        "Your channel was switched off",
    )


def test_the_sum_knows_what_is_missing_repeated_and_unexpected() -> None:
    act = Act("", "announced", "Tide", ("email", "discord"))
    email, discord = act.news()
    other = News("email", "announced", "Orchard")

    def sum_of(*news: News) -> tuple[list[News], list[News], list[News], bool]:
        total = tally([Shown(act, 0.0)], [Arrival(each, time.monotonic()) for each in news])
        return total.missing, total.repeated, total.unexpected, total.is_right

    assert sum_of(email, discord) == ([], [], [], True)
    assert sum_of(email) == ([discord], [], [], False)
    assert sum_of(email, discord, email) == ([], [email], [], False)
    assert sum_of(email, discord, other) == ([], [], [other], False)
