"""A virtual environment as a folder: its interpreter, and the notes that pip keeps of what it has installed."""

import os
import re
import shutil
import sys
from pathlib import Path


def python_in(venv):
    """The path of the interpreter inside the virtual environment venv."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def notes(venv):
    """The folder that pip keeps for each package in venv."""
    places = "Lib/site-packages" if os.name == "nt" else "lib/python3*/site-packages"
    return sorted(Path(venv).glob(places + "/*.dist-info"))


def installed_since(venv, moment):
    """How many packages have been installed into venv since moment, a time.time()."""
    return sum(
        finished(note) and (note / "INSTALLER").stat().st_mtime >= moment for note in notes(venv)
    )


def finished(note):
    """Whether the package with this note is installed whole: pip writes INSTALLER behind all its files."""
    return (note / "INSTALLER").is_file()


def of_another_python(venv):
    """Whether venv was made by another Python than this, 3.13 say, and this is 3.14: it cannot be mended."""
    try:
        words = (venv / "pyvenv.cfg").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    version = re.search(r"^version(?:_info)? *= *(\d+)\.(\d+)", words, re.M)
    return version is not None and tuple(map(int, version.groups())) != tuple(sys.version_info[:2])


def forget_unfinished(venv):
    """Take away the notes of packages whose installation was cut short, so that pip installs them again."""
    for note in notes(venv):
        if not finished(note):
            shutil.rmtree(note)
