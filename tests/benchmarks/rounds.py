"""Figures of interleaved rounds: what one costs as a share of the other, whatever else runs."""

import time
from collections.abc import Callable, Sequence
from statistics import median


def seconds(work: Callable[[], object]) -> float:
    """How long one round takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """How many times as long they take: the median over rounds, each pair from the same moment."""
    return round(median(their / our for their, our in zip(theirs, ours, strict=True)), 2)
