"""For those who write notebooks: quote the library in the cell that builds it, execute, and store the same bytes.

python -m gptlib.instruments.publish.authoring quote [NN …]      copy the library's text into the cells that build it
python -m gptlib.instruments.publish.authoring refresh [NN …]    quote, execute and store
python -m gptlib.instruments.publish.authoring claims            list the asserts of all notebooks in tests/claims.txt
"""

import ast
import base64
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from gptlib.instruments.files import DATA, NOTEBOOKS, ROOT, replacing, tolerant_console

NOT_TAUGHT = {"__init__", "validate"}
TAUGHT = sorted({path.stem for path in (ROOT / "gptlib").glob("*.py")} - NOT_TAUGHT)
CLAIMS = ROOT / "tests" / "claims.txt"
FOLDED = {"guard", "plot"}  # tags of cells whose code a reader need not see
PICTURES = {  # in data/pictures, from the notebooks' outputs: what the README shows
    "explorer.png": ("00", "attention of 6 × 6 heads"),
    "ladder.png": ("10", "the loss ladder"),
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def first_line_docstrings(source):
    """source with every docstring cut to its first line."""
    lines = source.splitlines()
    places = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            first = node.body[0]
            places.append(
                (
                    first.lineno,
                    first.end_lineno,
                    first.col_offset,
                    ast.get_docstring(node).splitlines()[0],
                )
            )
    for start, end, indent, words in sorted(places, reverse=True):
        lines[start - 1 : end] = [" " * indent + f'"""{words}"""']
    return "\n".join(lines)


def built_names(source):
    """{name: its text} for every public class, function and constant at the top level of source, the last one wins."""
    found = {}
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            # a constant; other assignments are a notebook's own variables
            names = [t.id for t in node.targets if isinstance(t, ast.Name) and t.id.isupper()]
        else:
            continue
        start = min(
            [node.lineno] + [decorator.lineno for decorator in getattr(node, "decorator_list", [])]
        )
        text = first_line_docstrings("\n".join(lines[start - 1 : node.end_lineno]))
        found.update({name: text for name in names if not name.startswith("_")})
    return found


def taught_names():
    """{name: (module, text as a notebook shows it)} for everything that the lessons build."""
    found = {}
    for module in TAUGHT:
        texts = built_names((ROOT / "gptlib" / f"{module}.py").read_text(encoding="utf-8"))
        found.update({name: (module, text) for name, text in texts.items()})
    return found


def code_of(cell):
    """A code cell's source without the lines that are IPython's own."""
    return "\n".join(
        "" if line.startswith(("%", "!")) else line for line in cell.source.splitlines()
    )


def definitions(notebook):
    """{name: (cell, text)}: the last definition of every public name in a notebook."""
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found.update({name: (cell, text) for name, text in built_names(code_of(cell)).items()})
    return found


def read(path):
    """The notebook at path."""
    return nbformat.read(path, as_version=4)


def quote(notebook):
    """Put the library's text into the cells that build taught names; returns the names that changed."""
    taught, changed = taught_names(), []
    for name, (cell, text) in definitions(notebook).items():
        if name in taught and text != taught[name][1]:
            cell.source = cell.source.replace(text, taught[name][1])
            changed.append(name)
    return changed


@contextmanager
def stage():
    """Yields a folder to run notebooks in as if it were notebooks/: data/ is beside it, and an empty my/."""
    with TemporaryDirectory(prefix="lectures-", ignore_cleanup_errors=True) as place:
        for name in ("notebooks", "my"):
            (Path(place) / name).mkdir()
        try:
            (Path(place) / "data").symlink_to(DATA, target_is_directory=True)
        except OSError:  # Windows wants a privilege for links
            shutil.copytree(DATA, Path(place) / "data")
        yield Path(place) / "notebooks"


def execute(notebook, folder, keep_widgets=False):
    """Run notebook from top to bottom in a kernel that starts in folder; keep_widgets puts their state into it."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=40"],  # errors only: kernels warn that they talk over TCP
        store_widget_state=keep_widgets,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except CellExecutionError as problem:
        sys.exit(f"{problem}\nNothing was stored; mend the cell and refresh again.")


def tidy(notebook):
    """Take out of notebook what changes from run to run or belongs to one machine; fold what is tagged for it."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    for cell in notebook.cells:
        cell.metadata = metadata(cell)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(
                WIDGET_VIEW, None
            )  # its model is gone when the file is opened again
            if "metadata" in output:
                output["metadata"] = {}
        if cell.cell_type == "code":
            cell.outputs = [
                o
                for o in cell.outputs
                if o.output_type not in ("display_data", "execute_result") or o.data
            ]


def metadata(cell):
    """What a stored cell carries beside its source: its tags, and whether JupyterLab folds its code."""
    tags = cell.metadata.get("tags", [])
    folded = {"jupyter": {"source_hidden": True}} if FOLDED & set(tags) else {}
    return {"tags": tags, **folded} if tags else {}


def write(notebook, path):
    """Store notebook at path in one piece, with \\n at the line ends on every system."""
    with replacing(path) as beside:
        beside.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def asserts(source):
    """The conditions asserted in a cell, as text, however they are laid out."""
    return [ast.unparse(n.test) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Assert)]


def claims():
    """Every assert of every notebook, as text: a line for each, behind the id of its cell."""
    lines = [
        "Every assert of the notebooks, written by `python run.py refresh`: "
        "what its diff loses or loosens, the series no longer holds.\n"
    ]
    for path in chosen([]):
        lines.append(f"\n{path.name}\n")
        for cell in read(path).cells:
            if cell.cell_type == "code":
                lines += [f"{cell.id}  {claim}\n" for claim in asserts(code_of(cell))]
    return "".join(lines)


def write_claims():
    """Bring tests/claims.txt up to date with the notebooks."""
    with replacing(CLAIMS) as beside:
        beside.write_text(claims(), encoding="utf-8", newline="\n")


def stored_picture(notebook, words):
    """The PNG bytes of the one stored picture whose description holds words."""
    found = [
        base64.b64decode(output.data["image/png"])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if words in output.get("data", {}).get("text/plain", "") and "image/png" in output.data
    ]
    if len(found) != 1:
        sys.exit(f"{len(found)} pictures are described with {words!r}; there must be one")
    return found[0]


def export_pictures():
    """Write the pictures that the README shows, as the notebooks' stored outputs have them."""
    for file, (number, words) in PICTURES.items():
        target = ROOT / "data" / "pictures" / file
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(stored_picture(read(chosen([number])[0]), words))


def chosen(numbers):
    """The notebooks whose names begin with one of numbers; all of them without any."""
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    unknown = [
        number for number in numbers if not any(path.name.startswith(number) for path in paths)
    ]
    if unknown:
        sys.exit(
            f"there is no notebook {unknown[0]!r}; there are {', '.join(path.name[:2] for path in paths)}"
        )
    return [path for path in paths if not numbers or path.name.startswith(tuple(numbers))]


def main(command, numbers):
    """quote or refresh the notebooks with these numbers; with claims, none. The list of asserts follows."""
    for path in chosen(numbers) if command != "claims" else []:
        notebook = read(path)
        changed = quote(notebook)
        if command == "refresh":
            with stage() as folder:
                execute(notebook, folder)
            tidy(notebook)
        write(notebook, path)
        print(path.name + (f": quoted {', '.join(changed)}" if changed else ""), flush=True)
    write_claims()
    if command == "refresh":
        export_pictures()


if __name__ == "__main__":
    tolerant_console()
    if (
        len(sys.argv) < 2
        or sys.argv[1] not in ("quote", "refresh", "claims")
        or not all(re.match(r"\d", a) for a in sys.argv[2:])
    ):
        sys.exit(__doc__.strip())
    main(sys.argv[1], sys.argv[2:])
