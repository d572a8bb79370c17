"""What one sees while a model trains: a live panel in a notebook, one line in a terminal."""

import sys
import time

from gptlib.instruments.show import plots
from gptlib.instruments.show.widgets import WIDGET_VIEW, LivePicture, escaped


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
    """One line: where it is, the last losses and of which step they are, the time left."""
    words, left = [f"step {step:,} of {clock.steps:,}"], clock.left(step)
    if history:
        measured, losses = history[-1]
        when = "" if measured == step else f"at step {measured:,}: "
        words.append(when + ", ".join(f"{split} {loss:.3f}" for split, loss in losses.items()))
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
    """A bar with a button that calls stop, a line of words, the curve so far, generated text; then a static curve."""

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
