"""The demo from beginning to end: baseline, acts, messages, and the sum of it all."""

import secrets
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress

from django.conf import settings

from catalog.models import Audiobook
from stalkerr import clock
from workers import launch
from workers.demo import reader
from workers.demo.report import Report
from workers.demo.stage import Stage, build
from workers.demo.story import perform
from workers.demo.tally import Shown, Tally, tally

PATIENCE = 90.0  # seconds that any step may take; an idle machine needs a few
STEP = 0.1
HOPELESS = 4  # starts of one process


def play(report: Report, *, once: bool) -> bool:
    """Perform the demo; whether all went as it must. Stays up until Ctrl-C unless `once`.

    Raises LaunchError where it can't begin.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(report.waiting)
            report.wait_for("making ready")
            show = Show(build(settings.VAR_DIR, stack, report), report)
            show.perform()
            if not once:
                stay_up(report)
            return not show.troubles
        finally:
            # Whoever presses Ctrl-C twice must not interrupt the stopping.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            report.wait_for("stopping")


def stay_up(report: Report) -> None:
    """Wait for Ctrl-C, which is the right end here."""
    report.waiting.stop()
    report.line("demo", "stays up until Ctrl-C")
    with suppress(KeyboardInterrupt):
        signal.pause()


class Show:
    """One performance, and what went wrong in it."""

    def __init__(self, stage: Stage, report: Report) -> None:
        self.stage = stage
        self.report = report
        self.password = secrets.token_urlsafe(9)
        self.shown: list[Shown] = []
        self.reported = 0  # arrivals
        self.troubles: list[str] = []

    def perform(self) -> None:
        """From the reader's wishes to the last line."""
        self._invite_reader()
        self.report.wait_for("the processes start and read the store for the first time")
        self._confirm_address()
        if self._await(reader.is_heard, "the store was not read whole"):
            titles = Audiobook.objects.count()
            self.report.line("baseline", f"{titles} titles seen; what comes from now on is news")
            self._act()
            self.report.table(self.shown, self.stage.receivers.arrivals)
        self._look_around()
        for trouble in self.troubles:
            self.report.line("trouble", trouble)

    def _invite_reader(self) -> None:
        stage, report = self.stage, self.report
        watches = reader.make(
            password=self.password, stock=stage.stock, receivers=stage.receivers, now=clock.now()
        )
        report.line("reader", f"{reader.EMAIL} hears by e-mail, webhook and Discord, and watches")
        for watch in watches:
            report.line("", f"  {watch} ({', '.join(watch.marketplaces)})")

    def _confirm_address(self) -> None:
        """As the reader does it: by the link in the mail that asks for it."""
        links = self.stage.receivers.links
        web = f"{self.stage.url}/health"
        if self._await(
            lambda: bool(links) and is_there(web), "no mail asked to confirm its address"
        ):
            reader.confirm_address(links[0])
            self.report.line(
                "reader", "follows the link in the mail that asks to confirm the address"
            )

    def _act(self) -> None:
        for act in perform(self.stage.store, self.stage.stock):
            self.shown.append(Shown(act, time.monotonic()))
            self.report.line("store", act.words if act.channels else f"{act.words}: no news")
        self.report.wait_for("the store is visited, the reader is told")
        if self._await(lambda: not self._tally().missing, "messages are missing"):
            # Every target is visited once more: whatever would be told wrongly has been told then.
            self.report.wait_for("one more visit everywhere: nothing else may come")
            since = clock.now()
            self._await(lambda: reader.is_quiet(since), "it never became quiet")
        self._judge()

    def _judge(self) -> None:
        if not self._tally().is_right:
            self.troubles.append("not everything arrived just once")
        if len(self.stage.receivers.links) != 1:
            self.troubles.append("not just one mail asked to confirm the address")
        if self.stage.receivers.rejected:
            self.troubles.append("webhooks came that were not signed")
        if self.stage.store.moods:
            self.troubles.append("the store was never asked while it was in a bad mood")

    def _tally(self) -> Tally:
        return tally(self.shown, self.stage.receivers.arrivals)

    def _await(self, condition: Callable[[], bool], trouble: str) -> bool:
        """Report what arrives until the condition holds; `trouble` where it does not in time."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self._report_arrivals()
            if time.monotonic() > end or self._is_broken():
                self.troubles.append(trouble)
                return False
            time.sleep(STEP)
        self._report_arrivals()
        return True

    def _is_broken(self) -> bool:
        """Whether a process ends whenever it is started."""
        return max(self.stage.processes.starts().values()) >= HOPELESS

    def _report_arrivals(self) -> None:
        arrivals = self.stage.receivers.arrivals
        while self.reported < len(arrivals):
            self.report.arrival(arrivals[self.reported], self.shown)
            self.reported += 1

    def _look_around(self) -> None:
        """Name the places to see, and make sure that they are there."""
        stage = self.stage
        pages = {
            "start": f"{stage.url}/",
            "upcoming": f"{stage.url}/api/upcoming",
            "feed": f"{stage.url}/feeds/upcoming.rss",
            "API": f"{stage.url}/api/schema",
            "API docs": f"{stage.url}/api/docs",
            "admin": f"{stage.url}/admin/",
            "Flower": f"http://{stage.flower}/",
            "health": f"{stage.url}/health",
            "store": f"{stage.store.base_url}/emulator/state",
        }
        self.report.wait_for("a look at every page")
        if not self._await(lambda: not absent(pages.values()), "not every page answers"):
            self.troubles += [f"{page} does not answer" for page in absent(pages.values())]
        folders = {"messages": f"{stage.folder}/inbox", "logs": f"{stage.folder}/log"}
        self.report.places(
            {name: f"{place}{self._login(name)}" for name, place in (pages | folders).items()}
        )
        for name, starts in stage.processes.starts().items():
            if starts > 1:
                log = stage.folder / "log" / f"{name}.log"
                self.troubles.append(f"{name} ended and had to be started again: see {log}")

    def _login(self, name: str) -> str:
        logins = {
            "API": (reader.EMAIL, self.password),
            "API docs": (launch.ADMIN_EMAIL, self.stage.admin_password),
            "admin": (launch.ADMIN_EMAIL, self.stage.admin_password),
            "Flower": (settings.FLOWER_USER, settings.FLOWER_PASSWORD),
        }
        return "  as {}, password {}".format(*logins[name]) if name in logins else ""


def absent(pages: Iterable[str]) -> list[str]:
    """Those that do not answer."""
    return [page for page in pages if not is_there(page)]


def is_there(page: str) -> bool:
    """Whether a page answers well, or asks who wants to know."""
    try:
        with urllib.request.urlopen(page, timeout=5):  # noqa: S310 (our own)
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
