"""A folder of results that is replaced in one piece, and only if every file in it was put there this way."""

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

NOTE = ".site.json"


def digests(folder):
    """{name: sha256} of every file under folder but the note."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NOTE
    }


@contextmanager
def replaced(folder):
    """A new folder to fill; it takes the place of folder when the block ends well, and leaves no trace otherwise.

    If folder holds anything that was not written this way, or was changed since, ValueError is raised.
    """
    note = folder / NOTE
    ours = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"{folder} is no folder; name one that is new or was exported before")
    if others := digests(folder).items() - ours.items():
        raise ValueError(
            f"{folder / min(others)[0]} is not as the export wrote it and would be lost; "
            "move it away, or name another folder"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
        fresh = Path(beside, "new")
        fresh.mkdir()
        yield fresh
        (fresh / NOTE).write_text(json.dumps(digests(fresh), indent=1), encoding="utf-8")
        if folder.exists():
            folder.rename(Path(beside, "old"))
        fresh.rename(folder)
