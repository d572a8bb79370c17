"""What is wanted: the Pythons, and the packages with their versions; and what the running interpreter has of it."""

import hashlib
import json
from pathlib import Path

from gptlib.instruments.install import UserError

OLDEST, NEWEST = (3, 11), (3, 14)


def check_python(version):
    """Raise UserError unless version, such as (3, 12), is one that the pinned packages support."""
    if not OLDEST <= tuple(version[:2]) <= NEWEST:
        raise UserError(
            "This is Python %d.%d, and the lectures need 3.%d to 3.%d; install one of these and start run.py with it, "
            "for example: python3.12 run.py lab" % (version[0], version[1], OLDEST[1], NEWEST[1])
        )


def fingerprint(root):
    """What the installation depends on: the packages, and where gptlib lies."""
    words = (root / "pyproject.toml").read_bytes() + str(root).encode("utf-8", "surrogateescape")
    return hashlib.sha256(words).hexdigest()


def pins(root):
    """{package: version} for everything that root's pyproject.toml asks for, dev included."""
    import tomllib  # not at the top: an old Python has to get as far as the sentence about its age

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    return dict(requirement.split("==") for requirement in wanted)


def version_here(package):
    """The version that the running interpreter has of package, without a suffix such as +cpu; None if it has none."""
    import importlib.metadata

    try:
        return importlib.metadata.version(package).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def running_python_fits(root):
    """Whether the running interpreter, an activated conda environment say, has gptlib from root and all pins."""
    import importlib.metadata
    from urllib.parse import unquote, urlparse
    from urllib.request import url2pathname

    notes = [
        found.read_text("direct_url.json")
        for found in importlib.metadata.distributions(name="gptlib")
    ]
    folders = [
        url2pathname(unquote(urlparse(json.loads(note)["url"]).path)) for note in notes if note
    ]
    from_here = any(Path(folder).resolve() == root for folder in folders)
    return from_here and all(version_here(name) == version for name, version in pins(root).items())
