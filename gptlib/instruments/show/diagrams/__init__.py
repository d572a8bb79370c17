"""Diagrams of models and shapes, drawn from real modules and tensors: boxes, arrows, the residual stream, matrices."""

from gptlib.instruments.show.diagrams.block import block_diagram, blocks_diagram, calls_of
from gptlib.instruments.show.diagrams.gpt_map import PARTS, gpt_map, series_map, shapes_of
from gptlib.instruments.show.diagrams.shapes import (
    attention_diagram,
    heads_diagram,
    pieces_diagram,
    shift_diagram,
)
from gptlib.instruments.show.diagrams.sheet import LIT, Diagram

__all__ = [
    "LIT",
    "PARTS",
    "Diagram",
    "attention_diagram",
    "block_diagram",
    "blocks_diagram",
    "calls_of",
    "gpt_map",
    "heads_diagram",
    "pieces_diagram",
    "series_map",
    "shapes_of",
    "shift_diagram",
]
