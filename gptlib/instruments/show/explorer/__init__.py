"""The attention explorer: what it computes, how it packs it, and the JavaScript that draws it."""
