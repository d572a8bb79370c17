"""The attention explorer: what it computes, how it packs it, and the JavaScript that draws it."""

from gptlib.instruments.show.explorer.explorer import AttentionExplorer

__all__ = ["AttentionExplorer"]
