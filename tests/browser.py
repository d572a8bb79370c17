"""A Chromium for the tests that look at real pages."""

import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
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


def chromium_path():
    """The path of a Chromium or Chrome; without one the test is skipped, but fails where CI is set."""
    found = [path for path in map(shutil.which, NAMES) if path]
    found += [path for path in PLACES if Path(path).is_file()]
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "there is no Chromium on this machine"
        )
    return found[0]
