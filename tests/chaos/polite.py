"""The drill on politeness: eight processes hammer one marketplace, and the store counts."""

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis
import requests
from django.conf import settings

from stalkerr.lifeline import die_with_parent
from stalkerr.processes import environment
from tests.chaos.guests import COMMAND, MARKETPLACE
from tests.sinks import wait_until

GUESTS = 8
INTERVAL = 0.5  # seconds
BURST = 3
WINDOW = 60.0  # seconds
LEAST_USE = 0.8  # of the turns there are: a drill in which nobody asks proves nothing


def polite(*, seconds: float = 75, silence: float = 4) -> dict[str, Any]:
    """What the store saw in so many seconds: two silences asked for, and Redis emptied once."""
    with tempfile.TemporaryDirectory() as logs, ExitStack() as stack:
        store_url = stack.enter_context(_store())
        _redis().flushdb()
        guests = stack.enter_context(_guests(Path(logs), store_url))
        wait_until(lambda: _said(Path(logs)).count("ready") == GUESTS, within=120)
        begun = time.time()
        for part in ("seconds", "date"):
            time.sleep(seconds / 4)
            order = {"retry_after": silence, "as_date": part == "date", "requests": 1}
            _tell(store_url, "throttle", {"marketplace": MARKETPLACE, **order})
        time.sleep(seconds / 4)
        _redis().flushdb()
        time.sleep(seconds / 4)
        assert all(guest.poll() is None for guest in guests), "a guest died"
        seen = requests.get(f"{store_url}/emulator/requests", timeout=30).json()
        seen = [each for each in seen if each["at"] >= begun]
        return _figures(seen, _said(Path(logs)), seconds, silence)


@contextmanager
def _store() -> Iterator[str]:
    """The emulated store in a process of its own; its address."""
    command = (sys.executable, "-m", "scraping.emulator", "--port", "0", "--authors", "1")
    with _process([*command, "--marketplaces", MARKETPLACE], stdout=subprocess.PIPE) as store:
        assert store.stdout is not None
        (address,) = re.findall(r"http://\S+", store.stdout.readline().decode())
        yield address


@contextmanager
def _guests(logs: Path, store_url: str) -> Iterator[list["subprocess.Popen[bytes]"]]:
    env = environment(
        DJANGO_SETTINGS_MODULE="stalkerr.settings.test",
        STORE_URL=store_url,
        STORE_REQUEST_INTERVAL=str(INTERVAL),
        STORE_BURST=str(BURST),
        STORE_LONGEST_WAIT="2",
    )
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                _process(
                    [*COMMAND, str(number)],
                    stdout=stack.enter_context((logs / str(number)).open("wb")),
                    env=env,
                )
            )
            for number in range(GUESTS)
        ]


@contextmanager
def _process(command: Sequence[str], **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """One that ends with the block, and with us."""
    arrange = die_with_parent(signal.SIGKILL)
    with subprocess.Popen(command, preexec_fn=arrange, **options) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _tell(store_url: str, verb: str, order: dict[str, Any]) -> None:
    requests.post(f"{store_url}/emulator/{verb}", json=order, timeout=30).raise_for_status()


def _said(logs: Path) -> list[str]:
    return [line for path in logs.iterdir() for line in path.read_text().splitlines()]


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.BUCKETS_URL)


def _figures(
    seen: list[dict[str, Any]], said: list[str], seconds: float, silence: float
) -> dict[str, Any]:
    moments = [each["at"] for each in seen]
    refused = [each["at"] for each in seen if _words(each["url"]) in said]
    window = min(WINDOW, seconds)
    bucket = int(window / INTERVAL) + BURST
    most = max(_within(moments, moment, window) for moment in moments)
    # An HTTP date has whole seconds: the store itself cut the last one short.
    ends = [refused[0] + silence, float(int(refused[1] + silence))]
    undercut = sum(
        begin < at < end for begin, end in zip(refused, ends, strict=True) for at in moments
    )
    ahead = _beyond(moments)
    used = len(moments) * INTERVAL / (seconds - 2 * silence)
    return {
        "drill": "polite",
        "guests": GUESTS,
        "seconds": seconds,
        "requests": len(moments),
        "window_s": window,
        "most_in_window": most,
        "bucket": bucket,
        "allowed": bucket + BURST,
        "ahead_of_pace": round(ahead, 1),
        "silences": len(refused),
        "undercut": undercut,
        "wipes": 1,
        "used": round(used, 2),
        "held": max(most - bucket, ahead - BURST) <= BURST and not undercut and used >= LEAST_USE,
    }


def _words(url: str) -> str:
    (words,) = re.findall(r"guest\d+x\d+", url)
    return str(words)


def _within(moments: list[float], begin: float, window: float) -> int:
    return sum(begin <= at < begin + window for at in moments)


def _beyond(moments: list[float]) -> float:
    """The most that came in any span, however short, beyond its share of the pace."""
    ahead = [number - at / INTERVAL for number, at in enumerate(moments)]
    lowest, most = ahead[0], 0.0
    for each in ahead:
        lowest = min(lowest, each)
        most = max(most, each - lowest)
    return most + 1
