"""Workers that are stopped at any moment, stand still while they hold leases, or live and do nothing."""

import json
import os
import random
import re
import signal
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from notifications.models import Attempt, Message
from stalkerr import clock, sql
from tests.chaos.scene import SETTINGS, figures, promise, wait_for_the_end
from tests.chaos.senders import at_work
from tests.e2e.crew import Crew, crew
from tests.sinks import HttpSink, Reply, Request, wait_until
from tests.web import web
from workers.launch import wait_for

HELD_UP = (
    2.0  # seconds that an answer takes where stops are behind: there must be something to stop
)
GRACE = 60.0  # seconds that a container has to end
NOTICED = 180.0  # seconds until a worker that hangs is seen


# -- stopped -----------------------------------------------------------------------------------
@dataclass
class Stops:
    """Workers that were asked to end and have not ended yet."""

    workers: Crew
    chance: random.Random
    pending: dict[str, tuple[int, float, float]] = field(default_factory=dict)  # pid, at, KILL at
    seen: dict[str, float] = field(default_factory=dict)  # when each ended last
    slowest: float = 0.0
    killed: int = 0

    def stop(self, name: str) -> None:
        """SIGTERM or SIGQUIT, or SIGTERM and, after a while, SIGKILL."""
        pid, now = self.workers.pids()[name], time.monotonic()
        way = self.chance.choice(("TERM", "QUIT", "KILL"))
        os.kill(pid, signal.SIGQUIT if way == "QUIT" else signal.SIGTERM)
        kill_at = now + self.chance.random() * 2 if way == "KILL" else now + GRACE
        self.pending[name] = (pid, now, kill_at)

    def look(self) -> bool:
        """Kill whose time is over, note who has ended; whether anybody is still to end."""
        pids, now = self.workers.pids(), time.monotonic()
        for name, (pid, at, kill_at) in list(self.pending.items()):
            if pids.get(name) != pid:
                self.slowest = max(self.slowest, now - at)
                self.seen[name] = now
                del self.pending[name]
            elif now >= kill_at:
                self.killed += 1
                self.workers.kill(name)
                self.pending[name] = (pid, at, now + GRACE)
        return bool(self.pending)


def stop_anywhere(
    *, messages: int = 10_000, kills: int = 200, in_flight: int = 8, seed: int = 7
) -> dict[str, Any]:
    """Row 4: SIGTERM, SIGQUIT, or SIGTERM and then SIGKILL, `kills` times, amid claims and commits.

    Its guards, finish_sends and sending._LET_GO, are proven by tests/e2e/test_endings.py and test_kills.py.
    """
    share, number = messages / (kills + 2), 0  # of the messages for each stop; stops so far

    def answer(_: Request) -> Reply:
        is_early = len(sink.requests) > (number + 1) * share
        return Reply(delay=HELD_UP if is_early else 0.05)

    with HttpSink(answer) as sink, tempfile.TemporaryDirectory() as logs:
        promise(sink, messages)
        settings = SETTINGS | {"TELL_IN_FLIGHT": str(in_flight)}
        with crew(Path(logs), workers=4, children=1, **settings) as workers:
            stops = Stops(workers, random.Random(seed))
            for number in range(kills):
                sink.wait_for(int(number * share), within=180)
                wait_until(lambda: bool(_free(sink, stops)), within=120, every=0.05)
                stops.stop(stops.chance.choice(_free(sink, stops)))
            number = kills  # the rest is answered at once
            wait_until(lambda: not stops.look(), within=2 * GRACE, every=0.05)
            heal_s = wait_for_the_end(messages)
        stuck = Message.objects.filter(state="sending").count()
        found = figures(
            "stop_anywhere",
            sink,
            messages=messages,
            kills=stops.killed,
            in_flight=in_flight,
            heal_s=heal_s,
            children=1,
        )
        return found | {
            "stops": kills,
            "stuck": stuck,
            "slowest_exit_s": round(stops.slowest, 1),
            "held": found["held"] and not stuck and stops.slowest <= GRACE,
        }


def _free(sink: HttpSink, stops: Stops) -> list[str]:
    """The workers that send and were not asked to end."""
    stops.look()
    return [name for name in at_work(sink, stops.seen) if name not in stops.pending]


# -- standing still ----------------------------------------------------------------------------
def stalled_sender(*, messages: int = 500, in_flight: int = 8) -> dict[str, Any]:
    """Row 5: a worker stands still with sends in flight until others have them, then goes on.

    Proves the guard claim_no in settling._SETTLE: what it writes down then is refused.
    """
    with HttpSink(Reply(delay=0.2)) as sink, tempfile.TemporaryDirectory() as logs:
        promise(sink, messages)
        settings = SETTINGS | {"TELL_IN_FLIGHT": str(in_flight)}
        with crew(Path(logs), workers=2, children=1, **settings) as workers:
            sink.wait_for(messages // 5, within=120)
            wait_until(lambda: bool(at_work(sink, {})), within=60)
            name = at_work(sink, {})[0]
            group = workers.pids()[name]
            os.killpg(group, signal.SIGSTOP)
            try:
                wait_until(_is_taken_over, within=120, every=0.1)
            finally:
                os.killpg(group, signal.SIGCONT)
            heal_s = wait_for_the_end(messages)
            log = Path(logs) / f"{name}.log"
            wait_for(lambda: "lease_lost" in log.read_text(), seconds=30)
            refused = len(re.findall("lease_lost", log.read_text()))
        found = figures(
            "stalled_sender",
            sink,
            messages=messages,
            kills=1,
            in_flight=in_flight,
            heal_s=heal_s,
            children=1,
        )
        completions = Attempt.objects.filter(verdict="accepted").count()
        return found | {
            "refused": refused,
            "double_completions": completions - messages,
            "double_runs": _double_runs(),
            "held": found["held"] and refused > 0 and not _double_runs(),
        }


def _is_taken_over() -> bool:
    """Whether a lease was lost, and no more are about to be."""
    late = Message.objects.filter(state="sending", lease_expires_at__lt=clock.now())
    return Message.objects.filter(lost_leases__gt=0).exists() and not late.exists()


def _double_runs() -> int:
    """Slots that two runs have completed."""
    return len(
        sql.rows(
            "SELECT job, slot FROM jobs.job_run WHERE outcome = 'done' GROUP BY 1, 2 HAVING count(*) > 1"
        )
    )


# -- alive, and doing nothing ------------------------------------------------------------------
def hung_consumer() -> dict[str, Any]:
    """Row 7: the main process of a worker hangs, /health says so, and again when it goes on.

    By the silence of its queues' canaries (api/checks.py): the process is there, and so is its
    connection.
    """
    fast = {"TICK_INTERVAL": "1", "SWEEP_INTERVAL": "1"}
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        with (
            crew(logs, workers=1, children=1) as workers,
            web(logs / "web.log", LIMITS_FACTOR="1000", **fast) as url,
        ):
            before = wait_for(lambda: _health(url)["workers"], seconds=90)
            pid = workers.pids()["worker0"]
            os.kill(pid, signal.SIGSTOP)
            begun = time.monotonic()
            try:
                seen = wait_for(lambda: not _health(url)["workers"], seconds=NOTICED)
                noticed_s = time.monotonic() - begun
                others = _health(url)
            finally:
                os.kill(pid, signal.SIGCONT)
            begun = time.monotonic()
            again = wait_for(lambda: _health(url)["workers"], seconds=90)
            healed_s = time.monotonic() - begun
            is_same = workers.pids()["worker0"] == pid
    return {
        "drill": "hung_consumer",
        "noticed_s": round(noticed_s, 1),
        "heal_s": round(healed_s, 1),
        "restarts": int(not is_same),
        "held": before and seen and again and is_same and others["database"] and others["broker"],
    }


def _health(url: str) -> dict[str, bool]:
    """Which checks are well."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30) as answer:  # noqa: S310 (ours)
            body = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        body = json.loads(error.read())
    return {name: word == "healthy" for name, word in body["checks"].items()}
