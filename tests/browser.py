"""A Chromium for the tests that look at real pages."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

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
