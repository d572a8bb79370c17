"""Tools around the lessons that are not taught: to watch, save, look inside, draw and measure.

Importing them leaves torch with one thread, unless the environment variable OMP_NUM_THREADS says otherwise; torchrun
does the same. Our matrices are small: sharing one out among cores and waiting for the slowest takes as long as
multiplying it. On a quiet machine a second thread gains little, and on a busy one, where a core is often taken away,
everything waits: 300 characters took seven times as long. What gains by more threads measures it and then asks for
them with torch.set_num_threads (measure/timing.py, measure/experiments.py).
"""

import os
import sys

if "OMP_NUM_THREADS" not in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # read by a torch that is imported later
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
