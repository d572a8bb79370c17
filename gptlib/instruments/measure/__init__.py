"""Experiments with seeds, baselines, timing: every number in the notebooks that a cell does not compute itself."""
