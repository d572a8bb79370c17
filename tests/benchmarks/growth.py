"""What a training step costs as context, width and depth grow; writes data/results/growth.csv."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from gptlib.instruments.measure import growth

if __name__ == "__main__":
    growth.main([])
