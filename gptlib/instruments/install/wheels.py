"""For those who raise the pins: which of them have a wheel for every Python and system that the lectures promise.

pip asks its index for the names of files; no package is downloaded.
"""

import functools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from gptlib.instruments.install import UserError
from gptlib.instruments.install.process import last_line, reason
from gptlib.instruments.install.wanted import NEWEST, OLDEST, pins

PYTHONS = ["3.%d" % minor for minor in range(OLDEST[1], NEWEST[1] + 1)]
SYSTEMS = {  # {system: tags of the wheels it takes}; for Linux with glibc 2.28, for macOS 14, or for older ones
    "Linux": ["manylinux_2_%d_x86_64" % minor for minor in range(5, 29)] + ["manylinux2014_x86_64"],
    "macOS": ["macosx_14_0_arm64"],
    "Windows": ["win_amd64"],
}


def versions(package, python, tags):
    """The versions of package that have a wheel for python, 3.12 say, with one of these tags, newest first."""
    command = [sys.executable, "-m", "pip", "index", "versions", package]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--python-version", python]
    command += ["--platform=" + tag for tag in tags]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    if reason(done.stderr):
        raise UserError(reason(done.stderr))
    if done.returncode and "No matching distribution" not in done.stderr:
        raise UserError("pip did not answer for %s (%s)." % (package, last_line(done.stderr)))
    for line in done.stdout.splitlines():
        if line.startswith("Available versions: "):
            return [version.split("+")[0] for version in line.split(": ")[1].split(", ")]
    return []


def by_system(package, pinned, python):
    """{system: versions}; one question is enough if the pinned version has a wheel that fits any system."""
    anywhere = versions(package, python, ["any"])
    if pinned in anywhere:
        return dict.fromkeys(SYSTEMS, anywhere)
    return {system: versions(package, python, tags) for system, tags in SYSTEMS.items()}


def everywhere(found):
    """The first of the versions in found, {(python, system): versions, newest first}, that all of them have, or -."""
    common = set.intersection(*map(set, found.values()))
    return next((version for version in next(iter(found.values())) if version in common), "-")


def row(package, pinned, found):
    """The table's line for package: for each Python, the initials of the systems with a wheel of the pinned version."""
    cells = [
        "".join(system[0].upper() if pinned in found[python, system] else "-" for system in SYSTEMS)
        for python in PYTHONS
    ]
    return ("%-18s %-10s %-10s" + " %-5s" * len(cells)).rstrip() % (
        package,
        pinned,
        everywhere(found),
        *cells,
    )


def table(wanted, say):
    """Say the table for wanted, {package: version}; the places without a wheel, as text."""
    say(
        "L is a wheel for Linux, M for macOS, W for Windows; newest: what all of them could be raised to."
    )
    say(("%-18s %-10s %-10s" + " %-5s" * len(PYTHONS)) % ("", "pinned", "newest", *PYTHONS))
    missing = []
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        asked = {
            package: {python: pool.submit(by_system, package, pinned, python) for python in PYTHONS}
            for package, pinned in wanted.items()
        }
        for package, version in wanted.items():
            found = {
                (python, system): there
                for python, future in asked[package].items()
                for system, there in future.result().items()
            }
            say(row(package, version, found))
            missing += [
                "%s %s: no wheel for Python %s on %s" % (package, version, *place)
                for place, there in found.items()
                if version not in there
            ]
    finally:
        pool.shutdown(cancel_futures=True)
    return missing


def main(root, packages):
    """Check the pins of these packages, or all; the exit status."""
    say = functools.partial(print, flush=True)
    wanted = pins(root)
    for package in packages:
        if package not in wanted:
            raise UserError("%r is not pinned; there are: %s." % (package, ", ".join(wanted)))
    missing = table({package: wanted[package] for package in packages or wanted}, say)
    say("\n".join(missing) or "Every pin has a wheel everywhere.")
    return 1 if missing else 0
