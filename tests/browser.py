"""A Chromium for the tests that look at real pages, and a JupyterLab as `run.py lab` starts it for a reader."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from gptlib.instruments.publish import authoring

ROOT = Path(__file__).parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# what the tests need of a JupyterLab, and a reader does not: a known address, no window, root in a container
OPTIONS = ("--no-browser", "--ip=127.0.0.1", "--allow-root", "--IdentityProvider.token=t")
# Python runs this at its start: it notes whom a process asks for, beyond this machine
WATCH = """
import os, socket, sys

def note(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and not host.startswith("127.") and host not in ("::1", "0.0.0.0", "localhost", socket.gethostname()):
        with open(os.environ["ASKED"], "a") as log:
            log.write(f"{event} {host}\\n")

sys.addaudithook(note)
"""


def chromium_path():
    """The path of a Chromium or Chrome; without one the tests are skipped, except in CI, where they have to run."""
    found = [path for path in map(shutil.which, NAMES) if path]
    found += [path for path in PLACES if Path(path).is_file()]
    if not found:
        words = "no Chromium or Chrome was found; install one (on Debian: apt install chromium)"
        (pytest.fail if {"CI", "GPTLIB_CI"} & set(os.environ) else pytest.skip)(words)
    return found[0]


@contextmanager
def chromium():
    """That browser, started; it is closed in the end."""
    from playwright.sync_api import sync_playwright

    path = chromium_path()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield found
        found.close()


def wait_for(found, seconds=60):
    """What found() returns as soon as it is true; connection errors count as not yet."""
    for _ in range(seconds * 5):
        try:
            if value := found():
                return value
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"still waiting for {found.__name__} after {seconds} s")


def free_port():
    """A port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def watching(folder):
    """The environment in which Python processes note in folder/asked whom they ask for beyond this machine."""
    (folder / "sitecustomize.py").write_text(WATCH)
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "ASKED": str(folder / "asked")}


@contextmanager
def lab(home, notebooks):
    """A project with these notebooks, {name: notebook}, and `run.py lab` in it, its settings in home, a folder.

    Yields what there is of it: address, root, the project's folder; answer(path), JSON from the server; asked(), whom
    the server and its kernels asked for beyond this machine; shut_down(session), which ends its kernel.
    """
    settings = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")
    settings += ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
    environment = watching(home) | {name: str(home / name) for name in settings}
    environment.pop("OMP_NUM_THREADS", None)  # the tests set it, a reader does not
    # a reader who once said yes when JupyterLab offered its news
    answers = home / settings[3] / "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    answers.parent.mkdir(parents=True)
    answers.write_text('{"fetchNews": "true", "checkForUpdates": true}')
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def answer(path):
        with urllib.request.urlopen(f"{address}{path}?token=t", timeout=5) as reply:
            return json.load(reply)

    def shut_down(session):
        request = urllib.request.Request(
            f"{address}/api/sessions/{session}?token=t", method="DELETE"
        )
        urllib.request.urlopen(request, timeout=20).close()

    def asked():
        log = home / "asked"
        return log.read_text().splitlines() if log.exists() else []

    with authoring.stage() as folder, (home / "lab.log").open("w+") as log:
        shutil.copy(ROOT / "run.py", folder.parent)
        for name, notebook in notebooks.items():
            authoring.write(notebook, folder / name)
        server = subprocess.Popen(
            [sys.executable, "run.py", "lab", f"--port={port}", *OPTIONS],
            cwd=folder.parent,
            env=environment,
            stdout=log,
            stderr=log,
        )

        def server_answers():
            assert server.poll() is None, (home / "lab.log").read_text()
            return answer("/api/status")

        try:
            wait_for(server_answers)
            yield SimpleNamespace(
                address=address,
                root=folder.parent,
                answer=answer,
                asked=asked,
                shut_down=shut_down,
            )
        finally:
            server.terminate()
            server.wait(timeout=20)
