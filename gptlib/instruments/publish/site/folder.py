"""A folder of results that is replaced in one piece, and only if every file in it was put there this way."""

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

NOTE = ".site.json"


def digests(folder):
    """{name: sha256} of every file under folder but the note."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NOTE
    }


def noted(folder):
    """The digests that the last export left in folder; none if there was no export."""
    try:
        return dict(json.loads((folder / NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def check_ours(folder):
    """Raise ValueError if folder holds anything that was not written by `replaced`, or was changed since."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(
            f"{str(folder)!r} is no folder; name one that is new or was exported before"
        )
    ours = noted(folder)
    for name, digest in digests(folder).items() if folder.is_dir() else ():
        if ours.get(name) != digest:
            raise ValueError(
                f"{str(folder / name)!r} is not as the export wrote it and would be lost; "
                "move it away, or name another folder"
            )


@contextmanager
def replaced(folder):
    """A new folder to fill; it takes the place of folder when the block ends well, and leaves no trace otherwise."""
    folder = Path(folder).absolute()
    check_ours(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    fresh, old = beside / "new", beside / "old"
    fresh.mkdir()
    try:
        yield fresh
        (fresh / NOTE).write_text(json.dumps(digests(fresh), indent=1), encoding="utf-8")
        if folder.exists():
            os.replace(folder, old)
        os.replace(fresh, folder)
    finally:
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        shutil.rmtree(beside)
