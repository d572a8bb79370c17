"""python -m gptlib.instruments.publish.site FOLDER: write the pages there."""

import sys
import time
from pathlib import Path

from gptlib.instruments.publish.site.export import export


def main(arguments):
    """Export into the folder named in arguments and say how long it took."""
    if len(arguments) != 1:
        sys.exit(__doc__)
    started = time.perf_counter()
    try:
        index = export(Path(arguments[0]), say=lambda words: print(words, flush=True))
    except (ValueError, OSError) as problem:
        sys.exit(f"{problem}\nNo page was written.")
    print(f"{time.perf_counter() - started:.1f} seconds; open {index} in a browser.")


if __name__ == "__main__":
    main(sys.argv[1:])
