"""Watching a model train, stopping it and going on."""

import signal
import threading
from contextlib import contextmanager

from gptlib.instruments.show.panel import NotebookPanel, TerminalLine, in_notebook


def watch(training, steps, sample=None, baselines=None):
    """The pairs of training, unchanged, to loop over, while a panel shows how far it is; a static picture stays.

    training: what `train` returns. steps: the last step. sample: a function without arguments that returns a line of
    text, shown at every evaluation. baselines: {name: loss}, drawn as lines. The Stop button, Kernel → Interrupt and
    Ctrl-C end the loop after the step it is at, and not the program: the model keeps what it has learned so far.
    Looping over the same object once more goes on from there, as if it had not been stopped.
    """
    return Watched(training, steps, sample, baselines)


class Watched:
    """What watch returns; step and history, [(step, losses)] of every evaluation, are those of all loops over it."""

    def __init__(self, training, steps, sample=None, baselines=None):
        self.training, self.steps = iter(training), steps
        self.sample, self.baselines = sample, baselines
        self.step, self.history = 0, []

    def __iter__(self):
        stop = threading.Event()
        panel = (
            NotebookPanel(self.steps, self.baselines, stop.set)
            if in_notebook()
            else TerminalLine(self.steps)
        )
        words = f"this training ended at step {self.step:,}; for another one, call watch and train again"
        try:
            while pair := self.advance(panel, stop):
                words = ""
                yield pair
                if stop.is_set() and self.step < self.steps:
                    words = kept("stopped", self.step)
                    break
        except KeyboardInterrupt:
            words = kept("stopped", self.step)
        except GeneratorExit:  # the loop over us was left
            words = kept("left", self.step)
            raise
        finally:
            panel.finish(self.history, words)

    def advance(self, panel, stop):
        """The next pair of the training, shown on panel; None if there is none. An interrupt waits, and sets stop."""
        with interrupts_noted(stop):
            pair = next(self.training, None)
            if pair:
                self.step, losses = pair
                if losses:
                    self.history.append(pair)
                text = self.sample() if self.sample and losses else None
                panel.show(self.step, self.history, text)
        return pair


def kept(how, step):
    """How a loop ended before its last step, in words."""
    return f"{how} at step {step:,}; the model keeps what it has learned so far"


@contextmanager
def interrupts_noted(stop):
    """Within the block an interrupt sets stop and lets the block end, so that no step is left half done.

    A second interrupt does not wait. Only the main thread can do this; in another one nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def note(number, frame):
        if stop.is_set():
            before(number, frame)
        stop.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
