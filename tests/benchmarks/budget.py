"""What the series costs: the import of gptlib beside torch's, and every notebook with the start of its kernel.

Wanted: the taught modules within 0.3 s of torch alone, no notebook over 90 s, all within 10 minutes. Both imports are
measured in turns, in fresh processes; the smallest of five counts.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from gptlib.instruments.publish import authoring  # noqa: E402

TAUGHT = ", ".join(f"gptlib.{path.stem}" for path in sorted((ROOT / "gptlib").glob("[a-z]*.py")))


def seconds_of(statement):
    """How long a fresh Python takes for statement."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, check=True)
    return time.perf_counter() - began


def import_cost():
    """The seconds that gptlib's taught modules add to torch."""
    pairs = [(seconds_of("import torch"), seconds_of(f"import torch, {TAUGHT}")) for _ in range(5)]
    return min(both for _, both in pairs) - min(torch for torch, _ in pairs)


def notebook_seconds(path):
    """How long a notebook runs, its kernel's start included; nothing is stored."""
    began = time.perf_counter()
    authoring.execute(authoring.read(path), authoring.NOTEBOOKS)
    return time.perf_counter() - began


def main():
    """Print what was measured, and 1 if a limit is passed."""
    added = import_cost()
    print(f"the taught modules add {added:.2f} s to torch (limit 0.30)", flush=True)
    seconds = {}
    for path in sorted(authoring.NOTEBOOKS.glob("*.ipynb")):
        seconds[path.stem] = notebook_seconds(path)
        print(f"{path.stem:32s} {seconds[path.stem]:6.1f} s (limit 90)", flush=True)
    print(f"{'all':32s} {sum(seconds.values()):6.1f} s (limit 600)")
    return int(added > 0.3 or max(seconds.values()) > 90 or sum(seconds.values()) > 600)


if __name__ == "__main__":
    sys.exit(main())
