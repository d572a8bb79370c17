"""Times that may be compared: everything takes its turn, in one run."""

import os
import statistics
import time

import torch


def seconds(function):
    """How long one call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def fastest(ways, rounds):
    """{name: seconds a call} of ways, {name: function}, each with its better number of threads; prints what it finds.

    First with one thread, then with all. In every round each takes its turn; the middle of the rounds counts.
    """
    best, threads_before = {}, torch.get_num_threads()
    for threads in sorted({1, os.cpu_count() or 1}):
        torch.set_num_threads(threads)
        found = [{name: seconds(way) for name, way in ways.items()} for _ in range(rounds)]
        for name in ways:
            middle = statistics.median(one[name] for one in found)
            print(f"{name:18s} {threads} thread(s) {1000 * middle:8.1f} ms")
            best[name] = min(middle, best.get(name, middle))
    torch.set_num_threads(threads_before)
    return best
