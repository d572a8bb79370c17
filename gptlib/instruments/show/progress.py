"""What one sees while a model trains: a live panel in a notebook, one line in a terminal."""

import sys
import time

from gptlib.instruments.show import plots


def watch(training, steps, sample=None, landmarks=None):
    """The pairs of training, unchanged, while a panel shows how far it is; a last, still picture stays.

    training: what `train` returns. steps: the last step. sample: a function without arguments that returns a line of
    text, shown at every evaluation. Kernel → Interrupt (or Ctrl-C) ends the loop, not the program: the model is
    usable and has had as many steps as the panel says.
    """
    panel = NotebookPanel(steps, landmarks) if in_notebook() else TerminalLine(steps)
    history, step = [], 0
    try:
        for step, losses in training:
            if losses:
                history.append((step, losses))
            panel.show(step, history, sample() if sample and losses else None)
            yield step, losses
    except KeyboardInterrupt:
        panel.finish(
            history, f"stopped at step {step:,}; the model keeps what it has learnt so far"
        )
    else:
        panel.finish(history, "")


def in_notebook():
    """Whether a Jupyter kernel runs this, so that widgets can be seen."""
    shell = sys.modules.get("IPython")
    return bool(shell and shell.get_ipython() and hasattr(shell.get_ipython(), "kernel"))


def clock(seconds):
    """75 -> '1:15'"""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def summary(step, steps, history, started):
    """One line: where it is, the last losses, the time left."""
    words = [f"step {step:,} of {steps:,}"]
    if history:
        words.append(", ".join(f"{split} {loss:.3f}" for split, loss in history[-1][1].items()))
    if 0 < step < steps:
        words.append(f"{clock((time.perf_counter() - started) * (steps - step) / step)} left")
    return " · ".join(words)


class TerminalLine:
    """One line that overwrites itself; where the output is a file, only its last state is written."""

    def __init__(self, steps):
        self.steps, self.started, self.last = steps, time.perf_counter(), ""

    def show(self, step, history, sample):
        line = summary(step, self.steps, history, self.started)
        if sys.stderr.isatty():
            print("\r" + line.ljust(len(self.last)), end="", file=sys.stderr, flush=True)
        self.last = line

    def finish(self, history, words):
        end = f"{self.last}{' · ' if words else ''}{words}"
        print(("\r" if sys.stderr.isatty() else "") + end, file=sys.stderr, flush=True)


class NotebookPanel:
    """A bar, a line of words, the curve so far and a line of generated text; at the end a still curve."""

    def __init__(self, steps, landmarks):
        import ipywidgets
        from IPython.display import display

        self.steps, self.landmarks, self.started, self.drawn = (
            steps,
            landmarks,
            time.perf_counter(),
            0.0,
        )
        self.bar = ipywidgets.FloatProgress(
            max=max(steps, 1), layout=ipywidgets.Layout(width="30em")
        )
        self.words, self.sample = ipywidgets.HTML(), ipywidgets.HTML()
        # a white picture from the start: an empty image is laid out with no size, and stays so
        self.curve = ipywidgets.Image(
            value=plots.Picture("the curve to come", 7.0, 3.6).png(), format="png"
        )
        self.box = ipywidgets.VBox([self.bar, self.words, self.curve, self.sample])
        self.display = display
        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        display(
            {"application/vnd.jupyter.widget-view+json": view}, raw=True
        )  # raw: nothing that goes stale is stored

    def show(self, step, history, sample):
        if sample is not None:
            from gptlib.instruments.show.widgets import escaped

            self.sample.value = f"<pre>{escaped(sample)}</pre>"
        evaluated = bool(history) and history[-1][0] == step
        if evaluated and len(history) > 1:
            self.curve.value = plots.losses(history, self.landmarks).png()
        if (
            evaluated or time.perf_counter() - self.drawn > 0.25
        ):  # more often is only work for the browser
            self.bar.value = step
            self.words.value = summary(step, self.steps, history, self.started)
            self.drawn = time.perf_counter()

    def finish(self, history, words):
        self.box.children = [self.bar, self.words, self.sample]
        if words:
            self.words.value = words
        if len(history) > 1:
            self.display(plots.losses(history, self.landmarks))
