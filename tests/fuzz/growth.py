"""What a byte of an input costs in large inputs, compared with small ones: 1 where time or memory is linear, more where it is not."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", str, bytes)

#: By how much a byte may cost more in the larger input. Noise does not double the least of several times, and what is looked
#: at twice as often in an input of twice the size is found by sizes that are eight times and more apart.
MOST = 2.5


def growth_of_time(read: Callable[[T], object], small: T, large: T) -> float:
    """The cost of a byte of ``large`` by that of a byte of ``small``, each the least of its times.

    What the machine does beside makes times longer, never shorter: they are taken until the ratio is a good one, and
    often enough where it stays bad.
    """
    least_small = least_large = float("inf")
    for _ in range(40):
        least_small = min(seconds(read, small), least_small)
        least_large = min(seconds(read, large), least_large)
        ratio = (least_large / len(large)) / (least_small / len(small))
        if ratio <= MOST / 2:
            break
    return ratio


def growth_of_memory(read: Callable[[T], object], small: T, large: T) -> float:
    """The memory that a byte of ``large`` needs at most at one time, by that of a byte of ``small``."""
    # What any input needs, however short, is no growth.
    return (peak(read, large) / len(large)) / ((peak(read, small) + 512) / len(small))


def seconds(read: Callable[[T], object], text: T) -> float:
    """What one reading takes of this thread's time on a processor."""
    began = time.thread_time()
    read(text)
    return time.thread_time() - began


def peak(read: Callable[[T], object], text: T) -> int:
    """Bytes held at most while ``text`` is read, over those held before."""
    read(text)  # what is kept for good is kept now
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        read(text)
        return max(0, tracemalloc.get_traced_memory()[1] - before)
    finally:
        if not tracing:
            tracemalloc.stop()
