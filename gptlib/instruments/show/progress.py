"""What one sees while a model trains: a live panel in a notebook, one line in a terminal."""

import sys
import time

from gptlib.instruments.show import plots
from gptlib.instruments.show.picture import Picture
from gptlib.instruments.show.widgets import WIDGET_VIEW, escaped


def watch(training, steps, sample=None, baselines=None):
    """The pairs of training, unchanged, while a panel shows how far it is; a last, static picture stays.

    training: what `train` returns. steps: the last step. sample: a function without arguments that returns a line of
    text, shown at every evaluation. baselines: {name: loss}, drawn as lines. Kernel → Interrupt (or Ctrl-C) ends the
    loop, not the program: the model is usable and has had as many steps as the panel says.
    """
    panel = NotebookPanel(steps, baselines) if in_notebook() else TerminalLine(steps)
    history, step, ending = [], 0, ""
    try:
        for step, losses in training:
            if losses:
                history.append((step, losses))
            panel.show(step, history, sample() if sample and losses else None)
            yield step, losses
    except KeyboardInterrupt:
        ending = f"stopped at step {step:,}; the model keeps what it has learned so far"
    except GeneratorExit:  # the loop over us was left
        ending = f"left at step {step:,}; the model keeps what it has learned so far"
        raise
    finally:
        panel.finish(history, ending)


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
        end = f"{self.last}{' · ' if words else ''}{words}"
        print(("\r" if sys.stderr.isatty() else "") + end, file=sys.stderr, flush=True)


class NotebookPanel:
    """A bar, a line of words, the curve so far and a line of generated text; at the end a static curve."""

    def __init__(self, steps, baselines):
        import ipywidgets
        from IPython.display import display

        self.clock, self.baselines, self.drawn = Clock(steps), baselines, 0.0
        self.bar = ipywidgets.FloatProgress(
            max=max(steps, 1), layout=ipywidgets.Layout(width="30em")
        )
        self.words, self.sample = ipywidgets.HTML(), ipywidgets.HTML()
        # a white picture from the start: an empty image is laid out with no size, and stays so
        self.curve = ipywidgets.Image(
            value=Picture("the curve to come", 7.0, 3.6).png(),
            format="png",
            layout=ipywidgets.Layout(width="700px", max_width="100%", align_self="flex-start"),
        )
        self.box = ipywidgets.VBox([self.bar, self.words, self.curve, self.sample])
        self.display = display
        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        display({WIDGET_VIEW: view}, raw=True)  # raw: nothing that goes stale is stored

    def show(self, step, history, sample):
        if sample is not None:
            self.sample.value = f"<pre>{escaped(sample)}</pre>"
        evaluated = bool(history) and history[-1][0] == step
        if evaluated and len(history) > 1:
            self.curve.value = plots.losses(history, self.baselines).png()
        if (
            evaluated or time.perf_counter() - self.drawn > 0.25
        ):  # more often is only work for the browser
            self.bar.value = step
            self.words.value = summary(step, history, self.clock)
            self.drawn = time.perf_counter()

    def finish(self, history, words):
        self.box.children = [self.bar, self.words, self.sample]
        if words:
            self.words.value = words
        if len(history) > 1:
            self.display(plots.losses(history, self.baselines))
