"""python -m gptlib.instruments.publish.site FOLDER: write the pages there."""

import sys
import time

from gptlib.instruments.publish.site.book import export


def main(folder):
    """Export into folder and say how long it took."""
    started = time.perf_counter()
    try:
        front = export(folder, say=lambda words: print(words, flush=True))
    except (ValueError, OSError) as problem:
        sys.exit(f"{problem}\nNo page was written.")
    print(f"{time.perf_counter() - started:.1f} seconds; open {front} in a browser.")


if __name__ == "__main__":
    main(sys.argv[1])
