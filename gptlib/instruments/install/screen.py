"""What a reader sees of a long job: lines that stay, and below them one that says what happens right now."""

import shutil
import sys
import time


def clock(seconds):
    """Seconds as text: 45 s, 3 min 12 s."""
    minutes, seconds = divmod(round(seconds), 60)
    return "%d min %02d s" % (minutes, seconds) if minutes else "%d s" % seconds


class Screen:
    """Numbered steps, lines, and a status: rewritten in place on a terminal, elsewhere a plain line now and then.

    steps: how many steps there will be; every: seconds of silence before a status is a line, where there's no terminal.
    """

    def __init__(self, steps, stream=None, every=15):
        self.steps, self.every = steps, every
        self.stream = stream or sys.stdout
        self.step = self.width = 0
        self.started = self.spoke = time.monotonic()

    def line(self, text):
        """Print text to stay."""
        self.clear()
        self._put(text + "\n")
        self.spoke = time.monotonic()

    def next_step(self, text):
        """Print the heading of the next step."""
        self.step += 1
        self.line("Step %d of %d: %s" % (self.step, self.steps, text))

    def status(self, text):
        """Say that text is what happens now."""
        text = "  %s (%s so far)" % (text, clock(time.monotonic() - self.started))
        if self.stream.isatty():
            room = shutil.get_terminal_size().columns - 1
            shown = text[:room]
            self._put("\r" + shown.ljust(min(self.width, room)))
            self.width = len(shown)
        elif time.monotonic() - self.spoke >= self.every:
            self.line(text)

    def clear(self):
        """Take the status away."""
        if self.width:
            self._put("\r" + " " * self.width + "\r")
            self.width = 0

    def _put(self, text):
        self.stream.write(text)
        self.stream.flush()
