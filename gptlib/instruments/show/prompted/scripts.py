"""The scripts of a live picture, as the one module and the one style sheet that anywidget wants."""

import re
from pathlib import Path

SHARED = Path(__file__).parent


def one_module(folder):
    """The .js files of folder and the shared ones as a single ES module: joined, without their own imports."""
    paths = sorted(SHARED.glob("*.js")) + sorted(folder.glob("*.js"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    text = re.sub(r"^import .*\n", "", text, flags=re.M)
    return re.sub(r"^export (?!default)", "", text, flags=re.M)


def one_style(folder):
    """The .css files of folder, joined."""
    paths = sorted(folder.glob("*.css"))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
