"""The walk: one character's way through a GPT, step by step, with every number. Drawn in the browser."""

from gptlib.instruments.show.walk.walk import Walk

__all__ = ["Walk"]
