"""The whole product at work (web, beat, worker, people who write and read) while a server fails it."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from notifications.models import Message
from tests.chaos.scene import SETTINGS, announce, follow
from tests.chaos.writers import Writers, between, lost, outcomes, p99_of
from tests.e2e.crew import Crew, crew
from tests.sinks import HttpSink
from tests.web import web
from workers.launch import wait_for

HEALED = 90.0  # seconds after a fault's end, by which everything is told
PATIENCE = 2 * HEALED
# Of the Procfile's web; those who are many and only drill ask often.
OF_WEB = {
    "LIMITS_FACTOR": "1000",
    "BROKER_TIMEOUT": "0.5",
    "DATABASE_PATIENCE": "1",
    "DATABASE_STATEMENT_TIMEOUT": "5",
    "DATABASE_BUDGET": "1.8",
    "DATABASE_POOL_MAX": "10",
}

Fault = Callable[[float], None]  # does its worst for so many seconds, and undoes it


@dataclass
class Stage:
    """What is at work, and what came of it so far."""

    sink: HttpSink
    people: int
    workers: Crew
    writers: Writers
    pids: Mapping[str, int]
    is_same: bool = False  # once it is over: the processes are those that began
    announced: int = 0
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)  # of each fault
    healed: dict[str, float] = field(default_factory=dict)  # seconds, by fault

    def announce(self) -> None:
        announce()
        self.announced += self.people

    def suffer(self, name: str, fault: Fault, seconds: float) -> None:
        """News amid a fault and after it: all of it is told, or the figure is PATIENCE."""
        self.announce()
        since = time.monotonic()
        fault(seconds)
        begun = time.monotonic()
        self.spans[name] = (since, begun)
        self.announce()
        self.wait_for_told()
        self.healed[name] = round(time.monotonic() - begun, 1)

    def wait_for_told(self) -> bool:
        sent = Message.objects.filter(state=Message.State.SENT)
        return wait_for(lambda: sent.count() >= self.announced, seconds=PATIENCE)

    def told(self) -> int:
        """How many pieces of news arrived, each counted once."""
        return len({(each.path, each.headers["webhook-id"]) for each in self.sink.requests})

    def figures(
        self, drill: str, *, answered: float, may_refuse: bool, may_end: bool = False
    ) -> dict[str, Any]:
        """What must hold of any fault: nothing lost, nobody hangs, nothing had to be restarted.

        `may_end`: processes may have ended, and been started again by whoever watches over them.
        """
        written, read = self.writers.written, self.writers.read
        answers, missed = outcomes([*written, *read]), lost(written)
        untold = self.announced - self.told()
        p99 = {name: p99_of(between([*written, *read], *span)) for name, span in self.spans.items()}
        return {
            "drill": drill,
            **answers,
            "p99_s": p99,
            "writes_lost": missed,
            "deliveries": self.announced,
            "lost": untold,
            "heal_s": self.healed,
            "restarts": int(not self.is_same),
            "held": not (missed or untold or answers["broken"])
            and (may_refuse or not answers["refused"])
            and (may_end or self.is_same)
            and answers["accepted"] > 0
            and max(p99.values()) <= answered
            and max(self.healed.values()) <= HEALED,
        }


@contextmanager
def stage(people: int, *, writers: int = 2, readers: int = 0, **settings: Any) -> Iterator[Stage]:
    """So many people who hear of one author over hooks of their own; one piece of news is told."""
    with ExitStack() as stack:
        sink = stack.enter_context(HttpSink())
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        follow(sink, people)
        workers = stack.enter_context(crew(logs, workers=1, children=2, **SETTINGS | settings))
        url = stack.enter_context(web(logs / "web.log", **OF_WEB | settings))
        busy = Writers(url, writers=writers, readers=readers)
        made = Stage(sink, people, workers, busy, {})
        made.announce()
        assert made.wait_for_told(), "nothing was told before anything failed"
        made.pids = workers.pids()
        with busy:
            yield made
            rest = time.monotonic()  # the last word: writers are heard when all is over
            wait_for(lambda: busy.accepted(since=rest) > 0, seconds=HEALED)
        made.is_same = workers.pids() == made.pids


def chosen(faults: Mapping[str, Fault], names: Sequence[str]) -> list[tuple[str, Fault]]:
    """Those that were named, else all."""
    return [each for each in faults.items() if not names or each[0] in names]
