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
SAID = re.compile(r"^(right|not right|not yet): .*", re.M)


def said(cell):
    """The last line of a check that a cell's saved output holds, or ""."""
    printed = "".join(
        "".join(output["text"])
        for output in cell.get("outputs", [])
        if output.get("output_type") == "stream" and output.get("name") == "stdout"
    )
    return next((line.group() for line in reversed(list(SAID.finditer(printed)))), "")


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
    """[(name of the check, state, what it said)] of a notebook that was read as JSON, in order.

    Of several checks in a cell the last one counts, as its line is the last that the cell prints.
    """
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


def progress(path, brought):
    """(what there is to say of a whole notebook, its exercises)."""
    try:
        found = exercises(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "cannot be read as a notebook", []
    return ("not opened yet", []) if found and untouched(path, brought) else ("", found)


def columns(words):
    """A line of the table without its name."""
    return "".join(f"{word!s:12s}" for word in words).rstrip()


def table(folder=MY):
    """The whole progress as text: for each notebook its states, then what is not right."""
    if not folder.is_dir():
        return "There is no my/ yet: `python run.py lab` makes it, with a copy of each lecture for you."
    brought = copied(folder)
    seen = [(path.stem, *progress(path, brought)) for path in sorted(folder.glob("*.ipynb"))]
    seen = [(name, whole, found) for name, whole, found in seen if whole or found]
    if not seen:
        return "No notebook in my/ has an exercise; `python run.py lab` brings the lectures that are missing."
    most = max(len(found) for _, _, found in seen)
    lines = [" " * 28 + columns(range(1, max(most, 3) + 1))]
    for name, whole, found in seen:
        lines.append(f"{name:28s}" + (whole or columns(state for _, state, _ in found)))
        for number, (check, _, words) in enumerate(found, start=1):
            if words:
                lines.append(f"    {number} {check}: {words}")
    done = sum(state == "done" for _, _, found in seen for _, state, _ in found)
    return "\n".join([*lines, "", f"{done} done, as of when each notebook was last saved."])


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # −, √ and … on any console
    print(table())
