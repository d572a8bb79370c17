"""Stored rows are never edited by hand: data/results/SHA256SUMS has a line for each file, and a test compares."""

import hashlib

from gptlib.instruments.files import DATA, replacing, write_rows

SUMS = DATA / "results" / "SHA256SUMS"  # as `sha256sum --check SHA256SUMS` reads it


def digest(path):
    """The sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sums(path=SUMS):
    """{file name: its digest when its rows were measured}"""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {name: found for found, name in (line.split("  ", 1) for line in lines)}


def write_sealed(path, rows, columns=None):
    """write_rows, and note the digest in the folder's SHA256SUMS."""
    write_rows(path, rows, columns)
    noted = path.with_name(SUMS.name)
    with replacing(noted) as beside:
        found = sums(noted) | {path.name: digest(path)}
        lines = "".join(f"{found[name]}  {name}\n" for name in sorted(found))
        beside.write_bytes(lines.encode())
