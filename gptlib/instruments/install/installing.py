"""Make .venv and let pip fill it, with progress on the screen and everything that was said in a file."""

import re
import subprocess
import sys
import time

from gptlib.instruments.install import UserError
from gptlib.instruments.install.pip import Reader
from gptlib.instruments.install.process import follow, last_line, reason
from gptlib.instruments.install.screen import Screen, clock
from gptlib.instruments.install.venv import forget_unfinished, of_another_python, python_in
from gptlib.instruments.install.wanted import pins, version_here

LOG = "install.log"  # beside run.py: .venv may be deleted to start again, and my/ is the reader's
NO_VENV = (
    "Python could not make the folder .venv (%s); on Debian and Ubuntu `apt install python3-venv` helps, elsewhere "
    "delete .venv and try again."
)
NO_PACKAGES = (
    "pip could not install the packages (%s); the same command tries again and keeps what is there."
)


def install(root, venv, torch_index=None):
    """Make venv, or mend one that was left half made, and let pip fill it; what is there already stays."""
    started = time.monotonic()
    screen = Screen(steps=3 if torch_index else 2)
    screen.line(
        "Installing into .venv: a few minutes the first time, nothing on the next start. "
        "The full log is %s." % LOG
    )

    def step(heading, command, heard, failure):
        screen.next_step(heading)
        said = follow(command, log, screen, heard)
        if said is not None:
            sentence = reason(said) or failure % last_line(said)
            raise UserError("%s The full log is %s." % (sentence, root / LOG))

    with (root / LOG).open("w", encoding="utf-8") as log:
        try:
            step("making .venv", make_venv(root, venv), lambda _: screen.status("working"), NO_VENV)
            forget_unfinished(venv)
            pip = [str(python_in(venv)), "-m", "pip"]
            pip += ["install", *options(pip)]
            if torch_index:
                torch = ["torch==" + pins(root)["torch"], "--index-url", torch_index]
                step("fetching torch alone", pip + torch, Reader(screen, venv), NO_PACKAGES)
            project = ["-e", str(root) + "[dev]"]
            step("fetching the packages", pip + project, Reader(screen, venv), NO_PACKAGES)
        finally:
            screen.clear()
    screen.line("Installed in %s." % clock(time.monotonic() - started))


def make_venv(root, venv):
    """The command for it; a torch of the right version outside stays visible inside."""
    command = [sys.executable, "-m", "venv", str(venv)]
    if of_another_python(venv):
        command.append("--clear")
    if version_here("torch") == pins(root)["torch"] and sys.prefix == sys.base_prefix:
        command.append("--system-site-packages")
    return command


def options(pip):
    """pip install's options for a reader of its output: no questions, no advice, and bytes in plain lines if it can."""
    said = subprocess.run([*pip, "--version"], stdout=subprocess.PIPE, encoding="utf-8").stdout
    version = re.match(r"pip (\d+)\.(\d+)", said)
    counts = version is not None and tuple(map(int, version.groups())) >= (24, 1)
    return [
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar",
        "raw" if counts else "off",
    ]
