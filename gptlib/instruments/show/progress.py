"""What one sees while a model trains: a live panel in a notebook, one line in a terminal."""

import signal
import sys
import threading
import time
from contextlib import contextmanager

from gptlib.instruments.show import plots
from gptlib.instruments.show.widgets import WIDGET_VIEW, LivePicture, escaped


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


def in_notebook():
    """Whether a Jupyter kernel runs this, so that widgets can be seen."""
    shell = sys.modules.get("IPython")
    return bool(shell and shell.get_ipython() and hasattr(shell.get_ipython(), "kernel"))


def minutes(seconds):
    """75 -> '1:15'"""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Clock:
    """The time left, from the steps since it was first asked: a resumed training does not begin at 0."""

    def __init__(self, steps):
        self.steps, self.first, self.started = steps, None, 0.0

    def left(self, step):
        """Seconds until the last step, or None if nothing is known yet."""
        if self.first is None:
            self.first, self.started = step, time.perf_counter()
        done = step - self.first
        elapsed = time.perf_counter() - self.started
        return elapsed * (self.steps - step) / done if done and step < self.steps else None


def summary(step, history, clock):
    """One line: where it is, the last losses, the time left."""
    words, left = [f"step {step:,} of {clock.steps:,}"], clock.left(step)
    if history:
        words.append(", ".join(f"{split} {loss:.3f}" for split, loss in history[-1][1].items()))
    if left is not None:
        words.append(f"{minutes(left)} left")
    return " · ".join(words)


class TerminalLine:
    """One line that overwrites itself; where the output is a file, only its last state is written."""

    def __init__(self, steps):
        self.clock, self.last = Clock(steps), ""

    def show(self, step, history, sample):
        line = summary(step, history, self.clock)
        if sys.stderr.isatty():
            print("\r" + line.ljust(len(self.last)), end="", file=sys.stderr, flush=True)
        self.last = line

    def finish(self, history, words):
        end = " · ".join(part for part in (self.last, words) if part)
        print(("\r" if sys.stderr.isatty() else "") + end, file=sys.stderr, flush=True)


def heard_while_busy(widget):
    """Let what is done to widget on the page reach Python while a cell runs.

    JupyterLab sends it to a thread of its own (a subshell) for that. But ipykernel 7.4 hands it to the thread that
    spoke to the page last, and that is the cell's, which listens again when it has ended.
    """
    widget.comm._reply_subshell_for = lambda data, sent_to: sent_to


class NotebookPanel:
    """A bar with a button that calls stop, a line of words, the curve so far and generated text; then a static curve."""

    def __init__(self, steps, baselines, stop):
        import ipywidgets
        from IPython.display import display

        self.clock, self.baselines, self.drawn = Clock(steps), baselines, 0.0
        self.bar = ipywidgets.FloatProgress(
            max=max(steps, 1), layout=ipywidgets.Layout(width="30em")
        )
        self.button = ipywidgets.Button(
            description="Stop", tooltip="stop after this step; the model keeps what it has learned"
        )
        self.button.on_click(lambda _: stop())
        heard_while_busy(self.button)
        self.words, self.sample = ipywidgets.HTML(), ipywidgets.HTML()
        self.curve = LivePicture()
        self.top = ipywidgets.HBox([self.bar, self.button])
        self.box = ipywidgets.VBox([self.top, self.words, self.sample])
        self.display = display
        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        display({WIDGET_VIEW: view}, raw=True)  # raw: nothing that goes stale is stored

    def show(self, step, history, sample):
        if sample is not None:
            self.sample.value = f"<pre>{escaped(sample)}</pre>"
        evaluated = bool(history) and history[-1][0] == step
        if len(history) > 1 and (evaluated or not self.curve.value):
            picture = plots.losses(history, self.baselines)
            self.curve.alt, self.curve.width = picture.alt_text, picture.size[0]
            self.curve.value = picture.png()
            self.box.children = [self.top, self.words, self.curve, self.sample]
        if (
            evaluated or time.perf_counter() - self.drawn > 0.25
        ):  # more often is only work for the browser
            self.bar.value = step
            self.words.value = summary(step, history, self.clock)
            self.drawn = time.perf_counter()

    def finish(self, history, words):
        self.box.children = [self.bar, self.words, self.sample]  # the button has done its duty
        if words:
            self.words.value = words
        if len(history) > 1:
            self.display(plots.losses(history, self.baselines))
