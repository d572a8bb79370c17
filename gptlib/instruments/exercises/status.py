"""How far a reader has come: what the checks said, from the outputs saved in my/. Nothing is executed.

python -m gptlib.instruments.exercises.status

Standard library only, so that it answers at once and before anything is installed.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

MY = Path(__file__).parents[3] / "my"
CHECKED = re.compile(r"^\s*check\.(\w+)\(", re.M)


def said(cell):
    """The last line that a cell's saved output printed, or ""."""
    printed = "".join(
        "".join(output["text"])
        for output in cell.get("outputs", [])
        if output.get("output_type") == "stream" and output.get("name") == "stdout"
    )
    return printed.strip().rpartition("\n")[2]


def state(cell):
    """(state, what the check said beyond it) of one exercise cell."""
    line = said(cell)
    if line.startswith("right"):
        return "done", ""
    if line.startswith("not right: "):
        return "not right", line.removeprefix("not right: ")
    failed = any(output.get("output_type") == "error" for output in cell.get("outputs", []))
    return ("stopped", "the cell stopped with an error") if failed else ("not yet", "")


def exercises(notebook):
    """[(name of the check, state, what it said)] of a notebook that was read as JSON, in order."""
    found = []
    for cell in notebook["cells"]:
        names = CHECKED.findall("".join(cell["source"])) if cell["cell_type"] == "code" else []
        found += [(name, *state(cell)) for name in names[-1:]]
    return found


def copied(folder):
    """{name: sha256 of the text that was brought} as run.py noted it; empty if there is no such note."""
    try:
        return dict(json.loads((folder / ".lectures.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def untouched(path, brought):
    """Whether a reader's notebook still is, byte for byte, what was copied for them."""
    return hashlib.sha256(path.read_bytes()).hexdigest() == brought.get(path.name)


def rows(path, brought):
    """The lines of the table for one notebook: its states, then what is not right."""
    name = f"{path.stem:28s}"
    try:
        found = exercises(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, LookupError, TypeError, AttributeError):
        return [f"{name}cannot be read as a notebook"]
    if not found:
        return []
    if untouched(path, brought):
        return [f"{name}not opened yet"]
    lines = [name + "".join(f"{word:12s}" for _, word, _ in found).rstrip()]
    for number, (check, _, words) in enumerate(found, start=1):
        if words:
            lines.append(f'    {number} {check} looks like "{words}"')
    return lines


def table(folder=MY):
    """The whole progress as text."""
    if not folder.is_dir():
        return "There is no my/ yet: `python run.py lab` makes it, with a copy of each lecture for you."
    brought = copied(folder)
    lines = [line for path in sorted(folder.glob("*.ipynb")) for line in rows(path, brought)]
    if not lines:
        return "No notebook in my/ has an exercise; `python run.py lab` brings the lectures that are missing."
    done = sum(len(re.findall(r"\bdone\b", line)) for line in lines if not line.startswith(" "))
    heading = " " * 28 + "".join(f"{number:<12d}" for number in (1, 2, 3)).rstrip()
    return "\n".join(
        [heading, *lines, "", f"{done} done, as of when each notebook was last saved."]
    )


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # −, √ and … on any console
    print(table())
